"""The operations on one pixel: which step is run is chosen by the code of the operation."""

from numba import njit

from pixelrnn.operations import OPERATIONS
from pixelrnn.operations.tables import OP_CODE, OPERATION_COLUMNS
from pixelrnn.operations.work import Work
from pixelrnn.stepper.choosing import chosen_by_code

ON_INTEGERS = [name for name, kind in OPERATIONS.items() if kind.step is not None]
CODES = {name: code for code, name in enumerate(ON_INTEGERS)}  # in the tables of the loop
_step = chosen_by_code([OPERATIONS[name].step for name in ON_INTEGERS])


@njit(error_model="numpy")
def run_operations(first: int, last: int, column: int, work: Work) -> None:
    """Run operations first .. last - 1 at one pixel."""
    for n in range(first, last):
        _step(work.operations[n * OPERATION_COLUMNS + OP_CODE], (work, n, column))


@njit(error_model="numpy")
def run_over_row(n: int, width: int, work: Work) -> None:
    """Run operation n at all pixels of a row."""
    for column in range(width):
        run_operations(n, n + 1, column, work)
