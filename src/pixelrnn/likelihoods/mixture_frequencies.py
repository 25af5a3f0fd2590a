"""Cumulative frequencies of a mixture of discretised logistics, in integers.

    F(v) = (distribution function below v, of 24 bits) + v

The distribution function never falls, so that F rises by at least 1 at every level, whatever integers
the parameters are. Encoder and decoder call the same functions, the encoder for two levels of a
sub-pixel, the decoder for those that its search visits. Units are those of `graph/curves.py`.
"""

from typing import Any

import numpy as np
from numba import carray, njit  # type: ignore[attr-defined]

from pixelrnn.graph.curves import (
    ARGUMENT_BITS,
    BYTE_BITS,
    COUPLING_BITS,
    COUPLING_SIDE,
    HIGHEST_LOG_SCALE,
    INVERSE_BITS,
    LEAST_LEVEL_BITS,
    LEVEL_BITS,
    LOG_SCALE_STEPS_OF_A_BIT,
    LOGISTIC_BITS,
    LOGISTIC_SIDE,
    LOGISTIC_STEP_BITS,
    LOWEST_LOG_SCALE,
    WEIGHT_BITS,
    bits_beyond_a_byte,
)
from pixelrnn.kernels.range_coder import TOTAL, TOTAL_BITS
from pixelrnn.likelihoods.base import Compiled
from pixelrnn.likelihoods.exponentials import exponentials, normalise, whole

TO_ARGUMENT = INVERSE_BITS - ARGUMENT_BITS  # and the bits of a level
LOGISTIC_LIMIT = LOGISTIC_SIDE << (ARGUMENT_BITS - LOGISTIC_STEP_BITS)
BETWEEN_BITS = ARGUMENT_BITS - LOGISTIC_STEP_BITS
BETWEEN = (1 << BETWEEN_BITS) - 1
FARTHEST_BITS = 6  # a mean, 64 times the range of all levels away
ONE_LOGISTIC = 1 << LOGISTIC_BITS
_bits_beyond_a_byte: Any = njit(bits_beyond_a_byte)


@njit(inline="always")
def _level_bits(levels: int) -> int:
    """Return how many bits behind the point means have; see `curves.level_bits`."""
    bits: int = max(LEVEL_BITS - _bits_beyond_a_byte(levels), LEAST_LEVEL_BITS)
    return bits


@njit(inline="always")
def _below(edge: int, mean: int, inverse_scale: int, bits: int, logistic: np.ndarray) -> int:
    """Return the distribution function of a logistic at an edge, in parts of a level of so many bits."""
    argument = ((edge - mean) * inverse_scale) >> (bits + TO_ARGUMENT)
    argument = min(max(argument, -LOGISTIC_LIMIT), LOGISTIC_LIMIT - 1) + LOGISTIC_LIMIT
    entry = argument >> BETWEEN_BITS
    low: int = logistic[entry]
    between: int = ((logistic[entry + 1] - low) * (argument & BETWEEN)) >> BETWEEN_BITS
    return low + between


@njit(inline="always")
def _edge(level: int, bits: int) -> int:
    """Return the lower edge of the bin of a level, in parts of a level of so many bits."""
    return (2 * level - 1) << (bits - 1)


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
    bits = _level_bits(levels)
    edge = _edge(level, bits)
    total: int = whole(0)
    for k in range(len(weights)):
        total += weights[k] * _below(edge, means[k], inverse_scales[k], bits, logistic)
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
    total, bits = whole(0), _level_bits(levels)
    lower, upper = _edge(level, bits), _edge(level + 1, bits)
    for k in range(len(weights)):
        below_next = ONE_LOGISTIC
        if level < levels - 1:
            below_next = _below(upper, means[k], inverse_scales[k], bits, logistic)
        below = whole(0)
        if level > 0:
            below = _below(lower, means[k], inverse_scales[k], bits, logistic)
        weights[k] *= below_next - below + 1
        total += weights[k]
    normalise(weights, total)


