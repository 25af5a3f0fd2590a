"""What a likelihood is: from a network's parameters to exact probabilities, in floats and in integers.

Each is one file with the layout of its parameters, which all else reads; its log-probabilities, in torch;
and its cumulative frequencies, compiled, in which files are coded. torch is imported where it is used: to
code images takes none.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, TypeVar, final

import numpy as np
from pydantic import BaseModel, ConfigDict

from pixelrnn.arrays import Floats
from pixelrnn.graph.operation import Features
from pixelrnn.graph.program import LikelihoodParameters, Program
from pixelrnn.registry import Registry

if TYPE_CHECKING:
    import torch
    from torch import Tensor


def scale_levels(images: "Tensor", num_levels: int, dtype: "torch.dtype") -> "Tensor":
    """Map levels 0 .. num_levels - 1 evenly onto [-1, 1]: the only scaling of pixel values.

    Args:
        images: integers `(B, C, H, W)`.
        num_levels: how many levels a sub-pixel has.
        dtype: the floating-point type wanted.

    Example:
        >>> import torch
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


NUMBERS_AT_ONCE = 1 << 20  # of parameters, where every level is asked for

LIKELIHOODS = Registry[type[LikelihoodConfig]]("likelihood")

_Config = TypeVar("_Config", bound=LikelihoodConfig)


def register(config: type[_Config]) -> type[_Config]:
    """Register the configuration of a likelihood under the default of its `kind`; a decorator."""
    LIKELIHOODS.add(config.model_fields["kind"].default, config)
    return config


@dataclass(frozen=True)
class Segment:
    """Some of the parameters of a group that lie side by side.

    Attributes:
        name: of these parameters.
        count: how many there are.
        unit: the real number that an integer program's 1 stands for.
    """

    name: str
    count: int
    unit: float


class Compiled(NamedTuple):
    """The compiled functions by which a likelihood is coded; `work` is that of `operations/work.py`.

    Attributes:
        prepare: `(work, at, channel, channels, levels, components)`, before a sub-pixel's level is known;
            its group's parameters are in `work.wide` from `at` on.
        bounds: `(work, level, levels, components)` gives F(level) and F(level + 1).
        search: `(work, target, levels, components)` gives the level with F(level) <= target < F(level + 1),
            and both.
        update: `(work, level, channel, levels, components)`, where another colour of the group follows.
        frequencies: `(work, levels, components, out)` writes F(v + 1) - F(v) of every level to `out`.

    F is cumulative frequencies: F(0) = 0, F(levels) = 2^24, and F rises by at least 1 at every level,
    whatever integers the parameters are.
    """

    prepare: Any
    bounds: Any
    search: Any
    update: Any
    frequencies: Any


class Likelihood(ABC):
    """The distribution of one pixel given the network's parameters at that pixel.

    The parameters of all pixels are one tensor `(B, groups, head_maps + prediction_maps, H, W)`. Those
    of group g at a pixel may depend on all earlier pixels and, inside the pixel, on the colours
    before colour g. A likelihood with one group asks only for the spatial mask and settles the
    order red -> green -> blue itself.

    Attributes:
        channels: colours of a pixel.
        num_levels: levels of a sub-pixel.
        groups: colour groups that the network must keep apart: `channels`, or 1.
        components: of the mixture, or 0.
        layout: of the parameters of a group, in order.
        has_logits: whether the parameters are the log-probabilities of the levels, up to a constant: any
            order of the levels will do then.
    """

    channels: int
    num_levels: int
    groups: int
    components: int = 0
    has_logits: ClassVar[bool] = False
    layout: tuple[Segment, ...]
    compiled: Compiled

    @final
    @property
    def prediction_maps(self) -> int:
        """How many parameters of a group, the last ones, are a linear prediction of the pixel."""
        last = self.layout[-1]
        return last.count if last.name == "predictions" else 0

    @property
    def head_maps(self) -> int:
        """How many parameters of a group the head of the network gives."""
        return self.num_parameters - self.prediction_maps

    @final
    @property
    def num_parameters(self) -> int:
        """How many parameters a group has."""
        return sum(part.count for part in self.layout)

    @final
    def part(self, name: str) -> slice:
        """Return where the parameters of this name lie among those of a group."""
        first = 0
        for part in self.layout:
            if part.name == name:
                return slice(first, first + part.count)
            first += part.count
        raise ValueError(f"no parameters are called {name!r}")

    @final
    @property
    def units(self) -> Floats:
        """What an integer program's 1 stands for, of each parameter of a group."""
        return np.repeat([part.unit for part in self.layout], [part.count for part in self.layout])

    @abstractmethod
    def log_prob(self, parameters: "Tensor", images: "Tensor") -> "Tensor":
        """Return the log-probability of every sub-pixel given all before it.

        Args:
            parameters: `(B, groups, head_maps + prediction_maps, H, W)`, floating point.
            images: uint8 `(B, C, H, W)`, values below `num_levels`.

        Returns:
            `(B, C, H, W)` nats, at most 0.
        """

    @abstractmethod
    def initial_bias(self) -> Floats:
        """Return the biases `(head_maps,)` with which the head of the network starts."""

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
    def lower(self, kind: str, parameters: Features) -> LikelihoodParameters:
        """Say where a program has the parameters, all groups side by side."""
        count = self.num_parameters
        groups = tuple(parameters.part(group * count, count) for group in range(self.groups))
        return LikelihoodParameters(kind, groups, self.components)

    @final
    def log_pmf(self, parameters: "Tensor", images: "Tensor", channel: int) -> "Tensor":
        """Return the log-probability of *every* level of one colour, the others as in `images`.

        It asks `log_prob` about each level, so that it cannot differ from what is scored.

        Returns:
            `(B, num_levels, H, W)` nats; `exp` of it sums to 1 over the levels.
        """
        import torch

        columns, batch = [], len(images)
        dtype = torch.uint8 if self.num_levels <= 1 << 8 else torch.int32
        at_once = max(1, NUMBERS_AT_ONCE // max(1, parameters.numel()))
        for levels in torch.arange(self.num_levels, device=images.device).split(at_once):
            candidates = images.repeat(len(levels), 1, 1, 1).to(dtype)
            of_each = levels.repeat_interleave(batch)[:, None, None]
            candidates[:, channel] = of_each.to(dtype)
            of_all = parameters.repeat(len(levels), 1, 1, 1, 1)
            columns.append(self.log_prob(of_all, candidates)[:, channel].unflatten(0, (-1, batch)))
        return torch.cat(columns).transpose(0, 1)


def likelihood_of(program: Program) -> Likelihood:
    """Return the likelihood of a program.

    Raises:
        ValueError: if it has none, or one that there is not.
    """
    about = program.likelihood
    if about is None:
        raise ValueError("an unfinished program has no likelihood")
    if about.kind not in LIKELIHOODS:
        raise ValueError(f"a likelihood called {about.kind}")
    components = {"components": about.components} if about.components else {}
    return LIKELIHOODS[about.kind](**components).build(program.channels, program.num_levels)
