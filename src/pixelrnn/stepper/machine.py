"""The compiled loop that runs a program over the pixels of an image.

One loop serves every use, for there is one place where the value of a sub-pixel comes from
(`settle` in `draws.py`): the image where it is known, the generator where it is not. Scoring knows all
of it, sampling nothing, completing a part.

The loop is compiled by numba when it is first used and cached on disk: once a machine.
"""

import math

import numpy as np
from numba import njit

from pixelrnn.stepper.draws import settle
from pixelrnn.stepper.program import ADD, LINEAR, LSTM, RELU
from pixelrnn.stepper.tables import (
    MAP_BASE,
    MAP_FEATURES,
    MAP_PAD,
    MAP_ROWS,
    MAP_STEP,
    MAP_STRIDE,
    OP_BIAS,
    OP_CELL,
    OP_CODE,
    OP_COUNT,
    OP_FIRST,
    OP_MAP,
    OP_RESIDUAL,
    OP_TAPS,
    OP_TAPS_END,
    SPEC_BORDER,
    SPEC_BORDER_FIRST,
    SPEC_CHANNELS,
    SPEC_COMPONENTS,
    SPEC_GROUPS,
    SPEC_IMAGE,
    SPEC_IMAGE_FIRST,
    SPEC_PARAMETERS,
    TAP_COLUMN,
    TAP_COUNT,
    TAP_FIRST,
    TAP_MAP,
    TAP_ROW,
    TAP_WEIGHTS,
)


@njit(cache=True, inline="always")
def _place(maps: np.ndarray, which: int, row: int, first: int) -> int:
    """Return where, in the state, feature `first` of a map is at column 0 of a row."""
    slot = row % maps[which, MAP_ROWS]
    at: int = maps[which, MAP_BASE] + slot * maps[which, MAP_STRIDE] + first
    at += maps[which, MAP_PAD] * maps[which, MAP_STEP]
    return at


@njit(cache=True, nogil=True, fastmath={"contract"})
def _accumulate(
    state: np.ndarray, out: int, outputs: int, source: int, count: int, weights: np.ndarray, at: int
) -> None:
    """Add weights^T features to the outputs.

    Inputs outside, outputs inside, so that weights are read as they lie; four inputs at a time, which
    halves the time; slices, since indices into them need no check for being negative.
    """
    sums = state[out : out + outputs]
    inputs = state[source : source + count]
    in_fours = count - count % 4
    for i in range(0, in_fours, 4):
        a, b, c, d = inputs[i], inputs[i + 1], inputs[i + 2], inputs[i + 3]
        start = at + i * outputs
        for_a = weights[start : start + outputs]
        for_b = weights[start + outputs : start + 2 * outputs]
        for_c = weights[start + 2 * outputs : start + 3 * outputs]
        for_d = weights[start + 3 * outputs : start + 4 * outputs]
        for j in range(outputs):
            sums[j] += a * for_a[j] + b * for_b[j] + c * for_c[j] + d * for_d[j]
    for i in range(in_fours, count):
        value = inputs[i]
        start = at + i * outputs
        row = weights[start : start + outputs]
        for j in range(outputs):
            sums[j] += value * row[j]


@njit(cache=True, inline="always")
def _sigmoid(x: float) -> float:
    return 1.0 / (1.0 + math.exp(-x))


@njit(cache=True, nogil=True, fastmath={"contract"})
def _lstm(state: np.ndarray, hidden: int, cell: int, count: int, gates: int, before: int) -> None:
    """C = f c_before + i g, h = o tanh(c); see `layers/line_lstm.py`."""
    of_gates = state[gates : gates + 4 * count]
    cells_before = state[before : before + count]
    cells, hiddens = state[cell : cell + count], state[hidden : hidden + count]
    for j in range(count):
        i = _sigmoid(of_gates[j])
        f = _sigmoid(of_gates[count + j])
        o = _sigmoid(of_gates[2 * count + j])
        g = math.tanh(of_gates[3 * count + j])
        cells[j] = f * cells_before[j] + i * g
        hiddens[j] = o * math.tanh(cells[j])


@njit(cache=True, inline="always")
def _at(which: int, column: int, place: int, maps: np.ndarray) -> int:
    """Return where a column is, given the place of column 0 of the row."""
    step: int = maps[which, MAP_STEP]
    return place + column * step


@njit(cache=True, nogil=True, fastmath={"contract"})
def _run(  # noqa: PLR0912 - a branch an operation
    first: int,
    last: int,
    column: int,
    operations: np.ndarray,
    taps: np.ndarray,
    maps: np.ndarray,
    weights: np.ndarray,
    outs: np.ndarray,
    cells: np.ndarray,
    sources: np.ndarray,
    state: np.ndarray,
) -> None:
    """Run operations first .. last - 1 at one pixel; outs, cells, sources are places at column 0."""
    for n in range(first, last):
        code, count = operations[n, OP_CODE], operations[n, OP_COUNT]
        tap, taps_end = operations[n, OP_TAPS], operations[n, OP_TAPS_END]
        at = _at(operations[n, OP_MAP], column, outs[n], maps)
        source_at = _at(taps[tap, TAP_MAP], column, sources[tap], maps)
        out, source = state[at : at + count], state[source_at : source_at + count]
        if code == LINEAR:
            bias = operations[n, OP_BIAS]
            if bias >= 0:
                out[:] = weights[bias : bias + count]
            else:
                out[:] = 0
            if operations[n, OP_RESIDUAL]:
                for j in range(count):
                    out[j] += source[j]
                tap += 1
            for t in range(tap, taps_end):
                source_at = _at(taps[t, TAP_MAP], column, sources[t], maps)
                _accumulate(
                    state, at, count, source_at, taps[t, TAP_COUNT], weights, taps[t, TAP_WEIGHTS]
                )
        elif code == RELU:
            for j in range(count):
                out[j] = max(source[j], state.dtype.type(0))
        elif code == ADD:
            out[:] = source
            for t in range(tap + 1, taps_end):
                source_at = _at(taps[t, TAP_MAP], column, sources[t], maps)
                source = state[source_at : source_at + count]
                for j in range(count):
                    out[j] += source[j]
        elif code == LSTM:
            before = _at(taps[tap + 1, TAP_MAP], column, sources[tap + 1], maps)
            cell = _at(operations[n, OP_CELL], column, cells[n], maps)
            _lstm(state, at, cell, count, source_at, before)


