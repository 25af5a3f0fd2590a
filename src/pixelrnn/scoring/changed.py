"""Changes of images that make them unusual; `CHANGE:NAME` is what `--data` and `--unusual` take."""

from collections.abc import Callable

import numpy as np

from pixelrnn.arrays import Images
from pixelrnn.registry import Registry

Change = Callable[[Images, int, np.random.Generator], Images]
"""From an image `(C, H, W)`, the number of levels and its own generator to the changed image."""

CHANGES = Registry[Change]("change of images")


@CHANGES.register("flipped")
def flipped(image: Images, num_levels: int, draws: np.random.Generator) -> Images:
    """Return it upside down."""
    return image[:, ::-1]


@CHANGES.register("mirrored")
def mirrored(image: Images, num_levels: int, draws: np.random.Generator) -> Images:
    """Return it with left and right exchanged."""
    return image[:, :, ::-1]


@CHANGES.register("inverted")
def inverted(image: Images, num_levels: int, draws: np.random.Generator) -> Images:
    """Return its negative."""
    return image.dtype.type(num_levels - 1) - image


@CHANGES.register("scrambled")
def scrambled(image: Images, num_levels: int, draws: np.random.Generator) -> Images:
    """Return its pixels in another order."""
    pixels = image.reshape(len(image), -1)
    return pixels[:, draws.permutation(pixels.shape[1])].reshape(image.shape)
