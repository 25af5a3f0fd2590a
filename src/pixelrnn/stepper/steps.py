"""The operations on one pixel: which step is run is chosen by the code of the operation."""

from typing import Any

from numba import njit

from pixelrnn.operations import OPERATIONS
from pixelrnn.operations.tables import OP_CODE, OPERATION_COLUMNS
from pixelrnn.operations.work import Work


@njit
def _no_step(code: int, work: Any, n: int, column: int) -> None:
    """Run nothing: programs are checked before they are run."""


def _chained(code: int, step: Any, others: Any) -> Any:
    """Return a function that runs `step` for its code, and `others` for every other."""

    @njit(error_model="numpy")
    def run(found: int, work: Any, n: int, column: int) -> None:
        if found == code:
            step(work, n, column)
        else:
            others(found, work, n, column)

    return run


def _all_steps() -> Any:
    run: Any = _no_step
    for code, kind in reversed(tuple(enumerate(OPERATIONS.values()))):
        if kind.step is not None:
            run = _chained(code, kind.step, run)
    return run


_run = _all_steps()


@njit(error_model="numpy")
def run_operations(first: int, last: int, column: int, work: Work) -> None:
    """Run operations first .. last - 1 at one pixel."""
    for n in range(first, last):
        _run(work.operations[n * OPERATION_COLUMNS + OP_CODE], work, n, column)
