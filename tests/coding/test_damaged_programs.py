"""Programs that are damaged on purpose: what a file says is checked, whatever it is, before it is run."""

import copy

import numpy as np
import pytest

from pixelrnn.errors import ModelFileError
from pixelrnn.stepper.machine import run_rows

OPERATIONS = {"product": 0, "lstm": 1, "sum": 2, "shift": 4, "stream": 5}  # of `stored`
NO_NUMBERS = [-1, 10**30, 10**400, 1.5, "1", None, [1], {}]
STRUCTURES = {  # a place, and what is put there
    "channels": [2, 0, True, *NO_NUMBERS],
    "num_levels": [1, 257, True, *NO_NUMBERS],
    "groups": [0, 2, *NO_NUMBERS],
    "components": [2000, True, *NO_NUMBERS],
    "likelihood": ["softmax", "logistic-mixture", *NO_NUMBERS],
    "parameters": [[], [[9, 0, 4]], [[9, 1, 5]], [[3, 0, 5]], [[9, 0, 5]] * 2, *NO_NUMBERS],
    "image": [[0, 0, 2], [0, 2, 1], [5, 0, 1], [99, 0, 1], [0, 0], *NO_NUMBERS],
    "border": [[0, 0, 2], [0, 2, 1], [5, 0, 1], [99, 0, 1], [0, 0], "none"],
    "wide": [[], [True] * 10, [False] * 10, [False] * 5 + [True] * 6, None, 1],
    "sections": [[], [[]], [[], [], []], [[{}], []], [[], []], None, 1, "ab"],
    "sections 0 product code": ["relu", "lstm", "requantise", "add", *NO_NUMBERS],
    "sections 0 product out": [[5, 0, 13], [5, 0, 0], [5, 1, 12], [5, 0, 11], *NO_NUMBERS],
    "sections 0 product taps": [[], [[0, 0, 2, 0, -1]] * 4, *NO_NUMBERS],
    "sections 0 product taps 0": [[5, 0, 2, 0, -1], [0, 1, 2, 0, -1], [0, 0, 2, 0]],
    "sections 0 product taps 0 0": [10, *NO_NUMBERS],
    "sections 0 product taps 0 1": [1, 5, *NO_NUMBERS],
    "sections 0 product taps 0 2": [1, 3, 4, 0, 10**6, *NO_NUMBERS],
    "sections 0 product taps 0 3": [1, -2000, *(each for each in NO_NUMBERS if each != -1)],
    "sections 0 product taps 0 4": [1, 5000, -5000, *(each for each in NO_NUMBERS if each != -1)],
    "sections 0 product residual": [True, 1, "no"],
    "sections 0 product bounds": [[0], [1, 5], [-5, -1], [0, 2**31], [-(2**31), 0], *NO_NUMBERS],
    "sections 0 lstm cell": [[3, 0, 3], [6, 1, 2], [6, 0, 2], [6, 0, 4], *NO_NUMBERS],
    "sections 0 lstm out": [[6, 0, 3], [1, 1, 2], [3, 3, 3]],
    "sections 0 lstm bounds": [[13, 0], [28, 0], ["16", 0], [16.0, 0], [16], *NO_NUMBERS],
    "sections 0 lstm taps": [[], [[5, 0, 12, 0, 0]], [[5, 0, 12, 0, 0], [1, 0, 3, -1, 0]]],
    "sections 0 lstm taps 0": [[5, 0, 11, 0, 0], [3, 0, 9, 0, 0], [5, 0, 12, 0, 1]],
    "sections 0 sum taps": [[], [[1, 0, 2, 0, 0]], [[6, 0, 3, 0, 0]], [[1, 1, 3, 0, 0]]],
    "sections 0 sum out": [[3, 7, 3], [6, 0, 3], [2, 0, 2], [2, -1, 3]],
    "sections 0 shift out": [[7, 0, 9], [3, 0, 8], [3, 1, 9]],
    "sections 0 shift taps": [[], [[3, 0, 9, 0, 0]], [[7, 0, 9, 0, 0]] * 2, [[7, 1, 9, 0, 0]]],
    "sections 0 shift bounds": [[0, 2**15], [-(2**15), 0], [0, -1], [0, 5, 5]],
    "sections 0 stream taps 0": [[3, 0, 9, 0, 0], [7, 0, 8, 0, 0], [7, 1, 9, 0, 0]],
    "sections 1 0 taps 0": [[1, 0, 3, 1, 0], [1, 0, 4, 0, 0]],
}  # fmt: skip


@pytest.mark.parametrize("where", STRUCTURES)
def test_a_structure_that_is_damaged_is_refused(where, stored):
    path = [int(word) if word.isdigit() else OPERATIONS.get(word, word) for word in where.split()]
    inner, key = stored.around(path), path[-1]
    for value in STRUCTURES[where]:
        inner[key] = value
        stored.refused()
    if isinstance(inner, dict):
        del inner[key]
        stored.refused()


