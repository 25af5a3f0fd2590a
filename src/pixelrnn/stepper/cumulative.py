"""Cumulative frequencies of the levels of a sub-pixel, in integers, from a program's parameters.

    F(0) = 0,   F(v) = (distribution function below v, of 24 bits) + v,   F(levels) = 2^24

The distribution function never falls, so that F rises by at least 1 at every level, whatever integers
the parameters are. Encoder and decoder call the same functions, the encoder for two levels of a
sub-pixel, the decoder for those that its search visits. Units are those of `integer_tables.py`.
"""

from typing import Any

import numpy as np
from numba import njit

from pixelrnn.graph.integer_tables import (
    ARGUMENT_BITS,
    COUPLING_BITS,
    COUPLING_SIDE,
    EXPONENTIAL_SIZE,
    INVERSE_BITS,
    LEVEL_BITS,
    LOG_SCALE_STEP_BITS,
    LOGISTIC_BITS,
    LOGISTIC_SIDE,
    LOGISTIC_STEP_BITS,
    LOWEST_LOG_SCALE,
    SCALES,
    WEIGHT_BITS,
)
from pixelrnn.stepper.range_coder import TOTAL, TOTAL_BITS

whole: Any = np.int64  # in compiled code, Python's integers mixed with numpy's
TO_ARGUMENT = LEVEL_BITS + INVERSE_BITS - ARGUMENT_BITS
LOGISTIC_LIMIT = LOGISTIC_SIDE << (ARGUMENT_BITS - LOGISTIC_STEP_BITS)
BETWEEN_BITS = ARGUMENT_BITS - LOGISTIC_STEP_BITS
BETWEEN = (1 << BETWEEN_BITS) - 1
FARTHEST = 1 << 24  # a mean, 64 times the range of 256 levels away
ONE_WEIGHT = 1 << WEIGHT_BITS
ONE_LOGISTIC = 1 << LOGISTIC_BITS


@njit(error_model="numpy")
def exponentials(
    logits: np.ndarray, at: int, count: int, exponential: np.ndarray, out: np.ndarray
) -> int:
    """Write exp(logit - highest) to `out`, and return the sum."""
    highest = whole(logits[at])
    for k in range(1, count):
        highest = max(highest, whole(logits[at + k]))
    total: int = whole(0)
    for k in range(count):
        out[k] = exponential[min(highest - whole(logits[at + k]), EXPONENTIAL_SIZE - 1)]
        total += out[k]
    return total


@njit(error_model="numpy")
def normalise(weights: np.ndarray, total: int) -> None:
    """Divide weights by their sum, so that they add up to 2^20 exactly; the first takes the rest."""
    others = whole(0)
    for k in range(1, len(weights)):
        weights[k] = (weights[k] << WEIGHT_BITS) // total
        others += weights[k]
    weights[0] = ONE_WEIGHT - others


@njit(inline="always")
def _below(edge: int, mean: int, inverse_scale: int, logistic: np.ndarray) -> int:
    """Return the distribution function of a logistic at an edge, in 1/1024 levels."""
    argument = ((edge - mean) * inverse_scale) >> TO_ARGUMENT
    argument = min(max(argument, -LOGISTIC_LIMIT), LOGISTIC_LIMIT - 1) + LOGISTIC_LIMIT
    entry = argument >> BETWEEN_BITS
    low: int = logistic[entry]
    between: int = ((logistic[entry + 1] - low) * (argument & BETWEEN)) >> BETWEEN_BITS
    return low + between


@njit(inline="always")
def _edge(level: int) -> int:
    """Return the lower edge of the bin of a level, in 1/1024 levels."""
    return (2 * level - 1) << (LEVEL_BITS - 1)


@njit(error_model="numpy")
def mixture_cumulative(
    level: int,
    levels: int,
    weights: np.ndarray,
    means: np.ndarray,
    inverse_scales: np.ndarray,
    logistic: np.ndarray,
) -> int:
    """Return F(level) of a mixture of logistics."""
    if level <= 0:
        return 0
    if level >= levels:
        return TOTAL
    edge = _edge(level)
    total: int = whole(0)
    for k in range(len(weights)):
        total += weights[k] * _below(edge, means[k], inverse_scales[k], logistic)
    of_total_bits = total >> (WEIGHT_BITS + LOGISTIC_BITS - TOTAL_BITS)
    return ((of_total_bits * (TOTAL - levels)) >> TOTAL_BITS) + level


