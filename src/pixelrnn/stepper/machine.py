"""The compiled loop that runs a program over the pixels of an image.

One loop serves every use, for there is one place where the value of a sub-pixel comes from (`settle`):
the image where it is known, the generator or the decoder where it is not. Scoring and encoding know all of
it, sampling and decoding nothing, completing a part.

The loop is compiled by numba when it is first used, once for each kind of numbers (`world.py`), and
cached on disk: once a machine.
"""

import zlib
from pathlib import Path
from typing import Any

import numpy as np

from pixelrnn import kernels
from pixelrnn.kernels.compiled import compiled
from pixelrnn.stepper import floats, integers  # noqa: F401 - they say how their worlds work
from pixelrnn.stepper.places import at_column, find_row, place
from pixelrnn.stepper.tables import (
    SPEC_BORDER,
    SPEC_BORDER_FIRST,
    SPEC_GROUPS,
    SPEC_IMAGE,
    SPEC_IMAGE_FIRST,
    SPEC_PARAMETERS,
)
from pixelrnn.stepper.world import (
    Places,
    Tables,
    begin_pixel,
    begin_row,
    run_section,
    settle,
    workspace,
)

# numba compiles again where the file of a cached function has changed, but not where a function that it
# calls has. A default argument is part of what it looks up: this one stands for all the sources.
FINGERPRINT = zlib.crc32(
    b"".join(path.read_bytes() for path in sorted(Path(__file__).parent.glob("*.py"))),
    kernels.FINGERPRINT,
)


@compiled(nogil=True, error_model="numpy")
def run_rows(
    tables: Tables,
    world: Any,
    image: np.ndarray,
    first_row: int,
    last_row: int,
    fingerprint: int = FINGERPRINT,
) -> None:
    """Run a program over rows first_row .. last_row - 1 of an image, after all rows before.

    Args:
        tables: the program, laid out for this image's width.
        world: its weights and its memory, and what is asked of it: `floats.Floats` or
            `integers.Integers`.
        image: uint8 `(H, W, C)`; unknown sub-pixels are filled in.
        first_row: where to start.
        last_row: where to stop.
        fingerprint: left out; see `FINGERPRINT`.
    """
    operations, taps, sections, spec, maps = tables
    groups, width = spec[SPEC_GROUPS], image.shape[1]
    outs, cells = np.zeros(len(operations), np.int64), np.zeros(len(operations), np.int64)
    sources = np.zeros(len(taps), np.int64)
    places = Places(outs, cells, sources)
    work = workspace(world, tables, places)
    for row in range(first_row, last_row):
        find_row(row, operations, taps, maps, outs, cells, sources)
        begin_row(world, tables, row, width)
        pixels = place(maps, spec[SPEC_IMAGE], row, spec[SPEC_IMAGE_FIRST])
        borders = -1
        if spec[SPEC_BORDER] >= 0:
            borders = place(maps, spec[SPEC_BORDER], row, spec[SPEC_BORDER_FIRST])
        for column in range(width):
            border = at_column(spec[SPEC_BORDER], column, borders, maps) if borders >= 0 else -1
            begin_pixel(world, tables, row, column, border)
            pixel = at_column(spec[SPEC_IMAGE], column, pixels, maps)
            for group in range(groups):
                run_section(world, tables, places, group, column, work)
                which, first = (
                    spec[SPEC_PARAMETERS + 3 * group],
                    spec[SPEC_PARAMETERS + 3 * group + 1],
                )
                parameters = at_column(which, column, place(maps, which, row, first), maps)
                settle(world, tables, image, row, column, group, parameters, pixel, work)
        if sections[groups] < sections[groups + 1]:
            for column in range(width - 1, -1, -1):
                begin_pixel(world, tables, row, column, -1)
                run_section(world, tables, places, groups, column, work)


def is_compiled(world: type) -> bool:
    """Return whether the loop is ready for a kind of numbers: `Floats` or `Integers`."""
    worlds: list[Any] = [signature[1] for signature in run_rows.signatures]
    return any(each.instance_class is world for each in worlds)
