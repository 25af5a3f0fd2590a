"""Compiled functions chosen by a code: what a registry holds, in the compiled loop."""

from collections.abc import Sequence
from typing import Any

from numba import njit


def chosen_by_code(functions: Sequence[Any]) -> Any:
    """Return a compiled function `(code, arguments)` that calls one of some, by its place among them.

    The last is called for every other code, too: programs are checked before they are run.

    Example:
        >>> add, subtract = njit(lambda a, b: a + b), njit(lambda a, b: a - b)
        >>> chosen = chosen_by_code([add, subtract])
        >>> chosen(0, (5, 2)), chosen(1, (5, 2))
        (7, 3)
    """
    *others, last = enumerate(functions)
    chosen = _calling(last[1])
    for code, function in reversed(others):
        chosen = _chained(code, function, chosen)
    return chosen


def _calling(function: Any) -> Any:
    @njit(error_model="numpy")
    def call(code: int, arguments: Any) -> Any:
        return function(*arguments)

    return call


def _chained(code: int, function: Any, others: Any) -> Any:
    @njit(error_model="numpy")
    def call(found: int, arguments: Any) -> Any:
        if found == code:
            return function(*arguments)
        return others(found, arguments)

    return call
