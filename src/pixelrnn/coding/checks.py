"""What must hold of an integer program before it is run: nothing that it names may lie outside.

The compiled loop does not look where it reads and writes; so here everything is looked at, once, when a
program is read from a file. Each check raises a ValueError that says what is wrong.
"""

import numpy as np
import numpy.typing as npt

from pixelrnn.coding.limits import (
    MAX_FEATURES,
    MAX_INPUTS,
    MAX_MAPS,
    MAX_OPERATIONS,
    MAX_REACH,
    MAX_ROW_NUMBERS,
    MAX_STEPS,
    SETTLE_STEPS,
    STEPS_PER_GATE,
    STEPS_PER_OPERATION,
)
from pixelrnn.graph import integer_tables as units
from pixelrnn.graph.order import check_order
from pixelrnn.graph.program import ADD, LINEAR, LSTM, REQUANTISE, Features, Operation, Program
from pixelrnn.stepper.layout import reaches
from pixelrnn.stepper.range_coder import TOTAL_BITS

NUM_GATES = 4


def check_program(program: Program) -> None:
    """Raise a ValueError unless an integer program keeps inside its own maps and tables."""
    _require(len(program.operations) <= MAX_OPERATIONS, f"more than {MAX_OPERATIONS} operations")
    _require(len(program.maps) <= MAX_MAPS, f"more than {MAX_MAPS} maps")
    _check_curves(program)
    _check_whole(program)
    for operation in program.operations:
        _require(operation.out.count > 0, "an operation without a result")
        for tap in operation.taps:
            _check_tap(program, operation, tap.features, tap.row, tap.column)
        _check_inside(program, operation.out)
        _check_nothing_idle(operation)
        _require(operation.code in _CHECKS, f"an operation of code {operation.code}")
        _CHECKS[operation.code](program, operation)
    check_order(program)
    memory = sum(
        each.features * reach.rows * (1 + 2 * reach.columns)
        for each, reach in zip(program.maps, reaches(program), strict=True)
    )
    _require(memory <= MAX_ROW_NUMBERS, "maps that reach so far that they need too much memory")
    steps = steps_of(program)
    _require(
        steps <= MAX_STEPS, f"{steps:,} steps at a pixel, more than the {MAX_STEPS:,} that are run"
    )


def steps_of(program: Program) -> int:
    """Return what a pixel costs, in multiplications: what takes longer counts as more of them."""
    steps = 0
    for operation in program.operations:
        of_results = STEPS_PER_GATE if operation.code == LSTM else 1 + len(operation.taps)
        inputs = sum(tap.features.count for tap in operation.taps)
        steps += STEPS_PER_OPERATION + inputs + operation.out.count * of_results
    likelihood = program.likelihood
    components = likelihood.components if likelihood else 0
    settled = program.channels * (components * SETTLE_STEPS + program.num_levels)
    return steps + program.multiplications + settled


def _require(holds: bool, trouble: str) -> None:
    if not holds:
        raise ValueError(trouble)


def _is_whole(value: object, low: int, high: int) -> bool:
    return type(value) is int and low <= value <= high


