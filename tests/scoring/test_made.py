"""Images that are made or changed: what they are, and that any one can be made again."""

import numpy as np
import pytest

from pixelrnn.errors import DataError
from pixelrnn.scoring.changed import CHANGES
from pixelrnn.scoring.made import MADE
from pixelrnn.scoring.sources import changed, of_made

SHAPES = [((1, 8, 8), 17), ((3, 9, 7), 256), ((1, 5, 12), 2)]


@pytest.mark.parametrize(("shape", "num_levels"), SHAPES)
@pytest.mark.parametrize("name", MADE)
def test_they_are_images_that_depend_on_their_number_alone(name, shape, num_levels):
    source = of_made(name, shape, num_levels, 6)
    first = [source.read(number) for number in range(6)]
    for image in first:
        assert image.shape == shape
        assert image.dtype == np.uint8
        assert image.max() < num_levels
    again = of_made(name, shape, num_levels, 40)
    np.testing.assert_array_equal(again.read(5), first[5])
    other = [of_made(name, shape, num_levels, 6, seed=1).read(number) for number in range(6)]
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("num_levels", [2, 17, 256])
def test_they_are_what_they_are_called(num_levels):
    shape = (3, 32, 32)
    images = {name: of_made(name, shape, num_levels, 1).read(0).astype(int) for name in MADE}
    steps = {name: abs(np.diff(image)).mean() for name, image in images.items()}
    assert steps["constant"] == 0
    assert steps["noise"] > 0.2 * num_levels
    assert steps["gradients"] < 0.1 * num_levels
    for name in ("letters", "textures"):  # which are grey
        assert (images[name] == images[name][:1]).all()
    assert images["letters"].max() == num_levels - 1
    assert (images["letters"][:, 0] == 0).mean() > 0.8


def test_a_texture_is_only_so_large():
    with pytest.raises(DataError, match="512x512"):
        of_made("textures", (1, 600, 20), 256, 1).read(0)


def test_changes(images):
    image = images(1)[0]
    draws = np.random.default_rng(0)
    done = {name: change(image, 9, draws) for name, change in CHANGES.items()}
    np.testing.assert_array_equal(done["flipped"][0], image[0][::-1])
    np.testing.assert_array_equal(done["mirrored"][0], image[0][:, ::-1])
    np.testing.assert_array_equal(done["inverted"], 8 - image)
    assert done["scrambled"].shape == image.shape
    assert not np.array_equal(done["scrambled"], image)
    assert sorted(done["scrambled"].ravel()) == sorted(image.ravel())


def test_scrambling_keeps_pixels_whole():
    source = of_made("noise", (3, 4, 4), 256, 2)
    mixed = changed(source, "scrambled", 256).read(1)
    assert {tuple(each) for each in mixed.reshape(3, -1).T} == {
        tuple(each) for each in source.read(1).reshape(3, -1).T
    }
    np.testing.assert_array_equal(mixed, changed(source, "scrambled", 256).read(1))


def test_the_same_change_twice_gives_the_image_back(images):
    source = of_made("noise", (1, 4, 6), 9, 3)
    for name in ("flipped", "mirrored", "inverted"):
        twice = changed(changed(source, name, 9), name, 9)
        np.testing.assert_array_equal(twice.read(2), source.read(2))
        assert twice.fingerprint != source.fingerprint
