"""Files that say what their images are given by: a class, a smaller image of the same file."""

import io
import struct
import zlib

import numpy as np
import pytest

from pixelrnn.coding import Album, Codec, write
from pixelrnn.coding.container import FOOTER
from pixelrnn.errors import CompressedFileError, ImageMismatchError
from pixelrnn.graph.conditions import CONDITIONS
from pixelrnn.operations.checks import check_program

CONDITION = {"kind": "small", "features": 3, "layers": 1, "kernel_size": 3}
CLASSES = {"a.png": 0, "b.png": 2, "c.png": None}


@pytest.fixture
def given_model(coding_model):
    """An integer program of colour images that are given a class and a small image."""
    return coding_model(channels=3, noise=0.5, num_labels=3, condition=CONDITION)


def pictures(smooth_images, sizes=((9, 7, 3), (8, 8, 1), (5, 6, 4))):
    """Named images of several sizes and kinds, `(H, W, bands)`."""
    names = [*CLASSES, "d.png", "e.png"]
    return [
        (name, np.ascontiguousarray(smooth_images(1, bands, height, width)[0].transpose(1, 2, 0)))
        for name, (height, width, bands) in zip(names, sizes, strict=False)
    ]


def written(model, images, *, tile=4, **given):
    stream = io.BytesIO()
    entries = write(Codec(model, tile=tile, threads=1), images, stream, **given)
    return stream.getvalue(), entries


def opened(content, model):
    return Album(io.BytesIO(content), threads=1, coding_model=model)


@pytest.mark.parametrize("tile", [0, 3, 4])
@pytest.mark.parametrize("factor", [0, 2, 3])
@pytest.mark.parametrize("labels", [None, CLASSES.get], ids=["no-labels", "labels"])
def test_images_come_back(tile, factor, labels, given_model, smooth_images):
    images = pictures(smooth_images)
    content, _ = written(given_model, images, tile=tile, label_of=labels, factor=factor)
    assert content[4] == (2 if labels or factor else 1)
    with opened(content, given_model) as album:
        assert album.names == list(album.entries.names) == [name for name, _ in images]
        for n, ((name, image), decoded) in enumerate(zip(images, album.in_turn(), strict=True)):
            np.testing.assert_array_equal(decoded, image)
            np.testing.assert_array_equal(album.pixels(n), image)
            np.testing.assert_array_equal(album[n].transpose(1, 2, 0), image)
            assert album.entries[n].label == (CLASSES[name] if labels else None)
            assert album.entries[n].small == (2 * n if factor else None)
        assert list(album.entries) == [album.entries[n] for n in range(len(album))]
        assert album.num_dims == sum(image.size for _, image in images)
        assert album.num_pixels == sum(image[..., 0].size for _, image in images)
        names = [entry.name for entry in album.all_entries]
        assert names == [n for name, _ in images for n in [f"small/{name}"] * bool(factor) + [name]]


@pytest.mark.parametrize("num_levels", [1024, 65536])
def test_small_images_of_many_levels_come_back(num_levels, coding_model):
    model = coding_model(
        likelihood="logistic-mixture", channels=3, num_levels=num_levels, condition=CONDITION
    )
    check_program(model.program)  # as of one from elsewhere
    levels = np.random.default_rng(0).integers(num_levels, size=(9, 7, 3), dtype=np.uint16)
    content, _ = written(model, [("a.png", levels)], factor=2)
    with opened(content, model) as album:
        (image,) = album.in_turn()
        assert len(album.all_entries) == 2
    np.testing.assert_array_equal(image, levels)


def test_what_is_given_is_what_is_coded_with(given_model, smooth_images):
    """Other classes make other messages, and what is given of a large image is not in its own."""
    images = pictures(smooth_images, [(16, 16, 3)])
    plain, first, second = (
        written(given_model, images, tile=0, label_of=label)[1][0].size
        for label in (None, lambda _: 0, lambda _: 1)
    )
    assert len({plain, first, second}) > 1
    _, (small, large) = written(given_model, images, tile=0, factor=2)
    assert large.size < plain
    assert small.size < large.size


def test_a_file_without_is_of_the_first_version(given_model, smooth_images):
    content, _ = written(given_model, pictures(smooth_images))
    assert content[4] == 1
    with opened(content, given_model) as album:
        assert album.all_entries.given is None


def test_an_image_of_one_pixel_has_no_smaller_one(given_model, smooth_images):
    images = pictures(smooth_images, [(1, 1, 3), (1, 2, 3)])
    content, entries = written(given_model, images, factor=2)
    assert [entry.name for entry in entries] == ["a.png", "small/b.png", "b.png"]
    with opened(content, given_model) as album:
        assert [image.shape for image in album.in_turn()] == [(1, 1, 3), (1, 2, 3)]


def test_a_model_that_takes_no_such_thing(coding_model, smooth_images):
    plain, images = coding_model(channels=3), pictures(smooth_images, [(4, 4, 3)])
    with pytest.raises(ImageMismatchError, match="takes no labels"):
        written(plain, images, label_of=lambda _: 1)
    with pytest.raises(ImageMismatchError, match="takes no image"):
        written(plain, images, factor=2)


