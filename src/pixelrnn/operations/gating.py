"""What the LSTM's cell and gates share: curves of sums, looked up in tables, and products of two."""

from typing import Any

import numpy as np
from numba import njit

from pixelrnn.graph.curves import GATE_BITS
from pixelrnn.graph.operation import Numbers, Operation
from pixelrnn.operations.checks import check_array, is_whole, require
from pixelrnn.operations.work import whole


def sigmoid(x: Numbers) -> Numbers:
    """Return 1 / (1 + exp(-x))."""
    return np.asarray(1 / (1 + np.exp(-x)))


def looked_up(table: Numbers, values: Numbers) -> Numbers:
    """Return the entries of a table around 0, or the last one on its side."""
    side = len(table) // 2
    return np.asarray(table[np.clip(values, -side, side) + side].astype(np.int64))


def rounded_shift(values: Numbers, bits: int) -> Numbers:
    """Return values / 2^bits, rounded."""
    return np.asarray((values + (1 << (bits - 1))) >> bits)


def product_shift(operation: Operation) -> int:
    """Return by how many bits a product of two curves is shifted to become an activation."""
    if operation.rescale is None:
        raise ValueError("gates without a shift")
    return operation.rescale.low


def check_product_shift(operation: Operation) -> None:
    """Require a sound shift, which is said twice."""
    shift, rescale = product_shift(operation), operation.rescale
    if rescale is None:
        raise ValueError("gates without a shift")
    check_array(rescale.shifts, np.int32, (1,))
    require(is_whole(shift, 2 * GATE_BITS - 14, 2 * GATE_BITS - 1), "the shift of gates")
    said_twice = int(rescale.shifts[0]) == shift and is_whole(rescale.high, 0, 0)
    require(said_twice, "the shift of gates")


@njit(inline="always")
def curve(table: Any, side: int, value: int) -> int:
    """Return the entry of a table around 0, or the last one on its side."""
    entry: int = whole(table[min(max(whole(value), -side), side) + side])
    return entry
