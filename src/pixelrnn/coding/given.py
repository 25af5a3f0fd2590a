"""What an image of a file is given by: its class, and a smaller image, which is in the file before it."""

from typing import NamedTuple

import numpy as np

from pixelrnn.arrays import Images
from pixelrnn.coding.container import Entry
from pixelrnn.coding.tiles import Part
from pixelrnn.errors import CompressedFileError
from pixelrnn.graph.conditions import MIN_FACTOR
from pixelrnn.graph.given import GivenLevels
from pixelrnn.graph.program import Program


class ImageGiven(NamedTuple):
    """What an image is given by.

    Attributes:
        label: the number of its class, if it is said.
        small: the top left pixel of each of its squares, `(h, w, bands)`, if they are given.
        factor: side of a square in pixels.
    """

    label: int | None = None
    small: Images | None = None
    factor: int = MIN_FACTOR

    def of(self, part: Part, channels: int) -> GivenLevels:
        """Return what a tile of the image is given by, for a model of so many colours.

        Example:
            >>> small = np.array([[1, 2], [3, 4]], np.uint8)[..., None]
            >>> tile = Part(slice(1, 4), slice(0, 3), (0,))
            >>> ImageGiven(None, small, 2).of(tile, 1).image[..., 0].tolist()
            [[0, 0, 0], [3, 0, 4], [0, 0, 0]]
        """
        if self.small is None:
            return GivenLevels(self.label)
        rows, columns = (
            slice(-side.start % self.factor, None, self.factor)
            for side in (part.rows, part.columns)
        )
        own_rows, own_columns = (
            slice(-(-side.start // self.factor), -(-side.stop // self.factor))
            for side in (part.rows, part.columns)
        )
        height, width, bands = part.shape
        levels = np.zeros((height, width, channels), self.small.dtype)
        known = np.zeros((height, width), bool)
        # A plane of one band is coded as the first of colours that are equal.
        own = self.small[own_rows, own_columns][..., list(part.bands)]
        levels[rows, columns] = own if bands == channels else own[..., :1]
        known[rows, columns] = True
        return GivenLevels(self.label, levels, known)


NOTHING = ImageGiven()


def check_given(entry: Entry, program: Program, name: str) -> None:
    """Raise `CompressedFileError` if an image is given what a program does not know."""
    if entry.label is not None and entry.label >= program.given.num_labels - 1:
        what = f"the class {entry.label}"
    elif entry.small is not None and not program.given.is_part:
        what = "a smaller image"
    else:
        return
    raise CompressedFileError(
        f"{name} is given {what}, which its model does not know: it is damaged, or was made to do harm"
    )


def small_of(image: Images, factor: int) -> Images:
    """Return the top left pixel of each square of an image `(H, W, bands)`."""
    return np.ascontiguousarray(image[::factor, ::factor])