def filled(value, dtype=None):
    return lambda array: np.full_like(array, value, dtype)


ARRAYS = {
    "operation.0.shifts": [filled(40), filled(32), filled(-1)],
    "operation.0.bias": [filled(2**31 - 1)],
    "operation.0.tap.2": [np.transpose, filled(0, np.int8)],
    "operation.7.tap.0": [lambda array: array[:, :4]],
    "map.3.fill": [filled(0, np.int32), lambda array: array[:0]],
    "map.7.fill": [filled(0, np.int16)],
    "curve.sigmoid": [filled(-1), filled(2**14 + 1), filled(0, np.int64)],
    "curve.tanh": [filled(2**14 + 1), filled(-(2**14) - 1)],
    "curve.exponential": [filled(-1), filled(0), filled(2**20 + 1), np.flip],
    "curve.logistic": [filled(0), filled(2**22), np.flip, lambda array: array + 1],
    "curve.inverse_scales": [filled(-1), filled(2**32 + 1)],
    "curve.coupling": [filled(2**12 + 1), filled(-(2**12) - 1)],
}


@pytest.mark.parametrize("name", ARRAYS)
def test_arrays_that_are_damaged_are_refused(name, stored):
    sound = stored.arrays[name]
    as_floats, shorter, deeper = np.float32, lambda array: array[:-1], lambda array: array[None]
    for change in [*ARRAYS[name], as_floats, shorter, deeper]:
        stored.arrays[name] = np.ascontiguousarray(change(sound))
        stored.refused()
    del stored.arrays[name]
    stored.refused()


def test_a_table_that_falls_somewhere_is_refused(stored):
    stored.arrays["curve.logistic"][[500, 501]] = stored.arrays["curve.logistic"][[501, 500]]
    assert "logistic" in stored.refused()


STRAY = [
    ("operation.99.bias", np.int32, 3),
    ("operation.0.tap.3", np.int16, 24),
    ("more", np.int64, 1),
    ("curve.more", np.int64, 1),
    ("map.10.fill", np.int16, 1),
]
IDLE = [  # they would change the kind of numbers that the loop runs on, or be carried along unseen
    ("operation.1.shifts", np.float32, 1),
    ("operation.1.shifts", np.int64, 1),
    ("operation.1.bias", np.float32, 3),
    ("operation.2.bias", np.int32, 3),
    ("operation.2.shifts", np.float32, 3),
    ("operation.2.tap.0", np.int16, 9),
    ("operation.4.tap.0", np.int16, 81),
]


@pytest.mark.parametrize(("name", "dtype", "size"), [*STRAY, *IDLE])
def test_arrays_that_no_operation_reads_are_refused(name, dtype, size, stored):
    rows = int(size**0.5) if name.endswith("tap.0") else size
    stored.arrays[name] = np.zeros((rows, rows) if rows < size else size, dtype)
    if name == "operation.2.shifts":
        stored.structure["sections"][0][OPERATIONS["sum"]]["bounds"] = [0, 0]
    stored.refused()


METADATA = {
    "format": ["", "pixelrnn", "PIXELRNN-INTEGER-PROGRAM"],
    "format_version": ["", "0", "2", "1.0", "x"],
    "structure": [
        "",
        "{",
        "null",
        "[]",
        "{}",
        "1e5",
        "NaN",
        "[" * 100_000,
        '"structure"',
        "9" * 9999,
    ],
}


@pytest.mark.parametrize("key", METADATA)
def test_metadata_that_is_damaged_is_refused(key, stored):
    for value in METADATA[key]:
        stored.metadata[key] = value
        message = stored.refused()
        assert key != "format_version" or "install a later pixelrnn" in message
    stored.metadata.pop(key)
    stored.structure = None if key == "structure" else stored.structure
    stored.refused()


def test_whatever_a_structure_says_it_is_refused_or_codes_images(
    stored, check_that_images_come_back
):
    """And no numbers but those that the loop is compiled for get into it."""
    draw, sound = np.random.default_rng(5), stored.structure
    check_that_images_come_back(stored.load().program)
    compiled, let_pass = len(run_rows.signatures), 0
    values = [*NO_NUMBERS, 0, 1, 2, 3, 5, 9, True, False, -2, -5, "add", "linear", [0, 0, 1]]
    for _ in range(200):
        stored.structure = copy.deepcopy(sound)
        for _ in range(draw.integers(1, 3)):
            leaves = list(stored.leaves())
            where = leaves[draw.integers(len(leaves))]
            stored.around(where)[where[-1]] = values[draw.integers(len(values))]
        try:
            program = stored.load().program
        except ModelFileError:
            continue
        check_that_images_come_back(program)
        let_pass += 1
    assert 5 < let_pass < 100
    assert len(run_rows.signatures) == compiled
