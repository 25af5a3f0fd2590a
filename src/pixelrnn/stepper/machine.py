"""The compiled loop that runs an integer program over the pixels of an image.

One loop serves every use, for there is one place where the value of a sub-pixel comes from (`subpixel.py`):
the image where it is known, the decoder where it is not. Encoding knows all of it, decoding nothing,
completing a part; sampling decodes random bits.

The loop is compiled by numba when it is first used, and cached on disk: once a machine.
"""

import zlib
from pathlib import Path

import numpy as np
from numba import njit

from pixelrnn import graph, kernels, likelihoods, operations, stepper
from pixelrnn.kernels.compiled import compiled
from pixelrnn.operations.tables import (
    SPEC_BORDER,
    SPEC_BORDER_FIRST,
    SPEC_GROUPS,
    SPEC_IMAGE,
    SPEC_IMAGE_FIRST,
    SPEC_ONE,
    SPEC_PARAMETERS,
    SPEC_PARTS,
)
from pixelrnn.operations.work import Work
from pixelrnn.stepper.places import at_column, find_row, place
from pixelrnn.stepper.run_state import Places, RunState, Tables, workspace
from pixelrnn.stepper.steps import run_operations, run_over_row
from pixelrnn.stepper.subpixel import resolve_subpixel
from pixelrnn.stepper.writing import write_number

# numba compiles again where the file of a cached function has changed, but not where a function that it
# calls has. A default argument is part of what it looks up: this one stands for all the sources. It is a
# float because that of `kernels/` is an integer: numba remembers left-out arguments by their type alone,
# takes one for the other, and looks for the function anew at every call, longer than a small image takes.
SOURCES = [
    Path(str(module.__file__)).parent for module in (stepper, operations, likelihoods, graph)
]
FINGERPRINT = float(
    zlib.crc32(
        b"".join(path.read_bytes() for folder in SOURCES for path in sorted(folder.glob("*.py"))),
        kernels.FINGERPRINT,
    )
)


@njit(error_model="numpy")
def _run_given(
    tables: Tables,
    height: int,
    width: int,
    work: Work,
    outs: np.ndarray,
    cells: np.ndarray,
    sources: np.ndarray,
) -> None:
    """Run the operations on what an image is given by, each over all of it."""
    operations, taps, sections, spec, maps = tables
    given = spec[SPEC_GROUPS] + 2
    for n in range(sections[given], sections[given + 1]):
        for row in range(height):
            spec[-1] = row
            find_row(row, n, n + 1, operations, taps, maps, outs, cells, sources)
            run_over_row(n, width, work)


@compiled(nogil=True, error_model="numpy")
def run_rows(
    tables: Tables,
    state: RunState,
    image: np.ndarray,
    first_row: int,
    last_row: int,
    fingerprint: float = FINGERPRINT,
) -> None:
    """Run a program over rows first_row .. last_row - 1 of an image, after all rows before.

    Args:
        tables: the program, laid out for this image's width.
        state: its weights and its memory, and the message.
        image: uint8 `(H, W, C)`, of more than 256 levels `(H, W, 2 C)`, each in two bytes, the lower one
            first; unknown sub-pixels are filled in.
        first_row: where to start.
        last_row: where to stop.
        fingerprint: left out; see `FINGERPRINT`.
    """
    operations, taps, sections, spec, maps = tables
    spec = np.append(spec, 0)  # the row at hand, for those steps that ask
    tables = Tables(operations, taps, sections, spec, maps)
    groups, width = spec[SPEC_GROUPS], image.shape[1]
    outs, cells = np.zeros(len(operations), np.int64), np.zeros(len(operations), np.int64)
    sources = np.zeros(len(taps), np.int64)
    work = workspace(state, tables, Places(outs, cells, sources))
    if first_row == 0:
        _run_given(tables, image.shape[0], width, work, outs, cells, sources)
    for row in range(first_row, last_row):
        spec[-1] = row
        find_row(row, 0, len(operations), operations, taps, maps, outs, cells, sources)
        for n in range(sections[groups + 1], sections[groups + 2]):  # row_start
            run_over_row(n, width, work)
        pixels = place(maps, spec[SPEC_IMAGE], row, spec[SPEC_IMAGE_FIRST])
        borders = -1
        if spec[SPEC_BORDER] >= 0:
            borders = place(maps, spec[SPEC_BORDER], row, spec[SPEC_BORDER_FIRST])
        for column in range(width):
            if borders >= 0:
                border = at_column(spec[SPEC_BORDER], column, borders, maps)
                write_number(state.narrow, border, spec[SPEC_ONE], spec[SPEC_PARTS])
            pixel = at_column(spec[SPEC_IMAGE], column, pixels, maps)
            for group in range(groups + 1):
                section = group if group < groups else groups + 3  # pixel_end
                run_operations(sections[section], sections[section + 1], column, work)
                if group == groups:
                    break
                which, first = (
                    spec[SPEC_PARAMETERS + 3 * group],
                    spec[SPEC_PARAMETERS + 3 * group + 1],
                )
                parameters = at_column(which, column, place(maps, which, row, first), maps)
                resolve_subpixel(work, image, row, column, group, parameters, pixel)
        if sections[groups] < sections[groups + 1]:  # row_end
            for column in range(width - 1, -1, -1):
                run_operations(sections[groups], sections[groups + 1], column, work)


def is_compiled() -> bool:
    """Return whether the loop is ready."""
    return bool(run_rows.signatures)
