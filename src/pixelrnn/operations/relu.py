"""relu: max(x, 0); in integers requantise, which makes wide results narrow.

relu          y = max(x, 0)
requantise    y = clamp((x + half) >> shift)      from 32 bits to 16; rectified, the clamp begins at 0
"""

from typing import Any, ClassVar

import numpy as np
from numba import njit

from pixelrnn.graph.curves import Curves
from pixelrnn.graph.operation import Numbers, Operation
from pixelrnn.graph.program import Program
from pixelrnn.operations.base import Kind, Reads, register
from pixelrnn.operations.bounds import Proof
from pixelrnn.operations.checks import check_rescale, is_wide, require
from pixelrnn.operations.export import Exporter
from pixelrnn.operations.products import LANES
from pixelrnn.operations.scales import Scales, fitting, of_features, rescaled, set_some
from pixelrnn.operations.tables import (
    OP_BIAS,
    OP_COUNT,
    OP_HIGH,
    OP_LOW,
    OP_TAPS,
    OP_VECTORS,
    OPERATION_COLUMNS,
)
from pixelrnn.operations.work import shifted, source_of, target_of, whole32


@register
class Relu(Kind):
    """What is positive."""

    name: ClassVar[str] = "relu"

    def oracle(
        self, operation: Operation, read: Reads, curves: Curves | None
    ) -> tuple[Numbers, ...]:
        """Return what is positive; see the base class."""
        return (np.maximum(read(operation.taps[0]), 0),)

    def find_scales(self, operation: Operation, program: Program, scales: Scales) -> None:
        """Let the results fit, shifted from the wide map that is read."""
        unit = of_features(scales.wide, operation.taps[0].features)
        shifts = np.ceil(np.log2(fitting(operation, scales.widths) / unit)).clip(0)
        set_some(scales.narrow, program, operation.out, unit * 2.0**shifts)

    def export(self, operation: Operation, to: Exporter) -> None:
        """Write it as requantise; see the base class."""
        to.requantise(operation.taps[0].features, operation.out, low=0)


@register
class Requantise(Kind):
    """What is wide, made narrow."""

    name: ClassVar[str] = "requantise"
    rank: ClassVar[int] = 2
    uses: ClassVar[frozenset[str]] = frozenset(["bias", "rescale"])

    def oracle(
        self, operation: Operation, read: Reads, curves: Curves | None
    ) -> tuple[Numbers, ...]:
        """Return what is shifted and clamped; see the base class."""
        return (rescaled(operation, read(operation.taps[0])),)

    def check(self, operation: Operation, program: Program) -> None:
        """Require one wide map to be made a narrow one."""
        taps, out = operation.taps, operation.out
        require(len(taps) == 1 and taps[0].features.count == out.count, "a shift")
        narrows = is_wide(program, taps[0].features) and not is_wide(program, out)
        require(narrows, "what is made narrow")
        check_rescale(program, operation)

    def bound(self, operation: Operation, proof: Proof) -> None:
        """Bound what is shifted and clamped."""
        sums = of_features(proof.bounds, operation.taps[0].features).copy()
        proof.widen(operation.out, proof.rescaled(operation, sums))

    @property
    def step(self) -> Any:
        """See the base class."""
        return _step


@njit(error_model="numpy")
def _step(work: Any, n: int, column: int) -> None:
    row = n * OPERATION_COLUMNS
    operations, narrow, wide, numbers = work.operations, work.narrow, work.wide, work.numbers
    source, out = source_of(work, operations[row + OP_TAPS], column), target_of(work, n, column)
    low, high = whole32(operations[row + OP_LOW]), whole32(operations[row + OP_HIGH])
    halves = operations[row + OP_BIAS]
    shifts = halves + LANES * operations[row + OP_VECTORS]
    for j in range(operations[row + OP_COUNT]):
        result = shifted(wide[source + j], numbers[halves + j], numbers[shifts + j])
        narrow[out + j] = min(max(result, low), high)