def test_a_class_that_there_is_not(given_model, smooth_images):
    with pytest.raises(ImageMismatchError, match="there is no class 7"):
        written(given_model, pictures(smooth_images, [(4, 4, 3)]), label_of=lambda _: 7)


# --- damage --------------------------------------------------------------------------------------


@pytest.fixture
def sound(given_model, smooth_images):
    """A file of two images and their small ones, with classes; and the images."""
    images = pictures(smooth_images, [(6, 5, 3), (5, 7, 3)])
    content, entries = written(given_model, images, tile=0, label_of=CLASSES.get, factor=2)
    return content, [entry.name for entry in entries], images


def with_index(content, change):
    """Return a file whose index is another, with its checksum."""
    length, _ = FOOTER.unpack(content[-FOOTER.size :])
    end = len(content) - FOOTER.size
    index = change(bytearray(content[end - length : end]))
    return content[: end - length] + index + struct.pack("<II", len(index), zlib.crc32(index))


def refused(content, model):
    with pytest.raises(CompressedFileError) as caught, opened(content, model) as album:
        list(album.in_turn())
    assert len(str(caught.value).splitlines()) == 1
    return str(caught.value)


# The last ten bytes of the index: four classes, four distances, two factors.
LABELS, BEFORE, FACTORS = -10, -6, -2


@pytest.mark.parametrize(
    ("place", "value", "trouble"),
    [
        (LABELS, 4, "the class 3, which its model does not know"),
        (LABELS, 100, "the class 99, which its model does not know"),
        (BEFORE, 1, "is given a smaller one that is none of it|left over|cut short"),
        (BEFORE + 1, 2, "a smaller one that is none of it"),
        (BEFORE + 1, 100, "numbered 100"),
        (BEFORE + 3, 2, "a smaller one that is none of it"),
        (BEFORE + 3, 0, "left over"),
        (FACTORS, 1, "a smaller one that is none of it"),
        (FACTORS, 0, "a smaller one that is none of it"),
        (FACTORS, 5, "a smaller one that is none of it"),
        (FACTORS, 65, "numbered 65"),
    ],
)
def test_values_that_cannot_be(place, value, trouble, sound, given_model):
    def change(index):
        index[place] = value
        return index

    found = refused(with_index(sound[0], change), given_model)
    assert any(part in found for part in trouble.split("|")), found


def test_every_other_value_is_refused_or_found_out(sound, given_model):
    content, names, _ = sound
    for place in range(LABELS, 0):
        for value in (0, 1, 2, 3, 64, 127, 128, 255):
            changed = with_index(
                content, lambda index, at=place, to=value: index[:at] + bytes([to]) + index[at:][1:]
            )
            if changed != content:
                refused(changed, given_model)
    assert len(names) == 4


def test_an_image_that_is_given_itself(given_model, smooth_images):
    """One pixel is its own small image: following it would never come to an end."""
    images = pictures(smooth_images, [(1, 1, 3), (1, 1, 3)])
    content, _ = written(given_model, images, factor=2)
    changed = with_index(content, lambda index: index[:-1] + bytes([1, 2]))
    assert "a smaller one that is none of it" in refused(changed, given_model)


def test_index_that_is_cut_short(sound, given_model):
    for cut in range(1, 11):
        assert refused(with_index(sound[0], lambda index, n=cut: index[:-n]), given_model)


def test_damage_in_a_small_image_names_it(sound, given_model):
    content = bytearray(sound[0])
    with opened(content, given_model) as album:
        content[album.all_entries[0].start + 1] ^= 64
    with opened(bytes(content), given_model) as album:
        with pytest.raises(CompressedFileError, match=r"small/a\.png is damaged"):
            album.pixels(0)
        np.testing.assert_array_equal(album.pixels(1), sound[2][1][1])


def test_a_later_version(sound, given_model):
    content = bytearray(sound[0])
    content[4] = 3
    assert "has format version 3, and this pixelrnn reads up to 2" in refused(content, given_model)


def test_the_factor_of_files_is_that_of_recipes(smooth_images):
    """What a file puts in the place of a small image is what a model was trained with."""
    image = smooth_images(1, 3, 5, 7)
    from pixelrnn.coding.given import ImageGiven, small_of
    from pixelrnn.coding.tiles import Part

    pixels = image[0].transpose(1, 2, 0)
    for factor in (2, 3):
        levels, known = CONDITIONS["small"](factor).of_images(image, np.zeros(1, np.uint64))
        part = Part(slice(0, 5), slice(0, 7), (0, 1, 2))
        found = ImageGiven(None, small_of(pixels, factor), factor).of(part, 3)
        np.testing.assert_array_equal(found.known, known[0, 0])
        np.testing.assert_array_equal(found.image, pixels * known[0, 0][..., None])
        assert (levels == image).all()
