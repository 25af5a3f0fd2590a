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
def _code(work: Any, stream: np.ndarray, given: bool, low: int, high: int) -> None:
    if not given:
        range_coder.take(work.coder, stream, low, high - low)
    elif not work.reads:
        range_coder.put(work.coder, stream, low, high - low)


@njit(error_model="numpy")
def _settle_categorical(work, stream, given, level, at, levels, exponents):  # type: ignore[no-untyped-def]
    """Encode a given level, or decode it, by the logits in memory; return it, and its frequency."""
    total = cumulative.exponentials(work.wide, at, levels, work.exponential, exponents)
    factor = cumulative.categorical_factor(total, levels)
    if not given:
        level, low, high = cumulative.categorical_search(
            range_coder.target(work.coder), levels, exponents, factor
        )
    else:
        low, high = cumulative.categorical_bounds(level, levels, exponents, factor)
    _code(work, stream, given, low, high)
    return level, high - low


@njit(error_model="numpy")
def _settle_mixture(work, stream, given, level, levels, weights, means, inverse_scales):  # type: ignore[no-untyped-def]
    """Do the same by a mixture whose components are ready."""
    mixture = levels, weights, means, inverse_scales, work.logistic
    if not given:
        level, low, high = cumulative.mixture_search(range_coder.target(work.coder), *mixture)
    else:
        low = cumulative.mixture_cumulative(level, *mixture)
        high = cumulative.mixture_cumulative(level + 1, *mixture)
    _code(work, stream, given, low, high)
    return level, high - low


@njit(error_model="numpy")
def settle(work, image, row, column, group, at, pixel):  # type: ignore[no-untyped-def]  # noqa: ANN201
    """Find the level of each colour of a group and write it: the one place where levels come from.

    It is given by the image, and encoded unless a message is read; or it is decoded. Where the image has
    fewer colours than the program, those that are missing equal its last one: a grey image is coded as the
    red of a colour image.
    """
    spec, there, width = work.spec, image.shape[2], image.shape[1]
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
        place = (row * width + column) * there + channel
        given = not work.reads
        if work.knows and channel < there:
            given = work.known[place] != 0
        level, frequency = whole(image[row, column, min(channel, there - 1)]), whole(0)
        if channel < there and is_categorical:
            level, frequency = _settle_categorical(work, stream, given, level, at, levels, weights)
        elif channel < there:
            prediction = whole(work.wide[at + count - channels + channel])
            prediction += (levels - 1) << (LEVEL_BITS - 1)
            cumulative.mixture_components(
                work.wide, at, channel, channels, residuals, prediction, work.coupling,
                work.inverse_scale_of, means, inverse_scales,
            )  # fmt: skip
            level, frequency = _settle_mixture(
                work, stream, given, level, levels, weights, means, inverse_scales
            )
            residuals[channel] = (level << LEVEL_BITS) - prediction
            if channel < there - 1:
                cumulative.mixture_update(
                    level, levels, weights, means, inverse_scales, work.logistic
                )
        if channel < there:
            image[row, column, channel] = level
            if work.keeps_frequencies:
                work.frequencies[place] = frequency
        work.narrow[pixel + channel] = 2 * level - (levels - 1)
