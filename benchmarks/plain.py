"""The three models as they are usually written, to measure the fast ones against; never used to train.

Masked convolutions multiply a full k x k kernel by its mask and pad all sides alike; the LSTM layers
(`plain_lstm.py`) are loops of operations that torch differentiates; the softmax takes the logits of
the whole batch where they lie. Weights that our masks leave out exist here, as zeros that never learn.
"""

from collections.abc import Sequence
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
from pixelrnn.models import AutoregressiveModel, PixelRNN
from pixelrnn.models.lstm_block import LSTMBlock
from pixelrnn.models.pixel_cnn import PixelCNNBlock
from pixelrnn.models.pixelrnn import Head


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
    if not isinstance(model, PixelRNN):
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


class PlainPixelCNNBlock(nn.Module):
    """The bottleneck around a k x k convolution."""

    def __init__(self, block: PixelCNNBlock) -> None:
        super().__init__()
        self.into = PlainConv2d(block.into)
        self.conv = PlainConv2d(block.conv)
        self.out = PlainConv2d(block.out)

    def forward(self, maps: Tensor) -> Tensor:
        """Map `(B, 2h, H, W)` to `(B, 2h, H, W)`."""
        inside = self.conv(F.relu(self.into(F.relu(maps))))
        return maps + cast(Tensor, self.out(F.relu(inside)))


class PlainLSTMBlock(nn.Module):
    """An LSTM layer and a 1 x 1 convolution, added."""

    def __init__(self, block: LSTMBlock) -> None:
        super().__init__()
        layer = block.lstm
        self.input_to_state = PlainConv2d(layer.input_to_state)
        self.lstm = (
            PlainRowLSTM(layer.recurrence)
            if isinstance(layer, RowLSTM)
            else PlainDiagonalBiLSTM(layer.recurrence)
        )
        self.out = PlainConv2d(block.out)

    def forward(self, maps: Tensor) -> Tensor:
        """Map `(B, 2h, H, W)` to `(B, 2h, H, W)`."""
        return maps + cast(Tensor, self.out(self.lstm(self.input_to_state(maps))))


class PlainHead(nn.Module):
    """ReLU and 1 x 1 layers up to the likelihood's parameters."""

    def __init__(self, head: Head) -> None:
        super().__init__()
        self.first = PlainConv2d(head.first)
        self.skips = nn.ModuleList(PlainConv2d(cast(MaskedConv2d, conv)) for conv in head.skips)
        self.later = nn.ModuleList(
            PlainConv2d(cast(MaskedConv2d, conv)) for conv in chain(head.hidden, [head.output])
        )

    def forward(self, outputs: Sequence[Tensor]) -> Tensor:
        """Map the outputs of all blocks, each `(B, 2h, H, W)`, to `(B, groups * maps, H, W)`."""
        maps = self.first(F.relu(outputs[-1]))
        for skip, output in zip(self.skips, outputs, strict=False):
            maps = maps + skip(F.relu(output))
        for layer in self.later:
            maps = layer(F.relu(maps))
        return cast(Tensor, maps)


class PlainModel(nn.Module):
    """Stem, blocks, head and likelihood in plain operations; see `plain`.

    Args:
        model: the model whose weights are copied.
    """

    def __init__(self, model: PixelRNN) -> None:
        super().__init__()
        self.config, self.likelihood = model.config, model.likelihood
        self.stem = PlainConv2d(model.stem)
        self.blocks = nn.ModuleList(_plain_block(block) for block in model.blocks)
        self.head = PlainHead(model.head)
        self.prediction = None if model.prediction is None else PlainConv2d(model.prediction.conv)

    def forward(self, images: Tensor) -> Tensor:
        """Return the likelihood's parameters `(B, groups, maps, H, W)` of uint8 `(B, C, H, W)`."""
        values = scale_levels(images, self.config.num_levels, self.stem.weight.dtype)
        maps = values
        if self.config.border_channel:
            maps = torch.cat([values, torch.ones_like(values[:, :1])], dim=1)
        maps = self.stem(maps)
        outputs = []
        for block in self.blocks:
            maps = block(maps)
            outputs.append(maps)
        parameters: Tensor = self.head(outputs).unflatten(1, (self.likelihood.groups, -1))
        if self.prediction is not None:
            parameters = torch.cat(
                [parameters, WEIGHT_UNIT * self.prediction(values).unsqueeze(1)], dim=2
            )
        return parameters

    def loss(self, images: Tensor) -> Tensor:
        """Return the mean negative log-likelihood of uint8 `(B, C, H, W)`, nats a sub-pixel."""
        parameters = self(images)
        match self.likelihood:
            case Categorical():
                return F.cross_entropy(parameters.transpose(1, 2), images.long())
            case LogisticMixture():
                return -self.likelihood.in_torch(parameters, images).mean()
            case _:
                raise _not_written(self.likelihood)


def _plain_block(block: nn.Module) -> nn.Module:
    match block:
        case PixelCNNBlock():
            return PlainPixelCNNBlock(block)
        case LSTMBlock():
            return PlainLSTMBlock(block)
        case _:
            raise _not_written(block)
