"""Arrays that are handed from part to part, by what their numbers are."""

import numpy as np
import numpy.typing as npt

# Levels, of one byte up to 256 of them and else of two: (N, C, H, W) between parts, (H, W, C) where coded
Images = npt.NDArray[np.uint8 | np.uint16]
Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

MAX_CHANNELS = 16  # of an image
PICTURE_CHANNELS = (1, 3)  # of what is shown, and of image files: grey, or red, green and blue
MAX_LEVELS = 1 << 16  # of a sub-pixel
MAX_PIXELS = 1 << 27  # of an image in a file, compressed or not


def level_type(num_levels: int) -> type[np.uint8 | np.uint16]:
    """Return the type of arrays of so many levels.

    Example:
        >>> level_type(256).__name__, level_type(257).__name__
        ('uint8', 'uint16')
    """
    return np.uint8 if num_levels <= 1 << 8 else np.uint16
