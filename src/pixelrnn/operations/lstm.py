"""lstm: the cell of an LSTM (van den Oord et al. 2016, equation 3), given the sums of its gates.

    c = sigmoid(f) . c_before + sigmoid(i) . tanh(g)
    h = sigmoid(o) . tanh(c)

In integers gates come in steps of 2^-9, the curves are tables, and gates, candidates and cells have 14
bits behind the point; hidden states are narrow. The gates lie in the order input, forget, output,
candidate.
"""

from typing import Any, ClassVar

import numpy as np
from numba import njit

from pixelrnn.graph.curves import (
    GATE_BITS,
    GATE_STEP_BITS,
    SIGMOID_SIDE,
    TANH_SIDE,
    Curves,
)
from pixelrnn.graph.operation import Features, Numbers, Operation
from pixelrnn.graph.program import Program
from pixelrnn.operations.base import Kind, Reads, register
from pixelrnn.operations.bounds import Proof
from pixelrnn.operations.checks import check_inside, is_wide, require
from pixelrnn.operations.export import Exporter, moved, moved_tap
from pixelrnn.operations.gating import (
    check_product_shift,
    curve,
    looked_up,
    product_shift,
    rounded_shift,
    sigmoid,
)
from pixelrnn.operations.limits import STEPS_PER_GATE
from pixelrnn.operations.scales import Scales
from pixelrnn.operations.tables import OP_COUNT, OP_LOW, OP_TAPS, OPERATION_COLUMNS
from pixelrnn.operations.work import cell_of, source_of, target_of, whole

NUM_GATES = 4
CELL_LIMIT = 64 << GATE_BITS


@register
class LSTM(Kind):
    """Hidden states and cells from gates, and the cells before."""

    name: ClassVar[str] = "lstm"
    rank: ClassVar[int] = 3
    uses: ClassVar[frozenset[str]] = frozenset(["cell", "rescale"])

    def oracle(
        self, operation: Operation, read: Reads, curves: Curves | None
    ) -> tuple[Numbers, ...]:
        """Return hidden states and cells; see the base class."""
        gates, before = (read(tap) for tap in operation.taps)
        i, f, o, g = np.split(gates, NUM_GATES)
        if curves is None:
            cell = sigmoid(f) * before + sigmoid(i) * np.tanh(g)
            return sigmoid(o) * np.tanh(cell), cell
        i, f, o = (looked_up(curves.sigmoid, gate) for gate in (i, f, o))
        cell = rounded_shift(f * before + i * looked_up(curves.tanh, g), GATE_BITS)
        cell = np.clip(cell, -CELL_LIMIT, CELL_LIMIT)
        shown = looked_up(curves.tanh, rounded_shift(cell, GATE_BITS - GATE_STEP_BITS))
        return rounded_shift(o * shown, product_shift(operation)), cell

    def steps(self, operation: Operation) -> int:
        """Return what looking up curves costs; see the base class."""
        return STEPS_PER_GATE

    def find_units(self, operation: Operation, program: Program, scales: Scales) -> None:
        """Take gates and cells in the units of the curves."""
        gates, cell = operation.taps[0].features, _cell(operation)
        scales.wide[gates.map] = np.full(gates.count, 2.0**-GATE_STEP_BITS)
        scales.wide[cell.map] = np.full(program.maps[cell.map].features, 2.0**-GATE_BITS)

    def find_scales(self, operation: Operation, program: Program, scales: Scales) -> None:
        """Let hidden states, which are at most 1, use all bits of an activation."""
        size = program.maps[operation.out.map].features
        scales.hidden.add(operation.out.map)
        scales.narrow[operation.out.map] = np.full(size, 2.0**-scales.widths.activation_bits)

    def export(self, operation: Operation, to: Exporter) -> None:
        """Write the same with integers; see the base class."""
        to.result.append(
            Operation(
                self.name,
                moved(to.narrow, operation.out),
                tuple(moved_tap(to.wide, tap) for tap in operation.taps),
                cell=moved(to.wide, _cell(operation)),
                rescale=to.product_shift(),
            )
        )

    def check(self, operation: Operation, program: Program) -> None:
        """Require four gates, a cell before and a cell, all wide, and a narrow hidden state."""
        require(len(operation.taps) == 2 and operation.cell is not None, "an LSTM")
        (gates, before), cell, count = operation.taps, _cell(operation), operation.out.count
        check_inside(program, cell)
        # The loop finds a cell by the first feature of its hidden state.
        require(cell.first == operation.out.first, "an LSTM's cell")
        sizes = gates.features.count == NUM_GATES * count and before.features.count == count
        require(sizes, "gates")
        wide = [is_wide(program, each) for each in (gates.features, before.features, cell)]
        narrow = not is_wide(program, operation.out)
        require(cell.count == count and all(wide) and narrow, "an LSTM")
        check_product_shift(operation)

    def bound(self, operation: Operation, proof: Proof) -> None:
        """Bound hidden state and cell, which curves and a clamp bound whatever the gates are."""
        count = operation.out.count
        largest = 1 << (2 * GATE_BITS - product_shift(operation))
        proof.widen(operation.out, np.full(count, largest))
        proof.widen(_cell(operation), np.full(count, CELL_LIMIT))

    @property
    def step(self) -> Any:
        """See the base class."""
        return _step


def _cell(operation: Operation) -> Features:
    if operation.cell is None:
        raise ValueError("an LSTM without a cell")
    return operation.cell


@njit(error_model="numpy")
def _step(work: Any, n: int, column: int) -> None:
    row = n * OPERATION_COLUMNS
    operations, narrow, wide = work.operations, work.narrow, work.wide
    sigmoid, tanh = work.sigmoid, work.tanh
    count, shift, tap = (
        operations[row + OP_COUNT], operations[row + OP_LOW], operations[row + OP_TAPS],
    )  # fmt: skip
    gates, before = source_of(work, tap, column), source_of(work, tap + 1, column)
    hidden, cell = target_of(work, n, column), cell_of(work, n, column)
    half_gate, to_step = 1 << (GATE_BITS - 1), GATE_BITS - GATE_STEP_BITS
    for j in range(count):
        keep = curve(sigmoid, SIGMOID_SIDE, wide[gates + count + j])
        add = curve(sigmoid, SIGMOID_SIDE, wide[gates + j])
        candidate = curve(tanh, TANH_SIDE, wide[gates + 3 * count + j])
        value = (keep * whole(wide[before + j]) + add * candidate + half_gate) >> GATE_BITS
        value = min(max(value, -CELL_LIMIT), CELL_LIMIT)
        wide[cell + j] = value
        shown = curve(tanh, TANH_SIDE, (value + (1 << (to_step - 1))) >> to_step)
        show = curve(sigmoid, SIGMOID_SIDE, wide[gates + 2 * count + j])
        narrow[hidden + j] = (show * shown + (1 << (shift - 1))) >> shift
