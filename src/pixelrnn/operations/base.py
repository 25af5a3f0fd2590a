"""What an operation is: its meaning in floats, in integers, and in the compiled loop, in one file each.

A program names its operations; what one of a name does, everything else asks here.

    oracle      oracle    its equation in plain numpy, of floats and of integers
    export      find_units, find_scales, export    from floats to integers
    integers    uses, steps, check, bound    what must hold of it, what it costs, how large it becomes
    the loop    step    the same, compiled
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar

from pixelrnn.graph.curves import Curves
from pixelrnn.graph.operation import Numbers, Operation, Tap
from pixelrnn.graph.program import Program
from pixelrnn.registry import Registry

if TYPE_CHECKING:
    from pixelrnn.operations.bounds import Proof
    from pixelrnn.operations.export import Exporter
    from pixelrnn.operations.scales import Scales

Reads = Callable[[Tap], Numbers]


class Kind(ABC):
    """What operations of one name have in common.

    Attributes:
        name: by which a program names them.
        rank: the lower, the sooner the compiled loop asks whether an operation is one of these.
        uses: which of what an `Operation` may have beside taps they make use of, on integers: "weights",
            "residual", "bias", "rescale", "cell", "table".
    """

    name: ClassVar[str]
    rank: ClassVar[int] = 100
    uses: ClassVar[frozenset[str]] = frozenset()

    @abstractmethod
    def oracle(
        self, operation: Operation, read: Reads, curves: Curves | None
    ) -> tuple[Numbers, ...]:
        """Return the result at a pixel, and the cell where there is one, in float64 or int64.

        Args:
            operation: of a program of floats, or of integers.
            read: gives the features of a tap.
            curves: the tables of a program of integers; None in one of floats.
        """

    def find_units(self, operation: Operation, program: Program, scales: "Scales") -> None:  # noqa: B027
        """Set the units of wide maps that this operation reads, given those that it writes."""

    def find_scales(self, operation: Operation, program: Program, scales: "Scales") -> None:  # noqa: B027
        """Set the scales of narrow maps that this operation writes."""

    def export(self, operation: Operation, to: "Exporter") -> None:
        """Write the operation in integers."""
        raise ValueError(f"{self.name} is an operation on integers alone")

    def steps(self, operation: Operation) -> int:
        """Return what a result costs, in multiplications, beside those by weights."""
        return 1 + len(operation.taps)

    def check(self, operation: Operation, program: Program) -> None:
        """Raise `ValueError` unless an operation on integers is sound; see `checks.py`."""
        raise ValueError(f"{self.name} is an operation on floats alone")

    def bound(self, operation: Operation, proof: "Proof") -> None:
        """Widen the bounds of what an operation on integers writes; `ValueError` if it may not fit."""
        raise ValueError(f"{self.name} is an operation on floats alone")

    @property
    def step(self) -> Any:
        """The compiled function `(work, n, column)` that runs operation n on integers, or None."""
        return None


OPERATIONS = Registry[Kind]("operation")


def register(kind: type[Kind]) -> type[Kind]:
    """Register an operation under its name; a decorator."""
    OPERATIONS.add(kind.name, kind(), kind.rank)
    return kind
