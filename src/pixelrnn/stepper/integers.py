"""The world of integers: a program made exact, to encode and to decode.

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
from numba import njit, types
from numba.extending import overload

from pixelrnn.stepper.integer_kernels import (
    add,
    gather,
    keep_narrow,
    keep_wide,
    lstm,
    requantise,
)
from pixelrnn.stepper.integer_products import LANES, product
from pixelrnn.stepper.integer_settle import settle_integers
from pixelrnn.stepper.places import at_column
from pixelrnn.stepper.program import ADD, LINEAR, LSTM, REQUANTISE
from pixelrnn.stepper.tables import (
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
    OP_WEIGHTS,
    OP_WIDE,
    SPEC_CHANNELS,
    SPEC_COMPONENTS,
    SPEC_LEVELS,
    SPEC_PARAMETERS,
    TAP_COUNT,
    TAP_MAP,
)
from pixelrnn.stepper.world import begin_pixel, begin_row, run_section, settle, workspace

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
        frequencies: int64 `(H, W, C)` for that of each level coded, of 2^24, or empty.
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
    frequencies: np.ndarray


class Work(NamedTuple):
    """Memory of `settle`, int64."""

    weights: np.ndarray
    means: np.ndarray
    inverse_scales: np.ndarray
    residuals: np.ndarray


def _is_ours(world: Any) -> bool:
    return isinstance(world, types.NamedTuple) and world.instance_class is Integers


@njit(error_model="numpy")
def _run(
    first: int, last: int, column: int, operations: np.ndarray, taps: np.ndarray, maps: np.ndarray,
    weights: np.ndarray, numbers: np.ndarray, sigmoid: np.ndarray, tanh: np.ndarray,
    outs: np.ndarray, cells: np.ndarray, sources: np.ndarray,
    narrow: np.ndarray, gathered_at: int, wide: np.ndarray, sums: np.ndarray,
) -> None:  # fmt: skip
    """Run operations first .. last - 1 at one pixel; outs, cells, sources are places at column 0."""
    for n in range(first, last):
        code, count = operations[n, OP_CODE], operations[n, OP_COUNT]
        tap, taps_end = operations[n, OP_TAPS], operations[n, OP_TAPS_END]
        out = at_column(operations[n, OP_MAP], column, outs[n], maps)
        source = at_column(taps[tap, TAP_MAP], column, sources[tap], maps)
        low, high = whole32(operations[n, OP_LOW]), whole32(operations[n, OP_HIGH])
        vectors = (count + LANES - 1) // LANES
        if code == LINEAR:
            residual = -1
            if operations[n, OP_RESIDUAL]:
                residual = source
                tap += 1
                source = at_column(taps[tap, TAP_MAP], column, sources[tap], maps)
            if taps_end - tap > 1:
                to = gathered_at
                for t in range(tap, taps_end):
                    source = at_column(taps[t, TAP_MAP], column, sources[t], maps)
                    gather(narrow, source, taps[t, TAP_COUNT], to)
                    to += taps[t, TAP_COUNT]
                narrow[to] = 0
                source = gathered_at
            product(narrow, source, operations[n, OP_PAIRS], weights, operations[n, OP_WEIGHTS], numbers,
                    operations[n, OP_BIAS], vectors, low, high, sums)  # fmt: skip
            if operations[n, OP_WIDE]:
                keep_wide(sums, wide, out, count, residual)
            else:
                keep_narrow(sums, narrow, out, count)
        elif code == REQUANTISE:
            requantise(wide, source, narrow, out, count, numbers, operations[n, OP_BIAS],
                        LANES * vectors, low, high)  # fmt: skip
        elif code == ADD:
            for t in range(tap, taps_end):
                source = at_column(taps[t, TAP_MAP], column, sources[t], maps)
                add(narrow, wide, operations[n, OP_WIDE], out, count, source, t == tap)
        elif code == LSTM:
            before = at_column(taps[tap + 1, TAP_MAP], column, sources[tap + 1], maps)
            cell = at_column(operations[n, OP_CELL], column, cells[n], maps)
            lstm(
                wide, narrow, out, cell, count, source, before, operations[n, OP_LOW], sigmoid, tanh
            )


@overload(workspace)
def _(world, tables):  # type: ignore[no-untyped-def]
    if not _is_ours(world):
        return None

    def with_integers(world, tables):  # type: ignore[no-untyped-def]
        spec = tables.spec
        size = max(spec[SPEC_COMPONENTS], spec[SPEC_LEVELS])
        return Work(
            np.zeros(size, np.int64),
            np.zeros(size, np.int64),
            np.zeros(size, np.int64),
            np.zeros(spec[SPEC_CHANNELS], np.int64),
        )

    return with_integers


@overload(begin_row)
def _(world, tables, row, width):  # type: ignore[no-untyped-def]
    if not _is_ours(world):
        return None

    def with_integers(world, tables, row, width):  # type: ignore[no-untyped-def]
        pass

    return with_integers


@overload(begin_pixel)
def _(world, tables, row, column, border):  # type: ignore[no-untyped-def]
    if not _is_ours(world):
        return None

    def with_integers(world, tables, row, column, border):  # type: ignore[no-untyped-def]
        if border >= 0:
            world.narrow[border] = tables.spec[SPEC_LEVELS] - 1

    return with_integers


@overload(run_section)
def _(world, tables, places, section, column):  # type: ignore[no-untyped-def]
    if not _is_ours(world):
        return None

    def with_integers(world, tables, places, section, column):  # type: ignore[no-untyped-def]
        outs, cells, sources = places
        sections = tables.sections
        _run(sections[section], sections[section + 1], column, tables.operations, tables.taps,
             tables.maps, world.weights, world.numbers, world.sigmoid, world.tanh, outs, cells,
             sources, world.narrow, world.gathered_at, world.wide, world.sums)  # fmt: skip

    return with_integers


@overload(settle)
def _(world, tables, image, row, column, group, parameters, pixel, work):  # type: ignore[no-untyped-def]
    if not _is_ours(world):
        return None

    def with_integers(world, tables, image, row, column, group, parameters, pixel, work):  # type: ignore[no-untyped-def]
        count = tables.spec[SPEC_PARAMETERS + 3 * group + 2]
        settle_integers(
            world, tables.spec, image, row, column, group, parameters, count, pixel, work
        )

    return with_integers
