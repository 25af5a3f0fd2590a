"""exp, log, sigmoid and tanh, in a form that the compiler can vectorise, for float32 and float64.

    exp(x) = 2^n exp(r),   n the integer nearest to x / log 2,   |r| <= log(2) / 2

exp(r) is its Taylor series to degree 13, which is exact to the last bit or two of float64, in even and
odd powers, so that two chains run side by side; degree 7 is enough for float32. There is no branch, no
table and no call: a loop over it is three to four times as fast as one over the library's function.

    log(x) = n log 2 + log m,   1 / sqrt 2 <= m < sqrt 2,   log m = 2 artanh((m - 1) / (m + 1))

What a function returns has the type of its argument.
"""

import math

import numpy as np
from numba import types
from numba.extending import overload

from pixelrnn.units import NATS_PER_BIT

# log 2 in two parts: n times the first, of 32 bits, is exact; the last number is what float64 leaves.
_LOG_2_HIGH = math.floor(NATS_PER_BIT * 2.0**32) * 2.0**-32
_LOG_2_LOW = (NATS_PER_BIT - _LOG_2_HIGH) + 2.3190468138462996e-17
_PER_LOG_2 = 1.0 / NATS_PER_BIT
_ROUNDING = 1.5 * 2.0**52  # added, it leaves the nearest integer in the lowest bits
_LOWEST, _HIGHEST = -708.0, 709.0  # what float64 holds: 2^n stays a normal number
_BIAS, _FRACTION_BITS = np.int64(1023), np.int64(52)

# The same for float32: log 2 in a part of 12 bits, and the rest.
_F = np.float32
_LOG_2_HIGH_32 = _F(math.floor(NATS_PER_BIT * 2.0**12) * 2.0**-12)
_LOG_2_LOW_32 = _F(NATS_PER_BIT - math.floor(NATS_PER_BIT * 2.0**12) * 2.0**-12)
_PER_LOG_2_32 = _F(_PER_LOG_2)
_ROUNDING_32 = _F(1.5 * 2.0**23)
_LOWEST_32, _HIGHEST_32 = _F(-87.0), _F(88.0)
_BIAS_32, _FRACTION_BITS_32 = np.int32(127), np.int32(23)
_C2, _C3, _C4, _C5, _C6, _C7 = (_F(1 / math.factorial(n)) for n in range(2, 8))

# The bits of sqrt(1/2): taken from those of x, they leave the exponent n of x = 2^n m on top.
_SQRT_HALF, _SQRT_HALF_32 = np.int64(0x3FE6A09E667F3BCD), np.int32(0x3F3504F3)
_A0, _A1, _A2, _A3, _A4 = (_F(2 / (2 * n + 1)) for n in range(5))
_ONE, _TWO, _MINUS_TWO, _LOG_2_32 = _F(1), _F(2), _F(-2), _F(NATS_PER_BIT)


# numba compares the signatures below to the letter: they have no annotations.


def _exponential_64(x):  # type: ignore[no-untyped-def]
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


def _exponential_32(x):  # type: ignore[no-untyped-def]
    x = min(max(x, _LOWEST_32), _HIGHEST_32)
    rounded = x * _PER_LOG_2_32 + _ROUNDING_32
    n = rounded - _ROUNDING_32
    r = (x - n * _LOG_2_HIGH_32) - n * _LOG_2_LOW_32
    s = r * r
    even = (_C6 * s + _C4) * s + _C2
    even = even * s + _ONE
    odd = (_C7 * s + _C5) * s + _C3
    odd = odd * s + _ONE
    power_bits = np.int32((np.float32(rounded).view(np.int32) + _BIAS_32) << _FRACTION_BITS_32)
    return (odd * r + even) * power_bits.view(np.float32)


def _logarithm_64(x):  # type: ignore[no-untyped-def]
    bits = np.float64(x).view(np.int64)
    n = (bits - _SQRT_HALF) >> _FRACTION_BITS
    m = np.int64(bits - (n << _FRACTION_BITS)).view(np.float64)
    t = (m - 1.0) / (m + 1.0)
    s = t * t
    series = 2 / 23
    series = series * s + 2 / 21
    series = series * s + 2 / 19
    series = series * s + 2 / 17
    series = series * s + 2 / 15
    series = series * s + 2 / 13
    series = series * s + 2 / 11
    series = series * s + 2 / 9
    series = series * s + 2 / 7
    series = series * s + 2 / 5
    series = series * s + 2 / 3
    series = series * s + 2.0
    return n * NATS_PER_BIT + series * t


def _logarithm_32(x):  # type: ignore[no-untyped-def]
    bits = np.float32(x).view(np.int32)
    n = np.int32((bits - _SQRT_HALF_32) >> _FRACTION_BITS_32)
    m = np.int32(bits - (n << _FRACTION_BITS_32)).view(np.float32)
    t = (m - _ONE) / (m + _ONE)
    s = t * t
    series = (((_A4 * s + _A3) * s + _A2) * s + _A1) * s + _A0
    return np.float32(n) * _LOG_2_32 + series * t


def exponential(x: float) -> float:
    """Return exp(x), in compiled code; below and above what the type holds, what it is there.

    The ends are -708 and 709 for float64, -87 and 88 for float32.
    """
    raise TypeError("for compiled code only")


def logarithm(x: float) -> float:
    """Return log(x) of a positive normal number, in compiled code."""
    raise TypeError("for compiled code only")


def sigmoid(x: float) -> float:
    """Return 1 / (1 + exp(-x)), in compiled code."""
    raise TypeError("for compiled code only")


def tanh(x: float) -> float:
    """Return the hyperbolic tangent, in compiled code: to 1e-16 in float64, 1e-7 in float32."""
    raise TypeError("for compiled code only")


@overload(exponential)
def _exponential(x):  # type: ignore[no-untyped-def]
    if x == types.float32:
        return _exponential_32
    return _exponential_64


@overload(logarithm)
def _logarithm(x):  # type: ignore[no-untyped-def]
    if x == types.float32:
        return _logarithm_32
    return _logarithm_64


@overload(sigmoid)
def _sigmoid(x):  # type: ignore[no-untyped-def]
    if x == types.float32:
        return lambda x: _ONE / (_ONE + exponential(-x))
    return lambda x: 1.0 / (1.0 + exponential(-x))


@overload(tanh)
def _tanh(x):  # type: ignore[no-untyped-def]
    if x == types.float32:
        return lambda x: _TWO / (_ONE + exponential(_MINUS_TWO * x)) - _ONE
    return lambda x: 2.0 / (1.0 + exponential(-2.0 * x)) - 1.0
