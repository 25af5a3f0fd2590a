"""The oracle: a program stepped through in plain numpy, one pixel and one operation at a time.

Nothing here is fast. It says what a program means, of floats or of integers: the network on whole images
has to equal the one to 1e-10, the compiled loop the other bit for bit. It fails where a program reads what
it has not written yet.
"""

import numpy as np

from pixelrnn.arrays import Images
from pixelrnn.graph.order import check_order
from pixelrnn.graph.program import Features, Numbers, Operation, Program, Tap
from pixelrnn.operations.base import OPERATIONS

UNWRITTEN = np.iinfo(np.int64).min  # in a map of integers; in one of floats it is NaN


class UnwrittenError(ValueError):
    """A program reads a place that was never written: a fault in how a layer was traced."""


def parameters_of(program: Program, image: Images) -> Numbers:
    """Return the parameters of the likelihood at every position of an image.

    Args:
        program: of floats, or of integers.
        image: levels `(C, H, W)`.

    Returns:
        `(groups, maps, H, W)`, float64 or int64.

    Raises:
        UnwrittenError: if the program reads what it never wrote.
        ValueError: if it reads what comes later.
    """
    channels, height, width = image.shape
    if program.likelihood is None:
        raise ValueError("a program without a likelihood has no parameters")
    check_order(program)
    highest = program.num_levels - 1
    one, unwritten = (1.0, np.nan) if program.curves is None else (highest, UNWRITTEN)
    values = one * (2 * image.astype(np.int64) - highest) / highest
    maps = [np.full((height, width, each.features), unwritten) for each in program.maps]
    values = values.astype(maps[0].dtype)
    count = program.likelihood.parameters[0].count
    found = np.empty((program.groups, count, height, width), maps[0].dtype)
    for row in range(height):
        for operation in program.section_of("row_start"):
            for column in range(width):
                _step(program, [operation], maps, row, column)
        for column in range(width):
            if program.border:
                _at(maps, program.border, row, column)[:] = one
            for group, features in enumerate(program.likelihood.parameters):
                _step(program, program.sections[group], maps, row, column)
                found[group, :, row, column] = _at(maps, features, row, column)
                colours = slice(group, group + 1) if program.groups > 1 else slice(channels)
                pixel = _at(maps, program.image, row, column)
                pixel[colours] = values[colours, row, column]
        for column in reversed(range(width)):
            _step(program, program.section_of("row_end"), maps, row, column)
    return found


def _at(maps: list[Numbers], features: Features, row: int, column: int) -> Numbers:
    return maps[features.map][row, column, features.first : features.first + features.count]


def _step(
    program: Program, section: list[Operation], maps: list[Numbers], row: int, column: int
) -> None:
    """Run the operations of a section at one pixel."""

    def read(tap: Tap) -> Numbers:
        pieces = tap.pieces(program.maps[tap.features.map].features)
        found = np.concatenate([_read(program, maps, row + r, column + c, f) for r, c, f in pieces])
        if (np.isnan(found) | (found == UNWRITTEN)).any():
            raise UnwrittenError("the program reads a place that it has not written")
        return found

    for operation in section:
        result, *cell = OPERATIONS[operation.kind].oracle(operation, read, program.curves)
        _at(maps, operation.out, row, column)[:] = result
        for values in cell:
            if operation.cell:
                _at(maps, operation.cell, row, column)[:] = values


def _read(
    program: Program, maps: list[Numbers], row: int, column: int, features: Features
) -> Numbers:
    height, width, _ = maps[features.map].shape
    if 0 <= row < height and 0 <= column < width:
        return _at(maps, features, row, column)
    outside = program.maps[features.map].fill[features.first : features.first + features.count]
    return outside.astype(maps[0].dtype)
