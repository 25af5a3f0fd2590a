"""A sub-pixel encoded or decoded: the one place where an integer program meets the range coder."""

from typing import Any

import numpy as np
from numba import carray, njit  # type: ignore[attr-defined]

from pixelrnn.graph.curves import BYTE_BITS
from pixelrnn.kernels import range_coder
from pixelrnn.operations.tables import (
    SPEC_CHANNELS,
    SPEC_COMPONENTS,
    SPEC_GROUPS,
    SPEC_KIND,
    SPEC_LEVELS,
    SPEC_PARTS,
    SPEC_SYMBOLS,
)
from pixelrnn.stepper.guided import bounds, prepare, search, update
from pixelrnn.stepper.writing import write_number

whole: Any = np.int64  # in compiled code, Python's integers mixed with numpy's


@njit(error_model="numpy")
def resolve_subpixel(work, image, row, column, group, at, pixel):  # type: ignore[no-untyped-def]  # noqa: ANN201
    """Find the level of each colour of a group and write it: the one place where levels come from.

    What is not known to both sides is the image's, and encoded, or it is decoded. Where the image has fewer
    colours than the program, those that are missing equal its last one: a grey image is coded as the red of
    a colour image.
    """
    spec, width = work.spec, image.shape[1]
    size = 1 if spec[SPEC_LEVELS] <= 1 << BYTE_BITS else 2  # bytes of a level
    there = image.shape[2] // size
    channels, levels, components = spec[SPEC_CHANNELS], spec[SPEC_LEVELS], spec[SPEC_COMPONENTS]
    kind, stream = spec[SPEC_KIND], carray(work.stream, (work.stream_size,))
    for channel in range(group, group + 1 if spec[SPEC_GROUPS] > 1 else channels):
        at_level = size * min(channel, there - 1)
        level = whole(image[row, column, at_level])
        if size > 1:
            level += whole(image[row, column, at_level + 1]) << BYTE_BITS
        if channel < there:
            place = (row * width + column) * there + channel
            is_known = work.knows and work.known[place] != 0
            prepare(kind, (work, at, channel, channels, levels, components))
            low, high = whole(0), whole(range_coder.TOTAL)
            if not (is_known or work.reads):
                low, high = bounds(kind, (work, level, levels, components))
                range_coder.put(work.coder, stream, low, high - low)
            elif not is_known:
                target = range_coder.target(work.coder)
                level, low, high = search(kind, (work, target, levels, components))
                range_coder.take(work.coder, stream, low, high - low)
            if channel < there - 1:
                update(kind, (work, level, channel, levels, components))
            image[row, column, at_level] = level & ((1 << BYTE_BITS) - 1)
            if size > 1:
                image[row, column, at_level + 1] = level >> BYTE_BITS
            if work.keeps_frequencies:
                work.frequencies[place] = high - low
        if spec[SPEC_SYMBOLS]:
            work.wide[pixel + channel] = level
        else:
            number, parts = 2 * level - (levels - 1), spec[SPEC_PARTS]
            write_number(work.narrow, pixel + channel * parts, number, parts)
