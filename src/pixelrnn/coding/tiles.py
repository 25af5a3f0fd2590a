"""The tiles of images: what each message holds, counted without a list of them."""

import bisect
import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from pixelrnn.coding.container import MAX_SIDE, PLANES


class Part(NamedTuple):
    """A tile of a plane of an image."""

    rows: slice
    columns: slice
    bands: tuple[int, ...]

    @property
    def shape(self) -> tuple[int, int, int]:
        """Height and width in pixels, and how many bands."""
        return (
            self.rows.stop - self.rows.start,
            self.columns.stop - self.columns.start,
            len(self.bands),
        )

    @property
    def size(self) -> int:
        """Levels of it."""
        return math.prod(self.shape)


@dataclass(frozen=True)
class Tiling:
    """How images are cut into planes and tiles.

    Attributes:
        channels: of the model: 1 or 3.
        side: of the tiles in pixels; 0 to leave images whole.
    """

    channels: int
    side: int

    def count(self, height: int, width: int, bands: int) -> int:
        """Return how many tiles all planes of an image have."""
        side = self.side or MAX_SIDE
        return len(PLANES[self.channels][bands]) * -(-height // side) * -(-width // side)

    def part(self, shape: tuple[int, ...], number: int) -> Part:
        """Return a tile of an image `(height, width, bands)`, counted plane by plane, row by row."""
        height, width, bands = shape
        side = self.side or MAX_SIDE
        number, place = divmod(number, -(-width // side))
        plane, line = divmod(number, -(-height // side))
        row, column = line * side, place * side
        return Part(
            slice(row, min(row + side, height)),
            slice(column, min(column + side, width)),
            PLANES[self.channels][bands][plane],
        )


class Jobs:
    """The tiles of several images, counted through: number -> (image, tile)."""

    def __init__(self, counts: Sequence[int]) -> None:
        self.counts = counts
        self._ends = list(itertools.accumulate(counts))

    def __len__(self) -> int:
        return self._ends[-1] if self._ends else 0

    def __getitem__(self, job: int) -> tuple[int, int]:
        n = bisect.bisect_right(self._ends, job)
        return n, job - self._ends[n] + self.counts[n]
