"""The proof that no sum of an integer program can leave 32 bits, whatever the image.

Bounds run through the program with its operations: the largest magnitude that each result can have. A
narrow result is bounded by its clamp, a sum by sum |w| * bound, a residual stream by the sum of all that
is added to it.
"""

import numpy as np
import numpy.typing as npt

from pixelrnn.coding.scales import of_features
from pixelrnn.stepper.integer_kernels import CELL_LIMIT
from pixelrnn.stepper.integer_tables import GATE_BITS
from pixelrnn.stepper.program import ADD, LSTM, Features, Operation, Program

INT32_MAX = 2**31 - 1
INT16_MAX = 2**15 - 1

Bounds = dict[int, npt.NDArray[np.int64]]


def largest_magnitudes(program: Program) -> Bounds:
    """Return the largest magnitude of each feature of each map of an integer program.

    Raises:
        ValueError: if a sum may need more than 32 bits, or a narrow result more than 16.
    """
    bounds: Bounds = {
        number: np.abs(feature_map.fill.astype(np.int64))
        for number, feature_map in enumerate(program.maps)
    }
    for given in (program.image, program.border):
        if given is not None:
            part = bounds[given.map][given.first : given.first + given.count]
            np.maximum(part, program.num_levels - 1, out=part)
    before = None
    # What is read of the row above is known once the row is: twice through is enough but for maps that
    # add to themselves, which grow for ever and are found out by growing.
    for _ in range(len(program.operations) + 1):
        for operation in program.operations:
            _bound(program, operation, bounds)
        now = [bound.copy() for bound in bounds.values()]
        if before is not None and all(
            np.array_equal(a, b) for a, b in zip(before, now, strict=True)
        ):
            return bounds
        before = now
    raise ValueError("the sums of this program grow from pixel to pixel: they fit no integer")


def _bound(program: Program, operation: Operation, bounds: Bounds) -> None:
    out, rescale = operation.out, operation.rescale
    if operation.code == ADD:
        total = sum(of_features(bounds, tap.features) for tap in operation.taps)
        _widen(bounds, out, np.asarray(total), program)
        return
    if rescale is None:
        raise ValueError("an operation without shifts")
    if operation.code == LSTM:
        if operation.cell is None:
            raise ValueError("an LSTM without a cell")
        _widen(bounds, out, np.full(out.count, 1 << (2 * GATE_BITS - rescale.low)), program)
        _widen(bounds, operation.cell, np.full(out.count, CELL_LIMIT), program)
        return
    sums = np.zeros(out.count, np.int64)
    if operation.bias is not None:
        sums += np.abs(operation.bias.astype(np.int64))
    for tap in operation.taps[operation.residual :]:
        of_tap = of_features(bounds, tap.features)
        sums += of_tap if tap.weights is None else of_tap @ np.abs(tap.weights.astype(np.int64))
    if sums.max(initial=0) > INT32_MAX:
        raise ValueError("a sum of this program may need more than 32 bits")
    results = np.minimum((sums >> rescale.shifts) + 1, max(abs(rescale.low), rescale.high))
    if operation.residual:
        results = results + of_features(bounds, operation.taps[0].features)
    _widen(bounds, out, results, program)


def _widen(bounds: Bounds, out: Features, results: npt.NDArray[np.int64], program: Program) -> None:
    limit = INT32_MAX if program.maps[out.map].wide else INT16_MAX
    if results.max(initial=0) > limit:
        bits = 32 if limit == INT32_MAX else 16
        raise ValueError(f"a result of this program may need more than {bits} bits")
    part = bounds[out.map][out.first : out.first + out.count]
    np.maximum(part, results, out=part)
