"""Integer programs in the loop: memory, and the operations on one pixel.

Maps are of two kinds. Those that are multiplied have 16 bits (*narrow*); those that are summed up, the
residual stream, gates, cells and parameters, have 32 (*wide*). Every operation ends in the step that
makes its integers small again: shift right, rounded, and clamp. No float is computed here, which a
test sees to in the compiled code.

    operation   reads              writes            does
    ----------  -----------------  ----------------  ---------------------------------------------------
    linear      narrow             narrow or wide    clamp((bias + weights^T x) >> shift) + residual
    requantise  wide               narrow            clamp((x + half) >> shift)
    add         narrow, or wide    the same          sum
    lstm        gates, cell: wide  narrow, and cell  as for floats, its curves being tables
"""

from typing import Any, NamedTuple

import numpy as np
from numba import njit

from pixelrnn.graph.program import ADD, LINEAR, LSTM, REQUANTISE
from pixelrnn.stepper.integer_kernels import (
    add,
    gather,
    keep_narrow,
    keep_wide,
    lstm,
    pointer,
    requantise,
)
from pixelrnn.stepper.integer_products import LANES, product
from pixelrnn.stepper.tables import (
    MAP_COLUMNS,
    MAP_STEP,
    OP_BIAS,
    OP_CELL,
    OP_CODE,
    OP_COUNT,
    OP_HIGH,
    OP_LOW,
    OP_MAP,
    OP_PAIRS,
    OP_RESIDUAL,
    OP_TAPS,
    OP_TAPS_END,
    OP_VECTORS,
    OP_WEIGHTS,
    OP_WIDE,
    OPERATION_COLUMNS,
    TAP_COLUMNS,
    TAP_COUNT,
    TAP_MAP,
)

whole32: Any = np.int32


class Integers(NamedTuple):
    """Weights, curves and memory of an integer program, and the message.

    Attributes:
        weights: int16, packed for `integer_products`.
        numbers: int32: biases and shifts.
        sigmoid: see `integer_tables.Curves`, as the five that follow.
        tanh: likewise.
        exponential: likewise.
        logistic: likewise.
        inverse_scales: likewise.
        coupling: likewise.
        narrow: int16, the memory of the narrow maps, and behind them room for gathered inputs.
        gathered_at: where that room is.
        wide: int32, the memory of the wide maps.
        sums: int32, room for the results of an operation.
        coder: int64, the state of the range coder.
        stream: uint8, the message.
        reads: whether the message is read (decode), or written (encode).
        known: uint8 `(H, W, C)`: not 0 where a level is given though the message is read; or empty.
        frequencies: int64 `(H, W, C)` for that of each level coded, of 2^24, or empty.
        room: int64 `(4, levels or components or channels)`, memory of `settle`.
    """

    weights: np.ndarray
    numbers: np.ndarray
    sigmoid: np.ndarray
    tanh: np.ndarray
    exponential: np.ndarray
    logistic: np.ndarray
    inverse_scales: np.ndarray
    coupling: np.ndarray
    narrow: np.ndarray
    gathered_at: int
    wide: np.ndarray
    sums: np.ndarray
    coder: np.ndarray
    stream: np.ndarray
    reads: bool
    known: np.ndarray
    frequencies: np.ndarray
    room: np.ndarray


class Tables(NamedTuple):
    """A program laid out: the tables whose columns `tables.py` names, all int64."""

    operations: np.ndarray
    taps: np.ndarray
    sections: np.ndarray
    spec: np.ndarray
    maps: np.ndarray


class Places(NamedTuple):
    """Where, at column 0 of the row at hand, each operation writes and each tap reads."""

    outs: np.ndarray
    cells: np.ndarray
    sources: np.ndarray


class Work(NamedTuple):
    """Pointers to all that is touched at a pixel.

    Handing an array on counts a reference, which takes longer than most operations here; a pointer is
    a number. What it points to is kept by the world, the tables and the places.
    """

    operations: Any
    taps: Any
    maps: Any
    spec: Any
    outs: Any
    cells: Any
    sources: Any
    packed: Any
    numbers: Any
    sigmoid: Any
    tanh: Any
    exponential: Any
    logistic: Any
    inverse_scale_of: Any
    coupling: Any
    narrow: Any
    gathered_at: int
    wide: Any
    sums: Any
    coder: Any
    stream: Any
    stream_size: int
    reads: bool
    known: Any
    knows: bool
    frequencies: Any
    keeps_frequencies: bool
    weights: Any
    means: Any
    inverse_scales: Any
    residuals: Any


