"""The proof that no sum of an integer program can leave 32 bits, whatever the image.

Bounds run through the program with its operations: the largest magnitude that each result can have. A
narrow result is bounded by its clamp, a sum by sum |w| * bound, a residual stream by the sum of all that
is added to it. What is bounded is what the compiled steps compute, field by field; a program that has
fields of no use is refused before (`checks.py`).
"""

import numpy as np
import numpy.typing as npt

from pixelrnn.arrays import Integers
from pixelrnn.graph.levels import largest_parts
from pixelrnn.graph.operation import Features, Operation
from pixelrnn.graph.program import Program
from pixelrnn.operations.base import OPERATIONS

INT32_MAX = 2**31 - 1
INT16_MAX = 2**15 - 1
# Times through the program. What is read of the row above is known once the row is, so that twice is enough
# but for sums that feed themselves; those that a clamp ends are taken to reach it from the fifth time on.
PASSES, EXACT_PASSES = 8, 4
ROWS_AT_ONCE = 1 << 20  # weights, made integers of 64 bits

Bounds = dict[int, Integers]


def largest_magnitudes(program: Program) -> Bounds:
    """Return the largest magnitude of each feature of each map of an integer program.

    The time that it takes is that of running the program at some pixels.

    Raises:
        ValueError: if a sum may need more than 32 bits, or a narrow result more than 16.
    """
    return Proof(program).run()


class Proof:
    """Bounds of all maps, made larger until no operation makes them larger still."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.bounds: Bounds = {
            number: np.abs(feature_map.fill.astype(np.int64))
            for number, feature_map in enumerate(program.maps)
        }
        border, label = program.border, program.given.label
        levels = largest_parts(program.num_levels)
        self._at_least(program.image, [program.num_levels - 1] if program.symbols else levels)
        for given in program.given.maps:
            self._at_least(given, levels)
        if border:
            self._at_least(border, [program.one] if program.symbols else levels)
        if label:
            self._at_least(label, [program.given.num_labels - 1])
        self.moved = dict.fromkeys(self.bounds, 0)  # when the bounds of a map last changed
        self.now = 0
        self.to_the_clamp = False

    def _at_least(self, features: Features, magnitudes: list[int]) -> None:
        part = self.bounds[features.map][features.first : features.first + features.count]
        np.maximum(part, np.resize(magnitudes, features.count), out=part)

    def run(self) -> Bounds:
        """Return the bounds of all maps; raises as `largest_magnitudes`."""
        operations, seen = self.program.operations, dict[int, int]()
        for times in range(PASSES):
            self.to_the_clamp = times >= EXACT_PASSES
            before = self.now
            for number, operation in enumerate(operations):
                newest = max(self.moved[tap.features.map] for tap in operation.taps)
                if times and times != EXACT_PASSES and newest <= seen[number]:
                    continue  # it reads what it read before
                seen[number] = self.now
                OPERATIONS[operation.kind].bound(operation, self)
            if times and self.now == before:
                return self.bounds
        raise ValueError("the sums of this program grow from pixel to pixel: they fit no integer")

    def rescaled(self, operation: Operation, sums: Integers) -> Integers:
        """Bound clamp((bias + sum) >> shift)."""
        rescale = operation.rescale
        if rescale is None:
            raise ValueError("an operation without shifts")
        if operation.bias is not None:
            sums += np.abs(operation.bias.astype(np.int64))
        if sums.max(initial=0) > INT32_MAX:
            raise ValueError("a sum of this program may need more than 32 bits")
        clamp = max(abs(rescale.low), rescale.high)
        if self.to_the_clamp and clamp <= INT16_MAX:
            return np.full(len(sums), clamp, np.int64)
        results: Integers = np.minimum((sums >> rescale.shifts) + 1, clamp)
        return results

    def widen(self, out: Features, results: Integers) -> None:
        """Note that features may be so large; raises `ValueError` if that does not fit."""
        limit = INT32_MAX if self.program.maps[out.map].wide else INT16_MAX
        if results.max(initial=0) > limit:
            bits = 32 if limit == INT32_MAX else 16
            raise ValueError(f"a result of this program may need more than {bits} bits")
        part = self.bounds[out.map][out.first : out.first + out.count]
        if (results > part).any():
            np.maximum(part, results, out=part)
            self.now += 1
            self.moved[out.map] = self.now


def bound_product(bounds: Integers, weights: npt.NDArray[np.int16]) -> Integers:
    """Return bounds times the magnitudes of weights, some at a time: 64 bits are four times 16."""
    rows = max(1, ROWS_AT_ONCE // weights.shape[1])
    total = np.zeros(weights.shape[1], np.int64)
    for first in range(0, len(weights), rows):
        some = np.abs(weights[first : first + rows].astype(np.int64))
        total += bounds[first : first + rows] @ some
    return total
