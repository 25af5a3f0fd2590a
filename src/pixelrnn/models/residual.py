"""The skeleton that PixelCNN, Row LSTM and Diagonal BiLSTM share (paper, section 4 and table 1).

    image -> 7 x 7 masked convolution, type A          2h maps
          -> `layers` residual blocks                  2h maps; the three models differ here only
          -> ReLU, 1 x 1 masked convolution, type B    `head_layers` times, `head_features` maps
          -> ReLU, 1 x 1 masked convolution, type B    the likelihood's parameters

With `skip_connections` the output of every block also reaches the first layer of the head.

Deviations: a channel of ones beside the image (`border_channel`) tells the zeros of the padding from
mid-grey; the first layer may read the pixels decorrelated (`decorrelate`); the last layer starts at 0.3
times the usual size, so that training starts near uniform.
"""

from abc import abstractmethod
from collections.abc import Iterable, Sequence
from typing import Self, cast

import numpy as np
import torch
from pydantic import Field, field_validator, model_validator
from torch import Tensor, nn

from pixelrnn.graph.traced import Maps, Traced, first_features
from pixelrnn.layers import (
    DecorrelatedConv2d,
    LinearPrediction,
    MaskedConv2d,
    feature_groups,
    pointwise,
    run_chain,
)
from pixelrnn.layers.masks import MaskType
from pixelrnn.layers.matrices import HasMatrices, Matrices
from pixelrnn.layers.softmax import can_fuse, softmax_nats
from pixelrnn.likelihoods import Categorical
from pixelrnn.models.base import AutoregressiveModel
from pixelrnn.models.conditioning import ConditionNetwork, GivenIn
from pixelrnn.models.config import ModelConfig, odd
from pixelrnn.models.given import Conditions
from pixelrnn.models.given_images import AnyImages
from pixelrnn.models.symbols import SymbolTables

INITIAL_OUTPUT_GAIN = 0.3


class ResidualConfig(ModelConfig):
    """What the three models have in common."""

    features: int = Field(default=32, ge=1, le=4096, description="h: half the maps between blocks")
    layers: int = Field(default=7, ge=1, le=256, description="residual blocks")
    stem_kernel_size: int = Field(default=7, ge=3, le=31, description="first kernel, odd")
    head_features: int = Field(default=32, ge=1, le=16384, description="maps inside the head")
    head_layers: int = Field(default=1, ge=1, le=8, description="1x1 layers before the output")
    skip_connections: bool = Field(default=False, description="from every block to the head")
    border_channel: bool = Field(default=True, description="ones that tell pixels from padding")
    decorrelate: bool = Field(default=False, description="let the first layer read differences")

    def fewest_parameters(self) -> int:
        """Return a lower bound of the parameters, cheap to compute: no model is built.

        A mask of three groups leaves two thirds of a 1 x 1 layer; half is counted here.
        """
        h, head = self.features, self.head_features
        labels = (self.num_labels + 1) * 2 * h if self.num_labels else 0
        blocks, deep_head = self.layers * h * h, (self.head_layers - 1) * head * head // 2
        return super().fewest_parameters() + labels + blocks + h * head + deep_head

    @model_validator(mode="after")
    def _symbols_are_not_decorrelated(self) -> Self:
        if self.has_symbols and self.decorrelate:
            raise ValueError("decorrelate is for levels in order: leave it out for symbols")
        return self

    @model_validator(mode="after")
    def _a_feature_for_each_colour(self) -> Self:
        colours = self.likelihood.build(self.channels, self.num_levels).groups
        if min(self.features, self.head_features) < colours:
            raise ValueError(
                f"features and head_features must be at least {colours}: one for each colour"
            )
        return self

    @field_validator("stem_kernel_size")
    @classmethod
    def _odd(cls, size: int) -> int:
        return odd(size)


