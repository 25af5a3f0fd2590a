"""embed: y = the row of a table that has a number.

The number is that of a class that an image is given by, or a symbol. In integers the table has 32 bits, in
the unit of who adds it up; where it is multiplied it is made narrow besides.
"""

from typing import Any, ClassVar

import numpy as np
from numba import njit

from pixelrnn.errors import ExportError
from pixelrnn.graph.curves import Curves
from pixelrnn.graph.operation import Numbers, Operation
from pixelrnn.graph.program import Program
from pixelrnn.operations.base import Kind, Reads, register
from pixelrnn.operations.bounds import INT32_MAX, Proof
from pixelrnn.operations.checks import check_array, is_wide, require
from pixelrnn.operations.export import Exporter, moved, moved_tap
from pixelrnn.operations.scales import Scales, of_features
from pixelrnn.operations.tables import OP_BIAS, OP_COUNT, OP_HIGH, OP_TAPS, OPERATION_COLUMNS
from pixelrnn.operations.work import source_of, target_of, whole

MAX_NUMBERS = 1 << 16  # of one table


@register
class Embed(Kind):
    """The row of a table."""

    name: ClassVar[str] = "embed"
    uses: ClassVar[frozenset[str]] = frozenset(["table"])

    def oracle(
        self, operation: Operation, read: Reads, curves: Curves | None
    ) -> tuple[Numbers, ...]:
        """Return the row; see the base class."""
        return (table_of(operation)[int(read(operation.taps[0])[0])],)

    def find_units(self, operation: Operation, program: Program, scales: Scales) -> None:
        """Take numbers as they are, and the unit of the residual stream where no reader has set one."""
        number = operation.taps[0].features
        scales.wide[number.map] = np.ones(program.maps[number.map].features)
        scales.set_stream_unit(program, operation)

    def find_scales(self, operation: Operation, program: Program, scales: Scales) -> None:
        """Let rows that are multiplied fit; see `Scales`."""
        scales.let_wide_fit(program, operation)

    def export(self, operation: Operation, to: Exporter) -> None:
        """Write the table in integers; see the base class."""
        rows = np.round(table_of(operation) / of_features(to.scales.wide, operation.out))
        if np.abs(rows).max(initial=0) > INT32_MAX:
            raise ExportError("the embeddings of this model do not fit integers of 32 bits")
        taps = (moved_tap(to.wide, operation.taps[0]),)
        out = moved(to.wide, operation.out)
        to.result.append(Operation(self.name, out, taps, table=rows.astype(np.int32)))
        to.narrow_too(operation)

    def check(self, operation: Operation, program: Program) -> None:
        """Require one wide number, and a table of wide rows."""
        out, table = operation.out, operation.table
        require(len(operation.taps) == 1 and operation.taps[0].features.count == 1, "a number")
        require(is_wide(program, operation.taps[0].features) and is_wide(program, out), "a number")
        require(table is not None and table.ndim == 2 and 1 <= len(table) <= MAX_NUMBERS, "a table")
        check_array(table, np.int32, (len(table_of(operation)), out.count))

    def bound(self, operation: Operation, proof: Proof) -> None:
        """Bound the rows."""
        proof.widen(operation.out, np.abs(table_of(operation).astype(np.int64)).max(axis=0))

    @property
    def step(self) -> Any:
        """See the base class."""
        return _step


def table_of(operation: Operation) -> Numbers:
    """Return the table of an operation that has one."""
    if operation.table is None:
        raise ValueError("an embedding without a table")
    return operation.table


@njit(error_model="numpy")
def _step(work: Any, n: int, column: int) -> None:
    row = n * OPERATION_COLUMNS
    operations, wide, numbers = work.operations, work.wide, work.numbers
    count, source = operations[row + OP_COUNT], source_of(work, operations[row + OP_TAPS], column)
    number = min(max(whole(wide[source]), 0), operations[row + OP_HIGH])
    table, out = operations[row + OP_BIAS] + number * count, target_of(work, n, column)
    for j in range(count):
        wide[out + j] = numbers[table + j]