@njit(inline="always")
def _at(taps: Any, t: int, sources: Any, maps: Any, column: int) -> int:
    """Return where a tap reads."""
    place: int = (
        sources[t] + column * maps[taps[t * TAP_COLUMNS + TAP_MAP] * MAP_COLUMNS + MAP_STEP]
    )
    return place


@njit(error_model="numpy")
def run_operations(first: int, last: int, column: int, work: Work) -> None:
    """Run operations first .. last - 1 at one pixel."""
    operations, taps, maps = work.operations, work.taps, work.maps
    outs, cells, sources = work.outs, work.cells, work.sources
    numbers, narrow, wide, sums = work.numbers, work.narrow, work.wide, work.sums
    for n in range(first, last):
        row = n * OPERATION_COLUMNS
        code, count = operations[row + OP_CODE], operations[row + OP_COUNT]
        tap, taps_end = operations[row + OP_TAPS], operations[row + OP_TAPS_END]
        out = outs[n] + column * maps[operations[row + OP_MAP] * MAP_COLUMNS + MAP_STEP]
        source = _at(taps, tap, sources, maps, column)
        low, high = whole32(operations[row + OP_LOW]), whole32(operations[row + OP_HIGH])
        bias, vectors = operations[row + OP_BIAS], operations[row + OP_VECTORS]
        if code == LINEAR:
            residual = -1
            if operations[row + OP_RESIDUAL]:
                residual = source
                tap += 1
                source = _at(taps, tap, sources, maps, column)
            if taps_end - tap > 1:
                to = work.gathered_at
                for t in range(tap, taps_end):
                    size = taps[t * TAP_COLUMNS + TAP_COUNT]
                    gather(narrow, _at(taps, t, sources, maps, column), size, to)
                    to += size
                narrow[to] = 0
                source = work.gathered_at
            product(narrow, source, operations[row + OP_PAIRS], work.packed,
                    operations[row + OP_WEIGHTS], numbers, bias, vectors, low, high, sums)  # fmt: skip
            if operations[row + OP_WIDE]:
                keep_wide(sums, wide, out, count, residual)
            else:
                keep_narrow(sums, narrow, out, count)
        elif code == REQUANTISE:
            requantise(wide, source, narrow, out, count, numbers, bias, LANES * vectors, low, high)
        elif code == ADD:
            for t in range(tap, taps_end):
                source = _at(taps, t, sources, maps, column)
                add(narrow, wide, operations[row + OP_WIDE], out, count, source, t == tap)
        elif code == LSTM:
            before = _at(taps, tap + 1, sources, maps, column)
            cell = cells[n] + column * maps[operations[row + OP_CELL] * MAP_COLUMNS + MAP_STEP]
            lstm(wide, narrow, out, cell, count, source, before, operations[row + OP_LOW],
                 work.sigmoid, work.tanh)  # fmt: skip


@njit(error_model="numpy")
def workspace(world, tables, places):  # type: ignore[no-untyped-def]  # noqa: ANN201
    """Return pointers to all that is touched at a pixel; they live no longer than the arguments."""
    room = world.room
    return Work(
        pointer(tables.operations),
        pointer(tables.taps),
        pointer(tables.maps),
        pointer(tables.spec),
        pointer(places.outs),
        pointer(places.cells),
        pointer(places.sources),
        pointer(world.weights),
        pointer(world.numbers),
        pointer(world.sigmoid),
        pointer(world.tanh),
        pointer(world.exponential),
        pointer(world.logistic),
        pointer(world.inverse_scales),
        pointer(world.coupling),
        pointer(world.narrow),
        world.gathered_at,
        pointer(world.wide),
        pointer(world.sums),
        pointer(world.coder),
        pointer(world.stream),
        len(world.stream),
        world.reads,
        pointer(world.known),
        world.known.size > 0,
        pointer(world.frequencies),
        world.frequencies.size > 0,
        pointer(room[0]),
        pointer(room[1]),
        pointer(room[2]),
        pointer(room[3]),
    )
