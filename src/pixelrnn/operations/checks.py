"""What must hold of an integer program before it is run: nothing that it names may lie outside.

The compiled loop does not look where it reads and writes; so here everything is looked at, once, when a
program is read from a file. Each check raises a ValueError that says what is wrong.
"""

import numpy as np
import numpy.typing as npt

from pixelrnn.arrays import MAX_CHANNELS, MAX_LEVELS
from pixelrnn.graph import curves as units
from pixelrnn.graph.operation import Features, Operation
from pixelrnn.graph.order import check_order
from pixelrnn.graph.program import Program
from pixelrnn.graph.reaches import reaches
from pixelrnn.likelihoods import likelihood_of
from pixelrnn.operations.base import OPERATIONS
from pixelrnn.operations.limits import (
    MAX_FEATURES,
    MAX_INPUTS,
    MAX_MAPS,
    MAX_OPERATIONS,
    MAX_REACH,
    MAX_ROW_NUMBERS,
    MAX_STEPS,
    SETTLE_STEPS,
    STEPS_PER_OPERATION,
)


def check_program(program: Program) -> None:
    """Raise a ValueError unless an integer program keeps inside its own maps and tables."""
    require(len(program.operations) <= MAX_OPERATIONS, f"more than {MAX_OPERATIONS} operations")
    require(len(program.maps) <= MAX_MAPS, f"more than {MAX_MAPS} maps")
    _check_whole(program)
    _check_curves(program)
    for operation in program.operations:
        require(operation.out.count > 0, "an operation without a result")
        for tap in operation.taps:
            _check_tap(program, operation, tap.features, tap.row, tap.column)
        check_inside(program, operation.out)
        _check_nothing_idle(operation)
        OPERATIONS[operation.kind].check(operation, program)
    check_order(program)
    memory = sum(
        each.features * reach.rows * (1 + 2 * reach.columns)
        for each, reach in zip(program.maps, reaches(program), strict=True)
    )
    require(memory <= MAX_ROW_NUMBERS, "maps that reach so far that they need too much memory")
    steps = steps_of(program)
    require(
        steps <= MAX_STEPS, f"{steps:,} steps at a pixel, more than the {MAX_STEPS:,} that are run"
    )


def steps_of(program: Program) -> int:
    """Return what a pixel costs, in multiplications: what takes longer counts as more of them."""
    steps = 0
    for operation in program.operations:
        of_results = OPERATIONS[operation.kind].steps(operation)
        inputs = sum(tap.features.count for tap in operation.taps)
        steps += STEPS_PER_OPERATION + inputs + operation.out.count * of_results
    likelihood = program.likelihood
    components = likelihood.components if likelihood else 0
    settled = program.channels * (components * SETTLE_STEPS + program.num_levels)
    return steps + program.multiplications + settled


def require(holds: bool, trouble: str) -> None:
    """Raise `ValueError` unless something holds."""
    if not holds:
        raise ValueError(trouble)


def is_whole(value: object, low: int, high: int) -> bool:
    """Return whether a value is an integer from `low` to `high`."""
    return type(value) is int and low <= value <= high


def _check_whole(program: Program) -> None:
    channels, levels, groups = program.channels, program.num_levels, program.groups
    require(is_whole(channels, 1, MAX_CHANNELS), f"{channels} channels")
    require(is_whole(levels, 2, MAX_LEVELS), f"{levels} levels")
    require(sum(each.features for each in program.maps) <= MAX_FEATURES, "too many features")
    for feature_map in program.maps:
        fill, dtype = feature_map.fill, np.int32 if feature_map.wide else np.int16
        require(fill.dtype == dtype and fill.ndim == 1 and fill.size > 0, "a map's fill")
    check_inside(program, program.image)
    require(program.image.count == channels * program.parts, "the image")
    require(is_wide(program, program.image) == program.symbols, "the image")
    if program.border is not None:
        check_inside(program, program.border)
        narrow = not is_wide(program, program.border)
        require(program.border.count == program.parts and narrow, "the border")
    _check_given(program)
    likelihood = program.likelihood
    if likelihood is None:
        raise ValueError("no likelihood")
    require(is_whole(likelihood.components, 0, 1024), f"{likelihood.components} components")
    model = likelihood_of(program)
    require(groups == len(likelihood.parameters) == model.groups, f"{groups} colour groups")
    count = model.num_parameters * likelihood.distributions
    for each in likelihood.parameters:
        check_inside(program, each)
        require(each.count == count and is_wide(program, each), "the likelihood's parameters")


