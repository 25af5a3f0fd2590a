"""The operations of an integer program on one pixel, compiled; `integers.py` says what each does."""

from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

from pixelrnn.graph.integer_tables import (
    GATE_BITS,
    GATE_STEP_BITS,
    SIGMOID_SIDE,
    TANH_SIDE,
)

whole: Any = np.int64  # in compiled code, Python's integers mixed with numpy's
CELL_LIMIT = 64 << GATE_BITS


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


@njit(error_model="numpy")
def gather(narrow: Any, source: int, count: int, to: int) -> None:
    """Copy inputs side by side."""
    for i in range(count):
        narrow[to + i] = narrow[source + i]


@njit(error_model="numpy")
def keep_narrow(sums: Any, narrow: Any, out: int, count: int) -> None:
    """Set narrow outputs to the results of a product, which are clamped."""
    for j in range(count):
        narrow[out + j] = sums[j]


@njit(error_model="numpy")
def keep_wide(sums: Any, wide: Any, out: int, count: int, residual: int) -> None:
    """Set wide outputs to the results of a product, and add the residual, a place or negative."""
    if residual >= 0:
        for j in range(count):
            wide[out + j] = sums[j] + wide[residual + j]
    else:
        for j in range(count):
            wide[out + j] = sums[j]


@njit(error_model="numpy")
def requantise(
    wide: Any, source: int, narrow: Any, out: int, count: int,
    numbers: Any, at: int, stride: int, low: int, high: int,
) -> None:  # fmt: skip
    """Set narrow outputs to clamp((x + half) >> shift) of wide inputs; `numbers` has halves and shifts."""
    for j in range(count):
        result = shifted(wide[source + j], numbers[at + j], numbers[at + stride + j])
        narrow[out + j] = min(max(result, low), high)


@njit(error_model="numpy")
def add(
    narrow: Any, wide: Any, is_wide: bool, out: int, count: int, source: int, first: bool
) -> None:
    """Add to the result, or begin it."""
    if is_wide:
        for j in range(count):
            wide[out + j] = wide[source + j] + (0 if first else wide[out + j])
    else:
        for j in range(count):
            narrow[out + j] = narrow[source + j] + (0 if first else narrow[out + j])


@njit(inline="always")
def _curve(table: Any, side: int, value: int) -> int:
    """Return the entry of a table around 0, or the last one on its side."""
    entry: int = whole(table[min(max(whole(value), -side), side) + side])
    return entry


@njit(error_model="numpy")
def lstm(
    wide: Any, narrow: Any, hidden: int, cell: int, count: int, gates: int, before: int,
    shift: int, sigmoid: Any, tanh: Any,
) -> None:  # fmt: skip
    """C = f c_before + i g, h = o tanh(c); see `layers/line_lstm.py`.

    Gates, candidates and cells have 14 bits behind the point; `shift` takes the product of two to the
    bits of a narrow feature.
    """
    half_gate, to_step = 1 << (GATE_BITS - 1), GATE_BITS - GATE_STEP_BITS
    for j in range(count):
        keep = _curve(sigmoid, SIGMOID_SIDE, wide[gates + count + j])
        add = _curve(sigmoid, SIGMOID_SIDE, wide[gates + j])
        candidate = _curve(tanh, TANH_SIDE, wide[gates + 3 * count + j])
        value = (keep * whole(wide[before + j]) + add * candidate + half_gate) >> GATE_BITS
        value = min(max(value, -CELL_LIMIT), CELL_LIMIT)
        wide[cell + j] = value
        shown = _curve(tanh, TANH_SIDE, (value + (1 << (to_step - 1))) >> to_step)
        show = _curve(sigmoid, SIGMOID_SIDE, wide[gates + 2 * count + j])
        narrow[hidden + j] = (show * shown + (1 << (shift - 1))) >> shift
