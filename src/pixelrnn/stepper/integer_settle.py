"""A sub-pixel encoded or decoded: the one place where an integer program meets the range coder."""

from typing import Any

import numpy as np
from numba import njit

from pixelrnn.stepper import cumulative, range_coder
from pixelrnn.stepper.integer_tables import LEVEL_BITS
from pixelrnn.stepper.program import CATEGORICAL
from pixelrnn.stepper.tables import (
    SPEC_CHANNELS,
    SPEC_COMPONENTS,
    SPEC_GROUPS,
    SPEC_KIND,
    SPEC_LEVELS,
)

whole: Any = np.int64  # in compiled code, Python's integers mixed with numpy's


@njit(error_model="numpy")
def _code(reads: bool, coder: np.ndarray, stream: np.ndarray, low: int, high: int) -> None:
    if reads:
        range_coder.take(coder, stream, low, high - low)
    else:
        range_coder.put(coder, stream, low, high - low)


@njit(error_model="numpy")
def _settle_categorical(world, image, row, column, channel, at, levels, exponents):  # type: ignore[no-untyped-def]
    """Encode or decode a sub-pixel whose logits are in memory."""
    total = cumulative.exponentials(world.wide, at, levels, world.exponential, exponents)
    factor = cumulative.categorical_factor(total, levels)
    if world.reads:
        level, low, high = cumulative.categorical_search(
            range_coder.target(world.coder), levels, exponents, factor
        )
        image[row, column, channel] = level
    else:
        level = whole(image[row, column, channel])
        low, high = cumulative.categorical_bounds(level, levels, exponents, factor)
    _code(world.reads, world.coder, world.stream, low, high)
    return level, high - low


@njit(error_model="numpy")
def _settle_mixture(world, image, row, column, channel, levels, weights, means, inverse_scales):  # type: ignore[no-untyped-def]
    """Encode or decode a sub-pixel whose components are ready."""
    mixture = levels, weights, means, inverse_scales, world.logistic
    if world.reads:
        level, low, high = cumulative.mixture_search(range_coder.target(world.coder), *mixture)
        image[row, column, channel] = level
    else:
        level = whole(image[row, column, channel])
        low = cumulative.mixture_cumulative(level, *mixture)
        high = cumulative.mixture_cumulative(level + 1, *mixture)
    _code(world.reads, world.coder, world.stream, low, high)
    return level, high - low


@njit(error_model="numpy")
def settle_integers(world, spec, image, row, column, group, at, count, pixel, work):  # type: ignore[no-untyped-def]  # noqa: ANN201
    """Encode or decode the colours of a group; see `world.settle`.

    Where the image has fewer colours than the program, those that are missing equal its last one: a
    grey image is coded as the red of a colour image.
    """
    channels, levels, components = spec[SPEC_CHANNELS], spec[SPEC_LEVELS], spec[SPEC_COMPONENTS]
    weights, means = work.weights, work.means[:components]
    inverse_scales, residuals = work.inverse_scales[:components], work.residuals
    is_categorical, given = spec[SPEC_KIND] == CATEGORICAL, image.shape[2]
    if not is_categorical:
        weights = weights[:components]
        total = cumulative.exponentials(world.wide, at, components, world.exponential, weights)
        cumulative.normalise(weights, total)
    level = whole(0)
    for channel in range(group, group + 1 if spec[SPEC_GROUPS] > 1 else channels):
        if channel >= given:
            level = whole(image[row, column, given - 1])
        elif is_categorical:
            level, frequency = _settle_categorical(
                world, image, row, column, channel, at, levels, weights
            )
            if world.frequencies.size:
                world.frequencies[row, column, channel] = frequency
        else:
            prediction = whole(world.wide[at + count - channels + channel])
            prediction += (levels - 1) << (LEVEL_BITS - 1)
            cumulative.mixture_components(
                world.wide, at, channel, channels, residuals, prediction, world.coupling,
                world.inverse_scales, means, inverse_scales,
            )  # fmt: skip
            level, frequency = _settle_mixture(
                world, image, row, column, channel, levels, weights, means, inverse_scales
            )
            if world.frequencies.size:
                world.frequencies[row, column, channel] = frequency
            residuals[channel] = (level << LEVEL_BITS) - prediction
            if channel < given - 1:
                cumulative.mixture_update(
                    level, levels, weights, means, inverse_scales, world.logistic
                )
        world.narrow[pixel + channel] = 2 * level - (levels - 1)
