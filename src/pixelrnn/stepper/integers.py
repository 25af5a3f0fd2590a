"""The world of integers: a program made exact, to encode and to decode.

Maps are of two kinds. Those that are multiplied have 16 bits (*narrow*); those that are summed up, the
residual stream, gates, cells and parameters, have 32 (*wide*). Every operation ends in the step that
makes its integers small again: shift right, rounded, and clamp. No float is computed here, which a
test sees to in the compiled code.

    operation   reads              writes            does
    ----------  -----------------  ----------------  ---------------------------------------------------
    linear      narrow             narrow or wide    clamp((bias + weights^T x) >> shift) + residual
    requantise  wide               narrow            clamp((x + half) >> shift)
    add         narrow, or wide    the same          sum
    lstm        gates, cell: wide  narrow, and cell  as for floats, its curves being tables
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic, overload

from pixelrnn.stepper import cumulative, range_coder
from pixelrnn.stepper.integer_products import LANES, product
from pixelrnn.stepper.integer_tables import (
    GATE_BITS,
    GATE_STEP_BITS,
    LEVEL_BITS,
    SIGMOID_SIDE,
    TANH_SIDE,
)
from pixelrnn.stepper.places import at_column
from pixelrnn.stepper.program import ADD, CATEGORICAL, LINEAR, LSTM, REQUANTISE
from pixelrnn.stepper.tables import (
    OP_BIAS,
    OP_CELL,
    OP_CODE,
    OP_COUNT,
    OP_HIGH,
    OP_LOW,
    OP_MAP,
    OP_PAIRS,
    OP_RESIDUAL,
    OP_TAPS,
    OP_TAPS_END,
    OP_WEIGHTS,
    OP_WIDE,
    SPEC_CHANNELS,
    SPEC_COMPONENTS,
    SPEC_GROUPS,
    SPEC_KIND,
    SPEC_LEVELS,
    SPEC_PARAMETERS,
    TAP_COUNT,
    TAP_MAP,
)
from pixelrnn.stepper.world import begin_pixel, begin_row, run_section, settle, workspace

whole: Any = np.int64  # in compiled code, Python's integers mixed with numpy's
whole32: Any = np.int32
CELL_LIMIT = 64 << GATE_BITS


class Integers(NamedTuple):
    """Weights, curves and memory of an integer program, and the message.

    Attributes:
        weights: int16, packed for `integer_products`.
        numbers: int32: biases and shifts.
        sigmoid: see `integer_tables.Curves`, as the five that follow.
        tanh: likewise.
        exponential: likewise.
        logistic: likewise.
        inverse_scales: likewise.
        coupling: likewise.
        narrow: int16, the memory of the narrow maps, and behind them room for gathered inputs.
        gathered_at: where that room is.
        wide: int32, the memory of the wide maps.
        sums: int32, room for the results of an operation.
        coder: int64, the state of the range coder.
        stream: uint8, the message.
        reads: whether the message is read (decode), or written (encode).
        frequencies: int64 `(H, W, C)` for that of each level coded, of 2^24, or empty.
    """

    weights: np.ndarray
    numbers: np.ndarray
    sigmoid: np.ndarray
    tanh: np.ndarray
    exponential: np.ndarray
    logistic: np.ndarray
    inverse_scales: np.ndarray
    coupling: np.ndarray
    narrow: np.ndarray
    gathered_at: int
    wide: np.ndarray
    sums: np.ndarray
    coder: np.ndarray
    stream: np.ndarray
    reads: bool
    frequencies: np.ndarray


class Work(NamedTuple):
    """Memory of `settle`, int64."""

    weights: np.ndarray
    means: np.ndarray
    inverse_scales: np.ndarray
    residuals: np.ndarray


def _is_ours(world: Any) -> bool:
    return isinstance(world, types.NamedTuple) and world.instance_class is Integers


@intrinsic
def _shift(typing_context, value, half, shift):  # type: ignore[no-untyped-def]
    """Return (value + half) >> shift in 32 bits, where the language would take 64."""
    signature = types.int32(types.int32, types.int32, types.int32)

    def generate(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> Any:
        value, half, shift = arguments
        return builder.ashr(builder.add(value, half), shift)

    return signature, generate


shifted: Callable[..., int] = _shift


@njit(error_model="numpy")
def _gather(narrow: np.ndarray, source: int, count: int, to: int) -> None:
    inputs, outputs = narrow[source : source + count], narrow[to : to + count]
    for i in range(count):
        outputs[i] = inputs[i]


@njit(error_model="numpy")
def _keep_narrow(sums: np.ndarray, narrow: np.ndarray, out: int, count: int) -> None:
    outputs, results = narrow[out : out + count], sums[:count]
    for j in range(count):
        outputs[j] = results[j]


@njit(error_model="numpy")
def _keep_wide(sums: np.ndarray, wide: np.ndarray, out: int, count: int, residual: int) -> None:
    outputs, results = wide[out : out + count], sums[:count]
    if residual >= 0:
        more = wide[residual : residual + count]
        for j in range(count):
            outputs[j] = results[j] + more[j]
    else:
        for j in range(count):
            outputs[j] = results[j]


@njit(error_model="numpy")
def _requantise(
    wide: np.ndarray, source: int, narrow: np.ndarray, out: int, count: int,
    numbers: np.ndarray, at: int, stride: int, low: int, high: int,
) -> None:  # fmt: skip
    inputs, outputs = wide[source : source + count], narrow[out : out + count]
    halves, shifts = numbers[at : at + count], numbers[at + stride : at + stride + count]
    for j in range(count):
        outputs[j] = min(max(shifted(inputs[j], halves[j], shifts[j]), low), high)


@njit(error_model="numpy")
def _add(
    narrow: np.ndarray, wide: np.ndarray, is_wide: bool, out: int, count: int, source: int, first: bool
) -> None:  # fmt: skip
    """Add to the result, or begin it."""
    if is_wide:
        for j in range(count):
            wide[out + j] = wide[source + j] + (0 if first else wide[out + j])
    else:
        for j in range(count):
            narrow[out + j] = narrow[source + j] + (0 if first else narrow[out + j])


@njit(inline="always")
def _curve(table: np.ndarray, side: int, value: int) -> int:
    """Return the entry of a table around 0, or the last one on its side."""
    entry: int = whole(table[min(max(whole(value), -side), side) + side])
    return entry


@njit(error_model="numpy")
def _lstm(
    wide: np.ndarray, narrow: np.ndarray, hidden: int, cell: int, count: int, gates: int, before: int,
    shift: int, sigmoid: np.ndarray, tanh: np.ndarray,
) -> None:  # fmt: skip
    """C = f c_before + i g, h = o tanh(c); see `layers/line_lstm.py`.

    Gates, candidates and cells have 14 bits behind the point; `shift` takes the product of two to the
    bits of a narrow feature.
    """
    half_gate, to_step = 1 << (GATE_BITS - 1), GATE_BITS - GATE_STEP_BITS
    for j in range(count):
        keep = _curve(sigmoid, SIGMOID_SIDE, wide[gates + count + j])
        add = _curve(sigmoid, SIGMOID_SIDE, wide[gates + j])
        candidate = _curve(tanh, TANH_SIDE, wide[gates + 3 * count + j])
        value = (keep * whole(wide[before + j]) + add * candidate + half_gate) >> GATE_BITS
        value = min(max(value, -CELL_LIMIT), CELL_LIMIT)
        wide[cell + j] = value
        shown = _curve(tanh, TANH_SIDE, (value + (1 << (to_step - 1))) >> to_step)
        show = _curve(sigmoid, SIGMOID_SIDE, wide[gates + 2 * count + j])
        narrow[hidden + j] = (show * shown + (1 << (shift - 1))) >> shift


@njit(error_model="numpy")
def _run(
    first: int, last: int, column: int, operations: np.ndarray, taps: np.ndarray, maps: np.ndarray,
    weights: np.ndarray, numbers: np.ndarray, sigmoid: np.ndarray, tanh: np.ndarray,
    outs: np.ndarray, cells: np.ndarray, sources: np.ndarray,
    narrow: np.ndarray, gathered_at: int, wide: np.ndarray, sums: np.ndarray,
) -> None:  # fmt: skip
    """Run operations first .. last - 1 at one pixel; outs, cells, sources are places at column 0."""
    for n in range(first, last):
        code, count = operations[n, OP_CODE], operations[n, OP_COUNT]
        tap, taps_end = operations[n, OP_TAPS], operations[n, OP_TAPS_END]
        out = at_column(operations[n, OP_MAP], column, outs[n], maps)
        source = at_column(taps[tap, TAP_MAP], column, sources[tap], maps)
        low, high = whole32(operations[n, OP_LOW]), whole32(operations[n, OP_HIGH])
        vectors = (count + LANES - 1) // LANES
        if code == LINEAR:
            residual = -1
            if operations[n, OP_RESIDUAL]:
                residual = source
                tap += 1
                source = at_column(taps[tap, TAP_MAP], column, sources[tap], maps)
            if taps_end - tap > 1:
                to = gathered_at
                for t in range(tap, taps_end):
                    source = at_column(taps[t, TAP_MAP], column, sources[t], maps)
                    _gather(narrow, source, taps[t, TAP_COUNT], to)
                    to += taps[t, TAP_COUNT]
                narrow[to] = 0
                source = gathered_at
            product(narrow, source, operations[n, OP_PAIRS], weights, operations[n, OP_WEIGHTS], numbers,
                    operations[n, OP_BIAS], vectors, low, high, sums)  # fmt: skip
            if operations[n, OP_WIDE]:
                _keep_wide(sums, wide, out, count, residual)
            else:
                _keep_narrow(sums, narrow, out, count)
        elif code == REQUANTISE:
            _requantise(wide, source, narrow, out, count, numbers, operations[n, OP_BIAS],
                        LANES * vectors, low, high)  # fmt: skip
        elif code == ADD:
            for t in range(tap, taps_end):
                source = at_column(taps[t, TAP_MAP], column, sources[t], maps)
                _add(narrow, wide, operations[n, OP_WIDE], out, count, source, t == tap)
        elif code == LSTM:
            before = at_column(taps[tap + 1, TAP_MAP], column, sources[tap + 1], maps)
            cell = at_column(operations[n, OP_CELL], column, cells[n], maps)
            _lstm(
                wide, narrow, out, cell, count, source, before, operations[n, OP_LOW], sigmoid, tanh
            )


@njit(error_model="numpy")
def _code(reads: bool, coder: np.ndarray, stream: np.ndarray, low: int, high: int) -> None:
    if reads:
        range_coder.take(coder, stream, low, high - low)
    else:
        range_coder.put(coder, stream, low, high - low)


@njit(error_model="numpy")
def _settle_categorical(world: Integers, image, row, column, channel, at, levels, exponents):  # type: ignore[no-untyped-def]
    """Encode or decode a sub-pixel whose logits are in memory."""
    total = cumulative.exponentials(world.wide, at, levels, world.exponential, exponents)
    factor = cumulative.categorical_factor(total, levels)
    if world.reads:
        level, low, high = cumulative.categorical_search(
            range_coder.target(world.coder), levels, exponents, factor
        )
        image[row, column, channel] = level
    else:
        level = whole(image[row, column, channel])
        low, high = cumulative.categorical_bounds(level, levels, exponents, factor)
    _code(world.reads, world.coder, world.stream, low, high)
    return level, high - low


@njit(error_model="numpy")
def _settle_mixture(world, image, row, column, channel, levels, weights, means, inverse_scales):  # type: ignore[no-untyped-def]
    """Encode or decode a sub-pixel whose components are ready."""
    mixture = levels, weights, means, inverse_scales, world.logistic
    if world.reads:
        level, low, high = cumulative.mixture_search(range_coder.target(world.coder), *mixture)
        image[row, column, channel] = level
    else:
        level = whole(image[row, column, channel])
        low = cumulative.mixture_cumulative(level, *mixture)
        high = cumulative.mixture_cumulative(level + 1, *mixture)
    _code(world.reads, world.coder, world.stream, low, high)
    return level, high - low


@njit(error_model="numpy")
def _settle(world, spec, image, row, column, group, at, count, pixel, work):  # type: ignore[no-untyped-def]
    """Encode or decode the colours of a group.

    Where the image has fewer colours than the program, those that are missing equal its last one: a
    grey image is coded as the red of a colour image.
    """
    channels, levels, components = spec[SPEC_CHANNELS], spec[SPEC_LEVELS], spec[SPEC_COMPONENTS]
    weights, means = work.weights, work.means[:components]
    inverse_scales, residuals = work.inverse_scales[:components], work.residuals
    is_categorical, given = spec[SPEC_KIND] == CATEGORICAL, image.shape[2]
    if not is_categorical:
        weights = weights[:components]
        total = cumulative.exponentials(world.wide, at, components, world.exponential, weights)
        cumulative.normalise(weights, total)
    level = whole(0)
    for channel in range(group, group + 1 if spec[SPEC_GROUPS] > 1 else channels):
        if channel >= given:
            level = whole(image[row, column, given - 1])
        elif is_categorical:
            level, frequency = _settle_categorical(
                world, image, row, column, channel, at, levels, weights
            )
            if world.frequencies.size:
                world.frequencies[row, column, channel] = frequency
        else:
            prediction = whole(world.wide[at + count - channels + channel])
            prediction += (levels - 1) << (LEVEL_BITS - 1)
            cumulative.mixture_components(
                world.wide, at, channel, channels, residuals, prediction, world.coupling,
                world.inverse_scales, means, inverse_scales,
            )  # fmt: skip
            level, frequency = _settle_mixture(
                world, image, row, column, channel, levels, weights, means, inverse_scales
            )
            if world.frequencies.size:
                world.frequencies[row, column, channel] = frequency
            residuals[channel] = (level << LEVEL_BITS) - prediction
            if channel < given - 1:
                cumulative.mixture_update(
                    level, levels, weights, means, inverse_scales, world.logistic
                )
        world.narrow[pixel + channel] = 2 * level - (levels - 1)


@overload(workspace)
def _(world, tables):  # type: ignore[no-untyped-def]
    if not _is_ours(world):
        return None

    def with_integers(world, tables):  # type: ignore[no-untyped-def]
        spec = tables.spec
        size = max(spec[SPEC_COMPONENTS], spec[SPEC_LEVELS])
        return Work(
            np.zeros(size, np.int64),
            np.zeros(size, np.int64),
            np.zeros(size, np.int64),
            np.zeros(spec[SPEC_CHANNELS], np.int64),
        )

    return with_integers


@overload(begin_row)
def _(world, tables, row, width):  # type: ignore[no-untyped-def]
    if not _is_ours(world):
        return None

    def with_integers(world, tables, row, width):  # type: ignore[no-untyped-def]
        pass

    return with_integers


@overload(begin_pixel)
def _(world, tables, row, column, border):  # type: ignore[no-untyped-def]
    if not _is_ours(world):
        return None

    def with_integers(world, tables, row, column, border):  # type: ignore[no-untyped-def]
        if border >= 0:
            world.narrow[border] = tables.spec[SPEC_LEVELS] - 1

    return with_integers


@overload(run_section)
def _(world, tables, places, section, column):  # type: ignore[no-untyped-def]
    if not _is_ours(world):
        return None

    def with_integers(world, tables, places, section, column):  # type: ignore[no-untyped-def]
        outs, cells, sources = places
        sections = tables.sections
        _run(sections[section], sections[section + 1], column, tables.operations, tables.taps,
             tables.maps, world.weights, world.numbers, world.sigmoid, world.tanh, outs, cells,
             sources, world.narrow, world.gathered_at, world.wide, world.sums)  # fmt: skip

    return with_integers


@overload(settle)
def _(world, tables, image, row, column, group, parameters, pixel, work):  # type: ignore[no-untyped-def]
    if not _is_ours(world):
        return None

    def with_integers(world, tables, image, row, column, group, parameters, pixel, work):  # type: ignore[no-untyped-def]
        count = tables.spec[SPEC_PARAMETERS + 3 * group + 2]
        _settle(world, tables.spec, image, row, column, group, parameters, count, pixel, work)

    return with_integers
