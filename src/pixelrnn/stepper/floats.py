"""The world of floats: a program as it was trained, to score, to sample and to complete."""

from typing import Any, NamedTuple

import numpy as np
from numba import njit, types
from numba.extending import overload

from pixelrnn.graph.program import ADD, LINEAR, LSTM, RELU
from pixelrnn.stepper.draws import settle_floats
from pixelrnn.stepper.kernels import accumulate, add, begin, lstm, rectify, widen
from pixelrnn.stepper.places import at_column, place
from pixelrnn.stepper.tables import (
    MAP_FEATURES,
    MAP_STEP,
    OP_BIAS,
    OP_CELL,
    OP_CODE,
    OP_COUNT,
    OP_MAP,
    OP_RELU,
    OP_RESIDUAL,
    OP_TAPS,
    OP_TAPS_END,
    SPEC_CHANNELS,
    SPEC_COMPONENTS,
    SPEC_LEVELS,
    SPEC_PARAMETERS,
    TAP_COUNT,
    TAP_MAP,
    TAP_WEIGHTS,
)
from pixelrnn.stepper.world import begin_pixel, begin_row, run_section, settle, workspace


class Floats(NamedTuple):
    """Weights and memory in one floating-point precision, and what is asked.

    Attributes:
        weights: all weights and biases.
        state: the memory of the maps.
        known: bool `(H, W, C)`: which sub-pixels are given.
        seed: of the random numbers.
        number: of the image among its fellows: it has random numbers of its own.
        temperature: 1 for the model's own distribution.
        nats: float64 `(H, W, C)` for the log-probability of each sub-pixel, or empty.
        parameters: `(H, W, groups, maps)` for the likelihood's parameters, or empty.
        largest: `(operations, features)` for the largest magnitudes that were seen, or empty.
        poison: fill what is not yet computed with NaN, to catch a program that reads it.
    """

    weights: np.ndarray
    state: np.ndarray
    known: np.ndarray
    seed: np.uint64
    number: np.uint64
    temperature: float
    nats: np.ndarray
    parameters: np.ndarray
    largest: np.ndarray
    poison: bool


def _is_ours(world: Any) -> bool:
    return isinstance(world, types.NamedTuple) and world.instance_class is Floats


@njit(fastmath={"contract"}, error_model="numpy")
def _run(
    first: int,
    last: int,
    column: int,
    operations: np.ndarray,
    taps: np.ndarray,
    maps: np.ndarray,
    weights: np.ndarray,
    outs: np.ndarray,
    cells: np.ndarray,
    sources: np.ndarray,
    state: np.ndarray,
    largest: np.ndarray,
) -> None:
    """Run operations first .. last - 1 at one pixel; outs, cells, sources are places at column 0.

    Slices are taken in the kernels: here, among branches, each would be counted as a reference.
    """
    for n in range(first, last):
        code, count = operations[n, OP_CODE], operations[n, OP_COUNT]
        tap, taps_end = operations[n, OP_TAPS], operations[n, OP_TAPS_END]
        out = at_column(operations[n, OP_MAP], column, outs[n], maps)
        source = at_column(taps[tap, TAP_MAP], column, sources[tap], maps) if tap < taps_end else -1
        if code == LINEAR:
            has_residual = operations[n, OP_RESIDUAL]
            begin(
                state, out, count, weights, operations[n, OP_BIAS], source if has_residual else -1
            )
            for t in range(tap + has_residual, taps_end):
                source = at_column(taps[t, TAP_MAP], column, sources[t], maps)
                size, at = taps[t, TAP_COUNT], taps[t, TAP_WEIGHTS]
                accumulate(state, out, count, source, size, weights, at)
            if operations[n, OP_RELU]:
                rectify(state, out, count, out)
        elif code == RELU:
            rectify(state, out, count, source)
        elif code == ADD:
            begin(state, out, count, weights, -1, source)
            for t in range(tap + 1, taps_end):
                add(state, out, count, at_column(taps[t, TAP_MAP], column, sources[t], maps))
        elif code == LSTM:
            before = at_column(taps[tap + 1, TAP_MAP], column, sources[tap + 1], maps)
            cell = at_column(operations[n, OP_CELL], column, cells[n], maps)
            lstm(state, out, cell, count, source, before)
        if largest.size:
            widen(largest, n, state, out, count)


@njit(error_model="numpy")
def _forget_row(row: int, width: int, maps: np.ndarray, state: np.ndarray) -> None:
    """Fill what this row will be with NaN: to read it before it is written is a fault."""
    for m in range(len(maps)):
        start = place(maps, m, row, 0)
        state[start : start + width * maps[m, MAP_STEP]] = np.nan


@njit(error_model="numpy")
def _forget_pixel(row: int, maps: np.ndarray, state: np.ndarray) -> None:
    """Fill with NaN what is kept of the pixel at hand only."""
    for m in range(len(maps)):
        if maps[m, MAP_STEP] == 0:
            start = place(maps, m, row, 0)
            state[start : start + maps[m, MAP_FEATURES]] = np.nan


@njit(error_model="numpy")
def _keep_parameters(
    parameters: np.ndarray, row: int, column: int, group: int, state: np.ndarray, at: int
) -> None:
    parameters[row, column, group, :] = state[at : at + parameters.shape[3]]


@overload(workspace)
def _(world, tables, places):  # type: ignore[no-untyped-def]
    if not _is_ours(world):
        return None

    def with_floats(world, tables, places):  # type: ignore[no-untyped-def]
        spec = tables.spec
        return np.zeros((5, max(spec[SPEC_COMPONENTS], spec[SPEC_CHANNELS], spec[SPEC_LEVELS])))

    return with_floats


@overload(begin_row)
def _(world, tables, row, width):  # type: ignore[no-untyped-def]
    if not _is_ours(world):
        return None

    def with_floats(world, tables, row, width):  # type: ignore[no-untyped-def]
        if world.poison:
            _forget_row(row, width, tables.maps, world.state)

    return with_floats


@overload(begin_pixel)
def _(world, tables, row, column, border):  # type: ignore[no-untyped-def]
    if not _is_ours(world):
        return None

    def with_floats(world, tables, row, column, border):  # type: ignore[no-untyped-def]
        if world.poison:
            _forget_pixel(row, tables.maps, world.state)
        if border >= 0:
            world.state[border] = 1

    return with_floats


@overload(run_section)
def _(world, tables, places, section, column, work):  # type: ignore[no-untyped-def]
    if not _is_ours(world):
        return None

    def with_floats(world, tables, places, section, column, work):  # type: ignore[no-untyped-def]
        outs, cells, sources = places
        sections = tables.sections
        _run(sections[section], sections[section + 1], column, tables.operations, tables.taps,
             tables.maps, world.weights, outs, cells, sources, world.state, world.largest)  # fmt: skip

    return with_floats


@overload(settle)
def _(world, tables, image, row, column, group, parameters, pixel, work):  # type: ignore[no-untyped-def]
    if not _is_ours(world):
        return None

    def with_floats(world, tables, image, row, column, group, parameters, pixel, work):  # type: ignore[no-untyped-def]
        state, spec = world.state, tables.spec
        count = spec[SPEC_PARAMETERS + 3 * group + 2]
        if world.parameters.size:
            _keep_parameters(world.parameters, row, column, group, state, parameters)
        settle_floats(row, column, group, spec, state[parameters : parameters + count],
                      state[pixel:], image, world.known, world.seed, world.number,
                      world.temperature, world.nats, work)  # fmt: skip

    return with_floats
