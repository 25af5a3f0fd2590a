"""The range coder against one in Python's endless integers: messages, sizes, carries, damage."""

import math

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numba import njit

from pixelrnn.kernels import range_coder
from pixelrnn.kernels.range_coder import (
    BYTE,
    CODE,
    LOW,
    MAX_BYTES_AT_END,
    MAX_BYTES_PER_SYMBOL,
    POSITION,
    RANGE,
    RANGE_BITS,
    STATE_SIZE,
    TOP,
    TOTAL,
    TOTAL_BITS,
    WAITING,
    finish,
    put,
    start,
    start_reading,
    take,
    target,
)

PATIENT = settings(
    deadline=None, max_examples=60, derandomize=True, suppress_health_check=list(HealthCheck)
)


@njit
def put_all(state, stream, symbols):
    for cumulative, frequency in symbols:
        put(state, stream, cumulative, frequency)


@njit
def take_all(state, stream, symbols, targets):
    for n in range(len(symbols)):
        targets[n] = target(state)
        take(state, stream, symbols[n, 0], symbols[n, 1])


@njit
def take_any(state, stream, tables, symbols):
    """Decode by one table after the other, whatever comes; the tables are cumulative frequencies."""
    for n in range(len(symbols)):
        table, goal, level = tables[n % len(tables)], target(state), 0
        while table[level + 1] <= goal:
            level += 1
        take(state, stream, table[level], table[level + 1] - table[level])
        symbols[n] = level


def encode(symbols):
    """Return the message of symbols, `(N, 2)`: cumulative frequency and frequency of each."""
    symbols = np.array(symbols, np.int64).reshape(-1, 2)
    state = np.zeros(STATE_SIZE, np.int64)
    stream = np.zeros(len(symbols) * MAX_BYTES_PER_SYMBOL + MAX_BYTES_AT_END, np.uint8)
    start(state)
    put_all(state, stream, symbols)
    return stream[: finish(state, stream)].tobytes()


def decodes(message, symbols):
    """Whether a reader, shown the symbols one by one, finds its target in each of them."""
    symbols = np.array(symbols, np.int64).reshape(-1, 2)
    state, targets = np.zeros(STATE_SIZE, np.int64), np.zeros(len(symbols), np.int64)
    stream = np.frombuffer(message, np.uint8).copy()
    start_reading(state, stream)
    take_all(state, stream, symbols, targets)
    low, frequency = symbols.T
    return bool(((low <= targets) & (targets < low + frequency)).all())


