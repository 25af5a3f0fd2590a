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
WINDOW = RANGE_BITS // BYTE  # bytes of `low` and `code`
MASK = (1 << RANGE_BITS) - 1
REST = (1 << TOP) - 1

# The state: int64, all values below 2^57.
LOW, RANGE, WAITING, HELD, HAS_HELD, POSITION, CODE = range(7)
STATE_SIZE = 7
MAX_BYTES_PER_SYMBOL = TOTAL_BITS // BYTE
MAX_BYTES_AT_END = BYTE
MOST_ZEROS = 16  # bytes that a message leaves out at its end, unless nothing but zeros follows


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


def bytes_needed(state: np.ndarray) -> int:
    """Return how many bytes a message that is about to be finished has at least, zeros included.

    A number other than the lower end of its interval has more zeros than `MOST_ZEROS` by a chance of
    256^-16, or by a model and an image made for it: some stay, so that a reader can tell it from damage.
    """
    pushed = int(state[POSITION] + state[HAS_HELD] + state[WAITING])
    return max(0, pushed - MOST_ZEROS) if state[LOW] & MASK else 0


def outcome(state: np.ndarray, stream: np.ndarray) -> bool | None:
    """Say of a message in the midst of being read whether it is settled: good, bad, or not yet (None).

    Once all bytes were read and `code` is 0, every symbol that follows is the first one: nothing is left to
    compute. If it is not 0 long after the end, no encoder wrote this.
    """
    behind = int(state[POSITION]) - len(stream) - WINDOW
    if behind >= 0 and state[CODE] == 0:
        return True
    return False if behind > MOST_ZEROS else None


def is_canonical(state: np.ndarray, stream: np.ndarray) -> tuple[bool, int]:
    """Return whether a message, read to its end, is the number that `finish` chooses; and `bytes_needed`.

    The last seven bytes read are `low` and `code` added up; bytes behind them would be idle.
    """
    position, code = int(state[POSITION]), int(state[CODE])
    window = bytes(stream[position - WINDOW : position]).ljust(WINDOW, b"\0")
    low = (int.from_bytes(window, "big") - code) & MASK
    needed = max(0, position - WINDOW - MOST_ZEROS) if low else 0
    for count in range(WINDOW + 1):
        below = (1 << (RANGE_BITS - BYTE * count)) - 1
        number = (low + below) & ~below
        if number < low + int(state[RANGE]):
            return number - low == code and len(stream) <= position, needed
    return False, needed
