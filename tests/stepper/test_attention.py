"""The compiled attention, bit for bit, and what an integer program of it may not be."""

import hashlib
from dataclasses import replace

import numpy as np
import pytest

from pixelrnn.graph import curves
from pixelrnn.graph.operation import Operation, Rescale, Tap
from pixelrnn.graph.program import FeatureMap, LikelihoodParameters, Program
from pixelrnn.graph.reaches import reaches
from pixelrnn.operations.bounds import INT16_MAX, largest_magnitudes
from pixelrnn.operations.checks import check_program
from pixelrnn.operations.export import export
from pixelrnn.operations.oracle import parameters_of
from pixelrnn.stepper.coder import Coder

LEVELS = 5
MESSAGES = {2: "a889ecfac5f9a593", 1024: "0e0a15702804733d"}  # by the rows that are looked at
SIZES = [(5, 7), (7, 5), (1, 9), (9, 1), (1, 1), (3, 33)]


class ByHand:
    """A grey program whose logits are what one head finds; query, keys and values see pixels directly."""

    def __init__(self, size=3, largest=4095, shift=9, rows=2, scale=500):
        self.size, program = size, Program(1, LEVELS, 1)
        self.program = program
        image, query = self.new_map(1), self.new_map(size)
        self.memory, self.out = self.new_map(2 * size), self.new_map(size)
        logits = self.new_map(LEVELS, wide=True)
        program.image, program.curves = image, curves.curves(LEVELS)
        program.likelihood = LikelihoodParameters("categorical", (logits,))
        self.product(query, Tap(image, 0, -1, self.weights(1, size, scale)), largest)
        keys, values = self.memory.part(0, size), self.memory.part(size, size)
        taps = Tap(query), Tap(keys, -rows), Tap(values, -rows)
        rescale = Rescale(np.full(1, shift, np.int32), shift, 0)
        self.attend = Operation("attend", self.out, taps, rescale=rescale)
        program.append(self.attend)
        self.product(logits, Tap(self.out, 0, 0, self.weights(size, LEVELS, 90)), 2**31 - 1, 10)
        with program.section("pixel_end"):
            self.product(self.memory, Tap(image, 0, 0, self.weights(1, 2 * size, scale)), largest)

    def new_map(self, features, *, wide=False):
        fill = np.zeros(features, np.int32 if wide else np.int16)
        self.program.maps.append(FeatureMap(features, fill, wide))
        return replace(self.program.image, map=len(self.program.maps) - 1, count=features)

    @staticmethod
    def weights(inputs, outputs, largest):
        count = np.arange(1, 1 + inputs * outputs).reshape(inputs, outputs)
        return (count * count * 7919 % (2 * largest + 1) - largest).astype(np.int16)

    def product(self, out, tap, largest, shift=0):
        rescale = Rescale(np.full(out.count, shift, np.int32), -largest, largest)
        bias = 70 * np.arange(out.count, dtype=np.int32)
        self.program.append(Operation("linear", out, (tap,), bias, rescale=rescale))

    def with_attend(self, **changes):
        section = self.program.section_of(0)
        section[section.index(self.attend)] = replace(self.attend, **changes)
        return self.program


def image_of(height, width):
    count = np.arange(height * width).reshape(height, width, 1)
    return (count * 7919 % 997 % LEVELS).astype(np.uint8)


def assert_codes_as_the_oracle(program, image):
    """The frequencies that it codes by are those of the oracle's parameters; what it codes comes back."""
    coder = Coder(program)
    found = parameters_of(program, image.transpose(2, 0, 1))
    logits = found[0].transpose(1, 2, 0)
    places = np.minimum(logits.max(axis=2, keepdims=True) - logits, curves.EXPONENTIAL_SIZE - 1)
    weights = program.curves.exponential[places]
    factor = ((1 << 24) - LEVELS << 24) // weights.sum(axis=2, keepdims=True)
    ends = (np.cumsum(weights, axis=2) * factor >> 24) + np.arange(1, LEVELS + 1)
    ends[..., -1] = 1 << 24
    frequencies = np.diff(ends, axis=2, prepend=0)
    expected = np.take_along_axis(frequencies, image.astype(np.int64), axis=2)
    np.testing.assert_array_equal(coder.frequencies(image), expected)
    message = coder.encode(image)
    np.testing.assert_array_equal(coder.decode(message, *image.shape), image)


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize("rows", [1, 2, 1024])
def test_the_loop_equals_the_oracle(size, rows):
    for features in (1, 3, 8, 16, 19):
        assert_codes_as_the_oracle(ByHand(features, rows=rows).program, image_of(*size))


@pytest.mark.parametrize("shift", [1, 2, 9, 17, 30])
def test_scores_of_any_size(shift):
    """From those of which one pixel is all, to those by which all pixels are alike."""
    for scale in (3, 500):
        assert_codes_as_the_oracle(ByHand(shift=shift, scale=scale).program, image_of(6, 5))


