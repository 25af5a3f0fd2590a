"""The tiles of images: what each message holds, counted without a list of them."""

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from pixelrnn.arrays import Images
from pixelrnn.coding.container import MAX_SIDE, PLANES

DEFAULT_TILE = 128  # pixels, a side


class Part(NamedTuple):
    """A tile of a plane of an image."""

    rows: slice
    columns: slice
    bands: tuple[int, ...]

    @property
    def shape(self) -> tuple[int, int, int]:
        """Height and width in pixels, and how many bands."""
        height, width = (side.stop - side.start for side in (self.rows, self.columns))
        return height, width, len(self.bands)

    @property
    def size(self) -> int:
        """Levels of it."""
        return math.prod(self.shape)

    def of(self, image: Images) -> Images:
        """Return its levels in an image `(H, W, bands)`, in the order in which they are coded."""
        return np.ascontiguousarray(image[self.rows, self.columns][..., list(self.bands)])


@dataclass(frozen=True)
class Tiling:
    """How images are cut into planes and tiles.

    Attributes:
        channels: of the model.
        side: of the tiles in pixels; 0 to leave images whole.
    """

    channels: int
    side: int

    def count(self, height: int, width: int, bands: int) -> int:
        """Return how many tiles all planes of an image have."""
        side = self.side or MAX_SIDE
        return len(PLANES[self.channels][bands]) * -(-height // side) * -(-width // side)

    def most_levels(self, height: int, width: int, bands: int) -> int:
        """Return how many levels the largest tile of an image has: the first one of a plane."""
        side, planes = self.side or MAX_SIDE, PLANES[self.channels][bands]
        return min(height, side) * min(width, side) * max(map(len, planes), default=0)

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
