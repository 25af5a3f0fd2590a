"""The range coder, for the compiled loop: from probabilities to bytes and back, in integers.

A message is a number in [low, low + range), which each symbol makes smaller in proportion to its
probability (G. N. N. Martin, "Range encoding", 1979). Whenever the range has become small, the top byte of
`low` is settled but for a carry, and goes out; bytes of 255, through which a carry could still run,
are counted and wait (the carry handling of Schindler's coder and of LZMA).

Probabilities are cumulative frequencies of `TOTAL` = 2^24. The range has 48 to 56 bits, so that cutting it
into 2^24 parts loses less than 2^-24 of it.
"""

import numpy as np
from numba import njit

from pixelrnn.kernels.compiled import compiled

TOTAL_BITS = 24
TOTAL = 1 << TOTAL_BITS
RANGE_BITS = 56
BYTE = 8
TOP = RANGE_BITS - BYTE
MASK = (1 << RANGE_BITS) - 1
REST = (1 << TOP) - 1

# The state: int64, all values below 2^57.
LOW, RANGE, WAITING, HELD, HAS_HELD, POSITION, CODE = range(7)
STATE_SIZE = 7
MAX_BYTES_PER_SYMBOL = TOTAL_BITS // BYTE
MAX_BYTES_AT_END = BYTE


@compiled(error_model="numpy")
def start(state: np.ndarray) -> None:
    """Begin a message."""
    state[:] = 0
    state[RANGE] = 1 << RANGE_BITS


@compiled(error_model="numpy")
def start_reading(state: np.ndarray, stream: np.ndarray) -> None:
    """Begin to read a message."""
    start(state)
    for _ in range(RANGE_BITS // BYTE):
        _read(state, stream)


@njit(inline="always")
def _read(state: np.ndarray, stream: np.ndarray) -> None:
    at = state[POSITION]
    byte = np.int64(stream[at]) if at < len(stream) else 0  # behind the end are zeros
    state[CODE] = ((state[CODE] << BYTE) | byte) & MASK
    state[POSITION] = at + 1


@njit(inline="always")
def _write(state: np.ndarray, stream: np.ndarray, byte: int) -> None:
    stream[state[POSITION]] = byte & 255
    state[POSITION] += 1


@njit(error_model="numpy")
def _push(state: np.ndarray, stream: np.ndarray) -> None:
    """Take the top byte off `low`."""
    carry, top = state[LOW] >> RANGE_BITS, (state[LOW] >> TOP) & 255
    if carry == 0 and top == 255:
        state[WAITING] += 1
    else:
        if state[HAS_HELD]:
            _write(state, stream, state[HELD] + carry)
        for _ in range(state[WAITING]):
            _write(state, stream, 255 + carry)
        state[WAITING] = 0
        state[HELD], state[HAS_HELD] = top, 1
    state[LOW] = (state[LOW] & REST) << BYTE


@njit(error_model="numpy")
def put(state: np.ndarray, stream: np.ndarray, cumulative: int, frequency: int) -> None:
    """Append a symbol that has `frequency` of `TOTAL` after `cumulative`."""
    part = state[RANGE] >> TOTAL_BITS
    state[LOW] += part * cumulative
    state[RANGE] = part * frequency
    while state[RANGE] < 1 << TOP:
        _push(state, stream)
        state[RANGE] <<= BYTE


@njit(error_model="numpy")
def target(state: np.ndarray) -> int:
    """Return the cumulative frequency, below `TOTAL`, in whose symbol the message goes on."""
    part = state[RANGE] >> TOTAL_BITS
    found: int = min(state[CODE] // part, TOTAL - 1)  # of a damaged message anything may come
    return found


@njit(error_model="numpy")
def take(state: np.ndarray, stream: np.ndarray, cumulative: int, frequency: int) -> None:
    """Step over the symbol that was found."""
    part = state[RANGE] >> TOTAL_BITS
    state[CODE] -= part * cumulative
    state[RANGE] = part * frequency
    while state[RANGE] < 1 << TOP:
        _read(state, stream)
        state[RANGE] <<= BYTE


@compiled(error_model="numpy")
def finish(state: np.ndarray, stream: np.ndarray) -> int:
    """End a message with as few bytes as decide it; return how many bytes it has in all.

    A reader takes what is behind the end for zeros, so that zeros at the end are left out.
    """
    for count in range(RANGE_BITS // BYTE + 1):
        below = (1 << (RANGE_BITS - BYTE * count)) - 1
        number = (state[LOW] + below) & ~below
        if number < state[LOW] + state[RANGE]:
            state[LOW] = number
            for _ in range(count + 1):  # one more, which brings out the byte that is held
                _push(state, stream)
            break
    size: int = state[POSITION]
    while size and stream[size - 1] == 0:
        size -= 1
    return size
