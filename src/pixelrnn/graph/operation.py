"""One line of a program: an operation, the features that it writes, and the taps that it reads."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pixelrnn.arrays import Floats

Numbers = npt.NDArray[Any]  # float64, or the integers of an integer program


@dataclass(frozen=True)
class Features:
    """Some features of a map: `first`, `first + 1`, ... `first + count - 1`."""

    map: int
    first: int
    count: int

    def part(self, first: int, count: int) -> "Features":
        """Return `count` of these features from the one at `first` on."""
        return Features(self.map, self.first + first, count)


@dataclass(frozen=True, eq=False)
class Tap:
    """Features of a map at an offset from the pixel at hand, and their weights.

    Attributes:
        features: what is read.
        row: rows below the pixel at hand, at most 0.
        column: columns to the right of it.
        weights: `(features, outputs)`, or None where there is nothing to multiply.
    """

    features: Features
    row: int = 0
    column: int = 0
    weights: Numbers | None = None

    def pieces(self, size: int) -> Iterator[tuple[int, int, Features]]:
        """Yield (row, column, features) of each pixel that is read: of a joined tap, several.

        Args:
            size: features of the map.
        """
        first, count = self.features.first, self.features.count
        for column in range(-(-(first + count) // size)):
            begin, end = max(first - column * size, 0), min(first + count - column * size, size)
            yield self.row, self.column + column, Features(self.features.map, begin, end - begin)


@dataclass(frozen=True, eq=False)
class Operation:
    """One line of a program; `operations/` says what each kind does."""

    kind: str
    out: Features
    taps: tuple[Tap, ...]
    bias: Numbers | None = None
    residual: bool = False  # the first tap is added as it is
    relu: bool = False  # the result is rectified
    cell: Features | None = None  # where an LSTM writes its cell
    rescale: "Rescale | None" = None  # of an integer program: how the result is made small again
    largest: Floats | None = None  # magnitude of each result on images; NaN before any were shown
    table: Numbers | None = None  # of `embed`: `(numbers, outputs)`

    @property
    def attended(self) -> tuple[Tap, ...]:
        """The taps that read all earlier pixels, from their row on: keys and values of `attend`."""
        return self.taps[1:] if self.kind == "attend" else ()

    @property
    def at_offsets(self) -> tuple[Tap, ...]:
        """The taps that read at an offset from the pixel at hand: all others."""
        return self.taps[:1] if self.kind == "attend" else self.taps


@dataclass(frozen=True)
class Rescale:
    """Shift right, rounded, and clamp.

    Attributes:
        shifts: int32, one for each feature of the result; the halves that round are in the bias.
        low: smallest result.
        high: largest result.
    """

    shifts: npt.NDArray[np.int32]
    low: int
    high: int