@njit(error_model="numpy")
def mixture_search(
    target: int,
    levels: int,
    weights: np.ndarray,
    means: np.ndarray,
    inverse_scales: np.ndarray,
    logistic: np.ndarray,
) -> tuple[int, int, int]:
    """Return the level with F(level) <= target < F(level + 1), and both."""
    first, last, low, high = 0, levels, 0, TOTAL
    while last - first > 1:
        middle = (first + last) >> 1
        cumulative = mixture_cumulative(middle, levels, weights, means, inverse_scales, logistic)
        if cumulative <= target:
            first, low = middle, cumulative
        else:
            last, high = middle, cumulative
    return first, low, high


@njit(error_model="numpy")
def mixture_update(
    level: int,
    levels: int,
    weights: np.ndarray,
    means: np.ndarray,
    inverse_scales: np.ndarray,
    logistic: np.ndarray,
) -> None:
    """Weigh the components anew, now that the level of a colour is known."""
    total = whole(0)
    for k in range(len(weights)):
        below_next = ONE_LOGISTIC
        if level < levels - 1:
            below_next = _below(_edge(level + 1), means[k], inverse_scales[k], logistic)
        below = whole(0)
        if level > 0:
            below = _below(_edge(level), means[k], inverse_scales[k], logistic)
        weights[k] *= below_next - below + 1
        total += weights[k]
    normalise(weights, total)


@njit(error_model="numpy")
def mixture_components(
    parameters: np.ndarray,
    at: int,
    channel: int,
    channels: int,
    residuals: np.ndarray,
    prediction: int,
    coupling: np.ndarray,
    inverse_scale_of: np.ndarray,
    means: np.ndarray,
    inverse_scales: np.ndarray,
) -> None:
    """Set means, in 1/1024 levels, and inverse scales of a colour's components.

    Args:
        parameters: int32, in the order of `likelihoods.LogisticMixture`.
        at: where they start.
        channel: the colour.
        channels: colours of a pixel.
        residuals: value minus prediction of the colours before, in 1/1024 levels.
        prediction: of the colour, in 1/1024 levels.
        coupling: the table of tanh.
        inverse_scale_of: the table of inverse scales.
        means: to be set.
        inverse_scales: to be set.
    """
    components = len(means)
    couplings = at + components * (1 + 2 * channels)
    for k in range(components):
        mean = whole(parameters[at + components * (1 + channel) + k])
        if channel == 1:
            mean += _coupled(parameters[couplings + k], 1, residuals[0], coupling)
        if channel == 2:
            mean += _coupled(parameters[couplings + components + k], 0, residuals[0], coupling)
            mean += _coupled(parameters[couplings + 2 * components + k], 1, residuals[1], coupling)
        means[k] = min(max(mean + prediction, -FARTHEST), FARTHEST)
        log_scale = whole(parameters[at + components * (1 + channels + channel) + k])
        entry = log_scale - (LOWEST_LOG_SCALE << LOG_SCALE_STEP_BITS)
        inverse_scales[k] = inverse_scale_of[min(max(entry, 0), SCALES - 1)]


@njit(inline="always")
def _coupled(parameter: int, start: int, residual: int, coupling: np.ndarray) -> int:
    """Return (start + tanh(parameter)) * residual."""
    entry = min(max(whole(parameter), -COUPLING_SIDE), COUPLING_SIDE) + COUPLING_SIDE
    factor: int = coupling[entry] + (start << COUPLING_BITS)
    return (factor * residual) >> COUPLING_BITS


@njit(error_model="numpy")
def categorical_factor(total: int, levels: int) -> int:
    """Return what makes sums of exponentials 24 bits long: the one division of a sub-pixel."""
    factor: int = ((TOTAL - levels) << TOTAL_BITS) // total
    return factor


@njit(error_model="numpy")
def categorical_bounds(
    level: int, levels: int, exponents: np.ndarray, factor: int
) -> tuple[int, int]:
    """Return F(level) and F(level + 1) of a softmax, given its exponentials."""
    before = whole(0)
    for v in range(level):
        before += exponents[v]
    low = ((before * factor) >> TOTAL_BITS) + level
    if level == levels - 1:
        return low, TOTAL
    return low, (((before + exponents[level]) * factor) >> TOTAL_BITS) + level + 1


@njit(error_model="numpy")
def categorical_search(
    target: int, levels: int, exponents: np.ndarray, factor: int
) -> tuple[int, int, int]:
    """Return the level with F(level) <= target < F(level + 1), and both."""
    before, low = whole(0), whole(0)
    for level in range(levels - 1):
        before += exponents[level]
        high = ((before * factor) >> TOTAL_BITS) + level + 1
        if high > target:
            return level, low, high
        low = high
    return levels - 1, low, TOTAL
