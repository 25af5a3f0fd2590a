"""A model's `forward` written down: traced maps go through its layers in place of tensors.

Each layer adds to the program what it does at one pixel, and gives traced maps back; so what steps through
an image, what codes it and what a position is said to depend on are read off the network that is trained,
and nothing is written a second time. Maps may carry values beside: then every operation knows how large
its results became, which is what integers are scaled by.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import numpy.typing as npt

from pixelrnn.arrays import Floats
from pixelrnn.graph.operation import Features, Tap
from pixelrnn.graph.program import AroundPixels, Program

if TYPE_CHECKING:
    from torch import Tensor

Maps = TypeVar("Maps", "Tensor", "Traced")  # what goes through a model: tensors, or traced maps
Groups = npt.NDArray[np.int64]
# Of some outputs, all of one colour group: what they read with which weights, and their biases.
LinearPart = Callable[[npt.NDArray[np.intp]], tuple[list[Tap], Floats | None]]


@dataclass(frozen=True, eq=False)
class Traced:
    """Some features in a program that is being written, in the place of a tensor `(B, F, H, W)`.

    Attributes:
        program: to which operations are added.
        features: where they are.
        groups: colour group of each, ascending, int64 `(F,)`.
        value: the tensor itself, for some images; or None.
        section: where they are made: in those of their colour groups, or in one that runs before.
    """

    program: Program
    features: Features
    groups: Groups
    value: "Tensor | None" = None
    section: AroundPixels | None = None

    def part(self, count: int) -> "Traced":
        """Return the first so many features."""
        value = None if self.value is None else self.value[:, :count]
        features = self.features.part(0, count)
        return Traced(self.program, features, self.groups[:count], value, self.section)

    def beside(self, others: "Traced", value: "Tensor | None") -> "Traced":
        """Return these features and others, side by side; all of one colour group."""
        out = self.program.new_map(len(self.groups) + len(others.groups))
        with self.program.section(0):
            self.program.add(out.part(0, len(self.groups)), [Tap(self.features)])
            self.program.add(out.part(len(self.groups), len(others.groups)), [Tap(others.features)])
        return Traced(self.program, out, np.zeros(out.count, np.int64), value)

    def relu(self) -> "Traced":
        """Return max(self, 0)."""
        value = None if self.value is None else self.value.relu()
        out = self.program.new_map(len(self.groups))
        for group, _, part in parts(self.groups):
            with self._where(group):
                self.program.relu(out.part(*part), self.features.part(*part), _largest(value, part))
        return Traced(self.program, out, self.groups, value, self.section)

    def gate(self, groups: Groups, value: "Tensor | None") -> "Traced":
        """Return tanh(a) sigmoid(b), a and b being the halves of the features of each colour group.

        Args:
            groups: colour group of each result, ascending.
            value: the result.
        """
        out = self.program.new_map(len(groups))
        for group, _, (first, count) in parts(groups):
            with self._where(group):
                self.program.gate(out.part(first, count), self.features.part(2 * first, 2 * count))
        return Traced(self.program, out, groups, value, self.section)

    def embed(self, table: Floats, groups: Groups, value: "Tensor | None") -> "Traced":
        """Return the row of a table `(numbers, F)` that has the number in this map.

        Args:
            table: the rows.
            groups: colour group of each result, ascending.
            value: the result.
        """
        out = self.program.new_map(len(groups))
        for group, features, part in parts(groups):
            with self._where(group):
                self.program.embed(out.part(*part), self.features, table[:, features])
        return Traced(self.program, out, groups, value, self.section)

    def _where(self, group: int) -> AbstractContextManager[None]:
        """Write what is made of these maps where they are made."""
        return self.program.section(group if self.section is None else self.section)

    def linear(
        self,
        groups: Groups,
        part_of: LinearPart,
        value: "Tensor | None",
        residual: "Traced | None",
        *,
        section: AroundPixels | None = None,
    ) -> "Traced":
        """Return weighted sums of these maps, and the residual.

        Args:
            groups: colour group of each output, ascending.
            part_of: what some outputs read.
            value: the result, without the residual.
            residual: is added.
            section: where they are made, if not in those of their colour groups.
        """
        if value is not None and residual is not None and residual.value is not None:
            value = value + residual.value
        out = self.program.new_map(len(groups))
        for group, outputs, part in parts(groups):
            taps, bias = part_of(outputs)
            added = residual.features.part(*part) if residual else None
            with self.program.section(group if section is None else section):
                self.program.linear(out.part(*part), taps, bias, added, _largest(value, part))
        return Traced(self.program, out, groups, value, section)


def first_features(maps: Maps, count: int) -> Maps:
    """Return the first so many features of some maps."""
    return maps.part(count) if isinstance(maps, Traced) else maps[:, :count]


def parts(groups: Groups) -> Iterator[tuple[int, npt.NDArray[np.intp], tuple[int, int]]]:
    """Yield each colour group, the indices of its features, and the first of them and their number."""
    for group in np.unique(groups):
        features = np.flatnonzero(groups == group)
        yield int(group), features, (int(features[0]), len(features))


def _largest(value: "Tensor | None", part: tuple[int, int]) -> Floats:
    """Return the largest magnitude of some features; NaN where there are no values."""
    first, count = part
    if value is None:
        return np.full(count, np.nan)
    found: Floats = (
        value.detach()[:, first : first + count].abs().amax(dim=(0, 2, 3)).double().cpu().numpy()
    )
    return found
