"""From a trained program to an integer one whose results are the same on every machine.

Every operation is converted by itself, its scales (`scales.py`) being folded into its weights:

    out_j = clamp((bias_j + sum over i of w_ij x_i) >> shift_j)
    w_ij = round(W_ij * scale_i / scale_j * 2^shift_j)

so that a result needs no other arithmetic. The shift is the largest at which all weights fit into 16 bits
and no sum can leave 32, whatever the inputs; that is proved feature by feature, from the bounds of the
clamps (`bounds.py`), when a program is made and again when one is read from a file.

Source of the idea: quantisation of trained networks (Jacob et al. 2018, arXiv 1712.05877, section 2); there
each result is multiplied, here shifts do, for scales are free.
"""

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from pixelrnn.coding.bounds import INT32_MAX, largest_magnitudes
from pixelrnn.coding.scales import Scales, Widths, find_scales, of_features, products
from pixelrnn.errors import ExportError
from pixelrnn.graph.integer_tables import GATE_BITS, curves
from pixelrnn.graph.program import (
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

MAX_SHIFT = 30
# A hidden state is at most 1, and two are added; but the state outside the image is learned, and may be
# larger. The proof knows it, and where it fails there is made room for it.
HIDDEN_ROOMS = (2, 4, 8)
TOO_LARGE = 2.0**40  # for any sum


def export(program: Program, widths: Widths = Widths()) -> Program:  # noqa: B008
    """Return the integer program of a program of floats.

    Args:
        program: from a model's `lower`, which says how large the values between the layers become.
        widths: of the integers.

    Raises:
        ExportError: if the weights are too large for integers of these widths.

    Example:
        >>> from pixelrnn.models import PixelCNNConfig, build
        >>> images = np.arange(48, dtype=np.uint8).reshape(1, 3, 4, 4)
        >>> integers = export(build(PixelCNNConfig(features=4, layers=1)).lower(images))
        >>> integers.operations[0].taps[0].weights.dtype
        dtype('int16')
    """
    scales = find_scales(program, widths)
    for room in HIDDEN_ROOMS:
        result = _Exporter(program, scales, widths, room).export()
        try:
            largest_magnitudes(result)  # the proof
            return result
        except ValueError as error:
            trouble = error
    raise ExportError(f"{trouble}: this model needs fewer bits of activations or of weights")


@dataclass
class _Exporter:
    """One export: narrow and wide maps made of the program's, then its operations one by one."""

    source: Program
    scales: Scales
    widths: Widths
    room: int
    narrow: dict[int, Features] = field(default_factory=dict)
    wide: dict[int, Features] = field(default_factory=dict)

    def export(self) -> Program:
        source, likelihood = self.source, self.source.likelihood
        if likelihood is None:
            raise ValueError("an unfinished program has no integers")
        result = self.result = Program(source.channels, source.num_levels, source.groups)
        result.curves = curves(source.num_levels)
        for number in range(len(source.maps)):
            self._new_map(number, self.narrow, self.scales.narrow)
            self._new_map(number, self.wide, self.scales.wide)
        for section, operations in enumerate(source.sections):
            with result.section("row_end" if section == source.groups else section):
                for operation in operations:
                    self._convert(operation)
        result.image = _moved(self.narrow, source.image)
        result.border = _moved(self.narrow, source.border) if source.border else None
        parameters = tuple(_moved(self.wide, each) for each in likelihood.parameters)
        result.likelihood = LikelihoodParameters(likelihood.kind, parameters, likelihood.components)
        return result

    def _new_map(self, number: int, maps: dict[int, Features], scales: dict[int, Floats]) -> None:
        if number not in scales:
            return
        source, wide = self.source.maps[number], maps is self.wide
        fill = np.round(source.fill / scales[number]).astype(np.int32 if wide else np.int16)
        self.result.maps.append(FeatureMap(source.features, fill, wide))
        maps[number] = Features(len(self.result.maps) - 1, 0, source.features)

    def _convert(self, operation: Operation) -> None:
        if operation.code == LINEAR:
            self._linear(operation)
        elif operation.code == RELU:
            self._requantise(operation.taps[0].features, operation.out, low=0)
        elif operation.code == ADD:
            maps = self.narrow if operation.out.map in self.scales.hidden else self.wide
            taps = tuple(_moved_tap(maps, tap) for tap in operation.taps)
            self.result.append(Operation(ADD, _moved(maps, operation.out), taps))
        elif operation.code == LSTM and operation.cell is not None:
            shift = np.full(1, 2 * GATE_BITS - self.widths.activation_bits, np.int32)
            self.result.append(
                Operation(
                    LSTM,
                    _moved(self.narrow, operation.out),
                    tuple(_moved_tap(self.wide, tap) for tap in operation.taps),
                    cell=_moved(self.wide, operation.cell),
                    rescale=Rescale(shift, int(shift[0]), 0),
                )
            )
        else:
            raise ValueError(f"no integers are known for an operation of code {operation.code}")

    def _linear(self, operation: Operation) -> None:
        """Convert a product; where its sums are multiplied in turn, they are also made narrow."""
        is_wide = not operation.relu
        maps, scales = (
            (self.wide, self.scales.wide) if is_wide else (self.narrow, self.scales.narrow)
        )
        taps = products(operation)
        inputs = np.concatenate([of_features(self.scales.narrow, tap.features) for tap in taps])
        outputs = of_features(scales, operation.out)
        bounds = np.concatenate([np.full(t.features.count, self._bound(t.features)) for t in taps])
        bias = np.zeros(operation.out.count) if operation.bias is None else operation.bias
        weights = np.concatenate([tap.weights for tap in taps])
        whole, biases, shifts = self._weights(
            weights * inputs[:, None] / outputs, bias / outputs, bounds
        )
        parts = np.split(whole, np.cumsum([tap.features.count for tap in taps])[:-1])
        moved = [
            Tap(_moved(self.narrow, tap.features), tap.row, tap.column, part)
            for tap, part in zip(taps, parts, strict=True)
        ]
        if operation.residual:
            moved.insert(0, _moved_tap(self.wide, operation.taps[0]))
        high = INT32_MAX if is_wide else self.widths.largest
        rescale = Rescale(shifts, -high if is_wide else 0, high)
        out = _moved(maps, operation.out)
        self.result.append(
            Operation(LINEAR, out, tuple(moved), biases, operation.residual, rescale=rescale)
        )
        if is_wide and operation.out.map in self.scales.narrow:
            self._requantise(operation.out, operation.out, low=-self.widths.largest)

    def _bound(self, features: Features) -> int:
        """Return the largest magnitude that a narrow feature can have."""
        if features.map == self.source.image.map:
            return self.source.num_levels - 1
        is_hidden = features.map in self.scales.hidden  # or the sum of two
        return self.room << self.widths.activation_bits if is_hidden else self.widths.largest

    def _requantise(self, source: Features, out: Features, *, low: int) -> None:
        """Make wide values narrow, feature by feature: scales differ by powers of two."""
        ratio = of_features(self.scales.narrow, out) / of_features(self.scales.wide, source)
        shifts = np.log2(ratio).round().astype(np.int32)
        self.result.append(
            Operation(
                REQUANTISE,
                _moved(self.narrow, out),
                (Tap(_moved(self.wide, source)),),
                _halves(shifts),
                rescale=Rescale(shifts, low, self.widths.largest),
            )
        )

    def _weights(
        self, weights: Floats, bias: Floats, bounds: npt.NDArray[np.int64]
    ) -> tuple[npt.NDArray[np.int16], npt.NDArray[np.int32], npt.NDArray[np.int32]]:
        """Return integer weights, biases and shifts.

        Args:
            weights: `(inputs, outputs)`, for inputs and results in their scales.
            bias: `(outputs,)`, likewise.
            bounds: the largest magnitude of each input.
        """
        limit = (1 << (self.widths.weight_bits - 1)) - 1
        shifts = np.full(weights.shape[1], MAX_SHIFT, np.int32)
        while True:
            factors = 2.0**shifts
            whole = _rounded(weights * factors)
            biases = _rounded(bias * factors) + _halves(shifts)
            sums = bounds @ np.abs(whole) + np.abs(biases)
            too_large = (np.abs(whole).max(axis=0) > limit) | (sums > INT32_MAX)
            if not too_large.any():
                return whole.astype(np.int16), biases.astype(np.int32), shifts
            if not shifts[too_large].all():
                raise ExportError(
                    "the weights of this model do not fit such integers: give more bits to weights, "
                    "or to activations"
                )
            shifts = (shifts - too_large).astype(np.int32)


def _moved(maps: dict[int, Features], features: Features) -> Features:
    """Return the same features in the map that was made of theirs."""
    return maps[features.map].part(features.first, features.count)


def _moved_tap(maps: dict[int, Features], tap: Tap) -> Tap:
    return Tap(_moved(maps, tap.features), tap.row, tap.column)


def _rounded(values: Floats) -> npt.NDArray[np.int64]:
    """Return the nearest integers; what is far too large stays that, and an integer."""
    return np.round(values).clip(-TOO_LARGE, TOO_LARGE).astype(np.int64)


def _halves(shifts: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
    """Return what, added before the shift, rounds to the nearest."""
    return ((1 << shifts.astype(np.int64)) >> 1).astype(np.int32)
