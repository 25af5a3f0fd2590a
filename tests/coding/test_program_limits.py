"""What an integer program may ask for is counted before it is done, and refused above `limits.py`."""

import json
import struct

import numpy as np
import pytest

from pixelrnn.coding import load_program
from pixelrnn.errors import ModelFileError
from pixelrnn.graph.operation import Features, Operation, Rescale, Tap
from pixelrnn.operations import OPERATIONS, bounds, checks, limits
from pixelrnn.untrusted import MAX_HEADER_BYTES
from spending import spending


def chained(program, count, *, row=0):
    """A program with many sums, each of which reads the one before, or the one behind, a row above."""
    stream = program.operations[3].out
    for _ in range(count):
        last = Features(len(program.maps) - 1, 0, stream.count)
        program.maps.append(type(program.maps[0])(9, np.zeros(9, np.int32), True))
        new = Features(len(program.maps) - 1, 0, 9)
        source = last if program.maps[last.map].features == 9 else stream
        program.append(Operation("add", new, (Tap(source),)))
    if row:
        program.sections[0][-count:] = [
            Operation("add", each.out, (Tap(each.taps[0].features, -1),))
            for each in reversed(program.sections[0][-count:])
        ]
    return program


def counted(monkeypatch):
    """A list that grows with every operation whose bounds are computed."""
    calls = []

    for kind in map(type, OPERATIONS.values()):

        def bound(self, operation, proof, real=kind.bound):
            calls.append(operation)
            real(self, operation, proof)

        monkeypatch.setattr(kind, "bound", bound)
    return calls


def test_the_proof_of_a_long_chain_is_linear(program_made_by_hand, monkeypatch):
    calls = counted(monkeypatch)
    program = chained(program_made_by_hand("categorical"), 1000)
    largest = bounds.largest_magnitudes(program)
    assert len(calls) < 3 * len(program.operations)
    np.testing.assert_array_equal(
        largest[len(program.maps) - 1], largest[program.operations[3].out.map]
    )


def test_the_proof_of_a_chain_against_the_order_ends(program_made_by_hand, monkeypatch):
    calls = counted(monkeypatch)
    for count, ends in ((3, True), (1000, False)):
        program = chained(program_made_by_hand("categorical"), count, row=-1)
        calls.clear()
        if ends:
            bounds.largest_magnitudes(program)
        else:
            with pytest.raises(ValueError, match="grow from pixel to pixel"):
                bounds.largest_magnitudes(program)
        assert len(calls) <= bounds.PASSES * len(program.operations)


def test_a_map_that_feeds_itself_through_a_clamp_is_bounded(program_made_by_hand):
    """By its clamp, however slowly it might get there."""
    program = program_made_by_hand("categorical")
    narrow, stream = program.operations[4].out, program.operations[3].out
    weights = np.eye(9, dtype=np.int16) * 2
    program.append(
        Operation(
            "linear", narrow, (Tap(narrow, -1, 0, weights),), np.ones(9, np.int32),
            rescale=Rescale(np.ones(9, np.int32), -4095, 4095),
        )
    )  # fmt: skip
    assert (bounds.largest_magnitudes(program)[narrow.map] == 4095).all()
    assert stream.map in bounds.largest_magnitudes(program)


def test_two_thousand_maps(program_made_by_hand):
    program = chained(program_made_by_hand("categorical"), 2000)
    with spending():
        checks.check_program(program)
        bounds.largest_magnitudes(program)


TOO_MUCH = {
    "operations": (lambda program: chained(program, limits.MAX_OPERATIONS), "operations"),
    "maps": (
        lambda program: program.maps.extend([program.maps[0]] * limits.MAX_MAPS) or program,
        "maps",
    ),
}


@pytest.mark.parametrize("what", TOO_MUCH)
def test_too_much_of_something_is_refused(what, program_made_by_hand):
    change, said = TOO_MUCH[what]
    with pytest.raises(ValueError, match=f"more than .* {said}"):
        checks.check_program(change(program_made_by_hand("categorical")))


def test_much_work_in_few_bytes_is_refused(program_made_by_hand):
    """Sums of a wide map over and over: a hundred bytes each, and 60,000 numbers moved at each pixel."""
    program = program_made_by_hand("categorical")
    size = 30_000
    for _ in range(2):
        program.maps.append(type(program.maps[0])(size, np.zeros(size, np.int32), True))
    a, b = (Features(len(program.maps) - n, 0, size) for n in (2, 1))
    few = Operation("add", b, (Tap(a), Tap(a, -1, 0)))
    program.append(few)
    checks.check_program(program)
    for _ in range(300):
        program.append(few)
    assert checks.steps_of(program) > limits.MAX_STEPS
    with pytest.raises(ValueError, match=r"steps at a pixel, more than the 33,554,432"):
        checks.check_program(program)


@pytest.mark.parametrize("header", [MAX_HEADER_BYTES + 1, 30_000_000])
def test_a_long_header_is_refused_unread(header, tmp_path):
    file = tmp_path / "long.safetensors"
    file.write_bytes(struct.pack("<Q", header) + b" " * header)
    with (
        spending() as spent,
        pytest.raises(ModelFileError, match=r"a header of [\d,]+ bytes, more than"),
    ):
        load_program(file)
    assert spent.bytes < 1_000_000
    for length in (0, 1, 2**63, 2**64 - 1, file.stat().st_size):
        file.write_bytes(struct.pack("<Q", length) + b"{}")
        with pytest.raises(ModelFileError, match="not a safetensors file"):
            load_program(file)


def test_json_that_says_something_twice(stored):
    sound = json.dumps(stored.structure)
    for text, why in (
        (sound[:-1] + ', "channels": 1}', "twice"),
        (sound[:-1] + ', "more": 1}', "no use"),
        (sound.replace('"groups": 1', '"groups": NaN'), "groups: a number that is not finite"),
        (sound.replace('"linear"', '"\\ud800"', 1), "'?'"),
        ("[" * 500_000, "inside each other"),
    ):
        stored.structure, stored.metadata["structure"] = None, text
        assert why in stored.refused()


def test_large_weights_are_not_made_wide_all_at_once():
    """Four million of 64 bits would be 32 MB."""
    weights = np.full((1 << 12, 1 << 10), 3, np.int16)
    with spending() as spent:
        bounds.bound_product(np.full(1 << 12, 5), weights)
    assert spent.bytes < 28_000_000


def test_a_requantise_has_no_residual(program_made_by_hand, stored):
    """The loop would add none, and the proof left its input out."""
    program = program_made_by_hand("categorical")
    number = next(n for n, each in enumerate(program.operations) if each.kind == "requantise")
    lines = [line for section in stored.structure["sections"] for line in section]
    lines[number]["residual"] = True
    assert "residual" in stored.refused()
