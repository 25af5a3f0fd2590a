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
from typing import Protocol, Self, cast

import numpy as np
import numpy.typing as npt
import torch
from pydantic import Field, field_validator, model_validator
from torch import Tensor, nn

from pixelrnn.layers import (
    DecorrelatedConv2d,
    LinearPrediction,
    MaskedConv2d,
    feature_groups,
    pointwise,
    run_chain,
)
from pixelrnn.layers.masked_conv import lower_relu
from pixelrnn.layers.masks import Needed
from pixelrnn.layers.matrices import HasMatrices, Matrices
from pixelrnn.layers.softmax import can_fuse, softmax_nats
from pixelrnn.likelihoods import Categorical, scale_levels
from pixelrnn.models.base import AutoregressiveModel, ModelConfig
from pixelrnn.models.given_images import AnyImages
from pixelrnn.ordering import Place
from pixelrnn.stepper.program import Features, Program

INITIAL_OUTPUT_GAIN = 0.3


class PixelRNNConfig(ModelConfig):
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
        return self.layers * h * h + h * head + (self.head_layers - 1) * head * head // 2

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


def odd(size: int) -> int:
    """Return `size` if it is odd, or else raise `ValueError`: a masked kernel needs a centre."""
    if size % 2 == 0:
        raise ValueError(f"a kernel size must be odd, not {size}")
    return size


class Block(Protocol):
    """A residual block: maps `(B, 2h, H, W)` in and out, never looking at what comes later."""

    def lower(self, program: Program, maps: Features) -> Features:
        """Write the block into a program; return its output maps."""

    def __call__(self, maps: Tensor) -> Tensor:
        """Return the maps with the block's part added."""

    def reach(self, needed: Needed) -> Needed:
        """Return which inputs the needed outputs depend on, bool `(groups, H, W)`."""


class PixelRNN(AutoregressiveModel):
    """Stem, blocks, head and likelihood; a subclass says what a block is, and nothing else."""

    config: PixelRNNConfig

    def __init__(self, config: PixelRNNConfig) -> None:
        super().__init__()
        self.config = config
        self.likelihood = config.likelihood.build(config.channels, config.num_levels)
        groups = self.likelihood.groups
        stream = feature_groups(2 * config.features, groups)
        inner = feature_groups(config.features, groups)
        colours = feature_groups(config.channels, groups)
        if config.border_channel:
            colours = torch.cat([colours, torch.zeros(1, dtype=torch.int64)])
        kernel = config.stem_kernel_size, config.stem_kernel_size
        self.stem = (
            DecorrelatedConv2d(config.channels, colours, stream, kernel, "A")
            if config.decorrelate
            else MaskedConv2d(colours, stream, kernel, "A")
        )
        self.blocks = nn.ModuleList(
            self.make_block(config, index, stream, inner) for index in range(config.layers)
        )
        self.head = Head(config, stream, groups, self.likelihood.head_maps)
        self.head.output.reset_parameters(INITIAL_OUTPUT_GAIN)
        with torch.no_grad():
            bias = self.head.output.get_parameter("bias")
            bias.copy_(self.likelihood.initial_bias().repeat(groups))
        self.prediction = (
            LinearPrediction(config.channels) if self.likelihood.prediction_maps else None
        )

    @staticmethod
    @abstractmethod
    def make_block(config: PixelRNNConfig, index: int, stream: Tensor, inner: Tensor) -> nn.Module:
        """Return block `index`, a `Block` whose maps have the colour groups `stream`.

        Args:
            config: the model's configuration.
            index: position of the block, from 0.
            stream: colour group of the 2h maps between blocks.
            inner: colour group of the h maps inside a block.
        """

    def forward(self, images: Tensor) -> Tensor:
        """Return the likelihood's parameters, `(B, groups, maps, H, W)`; see the base class."""
        values = self._scaled(images)
        parameters: Tensor = self.head(self._block_outputs(values))
        parameters = parameters.unflatten(1, (self.likelihood.groups, -1))
        if self.prediction is not None:
            predictions = self.prediction(values).unsqueeze(1)
            parameters = torch.cat([parameters, predictions], dim=2)
        return parameters

    def nats(self, images: AnyImages) -> Tensor:
        """Return the negative log-probability of all images together; see the base class."""
        images = self.check_images(images)
        levels, output = self.config.num_levels, self.head.output
        if type(self.likelihood) is not Categorical or not can_fuse(output, images, levels):
            return super().nats(images)
        maps = self.head.before_output(self._block_outputs(self._scaled(images)))
        return softmax_nats(output, maps, images, levels)

    def matrices(self) -> list[Matrices]:
        """Return the matrices of the blocks; see the base class."""
        found: dict[int, Matrices] = {}
        for layer in self.blocks.modules():  # a layer before the layers that it is made of
            if isinstance(layer, HasMatrices):
                for matrices in layer.matrices():
                    found.setdefault(id(matrices.parameter), matrices)
        return list(found.values())

    def _scaled(self, images: Tensor) -> Tensor:
        return scale_levels(images, self.config.num_levels, self.dtype)

    def _block_outputs(self, values: Tensor) -> list[Tensor]:
        """Return the maps `(B, 2h, H, W)` behind every block, for images scaled to [-1, 1]."""
        maps = values
        if self.config.border_channel:
            maps = torch.cat([values, torch.ones_like(values[:, :1])], dim=1)
        if torch.is_autocast_enabled(maps.device.type):  # what matrix units of half precision want
            maps = maps.contiguous(memory_format=torch.channels_last)
        maps = self.stem(maps)
        outputs = []
        for block in self.blocks:
            maps = block(maps)
            outputs.append(maps)
        return outputs

    def lower(self) -> Program:
        """Return the network as operations on one pixel; see the base class."""
        config, likelihood = self.config, self.likelihood
        program = Program(config.channels, config.num_levels, likelihood.groups)
        image = program.new_map(config.channels + config.border_channel)
        program.image = image.part(0, config.channels)
        if config.border_channel:
            program.border = image.part(config.channels, 1)
        maps = self.stem.lower(program, image)
        outputs = []
        for block in self.blocks:
            maps = block.lower(program, maps)  # type: ignore[operator]
            outputs.append(maps)
        parameters = self.head.lower(program, outputs)
        if self.prediction is not None:
            parameters = self.prediction.lower(program, program.image, parameters)
        program.likelihood = likelihood.lower(parameters)
        return program

    def receptive_field(self, place: Place, *, height: int, width: int) -> npt.NDArray[np.bool_]:
        """Return which sub-pixels the distribution at `place` may depend on; see the base class."""
        groups, channels = self.likelihood.groups, self.config.channels
        needed = np.zeros((groups, height, width), dtype=bool)
        needed[place.channel if groups > 1 else 0, place.row, place.column] = True
        outputs = self.head.reach(needed, len(self.blocks))
        reached = outputs[-1]
        for block, also in zip(reversed(self.blocks), [*reversed(outputs[:-1]), None], strict=True):
            reached = block.reach(reached)  # type: ignore[operator]
            if also is not None:
                reached = reached | also
        pixels = self.stem.reach(reached)
        if self.prediction is not None:
            pixels = pixels | self.prediction.reach(needed)
        pixels = np.broadcast_to(pixels, (channels, height, width)).copy()
        if groups < channels:  # the likelihood couples the colours inside the pixel
            pixels[: place.channel, place.row, place.column] = True
        return pixels


