"""How a program holds the level of a sub-pixel: a whole number, a level of which is 2, around 0.

Few levels fit the narrow maps that are multiplied. A number of many is two of them side by side, of which
the first counts 256 times, so that a sum of products is the same sum: v = 256 high + low, |low| <= 128.
"""

from typing import TypeVar

import numpy as np
import numpy.typing as npt

MAX_NARROW_LEVELS = 1 << 13
HIGH_BITS = 8
HIGH = 1 << HIGH_BITS
_Whole = TypeVar("_Whole", int, npt.NDArray[np.int64])


def num_parts(num_levels: int) -> int:
    """Return how many narrow numbers hold that of a level.

    Example:
        >>> num_parts(256), num_parts(65536)
        (1, 2)
    """
    return 2 if num_levels > MAX_NARROW_LEVELS else 1


def parts_of(values: npt.NDArray[np.int64], num_levels: int) -> npt.NDArray[np.int64]:
    """Return whole numbers `(..., F)` as they lie in a narrow map, `(..., F * parts)`.

    Example:
        >>> parts_of(np.array([65535, -300]), 65536).tolist()
        [256, -1, -1, -44]
    """
    if num_parts(num_levels) == 1:
        return values
    high = (values + HIGH // 2) >> HIGH_BITS
    both = np.stack([high, values - (high << HIGH_BITS)], axis=-1)
    return both.reshape(*values.shape[:-1], -1)


def largest_parts(num_levels: int) -> list[int]:
    """Return the largest magnitudes of these numbers."""
    if num_parts(num_levels) == 1:
        return [num_levels - 1]
    return [(num_levels - 1 + HIGH // 2) >> HIGH_BITS, HIGH // 2]
