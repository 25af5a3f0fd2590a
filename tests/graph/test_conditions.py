"""Which images are made of images, by kind."""

import numpy as np
import pytest
from PIL import Image

from pixelrnn.graph.conditions import CONDITIONS
from pixelrnn.models import PixelCNNConfig

MADE = [kind for kind in CONDITIONS if kind != "given"]
PARTS = [kind for kind in MADE if CONDITIONS[kind](2).is_part]


def images(count=4, height=5, width=7, seed=0):
    return np.random.default_rng(seed).integers(256, size=(count, 3, height, width), dtype=np.uint8)


def bits(count=4, seed=0):
    return np.random.Philox(key=seed).random_raw(count)


@pytest.mark.parametrize("kind", MADE)
def test_what_is_made_has_the_size_of_the_images_and_colours_of_its_own(kind):
    condition, some = CONDITIONS[kind](3), images()
    levels, known = condition.of_images(some, bits())
    assert levels.shape == (4, condition.channels(3), 5, 7)
    assert (levels.dtype, known.dtype, known.shape) == (np.uint8, bool, (4, 1, 5, 7))
    again = condition.of_images(some[1:2], bits()[1:2])
    np.testing.assert_array_equal(levels[1:2], again[0])  # alone as in a batch
    np.testing.assert_array_equal(known[1:2], again[1])


@pytest.mark.parametrize("kind", PARTS)
def test_a_part_of_an_image_is_the_image_where_it_is_known(kind):
    some = images()
    levels, known = CONDITIONS[kind](2).of_images(some, bits())
    where = np.broadcast_to(known, some.shape)
    np.testing.assert_array_equal(levels[where], some[where])
    assert not known.all(axis=(1, 2, 3)).any()


def test_grey_is_that_of_pillow():
    """So that a photograph that Pillow made grey is the condition that the model was trained with."""
    some = images(1, 64, 64)
    grey, known = CONDITIONS["grey"](2).of_images(some, bits(1))
    expected = Image.fromarray(some[0].transpose(1, 2, 0)).convert("L")
    np.testing.assert_array_equal(grey[0, 0], np.asarray(expected))
    assert known.all()


def test_only_images_in_colour_have_grey_ones():
    with pytest.raises(ValueError, match="images in colour"):
        CONDITIONS["grey"](2).channels(1)


@pytest.mark.parametrize("factor", [2, 3, 9])
@pytest.mark.parametrize("size", [(6, 6), (5, 7), (1, 1)])
def test_a_small_picture_is_placed_where_it_was_taken_from(factor, size):
    (image,), small = images(1, *size), CONDITIONS["small"](factor)
    (levels,), (known,) = small.of_images(image[None], bits(1))
    picture = image[:, ::factor, ::factor]
    assert picture.shape[1:] == small.size(*size)
    placed, where = small.placed(picture, np.ones(picture.shape[1:], bool), *size)
    np.testing.assert_array_equal(where, known[0])
    np.testing.assert_array_equal(placed[:, where], levels[:, where])


def test_holes_are_rectangles_of_any_size_and_place():
    _, known = CONDITIONS["masked"](2).of_images(images(4000), bits(4000))
    holes = ~known[:, 0]
    heights, widths = holes.any(axis=2).sum(axis=1), holes.any(axis=1).sum(axis=1)
    np.testing.assert_array_equal(holes.sum(axis=(1, 2)), heights * widths)
    for sizes, side in ((heights, 5), (widths, 7)):
        counts = np.bincount(sizes, minlength=side + 1)[1:]
        assert abs(counts - 4000 / side).max() < 5 * np.sqrt(4000 / side)
    assert holes.mean(axis=0).min() > 0.1  # each pixel is hidden now and then
    assert holes[heights == 1].any(axis=2).mean(axis=0).min() > 0.1  # and no place is favoured


@pytest.mark.parametrize("channels", [1, 3, 5])
def test_any_image_has_the_colours_of_the_images_unless_others_are_named(channels):
    assert CONDITIONS["given"](2).channels(channels) == channels
    assert CONDITIONS["given"](2, 4).channels(channels) == 4
    for named, expected in ((None, channels), (4, 4)):
        condition = {"kind": "given", "channels": named}
        assert PixelCNNConfig(channels=channels, condition=condition).given_channels == expected