class Head(nn.Module):
    """ReLU and masked 1 x 1 layers from the blocks' maps to `groups * maps` parameters."""

    def __init__(self, config: PixelRNNConfig, stream: Tensor, groups: int, maps: int) -> None:
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

    def forward(self, outputs: Sequence[Tensor]) -> Tensor:
        """Map the outputs of all blocks, each `(B, 2h, H, W)`, to `(B, groups * maps, H, W)`."""
        return run_chain([self.output], self.before_output(outputs), rectified=True)

    def before_output(self, outputs: Sequence[Tensor]) -> Tensor:
        """Map the outputs of all blocks to what the last layer rectifies, `(B, head features, H, W)`."""
        hidden = list(cast(Iterable[MaskedConv2d], self.hidden))
        if not self.skips:
            return run_chain([self.first, *hidden], outputs[-1], rectified=True)
        maps = run_chain([self.first], outputs[-1], rectified=True)
        skips = cast(Iterable[MaskedConv2d], self.skips)
        for skip, output in zip(skips, outputs, strict=False):
            maps = run_chain([skip], output, rectified=True, residual=maps)
        return run_chain(hidden, maps, rectified=True) if hidden else maps

    def lower(self, program: Program, outputs: Sequence[Features]) -> Features:
        """Write the head into a program."""
        stream = self.first.in_groups
        rectified = [
            lower_relu(program, maps, stream) for maps in (outputs if self.skips else outputs[-1:])
        ]
        skips = list(zip(cast(Iterable[MaskedConv2d], self.skips), rectified, strict=False))
        maps = self.first.lower(program, rectified[-1], add=skips, relu=True)
        for layer in cast(Iterable[MaskedConv2d], self.hidden):
            maps = layer.lower(program, maps, relu=True)
        return self.output.lower(program, maps)

    def reach(self, needed: Needed, num_blocks: int) -> list[Needed]:
        """Return which outputs of each block the needed parameters depend on."""
        hidden = self.output.reach(needed)
        for layer in reversed(self.hidden):
            hidden = layer.reach(hidden)  # type: ignore[operator]
        last = self.first.reach(hidden)
        nothing = np.zeros_like(last)
        return [last if self.skips else nothing] * (num_blocks - 1) + [last]
