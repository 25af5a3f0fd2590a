"""What real number an integer stands for: the kind and the scales of every map of an integer program.

A real number x becomes an integer q with x = scale * q. Every feature of every map has a scale of its own:

    narrow maps     what is multiplied: 16 bits; the scale is the largest that training images gave,
                    and a margin, over the largest integer
    wide maps       what is summed up: 32 bits; the scale is the unit of who reads it: a table of
                    `curves.py`, the likelihood, or, in the residual stream, 2^-14
"""

import math
from dataclasses import dataclass, field

import numpy as np

from pixelrnn.arrays import Floats
from pixelrnn.graph.operation import Features, Numbers, Operation, Tap
from pixelrnn.graph.program import Program
from pixelrnn.likelihoods import likelihood_of
from pixelrnn.operations.base import OPERATIONS

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

    @property
    def largest_weight(self) -> int:
        """The largest magnitude of a weight."""
        return (1 << (self.weight_bits - 1)) - 1


@dataclass
class Scales:
    """The scales of a program's maps; maps that are not narrow, or not wide, are missing there.

    Attributes:
        widths: of the integers.
        narrow: by map, `(features,)`.
        wide: by map, `(features,)`.
        hidden: maps of hidden states, which are narrow from the start.
    """

    widths: Widths
    narrow: dict[int, Floats] = field(default_factory=dict)
    wide: dict[int, Floats] = field(default_factory=dict)
    hidden: set[int] = field(default_factory=set)

    def set_stream_unit(self, program: Program, operation: Operation) -> None:
        """Let what an operation writes be in the unit of the residual stream, if no reader has set one."""
        if operation.out.map not in self.wide:
            size = program.maps[operation.out.map].features
            self.wide[operation.out.map] = np.full(size, stream_unit(program))

    def let_wide_fit(self, program: Program, operation: Operation) -> None:
        """Find the narrow scales of a wide result that is multiplied: it is only shifted to fit."""
        if is_multiplied(program, operation):
            unit = of_features(self.wide, operation.out)
            shifts = np.ceil(np.log2(fitting(operation, self.widths) / unit)).clip(0)
            set_some(self.narrow, program, operation.out, unit * 2.0**shifts)


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
    scales = Scales(widths)
    units = likelihood_of(program).units
    if program.likelihood is not None:
        units = np.tile(units, program.likelihood.distributions)
        for parameters in program.likelihood.parameters:
            set_some(scales.wide, program, parameters, units)
    for operation in reversed(program.operations):
        OPERATIONS[operation.kind].find_units(operation, program, scales)
    for levels in (*([] if program.symbols else [program.image]), *program.given.maps):
        size = program.maps[levels.map].features
        scales.narrow[levels.map] = np.full(size, 1 / (program.num_levels - 1))
    if program.symbols:
        scales.wide[program.image.map] = np.ones(program.image.count)
    # Tables first: whoever reads what was looked up asks for its scale.
    for operation in sorted(program.operations, key=lambda each: each.kind != "embed"):
        OPERATIONS[operation.kind].find_scales(operation, program, scales)
    if program.symbols and program.border:
        set_some(scales.narrow, program, program.border, np.full(1, 1 / program.one))
    return scales


def set_some(
    by_map: dict[int, Floats], program: Program, features: Features, values: Floats
) -> None:
    """Set what some features of a map have; the others of a new one have 1."""
    of_map = by_map.setdefault(features.map, np.ones(program.maps[features.map].features))
    of_map[features.first : features.first + features.count] = values


def stream_unit(program: Program) -> float:
    """Return the unit of the residual stream: of sums that nobody else has set a unit for."""
    bits = min(STREAM_BITS, STEM_BITS + math.floor(math.log2(program.num_levels - 1)))
    return float(2.0**-bits)


def is_multiplied(program: Program, operation: Operation) -> bool:
    """Return whether a product reads any of the map that an operation writes."""
    return any(
        tap.features.map == operation.out.map and tap.weights is not None
        for each in program.operations
        for tap in each.taps
    )


def weights_of(tap: Tap) -> Numbers:
    """Return the weights of a tap that is multiplied."""
    if tap.weights is None:
        raise ValueError("a product without weights")
    return tap.weights


def rescaled(operation: Operation, sums: Numbers) -> Numbers:
    """Return bias + sums, and of integers clamp((bias + sums) >> shift)."""
    total = sums if operation.bias is None else sums + operation.bias
    rescale = operation.rescale
    if rescale is None:
        return total
    return np.asarray(np.clip(total >> rescale.shifts, rescale.low, rescale.high))


def products(operation: Operation) -> tuple[Tap, ...]:
    """Return the taps of a linear operation that are multiplied: all but a residual."""
    return operation.taps[operation.residual :]


def fitting(operation: Operation, widths: Widths) -> Floats:
    """Return the scales at which the results of an operation, and somewhat larger ones, still fit.

    A feature that hardly moved on the calibration images may move more on others.
    """
    largest = operation.largest
    if largest is None or np.isnan(largest).any():
        raise ValueError("a program that was shown no images has no scales")
    least = max(float(largest.max()) / LEAST_SHARE, LEAST)
    return np.maximum(largest, least) * widths.margin / widths.largest
