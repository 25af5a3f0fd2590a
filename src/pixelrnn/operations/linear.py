"""linear: weighted sums of taps.

    y = b + sum over taps of W x [+ residual] [rectified]

In integers what is multiplied is narrow, 16 bits, and the sum, 32 bits, is shifted right and clamped:

    y_j = clamp((b_j + sum over i of w_ij x_i) >> shift_j) [+ residual]

It is narrow where it is rectified, that being one end of the clamp, and else wide; a wide sum that is
multiplied in turn is made narrow besides.
"""

from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
from numba import njit

from pixelrnn.graph.curves import Curves
from pixelrnn.graph.operation import Numbers, Operation, Rescale
from pixelrnn.graph.program import Program
from pixelrnn.operations.base import Kind, Reads, register
from pixelrnn.operations.bounds import INT32_MAX, Proof, bound_product
from pixelrnn.operations.checks import (
    check_array,
    check_inside,
    check_rescale,
    is_wide,
    require,
)
from pixelrnn.operations.export import Exporter, moved, moved_tap
from pixelrnn.operations.products import product
from pixelrnn.operations.scales import (
    Scales,
    fitting,
    of_features,
    products,
    rescaled,
    set_some,
    weights_of,
)
from pixelrnn.operations.tables import (
    OP_BIAS,
    OP_COUNT,
    OP_HIGH,
    OP_LOW,
    OP_PAIRS,
    OP_RESIDUAL,
    OP_TAPS,
    OP_TAPS_END,
    OP_VECTORS,
    OP_WEIGHTS,
    OP_WIDE,
    OPERATION_COLUMNS,
    TAP_COLUMNS,
    TAP_COUNT,
)
from pixelrnn.operations.work import source_of, target_of, whole32


@register
class Linear(Kind):
    """Weighted sums of taps."""

    name: ClassVar[str] = "linear"
    rank: ClassVar[int] = 1
    uses: ClassVar[frozenset[str]] = frozenset(["weights", "residual", "bias", "rescale"])

    def oracle(
        self, operation: Operation, read: Reads, curves: Curves | None
    ) -> tuple[Numbers, ...]:
        """Return the sums; see the base class."""
        total = sum(read(tap) @ weights_of(tap) for tap in products(operation))
        result = rescaled(operation, np.asarray(total))
        if operation.residual:
            result = result + read(operation.taps[0])
        return (np.maximum(result, 0) if operation.relu else result,)

    def find_units(self, operation: Operation, program: Program, scales: Scales) -> None:
        """Take the unit of the residual stream where the reader has set none; so does what is added."""
        if not operation.relu:
            scales.set_stream_unit(program, operation)
        if operation.residual:
            unit = of_features(scales.wide, operation.out)
            set_some(scales.wide, program, operation.taps[0].features, unit)

    def find_scales(self, operation: Operation, program: Program, scales: Scales) -> None:
        """Let rectified sums, and those that are multiplied, fit; a wide one is only shifted to do so.

        A result that never moved is not so fine that its weights would be too large for integers.
        """
        if operation.relu:
            steps = [of_features(scales.narrow, tap.features) for tap in products(operation)]
            weights = [np.abs(weights_of(tap)) for tap in products(operation)]
            least = (np.concatenate(weights) * np.concatenate(steps)[:, None]).max(axis=0)
            wanted = np.maximum(
                fitting(operation, scales.widths), least / scales.widths.largest_weight
            )
            set_some(scales.narrow, program, operation.out, wanted)
        else:
            scales.let_wide_fit(program, operation)

    def export(self, operation: Operation, to: Exporter) -> None:
        """Fold the scales into the weights; see the base class."""
        wide, taps = not operation.relu, products(operation)
        maps, scales = (to.wide, to.scales.wide) if wide else (to.narrow, to.scales.narrow)
        read, inputs, bounds = zip(*(to.reads(tap) for tap in taps), strict=True)
        outputs = of_features(scales, operation.out)
        bias = np.zeros(operation.out.count) if operation.bias is None else operation.bias
        weights = np.concatenate([weights_of(tap) for tap in read])
        whole, biases, shifts = to.whole_weights(
            weights * np.concatenate(inputs)[:, None] / outputs,
            bias / outputs,
            np.concatenate(bounds),
        )
        parts = np.split(whole, np.cumsum([tap.features.count for tap in read])[:-1])
        reads = [replace(tap, weights=part) for tap, part in zip(read, parts, strict=True)]
        if operation.residual:
            reads.insert(0, moved_tap(to.wide, operation.taps[0]))
        high = INT32_MAX if wide else to.scales.widths.largest
        to.result.append(
            Operation(
                self.name,
                moved(maps, operation.out),
                tuple(reads),
                biases,
                operation.residual,
                rescale=Rescale(shifts, -high if wide else 0, high),
            )
        )
        if wide:
            to.narrow_too(operation)

    def check(self, operation: Operation, program: Program) -> None:
        """Require narrow inputs, weights for each, and a wide residual for a wide result."""
        out, taps = operation.out, products(operation)
        require(len(taps) > 0, "a product of nothing")
        if operation.residual:
            first = operation.taps[0]
            require(first.features.count == out.count and first.weights is None, "a residual")
            require(is_wide(program, first.features) and is_wide(program, out), "a residual")
            check_inside(program, first.features)
        for tap in taps:
            check_array(tap.weights, np.int16, (tap.features.count, out.count))
            require(not is_wide(program, tap.features), "a product of a wide map")
        check_rescale(program, operation)

    def bound(self, operation: Operation, proof: Proof) -> None:
        """Bound a product, shifted and clamped, and what is added to it."""
        sums = np.zeros(operation.out.count, np.int64)
        for tap in products(operation):
            sums += bound_product(of_features(proof.bounds, tap.features), weights_of(tap))
        results = proof.rescaled(operation, sums)
        if operation.residual:
            results = results + of_features(proof.bounds, operation.taps[0].features)
        proof.widen(operation.out, results)

    @property
    def step(self) -> Any:
        """See the base class."""
        return _step


@njit(error_model="numpy")
def _step(work: Any, n: int, column: int) -> None:
    row = n * OPERATION_COLUMNS
    operations, taps, narrow, wide, sums = (
        work.operations, work.taps, work.narrow, work.wide, work.sums,
    )  # fmt: skip
    count, out = operations[row + OP_COUNT], target_of(work, n, column)
    tap, taps_end = operations[row + OP_TAPS], operations[row + OP_TAPS_END]
    source, residual = source_of(work, tap, column), -1
    if operations[row + OP_RESIDUAL]:
        residual = source
        tap += 1
        source = source_of(work, tap, column)
    if taps_end - tap > 1:  # inputs are multiplied two at a time, side by side
        to = work.gathered_at
        for t in range(tap, taps_end):
            size, at = taps[t * TAP_COLUMNS + TAP_COUNT], source_of(work, t, column)
            for i in range(size):
                narrow[to + i] = narrow[at + i]
            to += size
        narrow[to] = 0
        source = work.gathered_at
    low, high = whole32(operations[row + OP_LOW]), whole32(operations[row + OP_HIGH])
    product(narrow, source, operations[row + OP_PAIRS], work.packed,
            operations[row + OP_WEIGHTS], work.numbers, operations[row + OP_BIAS],
            operations[row + OP_VECTORS], low, high, sums)  # fmt: skip
    if not operations[row + OP_WIDE]:
        for j in range(count):
            narrow[out + j] = sums[j]
    elif residual >= 0:
        for j in range(count):
            wide[out + j] = sums[j] + wide[residual + j]
    else:
        for j in range(count):
            wide[out + j] = sums[j]
