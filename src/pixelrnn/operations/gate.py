"""gate: the gated activation (van den Oord et al. 2016, arXiv 1606.05328, equation 2).

    y = tanh(a) . sigmoid(b)

for a map whose first half is a, and whose second half is b. In integers the sums come in steps of 2^-9, the
curves are tables whose entries have 14 bits behind the point, and results, as the LSTM's hidden states, are
narrow.
"""

from typing import Any, ClassVar

import numpy as np
from numba import njit

from pixelrnn.graph.curves import GATE_BITS, GATE_STEP_BITS, SIGMOID_SIDE, TANH_SIDE, Curves
from pixelrnn.graph.operation import Numbers, Operation
from pixelrnn.graph.program import Program
from pixelrnn.operations.base import Kind, Reads, register
from pixelrnn.operations.bounds import Proof
from pixelrnn.operations.checks import is_wide, require
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
from pixelrnn.operations.scales import Scales, set_some
from pixelrnn.operations.tables import OP_COUNT, OP_LOW, OP_TAPS, OPERATION_COLUMNS
from pixelrnn.operations.work import source_of, target_of


@register
class Gate(Kind):
    """What a gate lets through."""

    name: ClassVar[str] = "gate"
    uses: ClassVar[frozenset[str]] = frozenset(["rescale"])

    def oracle(
        self, operation: Operation, read: Reads, curves: Curves | None
    ) -> tuple[Numbers, ...]:
        """Return tanh(a) . sigmoid(b); see the base class."""
        a, b = np.split(read(operation.taps[0]), 2)
        if curves is None:
            return (np.tanh(a) * sigmoid(b),)
        shown = looked_up(curves.tanh, a) * looked_up(curves.sigmoid, b)
        return (rounded_shift(shown, product_shift(operation)),)

    def find_units(self, operation: Operation, program: Program, scales: Scales) -> None:
        """Take the sums in the units of the curves."""
        sums = operation.taps[0].features
        set_some(scales.wide, program, sums, np.full(sums.count, 2.0**-GATE_STEP_BITS))

    def find_scales(self, operation: Operation, program: Program, scales: Scales) -> None:
        """Let results, which are at most 1, use all bits of an activation."""
        unit = np.full(operation.out.count, 2.0**-scales.widths.activation_bits)
        scales.hidden.add(operation.out.map)
        set_some(scales.narrow, program, operation.out, unit)

    def steps(self, operation: Operation) -> int:
        """Return what looking up curves costs; see the base class."""
        return STEPS_PER_GATE

    def export(self, operation: Operation, to: Exporter) -> None:
        """Write the same with integers; see the base class."""
        taps = (moved_tap(to.wide, operation.taps[0]),)
        out = moved(to.narrow, operation.out)
        to.result.append(Operation(self.name, out, taps, rescale=to.product_shift()))

    def check(self, operation: Operation, program: Program) -> None:
        """Require two wide sums for each narrow result."""
        require(len(operation.taps) == 1, "a gate")
        sums, out = operation.taps[0].features, operation.out
        require(sums.count == 2 * out.count, "a gate's sums")
        require(is_wide(program, sums) and not is_wide(program, out), "a gate")
        check_product_shift(operation)

    def bound(self, operation: Operation, proof: Proof) -> None:
        """Bound the results, which the curves do whatever the sums are."""
        largest = 1 << (2 * GATE_BITS - product_shift(operation))
        proof.widen(operation.out, np.full(operation.out.count, largest))

    @property
    def step(self) -> Any:
        """See the base class."""
        return _step


@njit(error_model="numpy")
def _step(work: Any, n: int, column: int) -> None:
    row = n * OPERATION_COLUMNS
    operations, narrow, wide = work.operations, work.narrow, work.wide
    count, shift = operations[row + OP_COUNT], operations[row + OP_LOW]
    sums, out = source_of(work, operations[row + OP_TAPS], column), target_of(work, n, column)
    for j in range(count):
        shown = curve(work.tanh, TANH_SIDE, wide[sums + j])
        open_ = curve(work.sigmoid, SIGMOID_SIDE, wide[sums + count + j])
        narrow[out + j] = (shown * open_ + (1 << (shift - 1))) >> shift
