"""Which positions depend on which: gathered from what moved as each was changed alone, by offsets."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from pixelrnn.arrays import Flags, Integers
from pixelrnn.auditing.findings import HERE, LATER, LEAK, UNSEEN, UNUSED, USED, Picture
from pixelrnn.auditing.order import Order
from pixelrnn.ordering import Place, place_low_in_the_middle


@dataclass
class Dependence:
    """What moved as positions were changed, each alone.

    Attributes:
        order: of the sub-pixels.
        steps: which positions were changed.
        moved: whether each parameter moved with each of them, bool `(n, groups, H, W)`.
        forbidden: whether it must not.
    """

    order: Order
    steps: list[int]
    moved: Tensor
    forbidden: Tensor

    @property
    def leaks(self) -> Tensor:
        """What moved and must not, bool `(n, groups, H, W)`."""
        return self.moved & self.forbidden

    @property
    def is_complete(self) -> bool:
        """Whether each position was changed."""
        return len(set(self.steps)) == self.order.positions.size

    def merged(self, other: "Dependence") -> "Dependence":
        """Return what moved in either of two, as far as both went."""
        count = min(len(self.steps), len(other.steps))
        moved = self.moved.clone()
        moved[:count] |= other.moved[:count]
        return Dependence(self.order, self.steps, moved, self.forbidden)

    def by_offset(self, flags: Tensor) -> Flags:
        """Return whether something holds at an offset anywhere, `(C, groups, 2 H - 1, 2 W - 1)`.

        Axes: the colour that is used, the group that uses it, and row and column of what is used less those
        of what uses it, from -(H - 1) and -(W - 1) on.

        Args:
            flags: bool `(n, groups, H, W)`, as `moved` is.
        """
        channels, height, width = self.order.positions.shape
        groups = flags.shape[1]
        found = np.zeros((channels, groups, 2 * height - 1, 2 * width - 1), dtype=bool)
        mirrored = flags.flip(-1, -2).numpy()
        for step, of_step in zip(self.steps, mirrored, strict=True):
            row, column, channel = self.order.place(step)
            found[channel, :, row : row + height, column : column + width] |= of_step
        return found

    def place_to_show(self) -> Place:
        """Return the position to draw: one that leaks if one does, low in the middle."""
        channels, height, width = self.order.positions.shape
        leaks = self.leaks.any(dim=0).nonzero()
        if not len(leaks):
            return place_low_in_the_middle(channels, height, width)
        middle = torch.tensor([channels - 1, height // 2, width // 2])
        group, row, column = leaks[(leaks - middle).abs().sum(dim=1).argmin()].tolist()
        return Place(row, column, group)

    def picture(self, place: Place) -> Picture:
        """Return what a position is seen to depend on."""
        group = min(place.channel, self.moved.shape[1] - 1)
        mine = self.order.positions[place.channel, place.row, place.column]
        cells: Integers = np.where(self.order.positions < mine, UNUSED, LATER).astype(np.int64)
        if not self.is_complete:
            cells[~np.isin(self.order.positions, self.steps)] = UNSEEN
        cells[place.channel, place.row, place.column] = HERE
        moved = self.moved[:, group, place.row, place.column].tolist()
        forbidden = self.forbidden[:, group, place.row, place.column].tolist()
        for step, is_used, must_not in zip(self.steps, moved, forbidden, strict=True):
            if is_used:
                row, column, channel = self.order.place(step)
                if must_not or (row, column, channel) != place:
                    cells[channel, row, column] = LEAK if must_not else USED
        return Picture(place.row, place.column, place.channel, cells)

    def smallest(self) -> tuple[Place, Place] | None:
        """Return who uses what though it must not: the nearest pair, the first in the order of these."""
        leaks = self.leaks.nonzero()
        if not len(leaks):
            return None
        steps = torch.tensor(self.steps)[leaks[:, 0]]
        sources = torch.tensor([self.order.place(int(step)) for step in steps.unique()])
        source = sources[torch.searchsorted(steps.unique(), steps)]  # row, column, channel
        apart = (source[:, 0] - leaks[:, 2]).abs() + (source[:, 1] - leaks[:, 3]).abs()
        best = (apart * self.order.positions.size + steps).argmin()
        _, group, row, column = leaks[best].tolist()
        return Place(row, column, group), self.order.place(int(steps[best]))
