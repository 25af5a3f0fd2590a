"""Maps as pictures: what each pixel costs, and what it costs beyond a background model."""

import math
from pathlib import Path

import numpy as np

from pixelrnn.arrays import Floats, Images
from pixelrnn.files import make_folder
from pixelrnn.pictures import write_png
from pixelrnn.scoring.base import MODEL
from pixelrnn.scoring.measuring import Measured

BITS, RATIO = "bits", "ratio"
# Dark to bright, each step lighter than the last; and from blue through white to red.
HEAT = ((0, 0, 0), (70, 15, 110), (190, 40, 90), (250, 135, 30), (255, 255, 200))
BOTH_WAYS = ((20, 60, 150), (120, 160, 220), (245, 245, 245), (230, 130, 100), (150, 20, 30))
MOST_RATIO = 4.0  # bits/dim, either way


def shades_of_bits(bits: Floats, channels: int, num_levels: int) -> Images:
    """Return a map of bits a pixel as colours.

    Black is nothing; the brightest is what a pixel costs that is guessed blindly, or more. So pictures of
    different images can be compared.

    Args:
        bits: of each pixel, `(H, W)`.
        channels: that share them.
        num_levels: of a sub-pixel.

    Returns:
        uint8 `(H, W, 3)`.

    Example:
        >>> shades_of_bits(np.array([[0.0, 24.0]]), 3, 256).tolist()
        [[[0, 0, 0], [255, 255, 200]]]
    """
    return _shaded(bits / (channels * math.log2(num_levels)), HEAT)


def shades_of_ratio(bits: Floats, channels: int) -> Images:
    """Return a map of bits a pixel beyond the background model's as colours: blue is less, red is more."""
    return _shaded(bits / (2 * MOST_RATIO * channels) + 0.5, BOTH_WAYS)


def _shaded(values: Floats, colours: tuple[tuple[int, int, int], ...]) -> Images:
    at = np.linspace(0, 1, len(colours))
    shown = [np.interp(values, at, each) for each in zip(*colours, strict=True)]
    pixels: Images = np.rint(np.stack(shown, axis=-1)).astype(np.uint8)
    return pixels


def pictures_of(
    measured: Measured, index: int, channels: int, num_levels: int
) -> dict[str, Images]:
    """Return the maps of one image as pictures, `(H, W, 3)`, by what they show."""
    found = {BITS: shades_of_bits(measured.maps[MODEL][index], channels, num_levels)}
    if (ratio := measured.ratio_map) is not None:
        found[RATIO] = shades_of_ratio(ratio[index], channels)
    return found


def write_maps(folder: Path, name: str, maps: dict[str, Images]) -> None:
    """Write the maps of one image into sub-folders, one for each kind.

    Args:
        folder: of all maps.
        name: of the picture, safe, ending in .png; sub-folders in it are made.
        maps: see `pictures_of`.

    Raises:
        OutputError: if they cannot be written.
    """
    for kind, pixels in maps.items():
        path = folder / kind / name
        if not path.parent.is_dir():
            make_folder(path.parent)
        write_png(path, pixels, durable=False)
