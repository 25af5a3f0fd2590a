"""Changes of images that make them unusual; `CHANGE:NAME` is what `--data` and `--unusual` take."""

from collections.abc import Callable

import numpy as np

from pixelrnn.arrays import Images
from pixelrnn.registry import Registry

Change = Callable[[Images, int, np.random.Generator], Images]
"""From an image `(C, H, W)`, the number of levels and its own generator to the changed image."""

CHANGES = Registry[Change]("change of images")


def _register(name: str) -> Callable[[Change], Change]:
    def enter(change: Change) -> Change:
        CHANGES.add(name, change)
        return change

    return enter


@_register("flipped")
def flipped(image: Images, num_levels: int, draws: np.random.Generator) -> Images:
    """Return it upside down."""
    return image[:, ::-1]


@_register("mirrored")
def mirrored(image: Images, num_levels: int, draws: np.random.Generator) -> Images:
    """Return it with left and right exchanged."""
    return image[:, :, ::-1]


@_register("inverted")
def inverted(image: Images, num_levels: int, draws: np.random.Generator) -> Images:
    """Return its negative."""
    return np.uint8(num_levels - 1) - image


@_register("scrambled")
def scrambled(image: Images, num_levels: int, draws: np.random.Generator) -> Images:
    """Return its pixels in another order."""
    pixels = image.reshape(len(image), -1)
    return pixels[:, draws.permutation(pixels.shape[1])].reshape(image.shape)
