"""How the weights of a layer form matrices, for an optimiser whose steps are those of matrices."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from torch import Tensor, nn


@dataclass(frozen=True, eq=False)
class Matrices:
    """Some matrices of one shape, whose entries are the numbers of one parameter.

    Attributes:
        parameter: of any shape.
        places: which of its numbers, counted as if it were flat, each entry is: int64 `(matrices, rows,
            columns)`. An entry that a mask hides is at the end of the numbers.
    """

    parameter: nn.Parameter
    places: Tensor


@runtime_checkable
class HasMatrices(Protocol):
    """A layer that can say so."""

    def matrices(self) -> Iterator[Matrices]:
        """Yield how its weights form matrices."""
