"""Programs made of integers: their widths, what is refused, what rounding costs."""

import copy

import numpy as np
import pytest
import torch

from pixelrnn.coding import name_model
from pixelrnn.errors import ExportError
from pixelrnn.graph.program import Program
from pixelrnn.kernels.range_coder import TOTAL_BITS
from pixelrnn.models.lowering import CALIBRATION_IMAGES
from pixelrnn.operations.bounds import INT16_MAX, INT32_MAX, largest_magnitudes
from pixelrnn.operations.export import MAX_SHIFT, export
from pixelrnn.operations.scales import Widths
from pixelrnn.stepper.coder import Coder
from pixelrnn.units import bits

NARROWEST, WIDEST = Widths(4, 12), Widths(13, 16)


def products(program):
    return [each for each in program.operations if each.kind == "linear"]


def bits_of_each(program, images):
    """Return what each level costs, in the shape of the images."""
    coder = Coder(program)
    found = [coder.frequencies(np.ascontiguousarray(each.transpose(1, 2, 0))) for each in images]
    return TOTAL_BITS - np.log2(np.stack(found).transpose(0, 3, 1, 2))


@pytest.mark.parametrize("widths", [NARROWEST, Widths(), WIDEST], ids=str)
def test_every_integer_fits_its_width(kind, likelihood, channels, widths, coding_model):
    program = coding_model(kind, likelihood, channels, widths=widths, noise=0.02).program
    largest_weight = (1 << (widths.weight_bits - 1)) - 1
    for operation in products(program):
        for tap in operation.taps[operation.residual :]:
            assert tap.weights.dtype == np.int16
            assert np.abs(tap.weights.astype(int)).max() <= largest_weight
    for operation in program.operations:
        if operation.kind in ("linear", "requantise"):
            shifts = operation.rescale.shifts
            assert operation.bias.dtype == shifts.dtype == np.int32
            assert 0 <= shifts.min() <= shifts.max() <= MAX_SHIFT
            wide = program.maps[operation.out.map].wide
            assert operation.rescale.high == (INT32_MAX if wide else widths.largest)
    bounds = largest_magnitudes(program)
    of_narrow = [bounds[n] for n, each in enumerate(program.maps) if not each.wide]
    # Hidden states reach one more than the largest activation, and two of them are added up.
    assert max(map(np.max, of_narrow)) <= min(max(2 << widths.activation_bits, 16), INT16_MAX)


def test_shifts_are_as_large_as_they_can_be(kind, likelihood, coding_model):
    """One more, and a weight would not fit, or a sum."""
    program = coding_model(kind, likelihood).program
    bounds = largest_magnitudes(program)
    for operation in products(program):
        weights = np.concatenate([tap.weights for tap in operation.taps[operation.residual :]])
        largest = np.abs(weights.astype(np.int64)).max(axis=0)
        of_inputs = max(
            bounds[tap.features.map].max() for tap in operation.taps[operation.residual :]
        )
        sums = np.abs(operation.bias) + of_inputs * np.abs(weights.astype(np.int64)).sum(axis=0)
        full = (2 * largest + 1 >= INT16_MAX) | (4 * sums > INT32_MAX)
        assert (full | (operation.rescale.shifts == MAX_SHIFT)).all()
        assert (largest > 1000).any()  # most bits are used


def test_every_operation_has_its_counterpart(kind, tiny_model, smooth_images):
    program = tiny_model(kind, "logistic-mixture", 3, layers=1).lower(smooth_images(2, 3, 6, 6))
    result = export(program)
    kept = [each.kind for each in result.operations if each.kind != "requantise"]
    assert kept == [each.kind for each in program.operations if each.kind != "relu"]
    assert result.multiplications == program.multiplications
    assert len(result.sections) == len(program.sections)


@pytest.mark.parametrize(
    ("activation_bits", "weight_bits"), [(3, 16), (15, 16), (12, 3), (12, 17), (0, 0), (-1, 8)]
)
def test_widths_out_of_range_are_refused(activation_bits, weight_bits):
    with pytest.raises(ValueError, match="activations have 4 to"):
        Widths(activation_bits, weight_bits)


def test_the_widest_activations_that_are_allowed_fit_every_model(kind, coding_model):
    coding_model(kind, widths=Widths(13, 16))


DEAD = {"some": slice(0, 1), "all of a layer": slice(None)}


@pytest.mark.parametrize("dead", DEAD)
def test_a_program_whose_features_are_dead_is_exported(dead, likelihood, tiny_model, smooth_images):
    """Features that the calibration images leave at 0."""
    model = tiny_model("pixelcnn", likelihood, 3)
    with torch.no_grad():
        model.head.first.weight[DEAD[dead]] = 0
        model.head.first.bias[DEAD[dead]] = -1
    program = export(model.lower(smooth_images(3, 3, 6, 6)))
    image = np.ascontiguousarray(smooth_images(1, 3, 5, 6, seed=9)[0].transpose(1, 2, 0))
    coder = Coder(program)
    np.testing.assert_array_equal(coder.decode(coder.encode(image), *image.shape), image)


def test_a_model_that_is_zero_everywhere_is_exported(kind, tiny_model, smooth_images):
    model = tiny_model(kind)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
    images = smooth_images(3, 1, 6, 6)
    found = bits_of_each(export(model.lower(images)), images).sum()
    assert found == pytest.approx(images.size * np.log2(17), rel=1e-6)