class ResidualModel(AutoregressiveModel):
    """Stem, blocks, head and likelihood; a subclass says what a block is, and nothing else."""

    config: ResidualConfig

    def __init__(self, config: ResidualConfig) -> None:
        super().__init__()
        self.config = config
        self.likelihood = config.likelihood.build(config.channels, config.num_levels)
        groups = self.likelihood.groups
        stream = feature_groups(2 * config.features, groups)
        inner = feature_groups(config.features, groups)
        self.symbols = SymbolTables(config) if config.has_symbols else None
        colours = feature_groups(config.input_features, groups)
        if config.border_channel:
            colours = torch.cat([colours, torch.zeros(1, dtype=torch.int64)])
        self.stem = self.make_stem(config, colours, stream, "A")
        self.given_in = GivenIn(config, stream, "A")
        self.condition = (
            ConditionNetwork(config.condition, config.given_channels) if config.condition else None
        )
        self.blocks = nn.ModuleList(
            self.make_block(config, index, stream, inner) for index in range(config.layers)
        )
        self.head = Head(config, stream, groups, self.likelihood.head_maps)
        self.head.output.reset_parameters(INITIAL_OUTPUT_GAIN)
        with torch.no_grad():
            bias = self.head.output.get_parameter("bias")
            bias.copy_(torch.from_numpy(np.tile(self.likelihood.initial_bias(), groups)))
        self.prediction = (
            LinearPrediction(config.channels, config.given_channels + 1 if config.condition else 0)
            if self.likelihood.prediction_maps
            else None
        )

    @staticmethod
    @abstractmethod
    def make_block(config: ResidualConfig, index: int, stream: Tensor, inner: Tensor) -> nn.Module:
        """Return block `index`, a `Block` whose maps have the colour groups `stream`.

        Args:
            config: the model's configuration.
            index: position of the block, from 0.
            stream: colour group of the 2h maps between blocks.
            inner: colour group of the h maps inside a block.
        """

    @staticmethod
    def make_stem(
        config: ResidualConfig, colours: Tensor, stream: Tensor, mask_type: MaskType
    ) -> MaskedConv2d:
        """Return a first layer, from pixels to maps of the colour groups `stream`."""
        kernel = config.stem_kernel_size, config.stem_kernel_size
        if config.decorrelate:
            return DecorrelatedConv2d(config.channels, colours, stream, kernel, mask_type)
        return MaskedConv2d(colours, stream, kernel, mask_type)

    def forward(self, images: Tensor) -> Tensor:
        """Return the likelihood's parameters, `(B, groups, maps, H, W)`; see the base class."""
        parameters = self._network(self.inputs(images), self.conditions(images))
        return cast(Tensor, parameters.unflatten(1, (self.likelihood.groups, -1)))

    @property
    def reads_border(self) -> bool:
        """Whether the image has a channel of ones beside it."""
        return self.config.border_channel

    def trace(self, image: Traced, given: Conditions[Traced]) -> Traced:
        """Write the network down; see the base class."""
        return self._network(image, given)

    def nats(self, images: AnyImages) -> Tensor:
        """Return the negative log-probability of all images together; see the base class."""
        images = self.check_images(images)
        levels, output = self.config.num_levels, self.head.output
        is_whole = type(self.likelihood) is Categorical and not self.config.given_is_part
        if not (is_whole and can_fuse(output, images, levels)):
            return super().nats(images)
        outputs = self.block_outputs(self.inputs(images), self.conditions(images))
        maps = self.head.before_output(outputs)
        return softmax_nats(output, maps, images, levels)

    def _network(self, inputs: Maps, given: Conditions[Maps]) -> Maps:
        """Return the parameters of the groups side by side, `(B, groups * maps, H, W)`."""
        parameters: Maps = self.head(self.block_outputs(inputs, given))
        if self.prediction is not None:
            colours = first_features(inputs, self.config.channels)
            parameters = self.prediction(colours, parameters, given.image)
        return parameters

    def first_maps(
        self, inputs: Maps, given: Conditions[Maps], stems: Sequence[tuple[MaskedConv2d, GivenIn]]
    ) -> list[Maps]:
        """Return what first layers give of pixels, and of what these are given by."""
        features = None
        if self.condition is not None and given.image is not None:
            features = self.condition(given.image)
        size = (0, 0) if isinstance(inputs, Traced) else inputs.shape[2:]
        return [
            run_chain([stem], inputs, residual=given_in(given, features, size))
            for stem, given_in in stems
        ]

    def block_outputs(self, inputs: Maps, given: Conditions[Maps]) -> list[Maps]:
        """Return the maps `(B, 2h, H, W)` behind every block."""
        (maps,), outputs = self.first_maps(inputs, given, [(self.stem, self.given_in)]), []
        for block in self.blocks:
            maps = block(maps)
            outputs.append(maps)
        return outputs

    def matrices(self) -> list[Matrices]:
        """Return the matrices of the blocks; see the base class."""
        found: dict[int, Matrices] = {}
        for layer in self.blocks.modules():  # a layer before the layers that it is made of
            if isinstance(layer, HasMatrices):
                for matrices in layer.matrices():
                    found.setdefault(id(matrices.parameter), matrices)
        return list(found.values())


class Head(nn.Module):
    """ReLU and masked 1 x 1 layers from the blocks' maps to `groups * maps` parameters."""

    def __init__(self, config: ResidualConfig, stream: Tensor, groups: int, maps: int) -> None:
        super().__init__()
        hidden = feature_groups(config.head_features, groups)
        self.first = pointwise(stream, hidden)
        self.skips = nn.ModuleList(
            pointwise(stream, hidden, bias=False)
            for _ in range(config.layers - 1 if config.skip_connections else 0)
        )
        self.hidden = nn.ModuleList(
            pointwise(hidden, hidden) for _ in range(config.head_layers - 1)
        )
        self.output = pointwise(hidden, torch.arange(groups).repeat_interleave(maps))

    def forward(self, outputs: Sequence[Maps]) -> Maps:
        """Map the outputs of all blocks, each `(B, 2h, H, W)`, to `(B, groups * maps, H, W)`."""
        return run_chain([self.output], self.before_output(outputs), rectified=True)

    def before_output(self, outputs: Sequence[Maps]) -> Maps:
        """Map the outputs of all blocks to what the last layer rectifies, `(B, head features, H, W)`."""
        hidden: list[MaskedConv2d] = list(cast(Iterable[MaskedConv2d], self.hidden))
        if not self.skips:
            return run_chain([self.first, *hidden], outputs[-1], rectified=True)
        maps = run_chain([self.first], outputs[-1], rectified=True)
        skips = cast(Iterable[MaskedConv2d], self.skips)
        for skip, output in zip(skips, outputs, strict=False):
            maps = run_chain([skip], output, rectified=True, residual=maps)
        return run_chain(hidden, maps, rectified=True) if hidden else maps
