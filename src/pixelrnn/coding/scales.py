"""What real number an integer stands for: the kind and the scales of every map of an integer program.

A real number x becomes an integer q with x = scale * q. Every feature of every map has a scale of its own:

    narrow maps     what is multiplied: 16 bits; the scale is the largest that training images gave,
                    and a margin, over the largest integer
    wide maps       what is summed up: 32 bits; the scale is the unit of who reads it: a table of
                    `integer_tables.py`, the likelihood, or, in the residual stream, 2^-14
"""

import math
from dataclasses import dataclass, field

import numpy as np

from pixelrnn.graph.integer_tables import (
    COUPLING_STEP_BITS,
    GATE_BITS,
    GATE_STEP_BITS,
    LEVEL_BITS,
    LOG_SCALE_STEP_BITS,
    LOGIT_STEP_BITS,
)
from pixelrnn.graph.program import (
    ADD,
    LINEAR,
    LSTM,
    RELU,
    Features,
    Floats,
    Numbers,
    Operation,
    Program,
    Tap,
)

STREAM_BITS = 14  # of the residual stream, behind the point, at most
STEM_BITS = 12  # of a weight of the first layer, at least: few levels are large numbers
LEAST = 0.01  # that the scale of a feature must hold, though a whole map never moved
LEAST_SHARE = 64  # of the largest feature of a map: what the scale of each must hold at least


@dataclass(frozen=True)
class Widths:
    """How many bits the integers have.

    Attributes:
        activation_bits: of the magnitude of what is multiplied; 4 to 13.
        weight_bits: of a weight, its sign included; 4 to 16.
        margin: how many times larger than on the calibration images a value may be before it is clamped.
    """

    activation_bits: int = 12
    weight_bits: int = 16
    margin: float = 1.1

    def __post_init__(self) -> None:
        if not (4 <= self.activation_bits <= 13 and 4 <= self.weight_bits <= 16):
            raise ValueError(f"activations have 4 to 13 bits and weights 4 to 16, not {self}")

    @property
    def largest(self) -> int:
        """The largest magnitude of an activation."""
        return (1 << self.activation_bits) - 1


@dataclass
class Scales:
    """The scales of a program's maps; maps that are not narrow, or not wide, are missing there.

    Attributes:
        narrow: by map, `(features,)`.
        wide: by map, `(features,)`.
        hidden: maps of hidden states, which are narrow from the start.
    """

    narrow: dict[int, Floats] = field(default_factory=dict)
    wide: dict[int, Floats] = field(default_factory=dict)
    hidden: set[int] = field(default_factory=set)