@njit(error_model="numpy")
def mixture_components(
    parameters: np.ndarray,
    at: int,
    channel: int,
    channels: int,
    levels: int,
    residuals: np.ndarray,
    prediction: int,
    coupling: np.ndarray,
    inverse_scale_of: np.ndarray,
    means: np.ndarray,
    inverse_scales: np.ndarray,
) -> None:
    """Set means, in parts of a level (`curves.level_bits`), and inverse scales of a colour's components.

    Args:
        parameters: int32, in the order of `likelihoods.LogisticMixture`.
        at: where they start.
        channel: the colour.
        channels: colours of a pixel.
        levels: of a sub-pixel.
        residuals: value minus prediction of the colours before, in the same parts.
        prediction: of the colour, likewise.
        coupling: the table of tanh.
        inverse_scale_of: the table of inverse scales.
        means: to be set.
        inverse_scales: to be set.
    """
    components, beyond = len(means), _bits_beyond_a_byte(levels)
    farthest = 1 << (FARTHEST_BITS + BYTE_BITS + beyond + _level_bits(levels))
    lowest = LOWEST_LOG_SCALE - LOG_SCALE_STEPS_OF_A_BIT * beyond
    couplings = at + components * (1 + 2 * channels + channel * (channel - 1) // 2)
    for k in range(components):
        mean = whole(parameters[at + components * (1 + channel) + k])
        for other in range(channel):
            start = 1 if other == channel - 1 else 0
            parameter = parameters[couplings + components * other + k]
            mean += _coupled(parameter, start, residuals[other], coupling)
        means[k] = min(max(mean + prediction, -farthest), farthest)
        log_scale = whole(parameters[at + components * (1 + channels + channel) + k])
        log_scale = min(max(log_scale, lowest), HIGHEST_LOG_SCALE - 1)
        inverse_scales[k] = inverse_scale_of[log_scale - lowest]


@njit(inline="always")
def _coupled(parameter: int, start: int, residual: int, coupling: np.ndarray) -> int:
    """Return (start + tanh(parameter)) * residual."""
    entry = min(max(whole(parameter), -COUPLING_SIDE), COUPLING_SIDE) + COUPLING_SIDE
    factor: int = coupling[entry] + (start << COUPLING_BITS)
    return (factor * residual) >> COUPLING_BITS


@njit(error_model="numpy")
def _prepare(work: Any, at: int, channel: int, channels: int, levels: int, components: int) -> None:
    weights = carray(work.weights, (components,))
    if channel == 0:
        total = exponentials(work.wide, at, components, work.exponential, weights)
        normalise(weights, total)
    head = components * (1 + 2 * channels + channels * (channels - 1) // 2)
    prediction = whole(work.wide[at + head + channel]) + ((levels - 1) << (_level_bits(levels) - 1))
    residuals = carray(work.residuals, (channels,))
    mixture_components(
        work.wide, at, channel, channels, levels, residuals, prediction, work.coupling,
        work.inverse_scale_of, carray(work.means, (components,)),
        carray(work.inverse_scales, (components,)),
    )  # fmt: skip
    residuals[channel] = -prediction  # the level is still to be added


@njit(inline="always")
def _mixture(work: Any, components: int) -> Any:
    weights, means = carray(work.weights, (components,)), carray(work.means, (components,))
    return weights, means, carray(work.inverse_scales, (components,)), work.logistic


@njit(error_model="numpy")
def _bounds(work: Any, level: int, levels: int, components: int) -> tuple[int, int]:
    weights, means, inverse_scales, logistic = _mixture(work, components)
    low = mixture_cumulative(level, levels, weights, means, inverse_scales, logistic)
    return low, mixture_cumulative(level + 1, levels, weights, means, inverse_scales, logistic)


@njit(error_model="numpy")
def _search(work: Any, target: int, levels: int, components: int) -> tuple[int, int, int]:
    weights, means, inverse_scales, logistic = _mixture(work, components)
    return mixture_search(target, levels, weights, means, inverse_scales, logistic)


@njit(error_model="numpy")
def _update(work: Any, level: int, channel: int, levels: int, components: int) -> None:
    weights, means, inverse_scales, logistic = _mixture(work, components)
    work.residuals[channel] += level << _level_bits(levels)
    mixture_update(level, levels, weights, means, inverse_scales, logistic)


@njit(error_model="numpy")
def _frequencies(work: Any, levels: int, components: int, out: np.ndarray) -> None:
    weights, means, inverse_scales, logistic = _mixture(work, components)
    low = whole(0)
    for v in range(levels):
        high = mixture_cumulative(v + 1, levels, weights, means, inverse_scales, logistic)
        out[v] = high - low
        low = high


COMPILED = Compiled(_prepare, _bounds, _search, _update, _frequencies)
