"""The compiled loop that runs a program over the pixels of an image.

One loop serves every use, for there is one place where the value of a sub-pixel comes from
(`settle` in `draws.py`): the image where it is known, the generator where it is not. Scoring knows all
of it, sampling nothing, completing a part.

The loop is compiled by numba when it is first used and cached on disk: once a machine.
"""

import zlib
from pathlib import Path

import numpy as np
from numba import njit

from pixelrnn import kernels
from pixelrnn.stepper.draws import settle
from pixelrnn.stepper.kernels import accumulate, add, begin, lstm, rectify
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
    OP_RELU,
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
    SPEC_LEVELS,
    SPEC_PARAMETERS,
    TAP_COLUMN,
    TAP_COUNT,
    TAP_FIRST,
    TAP_MAP,
    TAP_ROW,
    TAP_WEIGHTS,
)

# numba compiles again where the file of a cached function has changed, but not where a function that it
# calls has. A default argument is part of what it looks up: this one stands for all the sources.
FINGERPRINT = zlib.crc32(
    b"".join(path.read_bytes() for path in sorted(Path(__file__).parent.glob("*.py"))),
    kernels.FINGERPRINT,
)


@njit(inline="always")
def _place(maps: np.ndarray, which: int, row: int, first: int) -> int:
    """Return where, in the state, feature `first` of a map is at column 0 of a row."""
    slot = row % maps[which, MAP_ROWS]
    at: int = maps[which, MAP_BASE] + slot * maps[which, MAP_STRIDE] + first
    at += maps[which, MAP_PAD] * maps[which, MAP_STEP]
    return at


@njit(inline="always")
def _at(which: int, column: int, place: int, maps: np.ndarray) -> int:
    """Return where a column is, given the place of column 0 of the row."""
    step: int = maps[which, MAP_STEP]
    return place + column * step


@njit(fastmath={"contract"}, error_model="numpy")
def _run(
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
    """Run operations first .. last - 1 at one pixel; outs, cells, sources are places at column 0.

    Slices are taken in the kernels: here, among branches, each would be counted as a reference.
    """
    for n in range(first, last):
        code, count = operations[n, OP_CODE], operations[n, OP_COUNT]
        tap, taps_end = operations[n, OP_TAPS], operations[n, OP_TAPS_END]
        out = _at(operations[n, OP_MAP], column, outs[n], maps)
        source = _at(taps[tap, TAP_MAP], column, sources[tap], maps) if tap < taps_end else -1
        if code == LINEAR:
            has_residual = operations[n, OP_RESIDUAL]
            begin(
                state, out, count, weights, operations[n, OP_BIAS], source if has_residual else -1
            )
            for t in range(tap + has_residual, taps_end):
                source = _at(taps[t, TAP_MAP], column, sources[t], maps)
                size, at = taps[t, TAP_COUNT], taps[t, TAP_WEIGHTS]
                accumulate(state, out, count, source, size, weights, at)
            if operations[n, OP_RELU]:
                rectify(state, out, count, out)
        elif code == RELU:
            rectify(state, out, count, source)
        elif code == ADD:
            begin(state, out, count, weights, -1, source)
            for t in range(tap + 1, taps_end):
                add(state, out, count, _at(taps[t, TAP_MAP], column, sources[t], maps))
        elif code == LSTM:
            before = _at(taps[tap + 1, TAP_MAP], column, sources[tap + 1], maps)
            cell = _at(operations[n, OP_CELL], column, cells[n], maps)
            lstm(state, out, cell, count, source, before)


@njit(error_model="numpy")
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


@njit(error_model="numpy")
def _forget_pixel(row: int, maps: np.ndarray, state: np.ndarray) -> None:
    """Fill with NaN what is kept of the pixel at hand only."""
    for m in range(len(maps)):
        if maps[m, MAP_STEP] == 0:
            start = _place(maps, m, row, 0)
            state[start : start + maps[m, MAP_FEATURES]] = np.nan


@njit(error_model="numpy")
def _forget_row(row: int, width: int, maps: np.ndarray, state: np.ndarray) -> None:
    """Fill what this row will be with NaN: to read it before it is written is a fault."""
    for m in range(len(maps)):
        start = _place(maps, m, row, 0)
        state[start : start + width * maps[m, MAP_STEP]] = np.nan


@njit(cache=True, nogil=True, error_model="numpy")
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
    fingerprint: int = FINGERPRINT,
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
        fingerprint: left out; see `FINGERPRINT`.
    """
    groups, width = spec[SPEC_GROUPS], image.shape[1]
    outs, cells = np.zeros(len(operations), np.int64), np.zeros(len(operations), np.int64)
    sources = np.zeros(len(taps), np.int64)
    size = max(spec[SPEC_COMPONENTS], spec[SPEC_CHANNELS], spec[SPEC_LEVELS])
    work = np.zeros((5, size))
    for row in range(first_row, last_row):
        _find_row(row, operations, taps, maps, outs, cells, sources)
        if poison:
            _forget_row(row, width, maps, state)
        pixels = _place(maps, spec[SPEC_IMAGE], row, spec[SPEC_IMAGE_FIRST])
        for column in range(width):
            if poison:
                _forget_pixel(row, maps, state)
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
                if poison:
                    _forget_pixel(row, maps, state)
                _run(sections[groups], sections[groups + 1], column, operations, taps, maps,
                     weights, outs, cells, sources, state)  # fmt: skip
