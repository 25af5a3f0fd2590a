"""The curves of an integer program: what their entries mean. The numbers themselves come with the program.

Whoever exports a program computes them once (`curves`); whoever runs it reads them, so that no machine
has to agree with another about an exponential. Lower-case letters are real numbers, and a position in a
table is a real argument in steps of 1 / 2^STEP_BITS.
"""

from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

# Gates of an LSTM: their sums are made in steps of 2^-9; what comes out has 14 bits behind the point.
GATE_STEP_BITS = 9
GATE_BITS = 14
SIGMOID_SIDE = 8 << GATE_STEP_BITS  # entries on each side of 0
TANH_SIDE = 6 << GATE_STEP_BITS

# Logits, of levels and of components: steps of 1/64 nat below the highest; values of 20 bits.
LOGIT_STEP_BITS = 6
EXPONENTIAL_SIZE = 16 << LOGIT_STEP_BITS
WEIGHT_BITS = 20

# The logistic distribution function: between entries it is interpolated.
ARGUMENT_BITS = 16  # of an argument, behind the point
LOGISTIC_STEP_BITS = 5
LOGISTIC_SIDE = 16 << LOGISTIC_STEP_BITS
LOGISTIC_BITS = 22

# Means and residuals are in 1/1024 of a level, of many levels in less; inverse scales in 2^-20 per level.
LEVEL_BITS, LEAST_LEVEL_BITS = 10, 4
INVERSE_BITS = 20
# Log-scales: those of many levels begin lower, for the narrowest logistic is a ninth of a level.
LOG_SCALE_STEP_BITS = 6
LOWEST_LOG_SCALE = -7 << LOG_SCALE_STEP_BITS
HIGHEST_LOG_SCALE = 5 << LOG_SCALE_STEP_BITS
LOG_SCALE_STEPS_OF_A_BIT = 45  # log(2), and a little
BYTE_BITS = 8

# tanh of a coupling of two colours.
COUPLING_STEP_BITS = 7
COUPLING_SIDE = 4 << COUPLING_STEP_BITS
COUPLING_BITS = 12


def bits_beyond_a_byte(num_levels: int) -> int:
    """Return how many bits more than eight a level has.

    Example:
        >>> [bits_beyond_a_byte(levels) for levels in (2, 256, 257, 1024, 65536)]
        [0, 0, 1, 2, 8]
    """
    bits = 0
    while (num_levels - 1) >> (BYTE_BITS + bits) > 0:
        bits += 1
    return bits


def level_bits(num_levels: int) -> int:
    """Return how many bits behind the point means and residuals have, in levels."""
    return max(LEVEL_BITS - bits_beyond_a_byte(num_levels), LEAST_LEVEL_BITS)


def lowest_log_scale(num_levels: int) -> int:
    """Return the lowest log-scale, in steps of 1/64."""
    return LOWEST_LOG_SCALE - LOG_SCALE_STEPS_OF_A_BIT * bits_beyond_a_byte(num_levels)


def num_scales(num_levels: int) -> int:
    """Return how many log-scales there are."""
    return HIGHEST_LOG_SCALE - lowest_log_scale(num_levels)


@dataclass(frozen=True)
class Curves:
    """Tables of an integer program.

    Attributes:
        sigmoid: of a gate, int16, from -8 to 8.
        tanh: of a candidate or a cell, int16, from -6 to 6.
        exponential: exp(-x), int64, from 0 to 16.
        logistic: 1 / (1 + exp(-x)), int64, from -16 to 16: 0 and 1 at the ends.
        inverse_scales: levels in a scale, inverted, int64, for log-scales from -7 or less to 5.
        coupling: tanh(x), int64, from -4 to 4.
    """

    sigmoid: npt.NDArray[np.int16]
    tanh: npt.NDArray[np.int16]
    exponential: npt.NDArray[np.int64]
    logistic: npt.NDArray[np.int64]
    inverse_scales: npt.NDArray[np.int64]
    coupling: npt.NDArray[np.int64]


def curves(num_levels: int) -> Curves:
    """Compute the tables, once, for a program that is to be stored."""

    def around_zero(side: int, step_bits: int) -> npt.NDArray[np.float64]:
        return np.arange(-side, side + 1) / (1 << step_bits)

    def rounded(values: npt.NDArray[np.float64], bits: int) -> npt.NDArray[np.int64]:
        return np.round(values * (1 << bits)).astype(np.int64)

    logistic = 1 / (1 + np.exp(-around_zero(LOGISTIC_SIDE, LOGISTIC_STEP_BITS)))
    logistic[0], logistic[-1] = 0, 1
    lowest = lowest_log_scale(num_levels) / (1 << LOG_SCALE_STEP_BITS)
    log_scales = lowest + np.arange(num_scales(num_levels)) / (1 << LOG_SCALE_STEP_BITS)
    levels = np.exp(log_scales) * (num_levels - 1) / 2
    sigmoid = 1 / (1 + np.exp(-around_zero(SIGMOID_SIDE, GATE_STEP_BITS)))
    exponential = np.exp(-np.arange(EXPONENTIAL_SIZE) / (1 << LOGIT_STEP_BITS))
    return Curves(
        rounded(sigmoid, GATE_BITS).astype(np.int16),
        rounded(np.tanh(around_zero(TANH_SIDE, GATE_STEP_BITS)), GATE_BITS).astype(np.int16),
        rounded(exponential, WEIGHT_BITS),
        rounded(logistic, LOGISTIC_BITS),
        rounded(1 / levels, INVERSE_BITS),
        rounded(np.tanh(around_zero(COUPLING_SIDE, COUPLING_STEP_BITS)), COUPLING_BITS),
    )


CURVES = tuple(field.name for field in fields(Curves))
