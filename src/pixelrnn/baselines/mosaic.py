"""Images as pictures for codecs: one picture per image, and all of them in one, a mosaic."""

import math

import numpy as np

from pixelrnn.arrays import Images

MOSAIC_MAX_PIXELS = 2**26
"""The largest picture made: Pillow takes larger ones for an attack when it reads them back."""


def as_pictures(images: Images) -> Images:
    """Turn `(N, C, H, W)` into `(N, H, W)` for one channel or `(N, H, W, 3)` for three."""
    if images.shape[1] == 1:
        return np.ascontiguousarray(images[:, 0])
    return np.ascontiguousarray(images.transpose(0, 2, 3, 1))


def as_colour(pictures: Images) -> Images:
    """Give grey pictures `(N, H, W)` three equal colours; leave `(N, H, W, 3)` alone."""
    if pictures.ndim == 4:
        return pictures
    return np.repeat(pictures[..., np.newaxis], 3, axis=-1)


def grid_shape(num_images: int) -> tuple[int, int]:
    """Return a mosaic's rows and columns: fewest empty cells, then squarest, at most 1:4."""
    root = math.isqrt(num_images - 1) + 1
    shapes = ((-(-num_images // columns), columns) for columns in range(root, 2 * root + 1))
    return min(shapes, key=lambda shape: (shape[0] * shape[1], shape[1]))


def one_picture(pictures: Images) -> Images | None:
    """Return all the pictures in one, or None where it would be too large."""
    rows, columns = grid_shape(len(pictures))
    if rows * columns * pictures.shape[1] * pictures.shape[2] > MOSAIC_MAX_PIXELS:
        return None
    return lay_out(pictures, rows, columns)


def lay_out(pictures: Images, rows: int, columns: int) -> Images:
    """Lay the pictures out edge to edge, row by row; cells left over are black."""
    height, width = pictures.shape[1:3]
    rest = pictures.shape[3:]
    cells = np.zeros((rows * columns, height, width, *rest), pictures.dtype)
    cells[: len(pictures)] = pictures
    grid = cells.reshape(rows, columns, height, width, *rest).swapaxes(1, 2)
    return np.ascontiguousarray(grid).reshape(rows * height, columns * width, *rest)