def of_features(by_map: dict[int, Numbers], features: Features) -> Numbers:
    """Return what some features have of what each feature of each map has.

    They may run over several pixels, as those of a joined tap do.
    """
    of_map = by_map[features.map]
    columns = -(-(features.first + features.count) // len(of_map))
    return np.tile(of_map, columns)[features.first : features.first + features.count]


def find_scales(program: Program, widths: Widths) -> Scales:
    """Return the scales of a program of floats, which says how large its results become.

    Raises:
        ValueError: if it does not.
    """
    scales = Scales(hidden=_hidden(program))
    _find_wide(program, scales)
    levels = program.num_levels - 1
    scales.narrow[program.image.map] = np.full(program.maps[program.image.map].features, 1 / levels)
    for number in scales.hidden:
        size = program.maps[number].features
        scales.narrow[number] = np.full(size, 2.0**-widths.activation_bits)
    multiplied = {
        tap.features.map
        for operation in program.operations
        if operation.code == LINEAR
        for tap in products(operation)
    }
    for operation in program.operations:
        out = operation.out
        rectified = operation.code == RELU or (operation.code == LINEAR and operation.relu)
        if rectified or (operation.code == LINEAR and out.map in multiplied):
            if operation.largest is None or np.isnan(operation.largest).any():
                raise ValueError("a program that was shown no images has no scales")
            wanted = _fitting(operation.largest, widths)
            if not operation.relu:  # from wide to narrow by a shift alone
                wide = operation.taps[0].features if operation.code == RELU else out
                unit = of_features(scales.wide, wide)
                wanted = unit * 2.0 ** np.ceil(np.log2(wanted / unit)).clip(0)
            size = program.maps[out.map].features
            of_map = scales.narrow.setdefault(out.map, np.ones(size))
            of_map[out.first : out.first + out.count] = wanted
    return scales


def products(operation: Operation) -> tuple[Tap, ...]:
    """Return the taps of a linear operation that are multiplied: all but a residual."""
    return operation.taps[operation.residual :]


def _hidden(program: Program) -> set[int]:
    """Return the maps of hidden states, and of their sums."""
    hidden = {operation.out.map for operation in program.operations if operation.code == LSTM}
    for operation in program.operations:
        if operation.code == ADD and operation.taps[0].features.map in hidden:
            hidden.add(operation.out.map)
    return hidden


def _find_wide(program: Program, scales: Scales) -> None:
    """Give each sum the unit of its reader; what is read by none of those below is the residual stream."""
    for parameters, units in zip(_parameters(program), _parameter_units(program), strict=True):
        size = program.maps[parameters.map].features
        of_map = scales.wide.setdefault(parameters.map, np.ones(size))
        of_map[parameters.first : parameters.first + parameters.count] = units
    for operation in reversed(program.operations):
        out = operation.out
        if operation.code == LSTM and operation.cell is not None:
            gates, cells = operation.taps[0].features, program.maps[operation.cell.map].features
            scales.wide[gates.map] = np.full(gates.count, 2.0**-GATE_STEP_BITS)
            scales.wide[operation.cell.map] = np.full(cells, 2.0**-GATE_BITS)
        if operation.code == ADD and out.map in scales.wide:  # a copy
            scales.wide[operation.taps[0].features.map] = of_features(scales.wide, out)
    stream = 2.0 ** -min(STREAM_BITS, STEM_BITS + math.floor(math.log2(program.num_levels - 1)))
    for operation in program.operations:
        if operation.code == LINEAR and not operation.relu:
            size = program.maps[operation.out.map].features
            scales.wide.setdefault(operation.out.map, np.full(size, stream))


def _parameters(program: Program) -> tuple[Features, ...]:
    if program.likelihood is None:
        raise ValueError("an unfinished program has no integers")
    return program.likelihood.parameters


def _parameter_units(program: Program) -> list[Floats]:
    """Return, for the parameters of each group, the real number that 1 stands for."""
    likelihood, channels = program.likelihood, program.channels
    logit = 2.0**-LOGIT_STEP_BITS
    if likelihood is None or likelihood.kind == "categorical":
        return [np.full(parameters.count, logit) for parameters in _parameters(program)]
    if likelihood.kind != "logistic-mixture":
        raise ValueError(f"no integers are known for a likelihood {likelihood.kind!r}")
    k = likelihood.components
    level = 2 / (program.num_levels - 1) * 2.0**-LEVEL_BITS
    of_each = {
        "logits": (k, logit),
        "means": (k * channels, level / likelihood.mean_unit),
        "log-scales": (k * channels, 2.0**-LOG_SCALE_STEP_BITS),
        "couplings": (k * channels * (channels - 1) // 2, 2.0**-COUPLING_STEP_BITS),
        "predictions": (channels, level),
    }
    counts, units = zip(*of_each.values(), strict=True)
    return [np.repeat(units, counts)]


def _fitting(largest: Floats, widths: Widths) -> Floats:
    """Return the scales at which values, and somewhat larger ones, still fit.

    A feature that hardly moved on the calibration images may move more on others.
    """
    least = max(float(largest.max()) / LEAST_SHARE, LEAST)
    return np.maximum(largest, least) * widths.margin / widths.largest