@njit(cache=True, nogil=True)
def _find_row(
    row: int,
    operations: np.ndarray,
    taps: np.ndarray,
    maps: np.ndarray,
    outs: np.ndarray,
    cells: np.ndarray,
    sources: np.ndarray,
) -> None:
    """Set the places, at column 0 of a row, of all that the operations write and read."""
    for n in range(len(operations)):
        outs[n] = _place(maps, operations[n, OP_MAP], row, operations[n, OP_FIRST])
        if operations[n, OP_CODE] == LSTM:
            cells[n] = _place(maps, operations[n, OP_CELL], row, operations[n, OP_FIRST])
    for t in range(len(taps)):
        which = taps[t, TAP_MAP]
        place = _place(maps, which, row + taps[t, TAP_ROW], taps[t, TAP_FIRST])
        sources[t] = _at(which, taps[t, TAP_COLUMN], place, maps)


@njit(cache=True, nogil=True)
def _forget_row(row: int, width: int, maps: np.ndarray, state: np.ndarray) -> None:
    """Fill what this row will be with NaN: to read it before it is written is a fault."""
    for m in range(len(maps)):
        start = _place(maps, m, row, 0)
        state[start : start + max(width * maps[m, MAP_STEP], maps[m, MAP_FEATURES])] = np.nan


@njit(cache=True, nogil=True)
def run_rows(
    operations: np.ndarray,
    taps: np.ndarray,
    sections: np.ndarray,
    spec: np.ndarray,
    weights: np.ndarray,
    maps: np.ndarray,
    state: np.ndarray,
    image: np.ndarray,
    known: np.ndarray,
    seed: np.uint64,
    index: np.uint64,
    temperature: float,
    nats: np.ndarray,
    parameters: np.ndarray,
    first_row: int,
    last_row: int,
    poison: bool,
) -> None:
    """Run a program over rows first_row .. last_row - 1 of an image, after all rows before.

    Args:
        operations: the operations, int64; with `taps`, `sections`, `spec`, `maps` as `layout.py` has them.
        taps: the taps of the operations, int64.
        sections: where the sections start and, one further, where the last ends, int64.
        spec: channels, levels, groups and so on, int64.
        weights: all weights and biases, in the precision of the program.
        maps: where the maps are in the state for this image's width, int64.
        state: the memory of the maps.
        image: uint8 `(H, W, C)`; unknown sub-pixels are filled in.
        known: bool `(H, W, C)`: which sub-pixels are given.
        seed: of the random numbers.
        index: of the image among its fellows: it has random numbers of its own.
        temperature: 1 for the model's own distribution.
        nats: float64 `(H, W, C)` for the log-probability of each sub-pixel, or empty.
        parameters: `(H, W, groups, maps)` for the likelihood's parameters, or empty.
        first_row: where to start.
        last_row: where to stop.
        poison: fill what is not yet computed with NaN, to catch a program that reads it.
    """
    groups, width = spec[SPEC_GROUPS], image.shape[1]
    outs, cells = np.zeros(len(operations), np.int64), np.zeros(len(operations), np.int64)
    sources = np.zeros(len(taps), np.int64)
    work = np.zeros((4, max(spec[SPEC_COMPONENTS], spec[SPEC_CHANNELS])))
    for row in range(first_row, last_row):
        _find_row(row, operations, taps, maps, outs, cells, sources)
        if poison:
            _forget_row(row, width, maps, state)
        pixels = _place(maps, spec[SPEC_IMAGE], row, spec[SPEC_IMAGE_FIRST])
        for column in range(width):
            if spec[SPEC_BORDER] >= 0:
                border = _place(maps, spec[SPEC_BORDER], row, spec[SPEC_BORDER_FIRST])
                state[_at(spec[SPEC_BORDER], column, border, maps)] = 1
            pixel = _at(spec[SPEC_IMAGE], column, pixels, maps)
            for group in range(groups):
                _run(sections[group], sections[group + 1], column, operations, taps, maps, weights,
                     outs, cells, sources, state)  # fmt: skip
                which, first, count = spec[SPEC_PARAMETERS + 3 * group :][:3]
                at = _at(which, column, _place(maps, which, row, first), maps)
                if parameters.size:
                    parameters[row, column, group, :] = state[at : at + count]
                settle(row, column, group, spec, state[at : at + count], state[pixel:], image,
                        known, seed, index, temperature, nats, work)  # fmt: skip
        if sections[groups] < sections[groups + 1]:
            for column in range(width - 1, -1, -1):
                _run(sections[groups], sections[groups + 1], column, operations, taps, maps,
                     weights, outs, cells, sources, state)  # fmt: skip