def test_numbers_as_large_as_can_be():
    program = ByHand(16, largest=INT16_MAX, scale=8000, shift=20).program
    with pytest.raises(ValueError, match="score of this program may need more than 32 bits"):
        largest_magnitudes(program)
    program = ByHand(1, largest=INT16_MAX, scale=8000, shift=20).program
    bounds = largest_magnitudes(program)
    attended, found = (bounds[each.map] for each in (program.sections[0][1].taps[2].features,
                                                     program.sections[0][1].out))  # fmt: skip
    assert found.max() == attended[1:].max() <= INT16_MAX
    assert_codes_as_the_oracle(program, image_of(7, 6))


@pytest.mark.parametrize("rows", [1, 2, 1024])
def test_a_trained_program_in_the_loop(rows, likelihood, channels, tiny_model, random_images):
    model = tiny_model(
        "pixel-snail", likelihood, channels, noise=0.2, heads=2, head_size=3, attention_rows=rows,
        layers=3,
    )  # fmt: skip
    images = random_images(2, channels, 6, 5)
    coder = Coder(export(model.lower(images)))
    for image in images.numpy().transpose(0, 2, 3, 1):
        image = np.ascontiguousarray(image)  # noqa: PLW2901
        message = coder.encode(image)
        np.testing.assert_array_equal(coder.decode(message, *image.shape), image)
    assert coder.layout.keeps_whole_maps


@pytest.mark.parametrize("rows", [2, 1024])
def test_a_message_is_what_it_was(rows):
    """Files of any later version, on any machine: no float had a part in this program."""
    program = ByHand(11, rows=rows, shift=12).program
    falling = (np.arange(curves.EXPONENTIAL_SIZE, 0, -1) << 20) // curves.EXPONENTIAL_SIZE
    program.curves = replace(program.curves, exponential=falling)
    message = Coder(program).encode(image_of(16, 15))
    assert hashlib.sha256(message).hexdigest()[:16] == MESSAGES[rows]


@pytest.mark.parametrize(
    ("rows", "height", "kept"), [(1024, 40, 40), (2, 40, 3), (2, 2, 2), (1, 1, 1)]
)
def test_keys_and_values_are_kept_as_far_as_they_are_looked_at(rows, height, kept):
    hand = ByHand(rows=rows)
    found = [reach.rows_kept(height) for reach in reaches(hand.program)]
    assert found[hand.memory.map] == kept
    assert sum(found) == kept + len(found) - 1
    taller = Coder(hand.program).working_bytes(height + 5, 9)
    assert (taller > Coder(hand.program).working_bytes(height, 9)) == (kept < rows + 1)


def test_rows_that_a_product_reads_besides():
    """Of the row above, and beside the image, keys have the value outside."""
    hand = ByHand(rows=2)
    logits = hand.program.section_of(0)[-1]
    above = Tap(hand.memory, -1, 1, hand.weights(6, LEVELS, 90))
    hand.program.section_of(0)[-1] = replace(logits, taps=(*logits.taps, above))
    for size in SIZES:
        assert_codes_as_the_oracle(hand.program, image_of(*size))


def refused(changes, trouble):
    hand = ByHand()
    program = hand.with_attend(**changes(hand))
    with pytest.raises(ValueError, match=trouble):
        check_program(program)


def taps_with(n, **changes):
    return lambda hand: {
        "taps": tuple(
            replace(tap, **changes) if m == n else tap for m, tap in enumerate(hand.attend.taps)
        )
    }


def test_a_sound_program_is_not_refused():
    check_program(ByHand().program)


@pytest.mark.parametrize(
    ("changes", "trouble"),
    [
        (taps_with(1, row=0), "attended to"),
        (taps_with(1, row=-1), "attended to"),
        (taps_with(2, column=1), "attended to"),
        (lambda hand: {"taps": hand.attend.taps[:2]}, "attention"),
        (lambda hand: {"taps": (*hand.attend.taps, hand.attend.taps[0])}, "attention"),
        (lambda hand: {"out": hand.out.part(0, 2)}, "values that are weighted"),
        (lambda hand: {"rescale": None}, "without a shift"),
        (lambda hand: {"rescale": Rescale(np.full(1, 9, np.int32), 8, 0)}, "shift of scores"),
        (lambda hand: {"rescale": Rescale(np.full(1, 0, np.int32), 0, 0)}, "shift of scores"),
        (lambda hand: {"rescale": Rescale(np.full(1, 31, np.int32), 31, 0)}, "shift of scores"),
        (lambda hand: {"rescale": Rescale(np.full(1, 9, np.int32), 9, 1)}, "shift of scores"),
        (lambda hand: {"bias": np.zeros(3, np.int32)}, "a bias that nothing adds"),
    ],
)
def test_what_is_not_sound_is_refused(changes, trouble):
    refused(changes, trouble)


def test_wide_keys_and_keys_of_another_map_are_refused():
    wide = ByHand()
    wide.program.maps[wide.memory.map] = FeatureMap(6, np.zeros(6, np.int32), True)
    with pytest.raises(ValueError, match="attention"):
        check_program(wide.program)
    refused(lambda hand: taps_with(1, features=hand.attend.taps[0].features)(hand), "attended to")
    refused(lambda hand: taps_with(1, features=hand.memory.part(0, 2))(hand), "query and keys")
