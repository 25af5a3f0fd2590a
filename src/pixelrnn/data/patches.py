"""Cutting pictures into square patches."""

import numpy as np

from pixelrnn.data.dataset import Images


def cut_patches(picture: Images, side: int, stride: int) -> Images:
    """Cut a picture into squares, row by row; what is left at the right and bottom is dropped.

    Args:
        picture: uint8 `(C, H, W)` with H and W at least `side`.
        side: height and width of a patch, in pixels.
        stride: pixels from one patch to the next; less than `side` makes them overlap.

    Returns:
        uint8 `(N, C, side, side)`.

    Example:
        >>> cut_patches(np.zeros((3, 40, 70), np.uint8), side=32, stride=32).shape
        (2, 3, 32, 32)
    """
    windows = np.lib.stride_tricks.sliding_window_view(picture, (side, side), axis=(1, 2))
    grid = windows[:, ::stride, ::stride]
    return np.ascontiguousarray(grid.transpose(1, 2, 0, 3, 4)).reshape(-1, len(picture), side, side)