def _check_given(program: Program) -> None:
    given = program.given
    for features in given.features:
        check_inside(program, features)
    if given.label is not None:
        require(given.label.count == 1 and is_wide(program, given.label), "a label")
    require(given.label is not None or given.num_labels == 0, "labels that nothing reads")
    require(is_whole(given.num_labels, int(bool(given.label)), 1 << 16), "the number of labels")
    require((given.image is None) == (given.known is None), "what is given")
    count = given.image.count if given.image else 0
    require(
        not given.is_part or count == program.channels * program.parts,
        "a part of an image that is given",
    )
    if given.image is not None and given.known is not None:
        alike = given.image.map == given.known.map and given.known.count == program.parts
        apart = given.known.first >= given.image.first + given.image.count
        require(alike and apart and not is_wide(program, given.image), "what is given")
    written = {operation.out.map for operation in program.operations}
    written |= {operation.cell.map for operation in program.operations if operation.cell}
    by_machine = {program.image.map, *([program.border.map] if program.border else [])}
    for features in given.features:
        require(features.map not in written | by_machine, "a map that is given, and written to")
    require(given.label is None or given.label.map not in {m.map for m in given.maps}, "a label")


def _check_curves(program: Program) -> None:
    curves = program.curves
    if curves is None:
        raise ValueError("no curves")
    scales = units.num_scales(program.num_levels)
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
        ("inverse_scales", curves.inverse_scales, np.int64, scales, 0, 32),
        (
            "coupling",
            curves.coupling,
            np.int64,
            2 * units.COUPLING_SIDE + 1,
            -1,
            units.COUPLING_BITS,
        ),
    ):
        require(table.dtype == dtype and table.shape == (size,), f"the table of {name}")
        require(
            low << high <= int(table.min()) and int(table.max()) <= 1 << high, f"values of {name}"
        )
    rises = bool((np.diff(curves.logistic) >= 0).all())
    require(rises and curves.logistic[0] == 0, "the table of logistic")
    require(int(curves.logistic[-1]) == 1 << units.LOGISTIC_BITS, "the table of logistic")
    require(int(curves.exponential[0]) == 1 << units.WEIGHT_BITS, "the table of exponential")


def check_inside(program: Program, features: Features) -> None:
    """Require that features are some of their map."""
    require(is_whole(features.map, 0, len(program.maps) - 1), f"map {features.map}")
    size = program.maps[features.map].features
    inside = is_whole(features.first, 0, size - 1) and is_whole(
        features.count, 1, size - features.first
    )
    require(inside, f"features {features.first} and {features.count} more of map {features.map}")


def _check_tap(
    program: Program, operation: Operation, features: Features, row: int, column: int
) -> None:
    # Which rows are there to be read, `check_order` says.
    inside = all(is_whole(each, -MAX_REACH, MAX_REACH) for each in (row, column))
    require(inside, "a tap's offset")
    require(is_whole(features.map, 0, len(program.maps) - 1), f"map {features.map}")
    size = program.maps[features.map].features
    # A joined tap of a product runs over the features of several pixels.
    joined = (
        "weights" in OPERATIONS[operation.kind].uses
        and is_whole(features.first, 0, 0)
        and is_whole(features.count, 1, min(size * MAX_REACH, MAX_INPUTS))
    )
    if not joined:
        check_inside(program, features)


def is_wide(program: Program, features: Features) -> bool:
    """Return whether features have 32 bits, not 16."""
    return program.maps[features.map].wide


def _check_nothing_idle(operation: Operation) -> None:
    """Refuse what an operation has no use for: the loop would not read what a proof may."""
    uses = OPERATIONS[operation.kind].uses
    require("residual" in uses or not operation.residual, "a residual that nothing adds")
    require("cell" in uses or operation.cell is None, "a cell that nothing writes")
    require(not operation.relu, "a result that is rectified by more than its clamp")
    idle = operation.taps[: operation.residual] if "weights" in uses else operation.taps
    require(all(tap.weights is None for tap in idle), "weights that nothing multiplies")
    require("bias" in uses or operation.bias is None, "a bias that nothing adds")
    require("rescale" in uses or operation.rescale is None, "shifts that nothing is shifted by")
    require("table" in uses or operation.table is None, "a table that nothing looks up")


def check_rescale(program: Program, operation: Operation) -> None:
    """Require a sound shift and clamp."""
    rescale, count = operation.rescale, operation.out.count
    if rescale is None:
        raise ValueError("an operation without shifts")
    check_array(operation.bias, np.int32, (count,))
    check_array(rescale.shifts, np.int32, (count,))
    require(int(rescale.shifts.min()) >= 0 and int(rescale.shifts.max()) <= 31, "a shift")
    limit = 2**31 - 1 if is_wide(program, operation.out) else 2**15 - 1
    require(is_whole(rescale.low, -limit, 0) and is_whole(rescale.high, 0, limit), "a clamp")


def check_array(array: npt.NDArray[np.generic] | None, dtype: type, shape: tuple[int, ...]) -> None:
    """Require an array of this type and shape."""
    require(array is not None and array.dtype == dtype and array.shape == shape, "an array's shape")
