"""Images that are made: of no camera and no hand, with names that `--data` and `--unusual` take.

Image i depends on the seed, on i and on nothing else, so any one can be made again.
"""

from collections.abc import Callable
from functools import cache
from importlib import import_module

import numpy as np

from pixelrnn.arrays import Floats, Images, level_type
from pixelrnn.errors import DataError
from pixelrnn.registry import Registry

Shape = tuple[int, int, int]
Make = Callable[[Shape, int, np.random.Generator], Images]
"""From (C, H, W), the number of levels and the image's own generator to the image."""

MADE = Registry[Make]("set of images that are made")
TEXTURES = ("brick", "grass", "gravel")
LETTERS = "ABCDEFGHJKLMNPRSTUVXYZ"  # those that are no digits
OVERSAMPLING = 4
TURN_DEGREES = 15.0


@MADE.register("noise")
def noise(shape: Shape, num_levels: int, draws: np.random.Generator) -> Images:
    """Return every sub-pixel at random, all levels alike."""
    levels: Images = draws.integers(num_levels, size=shape, dtype=level_type(num_levels))
    return levels


@MADE.register("constant")
def constant(shape: Shape, num_levels: int, draws: np.random.Generator) -> Images:
    """Return one colour, the same everywhere."""
    return np.broadcast_to(noise((shape[0], 1, 1), num_levels, draws), shape)


@MADE.register("gradients")
def gradients(shape: Shape, num_levels: int, draws: np.random.Generator) -> Images:
    """Return one colour going over into another, in some direction."""
    ends = draws.uniform(0, num_levels - 1, size=(2, shape[0], 1, 1))
    angle = draws.uniform(0, 2 * np.pi)
    rows, columns = (np.linspace(-0.5, 0.5, side) for side in shape[1:])
    along = np.sin(angle) * rows[:, None] + np.cos(angle) * columns
    share = along / (abs(np.sin(angle)) + abs(np.cos(angle))) + 0.5
    levels: Images = np.rint(ends[0] + (ends[1] - ends[0]) * share).astype(level_type(num_levels))
    return levels


@MADE.register("textures")
def textures(shape: Shape, num_levels: int, draws: np.random.Generator) -> Images:
    """Return a place in scikit-image's bricks, grass or gravel, which are grey."""
    picture = _texture(TEXTURES[draws.integers(len(TEXTURES))])
    room = [whole - side for whole, side in zip(picture.shape, shape[1:], strict=True)]
    if min(room) < 0:
        raise DataError(
            f"textures are {picture.shape[0]}x{picture.shape[1]} pixels: {shape[1]}x{shape[2]} are more"
        )
    top, left = (draws.integers(each + 1) for each in room)
    patch = picture[top : top + shape[1], left : left + shape[2]]
    return _spread(patch / 255, num_levels, shape)


@MADE.register("letters")
def letters(shape: Shape, num_levels: int, draws: np.random.Generator) -> Images:
    """Return a capital letter, white on black, turned a little, as large as the image."""
    from PIL import Image, ImageDraw, ImageFont  # noqa: PLC0415 - only those who draw wait for Pillow

    side = OVERSAMPLING * min(shape[1:])
    canvas = Image.new("L", (OVERSAMPLING * shape[2], OVERSAMPLING * shape[1]))
    middle = (canvas.width / 2, canvas.height / 2)
    letter = LETTERS[draws.integers(len(LETTERS))]
    font = ImageFont.load_default(0.9 * side)
    ImageDraw.Draw(canvas).text(
        middle, letter, 255, font, anchor="mm", stroke_width=max(1, side // 40)
    )
    angle = draws.uniform(-TURN_DEGREES, TURN_DEGREES)
    small = canvas.rotate(angle, Image.Resampling.BILINEAR).reduce(OVERSAMPLING)
    return _spread(np.asarray(small) / 255, num_levels, shape)


def _spread(grey: Floats, num_levels: int, shape: Shape) -> Images:
    """Return greys from 0 to 1, `(H, W)`, as levels in all colours."""
    levels = np.rint(grey * (num_levels - 1)).astype(level_type(num_levels))
    return np.broadcast_to(levels, shape)


@cache
def _texture(name: str) -> Images:
    data = import_module("skimage.data")
    picture: Images = getattr(data, name)()
    return picture
