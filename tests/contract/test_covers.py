"""Contract 2: a model sees exactly what it claims, and what it claims is what we say here."""

import numpy as np
import pytest

from pixelrnn import ordering
from pixelrnn.contract import check_covers, measure_receptive_field
from pixelrnn.graph.operation import Features
from pixelrnn.graph.reach import receptive_field
from pixelrnn.layers import MaskedConv2d
from pixelrnn.models import CONFIGS
from pixelrnn.ordering import Place
from reference.fields import field as field_of
from reference.fields import kernel


def places(channels, height, width):
    """Corners, edges and the middle, with each colour in turn."""
    spots = [(0, 1), (0, width - 1), (height // 2, 0), (height // 2, width // 2)]
    spots += [(height // 2, width - 1), (height - 1, 1), (height - 1, width - 1)]
    return [Place(row, column, n % channels) for n, (row, column) in enumerate(spots)]


def inits(tiny_model, *arguments, **settings):
    return [tiny_model(*arguments, noise=0.2, seed=seed, **settings) for seed in range(4)]


def test_sees_just_what_it_claims(
    kind, likelihood, channels, size, tiny_model, random_images, generator
):
    models = inits(tiny_model, kind, likelihood, channels, layers=1)
    images = random_images(1, channels, *size)
    for place in places(channels, *size):
        check_covers(models, images, place, generator)


@pytest.mark.parametrize(
    "settings",
    [
        {"layers": 3, "skip_connections": True, "head_layers": 2},
        {"border_channel": False},
        {"decorrelate": True},
        {"stem_kernel_size": 5, "layers": 1},
    ],
    ids=["skips-deep-head", "no-border", "decorrelated", "5x5-stem"],
)
def test_sees_just_what_it_claims_with_settings(
    kind, likelihood, settings, tiny_model, random_images, generator
):
    models = inits(tiny_model, kind, likelihood, 3, **settings)
    if (
        "decorrelate" in settings
    ):  # of noise it makes large numbers, and a softmax of such sees one pixel
        for model in models:
            model.stem.weight.data /= 30
    check_covers(models, random_images(1, 3, 5, 7), Place(3, 3, 1), generator)


@pytest.mark.parametrize(
    "settings",
    [{"layers": 1}, {"layers": 3, "skip_connections": True}, {"stem_kernel_size": 7, "layers": 2}],
    ids=str,
)
def test_claims_what_its_kernel_sizes_say(kind, likelihood, channels, size, settings, tiny_model):
    """By a formula that reads no mask: a kernel without one of its columns would claim less."""
    model = tiny_model(kind, likelihood, channels, **settings)
    program = model.lower()  # once: what a model claims is what its program reads
    for place in places(channels, *size):
        claimed = receptive_field(program, place, height=size[0], width=size[1])
        np.testing.assert_array_equal(claimed, field_of(model.config, place, *size))


@pytest.mark.parametrize("kernel_size", [3, 5])
@pytest.mark.parametrize("dilations", [(1,), (2,), (1, 3)], ids=str)
def test_wide_and_dilated_kernels_claim_what_they_should(
    kernel_size, dilations, likelihood, tiny_model
):
    settings = {"kernel_size": kernel_size, "dilations": dilations, "layers": 2}
    model = tiny_model("pixelcnn", likelihood, 3, **settings)
    program = model.lower()
    for place in places(3, 6, 9):
        claimed = receptive_field(program, place, height=6, width=9)
        np.testing.assert_array_equal(claimed, field_of(model.config, place, 6, 9))


def assert_kernels_are_whole(model):
    for name, layer in model.named_modules():
        if isinstance(layer, MaskedConv2d):
            everything = Features(0, 0, len(layer.in_groups))
            taps, _ = layer.part(everything, np.arange(len(layer.out_groups)))
            read = {(tap.row, tap.column) for tap in taps}
            assert read == set(kernel(model.config, name)), name


def test_every_layer_reads_its_whole_kernel(kind, likelihood, channels, tiny_model):
    for settings in ({}, {"kernel_size": 5, "stem_kernel_size": 7}, {"dilations": (1, 3)}):
        has = CONFIGS[kind].model_fields.keys()
        if settings.keys() <= has:
            assert_kernels_are_whole(tiny_model(kind, likelihood, channels, **settings))


@pytest.mark.parametrize("lost", ["left column", "right column", "top row"])
def test_a_kernel_that_lost_a_part_is_found(
    lost, skeleton_kind, likelihood, channels, monkeypatch, tiny_model
):
    """Claim and convolution read the same mask, and agree with each other."""
    masks = MaskedConv2d.causal_mask

    def narrower(kernel_size, *groups):
        mask = masks(kernel_size, *groups)
        rows, width = mask.shape[2:]
        if kernel_size == (3, 3) and groups[-1] == "A":  # the linear prediction, of four weights
            return mask
        if width > 1 and lost != "top row":
            mask[..., 0 if lost == "left column" else -1] = False
        if rows > 1 and lost == "top row":
            mask[:, :, 0] = False
        return mask

    monkeypatch.setattr(MaskedConv2d, "causal_mask", staticmethod(narrower))
    model = tiny_model(skeleton_kind, likelihood, channels, layers=1, stem_kernel_size=5)
    with pytest.raises(AssertionError):
        assert_kernels_are_whole(model)
    if skeleton_kind != "pixelcnn":  # whose states see all that is lost through their neighbours
        return
    pixels = [Place(3, column, channels - 1) for column in range(9)]
    claimed = [model.receptive_field(place, height=4, width=9) for place in pixels]
    assert any(
        (found != field_of(model.config, place, 4, 9)).any()
        for place, found in zip(pixels, claimed, strict=True)
    )


def test_dilations_are_claimed_and_seen(likelihood, tiny_model, random_images, generator):
    models = inits(tiny_model, "pixelcnn", likelihood, 1, layers=1, dilations=(2,))
    check_covers(models, random_images(1, 1, 5, 9), Place(4, 4, 0), generator)


def test_the_first_sub_pixel_sees_nothing(
    kind, likelihood, channels, tiny_model, random_images, generator
):
    model = tiny_model(kind, likelihood, channels, noise=0.2, layers=1)
    place = Place(0, 0, 0)
    assert not model.receptive_field(place, height=3, width=4).any()
    images = random_images(1, channels, 3, 4)
    assert not measure_receptive_field(model, images, place, generator).any()


def fields(models, images, place, generator):
    """Return what the models claim and what is measured, each `(C, H, W)`."""
    height, width = images.shape[2:]
    claimed = models[0].receptive_field(place, height=height, width=width)
    seen = [measure_receptive_field(model, images, place, generator) for model in models]
    return claimed, np.any(seen, axis=0)


def earlier(channels, height, width, place):
    order = ordering.positions(channels=channels, height=height, width=width)
    return order < ordering.position(place, channels=channels, width=width)


def picture(*lines):
    return np.array([[mark == "x" for mark in line.split()] for line in lines])


def assert_field(models, images, place, expected, generator):
    for field in fields(models, images, place, generator):
        np.testing.assert_array_equal(field, np.broadcast_to(expected, field.shape))


def test_pixelcnn_has_its_blind_spot(likelihood, tiny_model, random_images, generator):
    """Kernels of 3 climb one column to the right for every row up, and no depth sees beyond."""
    models = inits(tiny_model, "pixelcnn", likelihood, 1, layers=6)
    images = random_images(1, 1, 5, 9)
    expected = picture(
        "x x x x x x x x .",
        "x x x x x x x . .",
        "x x x x x x . . .",
        "x x x x x . . . .",
        "x x x . . . . . .",  # the pixel is (4, 3)
    )
    assert_field(models, images, Place(4, 3, 0), expected, generator)


def test_deeper_pixelcnn_sees_no_more(tiny_model):
    place = Place(4, 3, 0)
    reach = [
        tiny_model("pixelcnn", layers=layers).receptive_field(place, height=5, width=9)
        for layers in (6, 20)
    ]
    np.testing.assert_array_equal(*reach)


def test_row_lstm_model_sees_a_triangle(tiny_model, random_images, generator):
    """One layer: states 3 to 5 of the row above, 2 to 6 of the one before, and so on up.

    Each state reads the feature at its place and the one to its left, and a feature of the 3x3 stem
    one column more on each side of the row above, and the pixel to its left.
    """
    models = inits(tiny_model, "row-lstm", "categorical", 1, layers=1)
    images = random_images(1, 1, 6, 10)
    expected = picture(
        "x x x x x x x x x x",
        "x x x x x x x x x .",
        "x x x x x x x x . .",
        "x x x x x x x . . .",
        ". x x x x x . . . .",
        ". . x x . . . . . .",  # the pixel is (5, 4)
    )
    assert_field(models, images, Place(5, 4, 0), expected, generator)


def test_one_diagonal_layer_sees_all_earlier_sub_pixels_in_a_narrow_image(
    likelihood, channels, tiny_model, random_images, generator
):
    """With the 7x7 stem three columns of features to the left hold the end of the row above."""
    settings = {"layers": 1, "stem_kernel_size": 7, "features": 6}
    models = inits(tiny_model, "diagonal-bilstm", likelihood, channels, **settings)
    images = random_images(1, channels, 5, 7)
    for place in (Place(4, 6, channels - 1), Place(2, 3, 0), Place(3, 4, channels - 1)):
        expected = earlier(channels, 5, 7, place)
        for field in fields(models, images, place, generator):
            np.testing.assert_array_equal(field, expected)


@pytest.mark.parametrize("layers", [1, 2])
def test_one_pixel_is_unseen_where_a_row_is_wider_than_the_stem(
    layers, tiny_model, random_images, generator
):
    """A feature hides its own pixel, so the end of the row above is held by later features only."""
    settings = {"layers": layers, "features": 6}
    models = inits(tiny_model, "diagonal-bilstm", "categorical", 1, **settings)
    place = Place(2, 3, 0)
    expected = earlier(1, 4, 16, place)
    assert expected[0, 1, 15]
    expected[0, 1, 15] = False
    assert_field(models, random_images(1, 1, 4, 16), place, expected, generator)


@pytest.mark.parametrize("column", [0, 2, 3])
def test_the_seventh_column_is_unseen_from_the_left_edge(
    column, tiny_model, random_images, generator
):
    """Also with the 7x7 stem on 5x7: features of columns 0 to 2 reach columns 0 to 5 above them."""
    settings = {"layers": 1, "stem_kernel_size": 7, "features": 6}
    models = inits(tiny_model, "diagonal-bilstm", "categorical", 1, **settings)
    place = Place(2, column, 0)
    expected = earlier(1, 5, 7, place)
    expected[0, 1, 6] = column >= 3
    assert_field(models, random_images(1, 1, 5, 7), place, expected, generator)


def test_gated_stacks_have_no_blind_spot(likelihood, tiny_model, random_images, generator):
    """Where PixelCNN's kernels of 3 leave one, both stacks together see every earlier pixel."""
    models = inits(tiny_model, "gated-pixelcnn", likelihood, 1, layers=6)
    images = random_images(1, 1, 5, 9)
    everything = np.array(earlier(1, 5, 9, Place(4, 3, 0))[0])
    assert_field(models, images, Place(4, 3, 0), everything, generator)
