"""From a program to the tables and the memory that the compiled loop runs on.

Weights are laid out once, in the order in which they are read. Memory is what the operations reach:
a map that is only read at the pixel at hand is one vector; another has as many rows as its readers
reach back to, plus the row at hand, with margins that hold the map's value outside the image.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from pixelrnn.arrays import Integers
from pixelrnn.graph.operation import Operation, Tap
from pixelrnn.graph.order import check_order
from pixelrnn.graph.program import Program
from pixelrnn.graph.reaches import Reach, reaches
from pixelrnn.operations.products import LANES, packed
from pixelrnn.operations.tables import (
    MAP_BASE,
    MAP_COLUMNS,
    MAP_ROWS,
    MAP_STRIDE,
    OP_HIGH,
    OP_LOW,
    OP_PAIRS,
    OP_VECTORS,
    OP_WEIGHTS,
    OP_WIDE,
    OPERATION_COLUMNS,
    TAP_COLUMNS,
)
from pixelrnn.stepper.guided import code_of, guidance_of
from pixelrnn.stepper.steps import CODES


@dataclass(frozen=True)
class Layout:
    """The tables of a program; see the columns that `tables.py` names."""

    operations: Integers
    taps: Integers
    sections: Integers
    spec: Integers
    weights: npt.NDArray[Any]
    program: Program
    numbers: npt.NDArray[np.int32]

    def maps(self, height: int, width: int) -> Integers:
        """Return where each map is in its memory for images of this size."""
        table = np.zeros((len(self.program.maps), MAP_COLUMNS), dtype=np.int64)
        bases = {False: 0, True: 0}  # integers: narrow maps and wide ones have memory of their own
        for number, (feature_map, reach) in enumerate(
            zip(self.program.maps, self._reaches, strict=True)
        ):
            size = feature_map.features
            stride = size * (width + 2 * reach.columns) if reach.is_row else size
            step = size if reach.is_row else 0
            base = bases[feature_map.wide]
            rows = reach.rows_kept(height)
            table[number] = base, size, rows, stride, step, reach.columns
            bases[feature_map.wide] += stride * rows
        return table

    @cached_property
    def keeps_whole_maps(self) -> bool:
        """Whether memory grows with the height of images."""
        return any(reach.is_whole for reach in self._reaches)

    @cached_property
    def _reaches(self) -> list[Reach]:
        return reaches(self.program)

    def memory(self, maps: Integers, *, wide: bool = False, room: int = 0) -> npt.NDArray[Any]:
        """Return fresh memory: every map has its outside value everywhere; behind them is some room."""
        sizes = maps[:, MAP_ROWS] * maps[:, MAP_STRIDE]
        of_kind = np.array([each.wide == wide for each in self.program.maps], bool)
        memory = np.zeros(
            int(sizes[of_kind].sum()) + room, np.int32 if wide else self.weights.dtype
        )
        for number in np.flatnonzero(of_kind):
            feature_map, base = self.program.maps[number], maps[number, MAP_BASE]
            part = memory[base : base + sizes[number]]
            part.reshape(-1, feature_map.features)[:] = feature_map.fill
        return memory


def lay_out(program: Program) -> Layout:
    """Return the tables of an integer program.

    Raises:
        ValueError: if an operation reads what comes later in the order, or the program is unfinished.
    """
    weights: list[npt.NDArray[np.int16]] = [np.zeros(0, np.int16)]
    numbers: list[npt.NDArray[np.int32]] = [np.zeros(0, np.int32)]
    operations: list[list[int]] = []
    taps: list[list[int]] = []
    weights_at = numbers_at = 0
    for operation in (each for section in program.sections for each in section):
        row = _operation_row(operation, len(taps), len(taps) + len(operation.taps), numbers_at)
        taps += [_tap_row(tap) for tap in operation.taps]
        products = [tap.weights for tap in operation.taps if tap.weights is not None]
        row[OP_WIDE] = program.maps[operation.out.map].wide
        row[OP_VECTORS] = -(-operation.out.count // LANES)
        if products:
            row[OP_PAIRS] = (sum(len(each) for each in products) + 1) // 2
            row[OP_WEIGHTS] = weights_at
            weights.append(packed(np.concatenate(products)))
            weights_at += len(weights[-1])
        if operation.rescale is not None:
            shifts, row[OP_LOW], row[OP_HIGH] = (
                operation.rescale.shifts, operation.rescale.low, operation.rescale.high
            )  # fmt: skip
            bias = np.zeros_like(shifts) if operation.bias is None else operation.bias
            numbers += [_whole_vectors(bias), _whole_vectors(shifts)]
            numbers_at += 2 * len(numbers[-1])
        if operation.table is not None:
            row[OP_HIGH] = len(operation.table) - 1
            numbers.append(_whole_vectors(operation.table.reshape(-1)))
            numbers_at += len(numbers[-1])
        operations.append(row)
    check_order(program)
    return Layout(
        np.array(operations, dtype=np.int64).reshape(-1, OPERATION_COLUMNS),
        np.array(taps, dtype=np.int64).reshape(-1, TAP_COLUMNS),
        np.cumsum([0, *map(len, program.sections)]).astype(np.int64),
        _spec(program),
        np.concatenate(weights),
        program,
        np.concatenate(numbers),
    )


def _whole_vectors(values: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
    return np.pad(values, (0, -len(values) % LANES))


def _tap_row(tap: Tap) -> list[int]:
    features = tap.features
    return [features.map, tap.row, tap.column, features.first, features.count]


def _operation_row(operation: Operation, taps: int, taps_end: int, bias: int) -> list[int]:
    out, cell = operation.out, operation.cell or operation.out
    return [CODES[operation.kind], out.map, out.first, out.count, taps, taps_end, bias,
            int(operation.residual), cell.map, 0, 0, 0, 0, 0, 0]  # fmt: skip


def _spec(program: Program) -> Integers:
    likelihood = program.likelihood
    if likelihood is None or len(likelihood.parameters) != program.groups:
        raise ValueError("a program needs a likelihood with parameters for each group")
    border = program.border
    return np.array(
        [
            *(program.channels, program.num_levels, program.groups),
            *(code_of(program), likelihood.components),
            *(program.image.map, program.image.first),
            *((border.map, border.first) if border else (-1, 0)),
            *(program.symbols, program.parts, program.one, *guidance_of(program)),
            *(n for each in likelihood.parameters for n in (each.map, each.first, each.count)),
        ],
        dtype=np.int64,
    )
