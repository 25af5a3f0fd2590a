"""What a position may depend on: a walk from its parameters back over taps, to pixels."""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from pixelrnn.graph.operation import Features, Operation
from pixelrnn.graph.program import Program
from pixelrnn.ordering import Place

Needed = npt.NDArray[np.bool_]  # (H, W): the pixels at which a result is needed


def receptive_field(
    program: Program, place: Place, *, height: int, width: int
) -> npt.NDArray[np.bool_]:
    """Return which sub-pixels the distribution at `place` may depend on, bool `(C, height, width)`."""
    if program.likelihood is None:
        raise ValueError("a program without a likelihood predicts nothing")
    seen = np.zeros((program.channels, height, width), bool)
    start = np.zeros((height, width), bool)
    start[place.row, place.column] = True
    group = place.channel if program.groups > 1 else 0
    needed: dict[int, Needed] = {}
    waiting: list[tuple[Features, Needed]] = [(program.likelihood.parameters[group], start)]
    writers = _writers(program)
    while waiting:
        features, at = waiting.pop()
        for channel in _common(features, program.image):
            seen[channel] |= at
        for number, operation in writers.get(features.map, ()):
            known = needed.setdefault(number, np.zeros_like(at))
            if _is_written(operation, features) and (at & ~known).any():
                known |= at
                waiting += _read(program, operation, at)
    if program.groups == 1:  # the likelihood couples the colours inside the pixel
        seen[: place.channel, place.row, place.column] = True
    return seen


def _writers(program: Program) -> dict[int, list[tuple[int, Operation]]]:
    """Return, for each map, the operations that write to it, with their numbers."""
    writers: dict[int, list[tuple[int, Operation]]] = {}
    for number, operation in enumerate(program.operations):
        for features in {operation.out, operation.cell or operation.out}:
            writers.setdefault(features.map, []).append((number, operation))
    return writers


def _is_written(operation: Operation, features: Features) -> bool:
    return any(_common(features, each) for each in (operation.out, operation.cell or operation.out))


def _common(features: Features, others: Features) -> range:
    """Return which of `others` are among `features`, as numbers from the first of them on."""
    if features.map != others.map:
        return range(0)
    first = max(features.first - others.first, 0)
    return range(
        first, max(first, min(features.first + features.count - others.first, others.count))
    )


def _read(program: Program, operation: Operation, at: Needed) -> Iterator[tuple[Features, Needed]]:
    """Yield what an operation reads when its results are needed at some pixels."""
    for tap in operation.attended:
        yield tap.features, _before(at, -tap.row)
    for tap in operation.at_offsets:
        for row, column, features in tap.pieces(program.maps[tap.features.map].features):
            moved = _moved(at, row, column)
            if moved.any():
                yield features, moved


def _before(at: Needed, rows: int) -> Needed:
    """Return all pixels before any of the pixels `at`, from so many rows above it on."""
    before = np.zeros_like(at)
    for row in np.flatnonzero(at.any(axis=1)):
        before[max(0, row - rows) : row] = True
        before[row, : np.flatnonzero(at[row]).max()] = True
    return before


def _moved(at: Needed, rows: int, columns: int) -> Needed:
    """Return where a tap at (rows, columns) from the pixels `at` reads; not what is outside."""
    height, width = at.shape
    moved = np.zeros_like(at)
    here_rows, here_columns = np.nonzero(at)
    there_rows, there_columns = here_rows + rows, here_columns + columns
    inside = (
        (there_rows >= 0) & (there_rows < height) & (there_columns >= 0) & (there_columns < width)
    )
    moved[there_rows[inside], there_columns[inside]] = True
    return moved
