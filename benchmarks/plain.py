"""The three models as they are usually written, to measure the fast ones against; never used to train.

Masked convolutions multiply a full k x k kernel by its mask and pad all sides alike; the LSTM layers
(`plain_lstm.py`) are loops of operations that torch differentiates; the softmax takes the logits of
the whole batch where they lie. Weights that our masks leave out exist here, as zeros that never learn.
"""

from collections.abc import Iterable
from itertools import chain
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.plain_lstm import PlainDiagonalBiLSTM, PlainRowLSTM
from pixelrnn.errors import RecipeError
from pixelrnn.layers import MaskedConv2d, RowLSTM
from pixelrnn.layers.linear_prediction import WEIGHT_UNIT
from pixelrnn.likelihoods import Categorical, Likelihood, LogisticMixture, scale_levels
from pixelrnn.models import AutoregressiveModel, ResidualModel
from pixelrnn.models.lstm_block import LSTMBlock
from pixelrnn.models.pixel_cnn import PixelCNNBlock


def plain(model: AutoregressiveModel) -> "PlainModel":
    """Return the same network in plain operations, with a copy of the weights as its own parameters.

    Example:
        >>> from pixelrnn.models import PixelCNNConfig, build
        >>> model = build(PixelCNNConfig(channels=1, features=4, layers=1))
        >>> images = torch.zeros(2, 1, 5, 7, dtype=torch.uint8)
        >>> nats = -model.log_prob(images).sum() / images.numel()
        >>> bool(torch.isclose(plain(model).loss(images), nats))
        True
    """
    if not isinstance(model, ResidualModel):
        raise _not_written(model)
    return PlainModel(model)


def _not_written(part: nn.Module | Likelihood) -> RecipeError:
    name = type(part).__name__
    return RecipeError(f"{name} is not written in plain operations: measure with --no-plain")


class PlainConv2d(nn.Module):
    """A convolution with a full kernel, multiplied by its mask at every step.

    Args:
        conv: the masked convolution to copy; its kernel ends with the row of the pixel itself.

    Attributes:
        weight: `(out, in, k, k)`, zero where masked and in the rows below the pixel.
        mask: of the same shape and type; None where all is seen, as in most 1 x 1 layers.
    """

    mask: Tensor | None

    def __init__(self, conv: MaskedConv2d) -> None:
        super().__init__()
        rows, width = conv.mask.shape[2:]
        rows_below = (0, 0, 0, rows - 1)
        self.weight = nn.Parameter(F.pad(conv.kernel().detach(), rows_below).clone())
        self.bias = None if conv.bias is None else nn.Parameter(conv.bias.detach().clone())
        mask = F.pad(conv.mask.to(self.weight.dtype), rows_below)
        self.register_buffer("mask", None if mask.all() else mask, persistent=False)
        self.dilation = conv.dilation
        self.padding = (rows - 1) * conv.dilation, width // 2 * conv.dilation

    def forward(self, maps: Tensor) -> Tensor:
        """Map `(B, in, H, W)` to `(B, out, H, W)`."""
        kernel = self.weight if self.mask is None else self.weight * self.mask
        return F.conv2d(maps, kernel, self.bias, padding=self.padding, dilation=self.dilation)


class PlainResidual(nn.Module):
    """A residual block: what its layers, one after the other, give is added to the maps."""

    def __init__(self, *layers: nn.Module) -> None:
        super().__init__()
        self.layers = nn.Sequential(*layers)

    def forward(self, maps: Tensor) -> Tensor:
        """Map `(B, 2h, H, W)` to `(B, 2h, H, W)`."""
        return maps + cast(Tensor, self.layers(maps))


def _plain_block(block: nn.Module) -> PlainResidual:
    match block:
        case PixelCNNBlock():
            convs = map(PlainConv2d, (block.into, block.conv, block.out))
            return PlainResidual(*chain.from_iterable((nn.ReLU(), conv) for conv in convs))
        case LSTMBlock():
            layer, out = block.lstm, PlainConv2d(block.out)
            lstm = PlainRowLSTM if isinstance(layer, RowLSTM) else PlainDiagonalBiLSTM
            return PlainResidual(PlainConv2d(layer.input_to_state), lstm(layer.recurrence), out)
        case _:
            raise _not_written(block)


class PlainModel(nn.Module):
    """Stem, blocks, head and likelihood in plain operations; see `plain`.

    Args:
        model: the model whose weights are copied.
    """

    def __init__(self, model: ResidualModel) -> None:
        super().__init__()
        self.config, self.likelihood = model.config, model.likelihood
        self.stem = PlainConv2d(model.stem)
        self.blocks = nn.ModuleList(_plain_block(block) for block in model.blocks)
        head = model.head
        self.first = PlainConv2d(head.first)
        self.skips = nn.ModuleList(map(PlainConv2d, cast(Iterable[MaskedConv2d], head.skips)))
        later = cast(Iterable[MaskedConv2d], [*head.hidden, head.output])
        self.later = nn.ModuleList(map(PlainConv2d, later))
        self.prediction = None if model.prediction is None else PlainConv2d(model.prediction.conv)

    def forward(self, images: Tensor) -> Tensor:
        """Return the likelihood's parameters `(B, groups, maps, H, W)` of uint8 `(B, C, H, W)`."""
        values = scale_levels(images, self.config.num_levels, self.stem.weight.dtype)
        maps = values
        if self.config.border_channel:
            maps = torch.cat([values, torch.ones_like(values[:, :1])], dim=1)
        maps = self.stem(maps)
        outputs = [maps := block(maps) for block in self.blocks]
        maps = self.first(F.relu(maps))
        for skip, output in zip(self.skips, outputs, strict=False):
            maps = maps + skip(F.relu(output))
        for layer in self.later:
            maps = layer(F.relu(maps))
        parameters: Tensor = maps.unflatten(1, (self.likelihood.groups, -1))
        if self.prediction is not None:
            predicted = WEIGHT_UNIT * self.prediction(values).unsqueeze(1)
            parameters = torch.cat([parameters, predicted], dim=2)
        return parameters

    def loss(self, images: Tensor) -> Tensor:
        """Return the mean negative log-likelihood of uint8 `(B, C, H, W)`, nats per sub-pixel."""
        parameters = self(images)
        match self.likelihood:
            case Categorical():
                return F.cross_entropy(parameters.transpose(1, 2), images.long())
            case LogisticMixture():
                return -self.likelihood.in_torch(parameters, images).mean()
            case _:
                raise _not_written(self.likelihood)
