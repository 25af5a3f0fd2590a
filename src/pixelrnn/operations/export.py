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

from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from pixelrnn.arrays import Floats
from pixelrnn.errors import ExportError
from pixelrnn.graph.curves import GATE_BITS, curves
from pixelrnn.graph.levels import HIGH, largest_parts, num_parts, parts_of
from pixelrnn.graph.operation import Features, Operation, Rescale, Tap
from pixelrnn.graph.program import FeatureMap, Program
from pixelrnn.operations.base import OPERATIONS
from pixelrnn.operations.bounds import INT32_MAX, largest_magnitudes
from pixelrnn.operations.scales import Scales, Widths, find_scales, of_features

MAX_SHIFT = 30
# A hidden state is at most 1, and two are added; but the state outside the image is learned, and may be
# larger. The proof knows it, and where it fails the bound is widened.
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
        result = Exporter(program, scales, room).export()
        try:
            largest_magnitudes(result)  # the proof
            return result
        except ValueError as error:
            trouble = error
    raise ExportError(f"{trouble}: this model needs fewer bits of activations or of weights")


@dataclass
class Exporter:
    """One export: narrow and wide maps made of the program's, then its operations one by one."""

    source: Program
    scales: Scales
    room: int
    narrow: dict[int, Features] = field(default_factory=dict)
    wide: dict[int, Features] = field(default_factory=dict)

    def export(self) -> Program:
        """Return the integer program."""
        source, likelihood = self.source, self.source.likelihood
        if likelihood is None:
            raise ValueError("an unfinished program has no integers")
        result = self.result = Program(source.channels, source.num_levels, source.groups)
        result.curves, result.symbols = curves(source.num_levels), source.symbols
        for number in range(len(source.maps)):
            self._new_map(number, self.narrow, self.scales.narrow)
            self._new_map(number, self.wide, self.scales.wide)
        for name, operations in zip(source.section_names, source.sections, strict=True):
            with result.section(name):
                for operation in operations:
                    OPERATIONS[operation.kind].export(operation, self)
        result.image = self._moved_levels(
            source.image, self.wide if source.symbols else self.narrow
        )
        result.border = self._moved_levels(source.border) if source.border else None
        result.given = source.given.moved(
            lambda each: self._moved_levels(
                each, self.wide if each == source.given.label else self.narrow
            )
        )
        parameters = tuple(moved(self.wide, each) for each in likelihood.parameters)
        result.likelihood = replace(likelihood, parameters=parameters)
        return result

    def _new_map(self, number: int, maps: dict[int, Features], scales: dict[int, Floats]) -> None:
        if number not in scales:
            return
        source, wide = self.source.maps[number], maps is self.wide
        whole = np.round(source.fill / scales[number]).astype(np.int64)
        if self._is_split(number) and not wide:
            whole = parts_of(whole, self.source.num_levels)
        fill = whole.astype(np.int32 if wide else np.int16)
        self.result.maps.append(FeatureMap(len(fill), fill, wide))
        maps[number] = Features(len(self.result.maps) - 1, 0, len(fill))

    def _holds_levels(self, number: int) -> bool:
        """Return whether a map of the source holds levels that are multiplied."""
        source = self.source
        of_image = number == source.image.map and not source.symbols
        return of_image or number in (each.map for each in source.given.maps)

    def _is_split(self, number: int) -> bool:
        return self._holds_levels(number) and num_parts(self.source.num_levels) > 1

    def _moved_levels(
        self, features: Features, maps: dict[int, Features] | None = None
    ) -> Features:
        """Return where levels, or a border or a label beside them, are in integers."""
        parts = num_parts(self.source.num_levels) if self._is_split(features.map) else 1
        maps = self.narrow if maps is None else maps
        return maps[features.map].part(parts * features.first, parts * features.count)

    def reads(self, tap: Tap) -> tuple[Tap, Floats, npt.NDArray[np.int64]]:
        """Return what a product reads in integers with its weights in floats, scales, and bounds."""
        scales, count = of_features(self.scales.narrow, tap.features), tap.features.count
        if not self._is_split(tap.features.map):
            bounds = np.full(count, self.bound(tap.features))
            return replace(tap, features=moved(self.narrow, tap.features)), scales, bounds
        features = self._moved_levels(tap.features)
        weights = None if tap.weights is None else np.repeat(tap.weights, 2, axis=0)
        bounds = np.tile(largest_parts(self.source.num_levels), count)
        return (
            replace(tap, features=features, weights=weights),
            np.outer(scales, [HIGH, 1]).reshape(-1),
            bounds,
        )

    def bound(self, features: Features) -> int:
        """Return the largest magnitude that a narrow feature can have."""
        source = self.source
        if self._holds_levels(features.map):
            return source.num_levels - 1
        is_hidden = features.map in self.scales.hidden  # or the sum of two
        return (
            self.room << self.scales.widths.activation_bits
            if is_hidden
            else self.scales.widths.largest
        )

    def product_shift(self) -> Rescale:
        """Return the shift that takes the product of two curves, 28 bits, to those of an activation."""
        shift = 2 * GATE_BITS - self.scales.widths.activation_bits
        return Rescale(np.full(1, shift, np.int32), shift, 0)

    def narrow_too(self, operation: Operation) -> None:
        """Make a wide result narrow besides, if it is multiplied."""
        if operation.out.map in self.scales.narrow:
            self.requantise(operation.out, operation.out, low=-self.scales.widths.largest)

    def requantise(self, source: Features, out: Features, *, low: int) -> None:
        """Make wide values narrow, feature by feature: scales differ by powers of two."""
        ratio = of_features(self.scales.narrow, out) / of_features(self.scales.wide, source)
        shifts = np.log2(ratio).round().astype(np.int32)
        self.result.append(
            Operation(
                "requantise",
                moved(self.narrow, out),
                (Tap(moved(self.wide, source)),),
                halves(shifts),
                rescale=Rescale(shifts, low, self.scales.widths.largest),
            )
        )

    def whole_weights(
        self, weights: Floats, bias: Floats, bounds: npt.NDArray[np.int64]
    ) -> tuple[npt.NDArray[np.int16], npt.NDArray[np.int32], npt.NDArray[np.int32]]:
        """Return integer weights, biases and shifts.

        Args:
            weights: `(inputs, outputs)`, for inputs and results in their scales.
            bias: `(outputs,)`, likewise.
            bounds: the largest magnitude of each input.
        """
        limit = self.scales.widths.largest_weight
        shifts = np.full(weights.shape[1], MAX_SHIFT, np.int32)
        while True:
            factors = 2.0**shifts
            whole = _rounded(weights * factors)
            biases = _rounded(bias * factors) + halves(shifts)
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


def moved(maps: dict[int, Features], features: Features) -> Features:
    """Return the same features in the map that was made of theirs."""
    return maps[features.map].part(features.first, features.count)


def moved_tap(maps: dict[int, Features], tap: Tap) -> Tap:
    """Return a tap of the same features in the map that was made of theirs, without weights."""
    return Tap(moved(maps, tap.features), tap.row, tap.column)


def _rounded(values: Floats) -> npt.NDArray[np.int64]:
    """Return the nearest integers; what is far too large stays that, and an integer."""
    return np.round(values).clip(-TOO_LARGE, TOO_LARGE).astype(np.int64)


def halves(shifts: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
    """Return what, added before the shift, rounds to the nearest."""
    return ((1 << shifts.astype(np.int64)) >> 1).astype(np.int32)