def test_a_model_of_two_levels_may_have_large_weights(tiny_model, smooth_images):
    model = tiny_model("pixelcnn", num_levels=2)
    with torch.no_grad():
        model.stem.weight.view(-1)[0] = 3
    export(model.lower(smooth_images(3, 1, 6, 6, num_levels=2)))


@pytest.mark.parametrize("factor", [1e6, 1e12])
def test_weights_that_are_too_large_are_refused(factor, tiny_model, smooth_images):
    model = tiny_model("pixelcnn", "logistic-mixture")
    with torch.no_grad():
        model.head.output.weight.mul_(factor)
    with pytest.raises(ExportError, match="do not fit"):
        export(model.lower(smooth_images(2, 1, 6, 6)))


def test_an_unfinished_program_is_refused():
    with pytest.raises(ValueError, match="unfinished"):
        export(Program(1, 17, 1))


def test_a_program_that_was_shown_no_images_is_refused(kind, tiny_model):
    with pytest.raises(ValueError, match="shown no images"):
        export(tiny_model(kind).lower())


def test_exporting_is_deterministic_and_leaves_the_program_alone(
    kind, likelihood, tiny_model, smooth_images
):
    model, images = tiny_model(kind, likelihood, 3), smooth_images(5, 3, 6, 6)
    program = model.lower(images)
    before = copy.deepcopy(program)
    hashes = {
        name_model("tiny", export(each)).hash
        for each in (program, program, before, tiny_model(kind, likelihood, 3).lower(images))
    }
    assert len(hashes) == 1
    for old, new in zip(before.operations, program.operations, strict=True):
        for a, b in zip(old.taps, new.taps, strict=True):
            assert (a.weights is None and b.weights is None) or (a.weights == b.weights).all()
    other = smooth_images(5, 3, 6, 6, seed=1)
    assert name_model("tiny", export(model.lower(other))).hash not in hashes


def test_values_beyond_those_of_the_calibration_are_clamped(tiny_model, smooth_images):
    """They cost bits, and nothing else: the image comes back."""
    model = tiny_model("pixelcnn", "categorical", 1, noise=0.3)
    calm = np.full((2, 1, 12, 12), 8, np.uint8)
    wild = np.random.default_rng(0).choice([0, 16], (4, 1, 12, 12)).astype(np.uint8)
    expected = bits_of_each(export(model.lower(np.concatenate([calm, wild]))), wild).sum()
    clamped = export(model.lower(calm))
    assert bits_of_each(clamped, wild).sum() != pytest.approx(expected, rel=1e-3)
    coder = Coder(clamped)
    image = wild[0].transpose(1, 2, 0).copy()
    np.testing.assert_array_equal(coder.decode(coder.encode(image), *image.shape), image)


def test_the_images_looked_at_are_of_all_pictures(tiny_model):
    """Of patches the first hundreds are of one picture, and here a calm one."""
    model = tiny_model("pixelcnn", "categorical", 1, noise=0.3)
    wild = np.random.default_rng(0).choice([0, 16], (200, 1, 4, 4)).astype(np.uint8)
    images = np.concatenate([np.full((200, 1, 4, 4), 8, np.uint8), wild])
    spread = images[np.linspace(0, 399, CALIBRATION_IMAGES).astype(int)]
    found, expected, first = (
        name_model("tiny", export(model.lower(some))).hash
        for some in (images, spread, images[:CALIBRATION_IMAGES])
    )
    assert found == expected != first


def test_wider_integers_lose_less(kind, likelihood, tiny_model):
    """On what the model itself drew: no other distribution is better there than its own."""
    model = tiny_model(kind, likelihood, noise=0.3)
    images = model.sample(200, size=(8, 8), seed=1)
    program = model.lower(images)
    with torch.no_grad():
        exact = bits(-model.log_prob_map(images).numpy())
    lost, differences = {}, {}
    for activation_bits in (4, 6, 8, 12):
        found = bits_of_each(export(program, Widths(activation_bits)), images)
        lost[activation_bits] = (found - exact).mean()
        differences[activation_bits] = (found - exact).std()
    assert differences[4] > differences[6] > differences[8] > differences[12]
    assert lost[4] > 3 * abs(lost[12])
    assert abs(lost[12]) < 5e-4


@pytest.mark.parametrize("rooms", [(2, 4, 8), (2,)])
def test_a_state_outside_the_image_may_be_larger_than_any_inside(
    rooms, tiny_model, smooth_images, monkeypatch
):
    """It is learned, and no clamp holds it; sums must have room for it, too."""
    model = tiny_model("diagonal-bilstm")
    with torch.no_grad():
        for block in model.blocks:
            block.lstm.recurrence.initial_hidden.fill_(3.5)
            block.out.weight.mul_(3)
    images = smooth_images(3, 1, 6, 6)
    monkeypatch.setattr("pixelrnn.operations.export.HIDDEN_ROOMS", rooms)
    if rooms == (2,):  # the proof does see it
        with pytest.raises(ExportError, match="32 bits"):
            export(model.lower(images))
        return
    program = export(model.lower(images))
    coder, image = Coder(program), np.ascontiguousarray(images[0].transpose(1, 2, 0))
    np.testing.assert_array_equal(coder.decode(coder.encode(image), *image.shape), image)
