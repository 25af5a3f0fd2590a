"""add: y = the sum of taps; in integers all narrow, or all wide."""

from typing import Any, ClassVar

import numpy as np
from numba import njit

from pixelrnn.graph.curves import Curves
from pixelrnn.graph.operation import Numbers, Operation
from pixelrnn.graph.program import Program
from pixelrnn.operations.base import Kind, Reads, register
from pixelrnn.operations.bounds import Proof
from pixelrnn.operations.checks import is_wide, require
from pixelrnn.operations.export import Exporter, moved, moved_tap
from pixelrnn.operations.scales import Scales, of_features, set_some
from pixelrnn.operations.tables import (
    OP_COUNT,
    OP_TAPS,
    OP_TAPS_END,
    OP_WIDE,
    OPERATION_COLUMNS,
)
from pixelrnn.operations.work import source_of, target_of


@register
class Add(Kind):
    """The sum of taps."""

    name: ClassVar[str] = "add"

    def oracle(
        self, operation: Operation, read: Reads, curves: Curves | None
    ) -> tuple[Numbers, ...]:
        """Return the sum; see the base class."""
        return (np.sum([read(tap) for tap in operation.taps], axis=0),)

    def find_units(self, operation: Operation, program: Program, scales: Scales) -> None:
        """Hand on the unit of the result, if it is wide."""
        if operation.out.map in scales.wide:
            unit = of_features(scales.wide, operation.out)
            for tap in operation.taps:
                set_some(scales.wide, program, tap.features, unit)

    def find_scales(self, operation: Operation, program: Program, scales: Scales) -> None:
        """Take the scale of what is added, if it is hidden states, which are narrow from the start."""
        read = operation.taps[0].features.map
        if read in scales.hidden:
            scales.hidden.add(operation.out.map)
            size = program.maps[operation.out.map].features
            scales.narrow[operation.out.map] = np.full(size, scales.narrow[read][0])

    def export(self, operation: Operation, to: Exporter) -> None:
        """Write the same with integers; see the base class."""
        maps = to.narrow if operation.out.map in to.scales.hidden else to.wide
        taps = tuple(moved_tap(maps, tap) for tap in operation.taps)
        to.result.append(Operation(self.name, moved(maps, operation.out), taps))

    def check(self, operation: Operation, program: Program) -> None:
        """Require maps that are all narrow or all wide."""
        require(len(operation.taps) > 0, "a sum of nothing")
        for tap in operation.taps:
            alike = is_wide(program, tap.features) == is_wide(program, operation.out)
            require(alike and tap.features.count == operation.out.count, "a sum")

    def bound(self, operation: Operation, proof: Proof) -> None:
        """Bound a sum of maps."""
        total = sum(of_features(proof.bounds, tap.features) for tap in operation.taps)
        proof.widen(operation.out, np.asarray(total))

    @property
    def step(self) -> Any:
        """See the base class."""
        return _step


@njit(error_model="numpy")
def _step(work: Any, n: int, column: int) -> None:
    row = n * OPERATION_COLUMNS
    operations, narrow, wide = work.operations, work.narrow, work.wide
    count, out = operations[row + OP_COUNT], target_of(work, n, column)
    first, end = operations[row + OP_TAPS], operations[row + OP_TAPS_END]
    for t in range(first, end):
        source = source_of(work, t, column)
        if operations[row + OP_WIDE]:
            for j in range(count):
                wide[out + j] = wide[source + j] + (0 if t == first else wide[out + j])
        else:
            for j in range(count):
                narrow[out + j] = narrow[source + j] + (0 if t == first else narrow[out + j])
