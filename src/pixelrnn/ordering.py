"""The order in which sub-pixels are predicted: raster order, and red -> green -> blue inside a pixel.

    position = (row * width + column) * channels + channel

An autoregressive model may use, for the sub-pixel at one position, only those at smaller positions
(van den Oord et al. 2016, arXiv 1601.06759, section 2.1 and equation 2).
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt


class Place(NamedTuple):
    """Where a sub-pixel is."""

    row: int
    column: int
    channel: int


def position(place: Place, *, channels: int, width: int) -> int:
    """Return the position in the order of the sub-pixel at `place`.

    Example:
        >>> position(Place(row=1, column=0, channel=2), channels=3, width=5)
        17
    """
    return (place.row * width + place.column) * channels + place.channel


def place(position: int, *, channels: int, width: int) -> Place:
    """Return the place of the sub-pixel at `position`; the inverse of `position`.

    Example:
        >>> place(17, channels=3, width=5)
        Place(row=1, column=0, channel=2)
    """
    pixel, channel = divmod(position, channels)
    row, column = divmod(pixel, width)
    return Place(row, column, channel)


def positions(*, channels: int, height: int, width: int) -> npt.NDArray[np.int64]:
    """Return the position of every sub-pixel of an image, as an array `(channels, height, width)`.

    Example:
        >>> positions(channels=2, height=1, width=2).tolist()
        [[[0, 2]], [[1, 3]]]
    """
    order = np.arange(height * width * channels).reshape(height, width, channels)
    return np.ascontiguousarray(order.transpose(2, 0, 1))


def place_low_in_the_middle(channels: int, height: int, width: int) -> Place:
    """Return the last colour of a pixel low in the middle, which has much to look back on.

    Example:
        >>> place_low_in_the_middle(3, 8, 8)
        Place(row=6, column=4, channel=2)
    """
    return Place(row=height * 3 // 4, column=width // 2, channel=channels - 1)
