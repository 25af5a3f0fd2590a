"""The memory of an integer program while it runs, and pointers to it."""

from typing import NamedTuple

import numpy as np
from numba import njit

from pixelrnn.operations.work import Work, pointer


class RunState(NamedTuple):
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
        known: uint8 `(H, W, C)`: not 0 where a level is given, and neither read nor written; or empty.
        frequencies: int64 `(H, W, C)` for that of each level coded, of 2^24, or empty.
        room: int64 `(4, room_of(program))`, memory of `guided.py`.
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


@njit(error_model="numpy")
def workspace(state, tables, places):  # type: ignore[no-untyped-def]  # noqa: ANN201
    """Return pointers to all that is touched at a pixel; they live no longer than the arguments."""
    room = state.room
    return Work(
        pointer(tables.operations),
        pointer(tables.taps),
        pointer(tables.maps),
        pointer(tables.spec),
        pointer(places.outs),
        pointer(places.cells),
        pointer(places.sources),
        pointer(state.weights),
        pointer(state.numbers),
        pointer(state.sigmoid),
        pointer(state.tanh),
        pointer(state.exponential),
        pointer(state.logistic),
        pointer(state.inverse_scales),
        pointer(state.coupling),
        pointer(state.narrow),
        state.gathered_at,
        pointer(state.wide),
        pointer(state.sums),
        pointer(state.coder),
        pointer(state.stream),
        len(state.stream),
        state.reads,
        pointer(state.known),
        state.known.size > 0,
        pointer(state.frequencies),
        state.frequencies.size > 0,
        pointer(room[0]),
        pointer(room[1]),
        pointer(room[2]),
        pointer(room[3]),
    )
