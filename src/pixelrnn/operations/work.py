"""What compiled steps work on: pointers to the tables, the maps and the curves of one image's run.

Handing an array on counts a reference, which takes longer than most operations on a pixel; a pointer is a
number, and needs no check for negative places.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

from pixelrnn.operations.tables import (
    MAP_COLUMNS,
    MAP_STEP,
    OP_CELL,
    OP_MAP,
    OPERATION_COLUMNS,
    TAP_COLUMNS,
    TAP_MAP,
)

whole: Any = np.int64  # in compiled code, Python's integers mixed with numpy's
whole32: Any = np.int32


class Work(NamedTuple):
    """Pointers to all that is touched at a pixel; what they point to is kept elsewhere."""

    operations: Any
    taps: Any
    maps: Any
    spec: Any
    outs: Any
    cells: Any
    sources: Any
    packed: Any
    numbers: Any
    sigmoid: Any
    tanh: Any
    exponential: Any
    logistic: Any
    inverse_scale_of: Any
    coupling: Any
    narrow: Any
    gathered_at: int
    wide: Any
    sums: Any
    coder: Any
    stream: Any
    stream_size: int
    reads: bool
    known: Any
    knows: bool
    frequencies: Any
    keeps_frequencies: bool
    weights: Any
    means: Any
    inverse_scales: Any
    residuals: Any


@njit(inline="always")
def source_of(work: Any, tap: int, column: int) -> int:
    """Return where a tap reads."""
    step = work.maps[work.taps[tap * TAP_COLUMNS + TAP_MAP] * MAP_COLUMNS + MAP_STEP]
    place: int = work.sources[tap] + column * step
    return place


@njit(inline="always")
def target_of(work: Any, n: int, column: int) -> int:
    """Return where operation n writes."""
    which = work.operations[n * OPERATION_COLUMNS + OP_MAP]
    place: int = work.outs[n] + column * work.maps[which * MAP_COLUMNS + MAP_STEP]
    return place


@njit(inline="always")
def cell_of(work: Any, n: int, column: int) -> int:
    """Return where operation n writes its cell."""
    which = work.operations[n * OPERATION_COLUMNS + OP_CELL]
    place: int = work.cells[n] + column * work.maps[which * MAP_COLUMNS + MAP_STEP]
    return place


@intrinsic
def _shift(typing_context, value, half, shift):  # type: ignore[no-untyped-def]
    """Return (value + half) >> shift in 32 bits, where the language would take 64."""
    signature = types.int32(types.int32, types.int32, types.int32)

    def generate(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> Any:
        value, half, shift = arguments
        return builder.ashr(builder.add(value, half), shift)

    return signature, generate


shifted: Callable[..., int] = _shift


@intrinsic
def _pointer(typing_context, array):  # type: ignore[no-untyped-def]
    """Return where an array begins.

    What is read and written through it needs no check for negative places, and passing it on no count of
    references; both cost more than the small loops below. The array must be kept elsewhere.
    """
    signature = types.CPointer(array.dtype)(array)

    def generate(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> Any:
        (array,) = arguments
        return context.make_array(signature.args[0])(context, builder, array).data

    return signature, generate


pointer: Callable[..., Any] = _pointer
