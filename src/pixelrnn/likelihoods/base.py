"""What every likelihood offers: from the parameters of all positions to exact log-probabilities."""

from abc import ABC, abstractmethod
from typing import TypeVar, final

import torch
from pydantic import BaseModel, ConfigDict
from torch import Tensor

from pixelrnn.graph.program import Features, Floats, LikelihoodParameters, Program
from pixelrnn.registry import Registry


def scale_levels(images: Tensor, num_levels: int, dtype: torch.dtype) -> Tensor:
    """Map levels 0 .. num_levels - 1 evenly onto [-1, 1]: the only scaling of pixel values.

    Args:
        images: integers `(B, C, H, W)`.
        num_levels: how many levels a sub-pixel has.
        dtype: the floating-point type wanted.

    Example:
        >>> scale_levels(torch.tensor([0, 2, 4], dtype=torch.uint8), 5, torch.float32).tolist()
        [-1.0, 0.0, 1.0]
    """
    return images.to(dtype) * (2 / (num_levels - 1)) - 1


class LikelihoodConfig(BaseModel, ABC):
    """What a likelihood is told, beside channels and levels; registered, a recipe can name it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: str = ""

    @abstractmethod
    def build(self, channels: int, num_levels: int) -> "Likelihood":
        """Return the likelihood for images of `channels` colours and `num_levels` levels."""


LIKELIHOODS = Registry[type[LikelihoodConfig]]("likelihood")

_Config = TypeVar("_Config", bound=LikelihoodConfig)


def register(config: type[_Config]) -> type[_Config]:
    """Register the configuration of a likelihood under the default of its `kind`; a decorator."""
    LIKELIHOODS.add(config.model_fields["kind"].default, config)
    return config


class Likelihood(ABC):
    """The distribution of one pixel given the network's parameters at that pixel.

    The parameters of all pixels are one tensor `(B, groups, head_maps + prediction_maps, H, W)`. Those
    of group g at a pixel may depend on all earlier pixels and, inside the pixel, on the colours
    before colour g. A likelihood with one group asks only for the spatial mask and settles the
    order red -> green -> blue itself.

    Attributes:
        channels: colours of a pixel, 1 or 3.
        num_levels: levels of a sub-pixel.
        groups: colour groups that the network must keep apart: `channels`, or 1.
        head_maps: maps that the head of the network must give for each group.
        prediction_maps: further maps for each group that hold a linear prediction of the pixel.
    """

    channels: int
    num_levels: int
    groups: int
    head_maps: int
    prediction_maps: int

    @abstractmethod
    def log_prob(self, parameters: Tensor, images: Tensor) -> Tensor:
        """Return the log-probability of every sub-pixel given all before it.

        Args:
            parameters: `(B, groups, head_maps + prediction_maps, H, W)`, floating point.
            images: uint8 `(B, C, H, W)`, values below `num_levels`.

        Returns:
            `(B, C, H, W)` nats, at most 0.
        """

    @abstractmethod
    def initial_bias(self) -> Tensor:
        """Return the biases `(head_maps,)` with which the head of the network starts."""

    @abstractmethod
    def lower(self, parameters: Features) -> LikelihoodParameters:
        """Tell the stepper how to read the parameters, all groups side by side."""

    @abstractmethod
    def at_temperature(self, temperature: float) -> tuple[Floats, Floats]:
        """Return by what the parameters of a group are multiplied, and what is added, at a temperature.

        Each is float64 `(head_maps + prediction_maps,)`.
        """

    @final
    def set_temperature(self, program: Program, temperature: float) -> None:
        """Make a program's distribution sharper (below 1) or flatter, by its last operations."""
        if temperature == 1 or program.likelihood is None:
            return
        factors, terms = self.at_temperature(temperature)
        for features in program.likelihood.parameters:
            program.adapt(features, factors, terms)

    @final
    def log_pmf(self, parameters: Tensor, images: Tensor, channel: int) -> Tensor:
        """Return the log-probability of *every* level of one colour, the others as in `images`.

        It asks `log_prob` about each level in turn, so that it cannot differ from what is scored.

        Returns:
            `(B, num_levels, H, W)` nats; `exp` of it sums to 1 over the levels.
        """
        columns = []
        for level in range(self.num_levels):
            candidate = images.clone()
            candidate[:, channel] = level
            columns.append(self.log_prob(parameters, candidate)[:, channel])
        return torch.stack(columns, dim=1)