def _check_whole(program: Program) -> None:
    channels, levels, groups = program.channels, program.num_levels, program.groups
    _require(channels in (1, 3) and type(channels) is int, f"{channels} channels")
    _require(_is_whole(levels, 2, 256), f"{levels} levels")
    _require(sum(each.features for each in program.maps) <= MAX_FEATURES, "too many features")
    for feature_map in program.maps:
        fill, dtype = feature_map.fill, np.int32 if feature_map.wide else np.int16
        _require(fill.dtype == dtype and fill.ndim == 1 and fill.size > 0, "a map's fill")
    _check_inside(program, program.image)
    _require(program.image.count == channels and not _is_wide(program, program.image), "the image")
    if program.border is not None:
        _check_inside(program, program.border)
        _require(program.border.count == 1 and not _is_wide(program, program.border), "the border")
    likelihood = program.likelihood
    if likelihood is None:
        raise ValueError("no likelihood")
    k = likelihood.components
    _require(_is_whole(k, 0, 1024), f"{k} components")
    if likelihood.kind == "categorical":
        _require(k == 0, "components of no mixture")
        expected, count = channels, levels
    elif likelihood.kind == "logistic-mixture":
        _require(k > 0, "a mixture without components")
        expected, count = 1, k * (1 + 2 * channels + channels * (channels - 1) // 2) + channels
    else:
        raise ValueError(f"a likelihood called {likelihood.kind}")
    _require(groups == len(likelihood.parameters) == expected, f"{groups} colour groups")
    for each in likelihood.parameters:
        _check_inside(program, each)
        _require(each.count == count and _is_wide(program, each), "the likelihood's parameters")


def _check_curves(program: Program) -> None:
    curves = program.curves
    if curves is None:
        raise ValueError("no curves")
    for name, table, dtype, size, low, high in (
        ("sigmoid", curves.sigmoid, np.int16, 2 * units.SIGMOID_SIDE + 1, 0, units.GATE_BITS),
        ("tanh", curves.tanh, np.int16, 2 * units.TANH_SIDE + 1, -1, units.GATE_BITS),
        ("exponential", curves.exponential, np.int64, units.EXPONENTIAL_SIZE, 0, units.WEIGHT_BITS),
        (
            "logistic",
            curves.logistic,
            np.int64,
            2 * units.LOGISTIC_SIDE + 1,
            0,
            units.LOGISTIC_BITS,
        ),
        ("inverse_scales", curves.inverse_scales, np.int64, units.SCALES, 0, 32),
        (
            "coupling",
            curves.coupling,
            np.int64,
            2 * units.COUPLING_SIDE + 1,
            -1,
            units.COUPLING_BITS,
        ),
    ):
        _require(table.dtype == dtype and table.shape == (size,), f"the table of {name}")
        _require(
            low << high <= int(table.min()) and int(table.max()) <= 1 << high, f"values of {name}"
        )
    rises = bool((np.diff(curves.logistic) >= 0).all())
    _require(rises and curves.logistic[0] == 0, "the table of logistic")
    _require(int(curves.logistic[-1]) == 1 << units.LOGISTIC_BITS, "the table of logistic")
    _require(int(curves.exponential[0]) == 1 << units.WEIGHT_BITS, "the table of exponential")
    assert TOTAL_BITS <= units.WEIGHT_BITS + units.LOGISTIC_BITS


def _check_inside(program: Program, features: Features) -> None:
    _require(_is_whole(features.map, 0, len(program.maps) - 1), f"map {features.map}")
    size = program.maps[features.map].features
    inside = _is_whole(features.first, 0, size - 1) and _is_whole(
        features.count, 1, size - features.first
    )
    _require(inside, f"features {features.first} and {features.count} more of map {features.map}")


def _check_tap(
    program: Program, operation: Operation, features: Features, row: int, column: int
) -> None:
    _require(
        _is_whole(row, -MAX_REACH, 0) and _is_whole(column, -MAX_REACH, MAX_REACH), "a tap's offset"
    )
    _require(_is_whole(features.map, 0, len(program.maps) - 1), f"map {features.map}")
    size = program.maps[features.map].features
    # A joined tap of a product runs over the features of several pixels.
    joined = (
        operation.code == LINEAR
        and _is_whole(features.first, 0, 0)
        and _is_whole(features.count, 1, min(size * MAX_REACH, MAX_INPUTS))
    )
    if not joined:
        _check_inside(program, features)


def _is_wide(program: Program, features: Features) -> bool:
    return program.maps[features.map].wide


def _check_nothing_idle(operation: Operation) -> None:
    """Refuse what an operation has no use for: the loop would not read what a proof may."""
    _require(operation.code == LINEAR or not operation.residual, "a residual that nothing adds")
    _require(operation.code == LSTM or operation.cell is None, "a cell that nothing writes")
    _require(not operation.relu, "a result that is rectified by more than its clamp")
    idle = operation.taps[: operation.residual] if operation.code == LINEAR else operation.taps
    _require(all(tap.weights is None for tap in idle), "weights that nothing multiplies")
    if operation.code in (ADD, LSTM):
        _require(operation.bias is None, "a bias that nothing adds")
    if operation.code == ADD:
        _require(operation.rescale is None, "a sum with shifts")


def _check_linear(program: Program, operation: Operation) -> None:
    out, residual = operation.out, operation.residual
    products = operation.taps[residual:]
    _require(len(products) > 0, "a product of nothing")
    if residual:
        first = operation.taps[0]
        _require(first.features.count == out.count and first.weights is None, "a residual")
        _require(_is_wide(program, first.features) and _is_wide(program, out), "a residual")
        _check_inside(program, first.features)
    for tap in products:
        shape = (tap.features.count, out.count)
        _check_array(tap.weights, np.int16, shape)
        _require(not _is_wide(program, tap.features), "a product of a wide map")
    _check_rescale(program, operation)


def _check_rescale(program: Program, operation: Operation) -> None:
    rescale, count = operation.rescale, operation.out.count
    if rescale is None:
        raise ValueError("an operation without shifts")
    _check_array(operation.bias, np.int32, (count,))
    _check_array(rescale.shifts, np.int32, (count,))
    _require(int(rescale.shifts.min()) >= 0 and int(rescale.shifts.max()) <= 31, "a shift")
    limit = 2**31 - 1 if _is_wide(program, operation.out) else 2**15 - 1
    _require(_is_whole(rescale.low, -limit, 0) and _is_whole(rescale.high, 0, limit), "a clamp")


def _check_array(
    array: npt.NDArray[np.generic] | None, dtype: type, shape: tuple[int, ...]
) -> None:
    _require(
        array is not None and array.dtype == dtype and array.shape == shape, "an array's shape"
    )


def _check_add(program: Program, operation: Operation) -> None:
    _require(len(operation.taps) > 0, "a sum of nothing")
    for tap in operation.taps:
        alike = _is_wide(program, tap.features) == _is_wide(program, operation.out)
        _require(alike and tap.features.count == operation.out.count, "a sum")


def _check_lstm(program: Program, operation: Operation) -> None:
    _require(len(operation.taps) == 2 and operation.cell is not None, "an LSTM")
    (gates, before), cell, count = operation.taps, operation.cell, operation.out.count
    assert cell is not None
    _check_inside(program, cell)
    # The loop finds a cell by the first feature of its hidden state.
    _require(cell.first == operation.out.first, "an LSTM's cell")
    _require(gates.features.count == NUM_GATES * count and before.features.count == count, "gates")
    wide = [_is_wide(program, each) for each in (gates.features, before.features, cell)]
    _require(cell.count == count and all(wide) and not _is_wide(program, operation.out), "an LSTM")
    if operation.rescale is None:
        raise ValueError("an LSTM without a shift")
    _check_array(operation.rescale.shifts, np.int32, (1,))
    shift, idle = operation.rescale.low, operation.rescale.high
    _require(_is_whole(shift, 2 * units.GATE_BITS - 14, 2 * units.GATE_BITS - 1), "an LSTM's shift")
    said_twice = int(operation.rescale.shifts[0]) == shift and _is_whole(idle, 0, 0)
    _require(said_twice, "an LSTM's shift")


def _check_requantise(program: Program, operation: Operation) -> None:
    _require(
        len(operation.taps) == 1 and operation.taps[0].features.count == operation.out.count,
        "a shift",
    )
    is_wide = _is_wide(program, operation.taps[0].features)
    _require(is_wide and not _is_wide(program, operation.out), "what is made narrow")
    _check_rescale(program, operation)


_CHECKS = {
    LINEAR: _check_linear,
    ADD: _check_add,
    LSTM: _check_lstm,
    REQUANTISE: _check_requantise,
}
