"""The proof of 32 bits covers what the loop computes, whatever field of a program is changed.

`step` says in plain words, with numbers that never wrap, what the loop does; it is held against the loop
itself. Where a changed program is let pass, inputs as extreme as the bounds allow must stay inside.
"""

import copy

import numpy as np
import pytest

from pixelrnn.errors import ModelFileError
from pixelrnn.kernels import range_coder
from pixelrnn.operations.bounds import INT16_MAX, INT32_MAX, largest_magnitudes
from pixelrnn.operations.scales import of_features
from pixelrnn.stepper.coder import Coder
from pixelrnn.stepper.machine import run_rows

VALUES = [True, False, 0, 1, 9, -1, [], None, [6, 0, 3], [0, 32767], [-32767, 0]]
ARRAYS = [0, 1, -1, 31, 2**15 - 1, -(2**15), 2**31 - 1, -(2**31)]


def step(operation, sources):
    """All numbers that an operation computes, its result last; `sources` are those of each tap."""
    if operation.kind == "add":
        return list(np.cumsum(sources, axis=0))
    if operation.kind == "lstm":
        return []
    rescale, inputs = (
        operation.rescale,
        sources[operation.kind == "linear" and operation.residual :],
    )
    total = operation.bias.astype(np.int64)
    if operation.kind == "requantise":
        (values,) = inputs
        total = total + values
    else:
        taps = operation.taps[operation.residual :]
        for tap, values in zip(taps, inputs, strict=True):
            total = total + values @ tap.weights.astype(np.int64)
    result = np.clip(total >> rescale.shifts, rescale.low, rescale.high)
    if operation.kind == "linear" and operation.residual:
        return [total, result, result + sources[0]]
    return [total, result]


def extremes(operation, bounds):
    """Sources as large as their bounds, whose signs make one result after the other as large as it gets."""
    magnitudes = [of_features(bounds, tap.features) for tap in operation.taps]
    for sign in (1, -1):
        yield [sign * each for each in magnitudes]
        for out in range(operation.out.count) if operation.kind == "linear" else ():
            yield [
                sign
                * (
                    each
                    if tap.weights is None
                    else each * np.sign(tap.weights[:, out].astype(np.int64))
                )
                for tap, each in zip(operation.taps, magnitudes, strict=True)
            ]


def check_proof(program, bounds):
    """Whatever lies within the bounds, what is computed of it fits, and lies within them again."""
    for operation in program.operations:
        limit = INT32_MAX if program.maps[operation.out.map].wide else INT16_MAX
        for sources in extremes(operation, bounds):
            computed = step(operation, sources)
            if computed:
                assert max(np.abs(each).max() for each in computed) <= INT32_MAX
                assert np.abs(computed[-1]).max() <= limit
                assert (np.abs(computed[-1]) <= of_features(bounds, operation.out)).all()


def fields(structure):
    """Where each field of each operation is, and that of every number in its lists."""
    for section, lines in enumerate(structure["sections"]):
        for number, line in enumerate(lines):
            for key, value in line.items():
                yield ("sections", section, number, key)
                if key == "taps":
                    for t, tap in enumerate(value):
                        yield from (
                            ("sections", section, number, key, t, n) for n in range(len(tap))
                        )
                elif isinstance(value, list):
                    yield from (("sections", section, number, key, n) for n in range(len(value)))


def test_every_field_of_every_operation(stored):
    sound, let_pass, refused = stored.structure, 0, 0
    for where in fields(sound):
        for value in VALUES:
            stored.structure = copy.deepcopy(sound)
            stored.around(where)[where[-1]] = value
            if stored.structure == sound and type(value) is type(inner(sound, where)):
                continue
            try:
                program = stored.load().program
            except ModelFileError:
                refused += 1
                continue
            let_pass += 1
            check_proof(program, largest_magnitudes(program))
    assert let_pass > 50
    assert refused > 10 * let_pass


def inner(structure, where):
    for key in where:
        structure = structure[key]
    return structure


def test_every_array_of_every_operation(stored):
    let_pass = 0
    for name in [each for each in stored.arrays if each.startswith(("operation", "map"))]:
        sound = stored.arrays[name]
        for value in ARRAYS:
            if np.iinfo(sound.dtype).min <= value <= np.iinfo(sound.dtype).max:
                stored.arrays[name] = np.full_like(sound, value)
                try:
                    program = stored.load().program
                except ModelFileError:
                    continue
                let_pass += 1
                check_proof(program, largest_magnitudes(program))
        stored.arrays[name] = sound
    assert let_pass > 50


@pytest.mark.parametrize("flipped", [False, True])
def test_biases_as_large_as_the_proof_lets_pass(flipped, stored):
    """Whether an operation says that it has a residual, or not: what the loop adds up fits."""
    lines = [line for section in stored.structure["sections"] for line in section]
    for number, line in enumerate(lines):
        name, let_pass = f"operation.{number}.bias", 0
        if name not in stored.arrays:
            continue
        sound = stored.arrays[name], line["residual"]
        line["residual"] ^= flipped
        for bits in range(31):
            stored.arrays[name] = np.full_like(sound[0], INT32_MAX - (1 << bits))
            try:
                program = stored.load().program
            except ModelFileError:
                continue
            let_pass += 1
            check_proof(program, largest_magnitudes(program))
        stored.arrays[name], line["residual"] = sound
        assert let_pass or flipped


@pytest.mark.parametrize("number", range(8))
def test_smaller_bounds_would_be_seen(number, program_made_by_hand):
    """The check can fail: with one map bounded too low, a result is outside."""
    program = program_made_by_hand("categorical")
    bounds = largest_magnitudes(program)
    operation = program.operations[number]
    if operation.kind == "lstm":
        pytest.skip("its results are bounded by tables, whatever it reads")
    bounds[operation.out.map] = bounds[operation.out.map] // 3
    with pytest.raises(AssertionError):
        check_proof(program, bounds)


def test_plain_steps_are_those_of_the_loop(program_made_by_hand):
    """The last operation of each code on the last pixel of an image: memory holds what it read."""
    program, image = program_made_by_hand("categorical"), np.full((1, 1, 1), 3, np.uint8)
    coder = Coder(program)
    world, tables = coder._state(image.shape, np.zeros(0, np.uint8), reads=False)
    range_coder.start(world.coder)

    def values(features):
        base, _, _, _, step_size, pad = tables.maps[features.map]
        pad *= step_size
        memory = world.wide if program.maps[features.map].wide else world.narrow
        first = int(base + pad) + features.first
        return memory[first : first + features.count].astype(np.int64)

    run_rows(tables, world, image, 0, 1)
    seen = set()
    for operation in program.operations:
        inside = all(tap.row == tap.column == 0 for tap in operation.taps)
        rewritten = any(
            tap.features.map == other.out.map
            for tap in operation.taps
            for other in program.operations[program.operations.index(operation) + 1 :]
        ) or any(
            operation.out.map == other.out.map
            for other in program.operations[program.operations.index(operation) + 1 :]
        )
        if inside and not rewritten and operation.kind != "lstm":
            found = step(operation, [values(tap.features) for tap in operation.taps])[-1]
            np.testing.assert_array_equal(values(operation.out), found)
            seen.add(operation.kind)
    assert seen >= {"requantise"}
