"""Levels written where the operations of a program read them."""

from typing import Any

from numba import njit

from pixelrnn.graph.levels import HIGH, HIGH_BITS


@njit(inline="always")
def write_number(narrow: Any, at: int, number: int, parts: int) -> None:
    """Write a whole number to one narrow feature, or as two; see `graph/levels.py`."""
    if parts == 1:
        narrow[at] = number
    else:
        high = (number + HIGH // 2) >> HIGH_BITS
        narrow[at] = high
        narrow[at + 1] = number - (high << HIGH_BITS)
