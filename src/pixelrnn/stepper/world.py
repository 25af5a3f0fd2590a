"""What the loop over pixels asks of the numbers that it runs on.

The loop in `machine.py` is one; the numbers are floats (`floats.py`: score, sample, complete) or integers
(`integers.py`: encode, decode). Each world says how the functions below are done with its memory, and
numba chooses by the type of the world when it compiles the loop.
"""

from typing import Any, NamedTuple

import numpy as np


class Tables(NamedTuple):
    """A program laid out: the tables whose columns `tables.py` names, all int64."""

    operations: np.ndarray
    taps: np.ndarray
    sections: np.ndarray
    spec: np.ndarray
    maps: np.ndarray


class Places(NamedTuple):
    """Where, at column 0 of the row at hand, each operation writes and each tap reads."""

    outs: np.ndarray
    cells: np.ndarray
    sources: np.ndarray


def workspace(world: Any, tables: Tables, places: Places) -> Any:
    """Return what `run_section` and `settle` work with; it lives no longer than its arguments."""
    raise NotImplementedError


def begin_row(world: Any, tables: Tables, row: int, width: int) -> None:
    """Make a row ready, before its first pixel."""
    raise NotImplementedError


def begin_pixel(world: Any, tables: Tables, row: int, column: int, border: int) -> None:
    """Make a pixel ready; `border` is where to mark it as one, or negative."""
    raise NotImplementedError


def run_section(
    world: Any, tables: Tables, places: Places, section: int, column: int, work: Any
) -> None:
    """Run the operations of a section at one pixel."""
    raise NotImplementedError


def settle(
    world: Any,
    tables: Tables,
    image: np.ndarray,
    row: int,
    column: int,
    group: int,
    parameters: int,
    pixel: int,
    work: Any,
) -> None:
    """Find the value of each colour of a group: the one place where values come from.

    Args:
        world: the memory.
        tables: the program.
        image: uint8 `(H, W, C)`; what is not given is written to.
        row: of the pixel.
        column: of the pixel.
        group: the colour group whose operations have just run.
        parameters: where those of the likelihood are.
        pixel: where the scaled values of the pixel's colours go.
        work: from `workspace`.
    """
    raise NotImplementedError
