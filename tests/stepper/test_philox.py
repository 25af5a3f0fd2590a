"""The random numbers: known answers of Random123, and what the samplers need of them."""

import numpy as np
import pytest
from numba import njit
from scipy import stats

from pixelrnn.stepper.philox import philox, uniforms

ONES = 0xFFFFFFFF


@njit
def words(counter, key):
    return philox(counter[0], counter[1], counter[2], counter[3], key[0], key[1])


@njit
def many_uniforms(seed, image, count):
    numbers = np.zeros((2, count))
    for position in range(count):
        numbers[:, position] = uniforms(seed, image, np.uint64(position))
    return numbers


def uint64s(*numbers):
    return np.array(numbers, dtype=np.uint64)


def draw(seed, image, count=20_000):
    return many_uniforms(np.uint64(seed), np.uint64(image), count)


@pytest.mark.parametrize(
    ("counter", "key", "answer"),
    [
        ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
        ((ONES,) * 4, (ONES,) * 2, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
        (
            (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
            (0xA4093822, 0x299F31D0),
            (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
        ),
    ],
    ids=["zeros", "ones", "pi"],
)
def test_known_answers(counter, key, answer):
    assert tuple(int(word) for word in words(uint64s(*counter), uint64s(*key))) == answer


def test_uniforms_are_uniform_and_independent():
    first, second = draw(seed=7, image=3)
    for numbers in (first, second):
        assert 0 < numbers.min() < numbers.max() < 1
        assert stats.kstest(numbers, "uniform").pvalue > 1e-3
        assert abs(numbers.mean() - 0.5) < 0.01
        assert abs(numbers.var() - 1 / 12) < 0.003
        assert abs(np.corrcoef(numbers[:-1], numbers[1:])[0, 1]) < 0.03
    assert abs(np.corrcoef(first, second)[0, 1]) < 0.03


@pytest.mark.parametrize("word", [0, ONES], ids=["lowest", "highest"])
def test_the_ends_are_strictly_inside(word, monkeypatch):
    """Words of all zeros and of all ones, the formula of `uniforms` run in Python."""
    fixed = (np.uint64(word),) * 4
    monkeypatch.setitem(uniforms.py_func.__globals__, "philox", lambda *_: fixed)
    for number in uniforms.py_func(np.uint64(0), np.uint64(0), np.uint64(0)):
        assert 0.0 < number < 1.0


@pytest.mark.parametrize(
    "other", [(1, 0), (0, 1), (1 << 32, 0), (0, 1 << 32), ((1 << 63) - 1, 0)], ids=str
)
def test_seeds_and_images_have_streams_of_their_own(other):
    """The high words count, too."""
    mine, theirs = draw(0, 0, 1000).ravel(), draw(*other, 1000).ravel()
    assert not np.isin(mine, theirs).any()
    assert abs(np.corrcoef(mine, theirs)[0, 1]) < 0.1
