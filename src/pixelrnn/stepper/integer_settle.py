"""A sub-pixel encoded or decoded: the one place where an integer program meets the range coder."""

from typing import Any

import numpy as np
from numba import carray, njit  # type: ignore[attr-defined]

from pixelrnn.graph.integer_tables import LEVEL_BITS
from pixelrnn.graph.program import CATEGORICAL
from pixelrnn.stepper import cumulative, range_coder
from pixelrnn.stepper.tables import (
    SPEC_CHANNELS,
    SPEC_COMPONENTS,
    SPEC_GROUPS,
    SPEC_KIND,
    SPEC_LEVELS,
    SPEC_PARAMETERS,
)

whole: Any = np.int64  # in compiled code, Python's integers mixed with numpy's


@njit(error_model="numpy")
def _code(work: Any, stream: np.ndarray, low: int, high: int) -> None:
    if work.reads:
        range_coder.take(work.coder, stream, low, high - low)
    else:
        range_coder.put(work.coder, stream, low, high - low)


@njit(error_model="numpy")
def _settle_categorical(work, stream, level, at, levels, exponents):  # type: ignore[no-untyped-def]
    """Encode a level whose logits are in memory, or decode it; return it, and its frequency."""
    total = cumulative.exponentials(work.wide, at, levels, work.exponential, exponents)
    factor = cumulative.categorical_factor(total, levels)
    if work.reads:
        level, low, high = cumulative.categorical_search(
            range_coder.target(work.coder), levels, exponents, factor
        )
    else:
        low, high = cumulative.categorical_bounds(level, levels, exponents, factor)
    _code(work, stream, low, high)
    return level, high - low


@njit(error_model="numpy")
def _settle_mixture(work, stream, level, levels, weights, means, inverse_scales):  # type: ignore[no-untyped-def]
    """Encode a level whose components are ready, or decode it; return it, and its frequency."""
    mixture = levels, weights, means, inverse_scales, work.logistic
    if work.reads:
        level, low, high = cumulative.mixture_search(range_coder.target(work.coder), *mixture)
    else:
        low = cumulative.mixture_cumulative(level, *mixture)
        high = cumulative.mixture_cumulative(level + 1, *mixture)
    _code(work, stream, low, high)
    return level, high - low


@njit(error_model="numpy")
def settle_integers(work, image, row, column, group, at, pixel):  # type: ignore[no-untyped-def]  # noqa: ANN201
    """Encode or decode the colours of a group; see `world.settle`.

    Where the image has fewer colours than the program, those that are missing equal its last one: a
    grey image is coded as the red of a colour image.
    """
    spec, given = work.spec, image.shape[2]
    channels, levels, components = spec[SPEC_CHANNELS], spec[SPEC_LEVELS], spec[SPEC_COMPONENTS]
    is_categorical, count = spec[SPEC_KIND] == CATEGORICAL, spec[SPEC_PARAMETERS + 3 * group + 2]
    stream = carray(work.stream, (work.stream_size,))
    weights = carray(work.weights, (levels if is_categorical else components,))
    means, inverse_scales = (
        carray(work.means, (components,)),
        carray(work.inverse_scales, (components,)),
    )
    residuals = carray(work.residuals, (channels,))
    if not is_categorical:
        total = cumulative.exponentials(work.wide, at, components, work.exponential, weights)
        cumulative.normalise(weights, total)
    for channel in range(group, group + 1 if spec[SPEC_GROUPS] > 1 else channels):
        level, frequency = whole(image[row, column, min(channel, given - 1)]), whole(0)
        if channel < given and is_categorical:
            level, frequency = _settle_categorical(work, stream, level, at, levels, weights)
        elif channel < given:
            prediction = whole(work.wide[at + count - channels + channel])
            prediction += (levels - 1) << (LEVEL_BITS - 1)
            cumulative.mixture_components(
                work.wide, at, channel, channels, residuals, prediction, work.coupling,
                work.inverse_scale_of, means, inverse_scales,
            )  # fmt: skip
            level, frequency = _settle_mixture(
                work, stream, level, levels, weights, means, inverse_scales
            )
            residuals[channel] = (level << LEVEL_BITS) - prediction
            if channel < given - 1:
                cumulative.mixture_update(
                    level, levels, weights, means, inverse_scales, work.logistic
                )
        if channel < given:
            image[row, column, channel] = level
            if work.keeps_frequencies:
                place = (row * image.shape[1] + column) * given + channel
                work.frequencies[place] = frequency
        work.narrow[pixel + channel] = 2 * level - (levels - 1)
