"""From a trained program to an integer one whose results are the same on every machine.

A real number x becomes an integer q with x = scale * q; every feature of every map has a scale of its
own. Narrow maps, which are multiplied, take theirs from the largest values that training images give;
wide maps take theirs from what reads them: a table, a likelihood, the residual stream. A product

    out_j = (bias_j + sum over i of w_ij x_i) >> shift_j

needs no other arithmetic: scales are folded into the weights, w_ij = round(W_ij * scale_i * 2^shift_j /
scale_j), and the largest shift is taken at which weights fit 16 bits and no sum can leave 32, whatever the
inputs. That is proved feature by feature, with the bounds of the clamps (`Bounds`), when a program is
made and again when one is read from a file.

Source of the idea: quantisation of trained networks (Jacob et al. 2018, arXiv 1712.05877, section 2), here
with shifts for multipliers, since the scales are free.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from pixelrnn.coding.bounds import INT32_MAX, largest_magnitudes
from pixelrnn.stepper.integer_tables import (
    COUPLING_STEP_BITS,
    GATE_BITS,
    GATE_STEP_BITS,
    LEVEL_BITS,
    LOG_SCALE_STEP_BITS,
    LOGIT_STEP_BITS,
    curves,
)
from pixelrnn.stepper.program import (
    ADD,
    LINEAR,
    LSTM,
    RELU,
    REQUANTISE,
    FeatureMap,
    Features,
    Floats,
    LikelihoodParameters,
    Operation,
    Program,
    Rescale,
    Tap,
)
from pixelrnn.stepper.runner import Images, Runner

STREAM_BITS = 14  # of the residual stream, behind the point
MAX_SHIFT = 30
LEAST_SHARE = 64  # of the largest feature of a map, that the scale of each must hold


@dataclass(frozen=True)
class Widths:
    """How many bits the integers have.

    Attributes:
        activation_bits: of the magnitude of what is multiplied; 4 to 14.
        weight_bits: of a weight, its sign included; 4 to 16.
        margin: how much larger than on the calibration images a value may be before it is clamped.
    """

    activation_bits: int = 12
    weight_bits: int = 16
    margin: float = 1.1

    def __post_init__(self) -> None:
        if not (4 <= self.activation_bits <= 14 and 4 <= self.weight_bits <= 16):
            raise ValueError(f"activations have 4 to 14 bits and weights 4 to 16, not {self}")

    @property
    def largest(self) -> int:
        """The largest magnitude of an activation."""
        return (1 << self.activation_bits) - 1


def export(program: Program, images: Images, widths: Widths = Widths()) -> Program:  # noqa: B008
    """Return the integer program of a program of floats.

    Args:
        program: from a model's `lower`.
        images: uint8 `(N, C, H, W)`: what the model was trained on, or some hundred of it; they say how
            large the values between the layers become.
        widths: of the integers.

    Raises:
        ValueError: if the weights are too large for sums of 32 bits at any scale.
    """
    stepped = Runner(program).run(images, np.array(True), want_largest=True)
    if stepped.largest is None:
        raise AssertionError
    return _Exporter(program, np.asarray(stepped.largest, np.float64), widths).export()


@dataclass
class _Exporter:
    """One export: the program, the largest magnitude of each result, and what is made of each map."""

    source: Program
    largest: npt.NDArray[np.float64]
    widths: Widths
    narrow: dict[int, Features] = field(default_factory=dict)
    wide: dict[int, Features] = field(default_factory=dict)
    scales: dict[int, Floats] = field(default_factory=dict)  # by map of the result

    def export(self) -> Program:
        source = self.source
        if source.likelihood is None:
            raise ValueError("an unfinished program cannot be exported")
        self.result = Program(source.channels, source.num_levels, source.groups)
        self.result.curves = curves(source.num_levels)
        self._find_uses()
        self._new_maps()
        row = 0
        for section, operations in enumerate(source.sections):
            with self.result.section("row_end" if section == source.groups else section):
                for operation in operations:
                    self._convert(operation, self.largest[row])
                    row += 1
        self.result.image = self._moved(self.narrow, source.image)
        if source.border is not None:
            self.result.border = self._moved(self.narrow, source.border)
        parameters = tuple(self._moved(self.wide, each) for each in source.likelihood.parameters)
        self.result.likelihood = LikelihoodParameters(
            source.likelihood.kind, parameters, source.likelihood.components
        )
        largest_magnitudes(self.result)  # the proof
        return self.result

    def _find_uses(self) -> None:
        """Find out which maps are multiplied, which are summed up, and what units the latter have."""
        source = self.source
        operations = source.operations
        self.units: dict[int, Floats] = {}
        self.multiplied = {source.image.map}
        self.hidden = set()
        for operation in operations:
            products = operation.taps[operation.residual :]
            if operation.code == LINEAR:
                self.multiplied |= {tap.features.map for tap in products}
            if operation.code == LSTM:
                self.hidden.add(operation.out.map)
                gates = operation.taps[0].features
                self.units[gates.map] = np.full(gates.count, 2.0**-GATE_STEP_BITS)
        for operation in operations:
            if operation.code == ADD and operation.taps[0].features.map in self.hidden:
                self.hidden.add(operation.out.map)
        for parameters, units in zip(*self._parameter_units(), strict=True):
            of_map = self.units.setdefault(
                parameters.map, np.ones(source.maps[parameters.map].features)
            )
            of_map[parameters.first : parameters.first + parameters.count] = units
        for operation in reversed(operations):
            if operation.code == ADD and operation.out.map in self.units:
                first, (tap,) = operation.out.first, operation.taps
                units = self.units[operation.out.map][first : first + operation.out.count]
                self.units[tap.features.map] = units

    def _parameter_units(self) -> tuple[Sequence[Features], list[Floats]]:
        """Return the parameters of each group, and the real number that 1 stands for in each."""
        likelihood, channels = self.source.likelihood, self.source.channels
        assert likelihood is not None
        logit = 2.0**-LOGIT_STEP_BITS
        if likelihood.kind == "categorical":
            return likelihood.parameters, [np.full(p.count, logit) for p in likelihood.parameters]
        k = likelihood.components
        level = 2 / (self.source.num_levels - 1) * 2.0**-LEVEL_BITS
        units = np.repeat(
            [
                logit,
                level / likelihood.mean_unit,
                2.0**-LOG_SCALE_STEP_BITS,
                2.0**-COUPLING_STEP_BITS,
                level,
            ],
            [k, k * channels, k * channels, k * channels * (channels - 1) // 2, channels],
        )
        return likelihood.parameters, [units]

    def _new_maps(self) -> None:
        """Make the narrow and the wide map of each map that needs one."""
        source = self.source
        written = {operation.out.map: operation for operation in source.operations}
        cells = {op.cell.map for op in source.operations if op.cell is not None}
        for number, feature_map in enumerate(source.maps):
            operation = written.get(number)
            if number in cells:
                self._new(self.wide, number, np.full(feature_map.features, 2.0**-GATE_BITS))
                continue
            if number == source.image.map:
                self._new(self.narrow, number, np.full(feature_map.features, 1 / (source.num_levels - 1)))
                continue
            is_sum = operation is not None and (
                (operation.code == LINEAR and not operation.relu)
                or (operation.code == ADD and number not in self.hidden)
            )
            if is_sum:
                stream = np.full(feature_map.features, 2.0**-STREAM_BITS)
                self._new(self.wide, number, self.units.get(number, stream))
            if number in self.hidden:
                scale = np.full(feature_map.features, 2.0**-self.widths.activation_bits)
                self._new(self.narrow, number, scale)
            elif not is_sum or number in self.multiplied:
                self._new(self.narrow, number, np.ones(feature_map.features))  # set when it is written

    def _new(self, maps: dict[int, Features], number: int, scale: Floats) -> None:
        source = self.source.maps[number]
        wide = maps is self.wide
        fill = np.round(source.fill / scale).astype(np.int32 if wide else np.int16)
        self.result.maps.append(FeatureMap(source.features, fill, wide))
        maps[number] = Features(len(self.result.maps) - 1, 0, source.features)
        self.scales[maps[number].map] = scale

    @staticmethod
    def _moved(maps: dict[int, Features], features: Features) -> Features:
        """Return the same features in the map that was made of theirs."""
        return maps[features.map].part(features.first, features.count)

    def _scale(self, features: Features) -> Floats:
        return self.scales[features.map][features.first : features.first + features.count]

    def _convert(self, operation: Operation, largest: Floats) -> None:
        largest = largest[: operation.out.count]
        if operation.code == LINEAR:
            self._linear(operation, largest)
        elif operation.code == RELU:
            self._requantise(operation.taps[0].features, operation.out, largest, low=0)
        elif operation.code == ADD:
            maps = self.narrow if operation.out.map in self.hidden else self.wide
            taps = tuple(
                Tap(self._moved(maps, tap.features), tap.row, tap.column) for tap in operation.taps
            )
            self.result.append(Operation(ADD, self._moved(maps, operation.out), taps))
        elif operation.code == LSTM:
            gates, before = operation.taps
            assert operation.cell is not None
            shift = 2 * GATE_BITS - self.widths.activation_bits
            self.result.append(
                Operation(
                    LSTM,
                    self._moved(self.narrow, operation.out),
                    (
                        Tap(self._moved(self.wide, gates.features)),
                        Tap(self._moved(self.wide, before.features), before.row, before.column),
                    ),
                    cell=self._moved(self.wide, operation.cell),
                    rescale=Rescale(np.full(1, shift, np.int32), shift, 0),
                )
            )

    def _linear(self, operation: Operation, largest: Floats) -> None:
        """Convert a product; where its sums are multiplied in turn, they are also made narrow."""
        is_wide = not operation.relu
        out = self._moved(self.wide if is_wide else self.narrow, operation.out)
        if not is_wide:
            self._scale(out)[:] = self._fitting(largest)
        products = operation.taps[operation.residual :]
        sources = [self._moved(self.narrow, tap.features) for tap in products]
        # A joined tap runs over several pixels of its map.
        columns = [-(-tap.features.count // self.source.maps[tap.features.map].features) for tap in products]
        sources = [Features(s.map, s.first, tap.features.count) for s, tap in zip(sources, products, strict=True)]
        scales = np.concatenate(
            [np.tile(self.scales[s.map], n)[s.first : s.first + s.count] for s, n in zip(sources, columns, strict=True)]
        )
        weights = np.concatenate([tap.weights for tap in products if tap.weights is not None])
        bounds = np.concatenate(
            [np.full(s.count, self._bound(s)) for s in sources]
        )
        bias = np.zeros(out.count) if operation.bias is None else operation.bias
        integers, biases, shifts = self._weights(
            weights * scales[:, None] / self._scale(out), bias / self._scale(out), bounds
        )
        taps: list[Tap] = []
        if operation.residual:
            taps.append(Tap(self._moved(self.wide, operation.taps[0].features)))
        at = 0
        for tap, features in zip(products, sources, strict=True):
            taps.append(Tap(features, tap.row, tap.column, integers[at : at + features.count]))
            at += features.count
        high = INT32_MAX if is_wide else self.widths.largest
        low = -INT32_MAX if is_wide else 0
        rescale = Rescale(shifts, low, high)
        self.result.append(Operation(LINEAR, out, tuple(taps), biases, operation.residual, rescale=rescale))
        if is_wide and operation.out.map in self.narrow:
            self._requantise(operation.out, operation.out, largest, low=-self.widths.largest)

    def _bound(self, features: Features) -> int:
        """Return the largest magnitude that a narrow feature can have."""
        if features.map == self.narrow[self.source.image.map].map:
            return self.source.num_levels - 1
        return 2 << self.widths.activation_bits if self._is_hidden(features) else self.widths.largest

    def _is_hidden(self, features: Features) -> bool:
        return any(self.narrow[number].map == features.map for number in self.hidden)

    def _fitting(self, largest: Floats) -> Floats:
        """Return the scales at which values, and a little larger ones, still fit.

        A feature that hardly moved on the calibration images may move more on others.
        """
        least = max(float(largest.max()) / LEAST_SHARE, 1e-6)
        return np.maximum(largest, least) * self.widths.margin / self.widths.largest

    def _requantise(self, source: Features, out: Features, largest: Floats, *, low: int) -> None:
        """Make wide values narrow: by a power of two, feature by feature."""
        wide, narrow = self._moved(self.wide, source), self._moved(self.narrow, out)
        stream = self._scale(wide)
        shifts = np.ceil(np.log2(self._fitting(largest) / stream)).clip(0, MAX_SHIFT)
        self._scale(narrow)[:] = stream * 2.0**shifts
        shifts = shifts.astype(np.int32)
        rescale = Rescale(shifts, low, self.widths.largest)
        halves = _halves(shifts)
        self.result.append(Operation(REQUANTISE, narrow, (Tap(wide),), halves, rescale=rescale))

    def _weights(
        self, weights: Floats, bias: Floats, bounds: npt.NDArray[np.int64]
    ) -> tuple[npt.NDArray[np.int16], npt.NDArray[np.int32], npt.NDArray[np.int32]]:
        """Return integer weights, biases and shifts; weights `(inputs, outputs)` and bias in units of the result."""
        limit = (1 << (self.widths.weight_bits - 1)) - 1
        shifts = np.full(weights.shape[1], MAX_SHIFT, np.int32)
        while True:
            factors = 2.0**shifts
            integers = np.round(weights * factors).astype(np.int64)
            biases = np.round(bias * factors).astype(np.int64) + _halves(shifts)
            sums = (np.abs(integers) * bounds[:, None]).sum(axis=0) + np.abs(biases)
            too_large = (np.abs(integers).max(axis=0, initial=0) > limit) | (sums > INT32_MAX)
            if not too_large.any():
                break
            if (shifts[too_large] == 0).any():
                raise ValueError("the weights of this model are too large for sums of 32 bits")
            shifts = np.where(too_large, shifts - 1, shifts).astype(np.int32)
        return integers.astype(np.int16), biases.astype(np.int32), shifts


def _halves(shifts: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
    """Return what, added before the shift, rounds to the nearest."""
    return np.where(shifts > 0, 1 << np.maximum(shifts - 1, 0), 0).astype(np.int32)