def encode_in_endless_integers(symbols):
    """The same number, never cut: no byte goes out, and no carry has to run, before the end."""
    low, width, size = 0, 1 << RANGE_BITS, 0
    for cumulative, frequency in symbols:
        part = width >> TOTAL_BITS
        low, width = low + part * cumulative, part * frequency
        while width < 1 << TOP:
            low, width, size = low << BYTE, width << BYTE, size + 1
    for count in range(RANGE_BITS // BYTE + 1):
        unit = 1 << (RANGE_BITS - BYTE * count)
        number = -(-low // unit) * unit
        if number < low + width:
            break
    return number.to_bytes(size + RANGE_BITS // BYTE + 1, "big")[1:].rstrip(b"\0")


def ideal_bits(symbols):
    return -sum(math.log2(frequency / TOTAL) for _, frequency in symbols)


@st.composite
def a_symbol(draw):
    few = st.integers(0, 5)
    frequency = draw(
        st.one_of(
            st.just(1), st.integers(1, TOTAL), st.integers(1, 300), few.map(lambda n: TOTAL - n)
        )
    )
    room = TOTAL - frequency
    at = draw(st.one_of(st.integers(0, room), st.just(room), st.just(0), st.just(room // 2)))
    return at, frequency


def random_symbols(count, levels, sharpness, seed):
    """Draw symbols of one distribution: the frequencies of its levels, and which were drawn."""
    draw = np.random.default_rng(seed)
    shares = draw.dirichlet(np.full(levels, sharpness))
    frequencies = np.maximum((shares * TOTAL).astype(np.int64), 1)
    frequencies[frequencies.argmax()] += TOTAL - frequencies.sum()
    drawn = draw.choice(levels, size=count, p=frequencies / TOTAL)
    cumulative = np.cumsum(frequencies) - frequencies
    return frequencies, drawn, np.stack([cumulative[drawn], frequencies[drawn]], axis=1)


@PATIENT
@given(symbols=st.lists(a_symbol(), max_size=40))
def test_any_symbols_come_back_from_the_shortest_message(symbols):
    message = encode(symbols)
    assert message == encode_in_endless_integers(symbols)
    assert decodes(message, symbols)
    # No byte more than what is needed to name a number in an interval of this size.
    assert len(message) < ideal_bits(symbols) / BYTE + 1 + 1e-7 * len(symbols)


@pytest.mark.parametrize("sharpness", [0.01, 0.1, 1, 10])
@pytest.mark.parametrize("levels", [2, 17, 256])
def test_long_messages_come_back_and_lose_nothing(levels, sharpness):
    _, _, symbols = random_symbols(20_000, levels, sharpness, seed=levels)
    message = encode(symbols)
    assert message == encode_in_endless_integers(symbols.tolist())
    assert decodes(message, symbols)
    ideal = ideal_bits(symbols.tolist()) / BYTE
    assert ideal - 2 < len(message) < ideal + 1.01


def test_another_message_does_not_decode():
    _, _, symbols = random_symbols(300, 17, 1, seed=0)
    message = encode(symbols)
    assert decodes(message, symbols)
    for at in (0, 1, len(message) // 2, len(message) - 2):
        damaged = bytearray(message)
        damaged[at] ^= 1
        assert not decodes(bytes(damaged), symbols)


def across_the_boundary(state, stream, count):
    """Put symbols, each across a multiple of 2^56: whether it is passed stays open all the while."""
    symbols = []
    for _ in range(count):
        part = int(state[RANGE]) >> TOTAL_BITS
        below = (
            -((int(state[LOW]) - (1 << RANGE_BITS)) // part) - 1
        )  # ends below, the next does not
        symbols.append((below, 2))
        put(state, stream, *symbols[-1])
    return symbols


def with_a_run_of_255(*, carry, put=put):
    """A message in which many bytes of 255 wait, and then a carry runs through them, or does not."""
    state, stream = np.zeros(STATE_SIZE, np.int64), np.zeros(200, np.uint8)
    start(state)
    symbols = [(0x00FFFF, 2)]
    put(state, stream, *symbols[0])
    symbols += across_the_boundary(state, stream, 12)
    waiting = int(state[WAITING])
    part = int(state[RANGE]) >> TOTAL_BITS
    below = -((int(state[LOW]) - (1 << RANGE_BITS)) // part) - 1
    for symbol in [(below + 1, 1) if carry else (below - 1, 1), (TOTAL // 3, 1)]:
        symbols.append(symbol)
        put(state, stream, *symbol)
    return symbols, waiting, stream[: finish(state, stream)].tobytes()


def test_a_carry_runs_through_all_bytes_that_wait():
    symbols, waiting, message = with_a_run_of_255(carry=True)
    assert waiting > 30
    assert message[: waiting + 1] == b"\1" + bytes(waiting)
    assert message == encode(symbols) == encode_in_endless_integers(symbols)
    assert decodes(message, symbols)


def test_bytes_that_wait_go_out_as_they_are_without_a_carry():
    symbols, waiting, message = with_a_run_of_255(carry=False)
    assert waiting > 30
    assert message[: waiting + 1] == b"\0" + b"\xff" * waiting
    assert message == encode(symbols) == encode_in_endless_integers(symbols)
    assert decodes(message, symbols)


@pytest.mark.parametrize("count", [1, 5, 12])
def test_bytes_may_still_wait_at_the_end(count):
    state, stream = np.zeros(STATE_SIZE, np.int64), np.zeros(200, np.uint8)
    start(state)
    symbols = [(0x00FFFF, 2)]
    put(state, stream, *symbols[0])
    symbols += across_the_boundary(state, stream, count)
    assert state[WAITING] > count
    message = stream[: finish(state, stream)].tobytes()
    assert message == encode_in_endless_integers(symbols) == b"\1"  # the boundary itself
    assert decodes(message, symbols)


def test_a_coder_that_forgets_the_carry_is_noticed(monkeypatch):
    sound = range_coder._push

    def forget(state, stream):
        state[LOW] &= range_coder.MASK
        sound(state, stream)

    monkeypatch.setattr(range_coder, "_push", forget)
    symbols, _, message = with_a_run_of_255(carry=True, put=put.py_func)
    assert message != encode_in_endless_integers(symbols)
    assert not decodes(message, symbols)


def test_no_symbols_are_no_bytes():
    assert encode([]) == b""
    assert decodes(b"", [])


def test_zeros_at_the_end_are_left_out_and_read_all_the_same():
    """The first level again and again lies at 0, however much its probability costs."""
    symbols = [(0, TOTAL // 3)] * 50
    assert ideal_bits(symbols) > 79
    assert encode(symbols) == b""
    assert decodes(b"", symbols)
    symbols = [(5, 1), *symbols]
    assert encode(symbols) == b"\0\0\5"
    assert decodes(b"\0\0\5", symbols)


@PATIENT
@given(symbols=st.lists(a_symbol(), max_size=20), zeros=st.integers(1, 20))
def test_zeros_behind_the_end_change_nothing(symbols, zeros):
    message = encode(symbols)
    assert not message.endswith(b"\0")
    assert decodes(message + bytes(zeros), symbols)


@PATIENT
@given(
    garbage=st.one_of(st.binary(max_size=40), st.integers(0, 40).map(lambda n: b"\xff" * n)),
    levels=st.sampled_from([2, 3, 17, 256]),
    seed=st.integers(0, 1000),
)
def test_garbage_is_read_as_some_symbols(garbage, levels, seed):
    draw = np.random.default_rng(seed)
    room = TOTAL - levels  # every level has a frequency of 1, and a share of the rest
    inner = np.sort(draw.integers(0, room, size=(5, levels - 1), endpoint=True))
    inner += np.arange(1, levels)
    tables = np.pad(inner, ((0, 0), (1, 1)), constant_values=((0, 0), (0, TOTAL)))
    assert (np.diff(tables) > 0).all()
    state, symbols = np.zeros(STATE_SIZE, np.int64), np.zeros(500, np.int64)
    stream = np.frombuffer(garbage, np.uint8).copy()
    start_reading(state, stream)
    take_any(state, stream, tables, symbols)
    assert (symbols >= 0).all()
    assert (symbols < levels).all()
    assert 1 << TOP <= state[RANGE] <= 1 << RANGE_BITS
    assert 0 <= state[CODE] < 1 << RANGE_BITS
    assert state[POSITION] <= RANGE_BITS // BYTE + 500 * MAX_BYTES_PER_SYMBOL


@pytest.mark.parametrize("levels", [2, 17, 256])
@pytest.mark.parametrize("sharpness", [0.1, 1, 10])
def test_as_short_as_the_range_coder_of_another_library(levels, sharpness):
    """It writes words of 32 bits: up to a word, its messages are as long as ours."""
    constriction = pytest.importorskip("constriction")
    for seed in range(40):
        count = 1 + 37 * seed
        frequencies, drawn, symbols = random_symbols(count, levels, sharpness, seed)
        model = constriction.stream.model.Categorical(frequencies / TOTAL, perfect=False)
        other = constriction.stream.queue.RangeEncoder()
        other.encode(drawn.astype(np.int32), model)
        other_bytes = 4 * len(other.get_compressed())
        assert 0 <= other_bytes - len(encode(symbols)) <= 4
