"""Raster order, and red -> green -> blue inside a pixel."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pixelrnn.ordering import Place, place, position, positions


def test_order_written_out():
    order = [place(n, channels=3, width=2) for n in range(12)]
    expected = [(r, c, colour) for r in range(2) for c in range(2) for colour in range(3)]
    assert order == [Place(*spot) for spot in expected]


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("shape", [(5, 7), (7, 5), (1, 6), (6, 1)], ids=str)
def test_positions_agree_with_position_and_place(channels, shape):
    height, width = shape
    order = positions(channels=channels, height=height, width=width)
    assert order.shape == (channels, height, width)
    assert sorted(order.flatten().tolist()) == list(range(channels * height * width))
    for colour, row, column in itertools.product(range(channels), range(height), range(width)):
        spot = Place(row, column, colour)
        assert position(spot, channels=channels, width=width) == order[colour, row, column]
        assert place(int(order[colour, row, column]), channels=channels, width=width) == spot


def test_positions_are_contiguous():
    order = positions(channels=3, height=2, width=2)
    assert order.flags.c_contiguous
    assert order.dtype == np.int64


@settings(deadline=None, derandomize=True, database=None)
@given(st.integers(0, 10**9), st.sampled_from([1, 3]), st.integers(1, 4096))
def test_position_undoes_place(number, channels, width):
    spot = place(number, channels=channels, width=width)
    assert position(spot, channels=channels, width=width) == number
    assert 0 <= spot.channel < channels
    assert 0 <= spot.column < width


@settings(deadline=None, derandomize=True, database=None)
@given(st.integers(0, 10**6), st.sampled_from([1, 3]), st.integers(1, 64))
def test_the_next_place_is_the_next_in_reading_order(number, channels, width):
    assert place(number, channels=channels, width=width) < place(
        number + 1, channels=channels, width=width
    )
