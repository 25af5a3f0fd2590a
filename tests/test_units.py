"""Nats, bits and bits/dim."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pixelrnn.units import bits, bits_per_dim


@pytest.mark.parametrize("num_dims", [1, 64, 3072, 10 * 3072, 10_000 * 3072])
def test_a_uniform_distribution_over_256_levels_costs_exactly_8(num_dims):
    assert bits_per_dim(num_dims * math.log(256), num_dims) == 8.0


@pytest.mark.parametrize("exponent", range(1, 9))
def test_powers_of_two_cost_their_exponent(exponent):
    assert bits(math.log(2**exponent)) == pytest.approx(exponent, rel=1e-15)


@settings(deadline=None, derandomize=True, database=None)
@given(st.floats(-1e6, 1e6), st.integers(1, 10**9))
def test_bits_per_dim_is_bits_over_dims(nats, num_dims):
    assert bits_per_dim(nats, num_dims) == pytest.approx(bits(nats) / num_dims, rel=1e-14)


@pytest.mark.parametrize(
    ("nats_per_sub_pixel", "right"), [(3.92, 5.655), (4.09, 5.901), (4.18, 6.030)]
)
def test_the_published_losses(nats_per_sub_pixel, right):
    """A report divided these means by 3,072 once more and gave 0.0018 to 0.0020 bits/dim."""
    num_dims = 10_000 * 3072
    assert bits_per_dim(nats_per_sub_pixel * num_dims, num_dims) == pytest.approx(right, abs=1e-3)
    divided_twice = bits_per_dim(nats_per_sub_pixel, 3072)
    assert divided_twice == pytest.approx(right / 3072, rel=1e-3)
    assert divided_twice < 0.0021


@pytest.mark.parametrize("num_dims", [0, -1])
def test_no_sub_pixels_is_an_error(num_dims):
    with pytest.raises(ValueError, match="at least one sub-pixel"):
        bits_per_dim(1.0, num_dims)
