"""What an image is given by, in the memory of a program."""

import numpy as np
import numpy.typing as npt

from pixelrnn.arrays import Images, Integers, level_type
from pixelrnn.errors import ImageMismatchError
from pixelrnn.graph.given import GivenLevels
from pixelrnn.graph.levels import num_parts, parts_of
from pixelrnn.graph.operation import Features
from pixelrnn.graph.program import Program
from pixelrnn.operations.tables import (
    MAP_BASE,
    MAP_FEATURES,
    MAP_PAD,
    MAP_ROWS,
    MAP_STRIDE,
)

NOTHING_KNOWN = np.zeros((0, 0, 0), bool)


def write_given(
    program: Program,
    given: GivenLevels,
    size: tuple[int, int],
    maps: Integers,
    narrow: npt.NDArray[np.int16],
    wide: npt.NDArray[np.int32],
) -> None:
    """Write what an image is given by into the memory of a program.

    Args:
        program: of integers.
        given: what the image is given by.
        size: (height, width) of the image.
        maps: where the maps are.
        narrow: memory of the narrow maps.
        wide: memory of the wide ones.

    Raises:
        ImageMismatchError: if the program takes no such thing, or not of that size.
    """
    about = program.given
    if about.label is not None:
        number = about.num_labels - 1 if given.label is None else given.label
        if not 0 <= number < about.num_labels:
            raise ImageMismatchError(
                f"there is no class {number}: this model knows 0 to {about.num_labels - 2}"
            )
        _region(about.label, maps, wide)[..., about.label.first] = number
    elif given.label is not None:
        raise ImageMismatchError("this model takes no labels")
    if about.image is None or about.known is None:
        if given.image is not None:
            raise ImageMismatchError("this model takes no image to condition on")
        return
    if given.image is None:
        return
    expected = (*size, about.image.count // num_parts(program.num_levels))
    if given.image.shape != expected:
        raise ImageMismatchError(
            f"the image to condition on has shape {given.image.shape}, not {expected}"
        )
    known = np.ones(size, bool) if given.known is None else given.known
    highest, (height, width) = program.num_levels - 1, size
    pad = int(maps[about.image.map, MAP_PAD])
    region = _region(about.image, maps, narrow)[:height, pad : pad + width]
    levels = (2 * given.image.astype(np.int64) - highest) * known[..., None]
    for features, numbers in ((about.image, levels), (about.known, highest * known[..., None])):
        parts = parts_of(numbers, program.num_levels)
        region[..., features.first : features.first + features.count] = parts


def known_part(
    program: Program, given: GivenLevels, shape: tuple[int, ...]
) -> tuple[Images, npt.NDArray[np.bool_]]:
    """Return what is given of an image itself: levels `(H, W, C)`, 0 elsewhere, and bool, where it is.

    The second is empty where the program takes no part of an image, or none is given.

    Args:
        program: of integers.
        given: what the image is given by.
        shape: of the image.

    Raises:
        ImageMismatchError: if it is of another size.
    """
    levels, known = np.zeros(shape, level_type(program.num_levels)), NOTHING_KNOWN
    if program.given.is_part and given.image is not None:
        if given.image.shape[:2] != shape[:2]:
            raise ImageMismatchError(
                f"of an image of {shape[0]} x {shape[1]} pixels, a part of one of "
                f"{given.image.shape[0]} x {given.image.shape[1]} is given"
            )
        known = np.ones(shape, bool)
        if given.known is not None:
            known &= given.known[..., None]
        levels[known] = given.image[..., : shape[2]][known]
    return levels, known


def require_the_part(image: Images, levels: Images, known: npt.NDArray[np.bool_]) -> None:
    """Raise `ImageMismatchError` unless an image has the levels that are given of it."""
    if known.size and (image != levels)[known].any():
        raise ImageMismatchError("the image has other levels than the part of it that is given")


def _region(
    features: Features, maps: Integers, memory: npt.NDArray[np.integer]
) -> npt.NDArray[np.integer]:
    """Return the memory of a map, `(rows, columns, features)`."""
    where = maps[features.map]
    base, rows, stride = int(where[MAP_BASE]), int(where[MAP_ROWS]), int(where[MAP_STRIDE])
    return memory[base : base + rows * stride].reshape(rows, -1, int(where[MAP_FEATURES]))
