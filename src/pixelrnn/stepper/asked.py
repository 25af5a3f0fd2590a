"""What may be asked of a model when it samples: sizes and temperatures; and images to scale it by."""

import numpy as np

from pixelrnn.arrays import Images, level_type
from pixelrnn.errors import ImageMismatchError

MAX_SIDE = 65536  # pixels
MAX_PIXELS_DRAWN = 1 << 26  # at once, over all images


def check_temperature(temperature: float) -> None:
    """Raise `ImageMismatchError` unless a temperature is positive and finite."""
    if not 0 < temperature < float("inf"):
        raise ImageMismatchError(f"a temperature is a positive number, not {temperature}")


def checked_size(size: tuple[int, ...] | None, count: int) -> tuple[int, int]:
    """Return the (height, width) of images that can be drawn, `count` at once.

    Raises:
        ImageMismatchError: if there is no size, or there are too many pixels to keep.
    """
    if size is None:
        raise ImageMismatchError("this model does not say how large its images were: give a size")
    height, width = size
    if not all(1 <= side <= MAX_SIDE for side in size):
        raise ImageMismatchError(
            f"no image of {height} x {width} pixels can be drawn: a side is 1 to {MAX_SIDE}"
        )
    if count * height * width > MAX_PIXELS_DRAWN:
        raise ImageMismatchError(
            f"{count:,} x {height} x {width} pixels are more than the {MAX_PIXELS_DRAWN:,} that can be "
            "drawn at once: draw fewer, or smaller ones (--size HEIGHTxWIDTH)"
        )
    return height, width


def any_images(channels: int, num_levels: int) -> Images:
    """Return images that stand in for those of the training set: flat ones, noise, and in between."""
    generator = np.random.Generator(np.random.Philox(0))
    shape = (16, channels, 16, 16)
    flat = generator.random((16, channels, 1, 1))
    noise = generator.random(shape) - 0.5
    spread = np.linspace(0, 1, 16)[:, None, None, None]
    levels = (flat + spread * noise).clip(0, 1) * (num_levels - 1)
    return levels.round().astype(level_type(num_levels))
