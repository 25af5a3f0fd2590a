"""Where features are in memory: rows are kept in turn, columns side by side."""

import numpy as np
from numba import njit

from pixelrnn.operations.tables import (
    MAP_BASE,
    MAP_PAD,
    MAP_ROWS,
    MAP_STEP,
    MAP_STRIDE,
    OP_CELL,
    OP_FIRST,
    OP_MAP,
    OP_TAPS,
    OP_TAPS_END,
    TAP_COLUMN,
    TAP_FIRST,
    TAP_MAP,
    TAP_ROW,
)


@njit(inline="always")
def place(maps: np.ndarray, which: int, row: int, first: int) -> int:
    """Return where, in the memory, feature `first` of a map is at column 0 of a row."""
    slot = row % maps[which, MAP_ROWS]
    at: int = maps[which, MAP_BASE] + slot * maps[which, MAP_STRIDE] + first
    at += maps[which, MAP_PAD] * maps[which, MAP_STEP]
    return at


@njit(inline="always")
def at_column(which: int, column: int, start: int, maps: np.ndarray) -> int:
    """Return where a column is, given the place of column 0 of the row."""
    step: int = maps[which, MAP_STEP]
    return start + column * step


@njit(error_model="numpy")
def find_row(
    row: int,
    begin: int,
    end: int,
    operations: np.ndarray,
    taps: np.ndarray,
    maps: np.ndarray,
    outs: np.ndarray,
    cells: np.ndarray,
    sources: np.ndarray,
) -> None:
    """Set the places, at column 0 of a row, of what operations begin .. end - 1 write and read."""
    for n in range(begin, end):
        outs[n] = place(maps, operations[n, OP_MAP], row, operations[n, OP_FIRST])
        cells[n] = place(maps, operations[n, OP_CELL], row, operations[n, OP_FIRST])
        for t in range(operations[n, OP_TAPS], operations[n, OP_TAPS_END]):
            which = taps[t, TAP_MAP]
            start = place(maps, which, row + taps[t, TAP_ROW], taps[t, TAP_FIRST])
            sources[t] = at_column(which, taps[t, TAP_COLUMN], start, maps)
