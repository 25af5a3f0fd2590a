"""The oracle: a program stepped through in plain numpy, one pixel and one operation at a time.

Nothing here is fast. It says what a program of floats means; the network on whole images has to equal it,
and it fails where a program reads what it has not written yet.
"""

import numpy as np
import numpy.typing as npt

from pixelrnn.arrays import Floats
from pixelrnn.graph.order import check_order
from pixelrnn.graph.program import Features, Operation, Program, Tap
from pixelrnn.operations.base import OPERATIONS


class UnwrittenError(ValueError):
    """A program reads a place that was never written: a fault in how a layer was traced."""


def parameters_of(program: Program, values: Floats) -> Floats:
    """Return the parameters of the likelihood at every position of an image.

    Args:
        program: of floats.
        values: the image, scaled to [-1, 1], `(C, H, W)`.

    Returns:
        float64 `(groups, maps, H, W)`.

    Raises:
        UnwrittenError: if the program reads what it never wrote.
        ValueError: if it reads what comes later.
    """
    channels, height, width = values.shape
    if program.likelihood is None:
        raise ValueError("a program without a likelihood has no parameters")
    check_order(program)
    maps = [np.full((height, width, each.features), np.nan) for each in program.maps]
    found = np.empty((program.groups, program.likelihood.parameters[0].count, height, width))
    for row in range(height):
        for column in range(width):
            if program.border:
                _at(maps, program.border, row, column)[:] = 1
            for group, features in enumerate(program.likelihood.parameters):
                _step(program, program.sections[group], maps, row, column)
                found[group, :, row, column] = _at(maps, features, row, column)
                colours = slice(group, group + 1) if program.groups > 1 else slice(channels)
                pixel = _at(maps, program.image, row, column)
                pixel[colours] = values[colours, row, column]
        for column in reversed(range(width)):
            _step(program, program.sections[-1], maps, row, column)
    return found


def _at(maps: list[Floats], features: Features, row: int, column: int) -> Floats:
    return maps[features.map][row, column, features.first : features.first + features.count]


def _step(
    program: Program, section: list[Operation], maps: list[Floats], row: int, column: int
) -> None:
    """Run the operations of a section at one pixel."""

    def read(tap: Tap) -> Floats:
        pieces = tap.pieces(program.maps[tap.features.map].features)
        found = np.concatenate([_read(program, maps, row + r, column + c, f) for r, c, f in pieces])
        if np.isnan(found).any():
            raise UnwrittenError("the program reads a place that it has not written")
        return found

    for operation in section:
        result, *cell = OPERATIONS[operation.kind].oracle(operation, read)
        _at(maps, operation.out, row, column)[:] = result
        for values in cell:
            if operation.cell:
                _at(maps, operation.cell, row, column)[:] = values


def _read(
    program: Program, maps: list[Floats], row: int, column: int, features: Features
) -> npt.NDArray[np.float64]:
    height, width, _ = maps[features.map].shape
    if 0 <= row < height and 0 <= column < width:
        return _at(maps, features, row, column)
    outside: Floats = program.maps[features.map].fill
    return outside[features.first : features.first + features.count]
