"""Images to messages and back: every pixel, whatever the size, the bands, the tiles or the threads."""

import functools
import io

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pixelrnn.coding import Album, Codec, load_program, write
from pixelrnn.errors import CompressedFileError, ImageMismatchError, RecipeError
from pixelrnn.stepper import coder

NO_TILE, SMALL_TILE, LARGE_TILE = 0, 7, 64


@pytest.fixture
def tiny(coding_model):
    """A function that returns a tiny model, of colours and 256 levels if nothing else is said."""

    @functools.cache
    def build(channels=3, num_levels=256, seed=0):
        return coding_model("pixelcnn", "logistic-mixture", channels, num_levels, seed=seed)

    return build


def draw(kind, height, width, bands, num_levels=256, seed=0):
    """An image, uint8 `(height, width, bands)`."""
    generator = np.random.default_rng(seed)
    if kind == "noise":
        levels = generator.integers(num_levels, size=(height, width, bands))
    elif kind == "constant":
        levels = np.full((height, width, bands), generator.integers(num_levels))
    else:
        slopes = generator.integers(-3, 4, size=(2, bands))
        levels = (
            np.arange(height)[:, None, None] * slopes[0] + np.arange(width)[:, None] * slopes[1]
        )
        levels = (levels + generator.integers(num_levels)) % num_levels
    return levels.astype(np.uint8)


def mixed(num_levels=256):
    """Images of all kinds, sizes and bands, named."""
    sizes = [(1, 1), (9, 5), (5, 9), (16, 16), (9, 5), (1, 30), (30, 1), (8, 7)]
    kinds = ["gradient", "noise", "constant"]
    return [
        (f"{n}.png", draw(kinds[n % 3], *sizes[n % 8], 1 + n % 4, num_levels, seed=n))
        for n in range(24)
    ]


def file_of(codec, images, **options):
    stream = io.BytesIO()
    write(codec, images, stream, **options)
    return stream.getvalue()


def assert_holds(content, images, model):
    """The file has these images, in this order, pixel by pixel."""
    album = Album(io.BytesIO(content), coding_model=model)
    assert album.names == [name for name, _ in images]
    for n, (_, image) in enumerate(images):
        np.testing.assert_array_equal(album.pixels(n), image, strict=True)
        np.testing.assert_array_equal(album[n], image.transpose(2, 0, 1), strict=True)


@settings(
    max_examples=80,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    kind=st.sampled_from(("noise", "constant", "gradient")),
    shape=st.tuples(st.integers(1, 40), st.integers(1, 40), st.integers(1, 4)),
    tile=st.sampled_from((NO_TILE, SMALL_TILE, LARGE_TILE)),
    channels=st.sampled_from((1, 3)),
    seed=st.integers(0, 1000),
)
def test_any_image_comes_back(tiny, kind, shape, tile, channels, seed):
    codec = Codec(tiny(channels), tile=tile)
    image = draw(kind, *shape, seed=seed)
    ((entry, messages),) = codec.encode([image])
    assert [len(message) for message in messages] == [each.size for each in entry.messages]
    np.testing.assert_array_equal(codec.decode(entry, messages), image, strict=True)
    assert entry.size <= image.size  # at most 8.0 bits/dim, for what does not pay is left bare


@pytest.mark.parametrize("tile", [NO_TILE, SMALL_TILE])
def test_messages_of_noise_are_bare(tile, tiny):
    noise, smooth = draw("noise", 20, 20, 3), draw("constant", 20, 20, 3)
    (of_noise, messages), (of_smooth, _) = Codec(tiny(), tile=tile).encode([noise, smooth])
    assert all(message.is_bare for message in of_noise.messages)
    assert of_noise.size == noise.size
    assert not any(message.is_bare for message in of_smooth.messages)
    if not tile:
        assert messages == [noise.tobytes()]


def test_a_file_of_noise_by_the_default_model_is_hardly_larger_than_the_noise():
    images = [("", draw("noise", 32, 32, 3, seed=seed)) for seed in range(4)]
    content = file_of(Codec(load_program("colour-pixelcnn")), images)
    assert 8 * len(content) / (4 * 32 * 32 * 3) <= 8.7
    assert_holds(content, images, load_program("colour-pixelcnn"))


def test_messages_are_as_long_as_the_model_says(tiny, smooth_images):
    image = smooth_images(1, 3, 40, 40, 256)[0].transpose(1, 2, 0)
    codec = Codec(tiny(), tile=16)
    ((entry, messages),) = codec.encode([image])
    assert not any(message.is_bare for message in entry.messages)
    ideal = codec.ideal_bits(image)
    assert ideal - 1 < 8 * entry.size < ideal + 16 * len(messages)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("side", [990, 3000])
def test_large_black_images_come_back(channels, side, tiny, monkeypatch):
    """Their messages end in nothing but zeros, which are left out: an empty one may be right.

    Black leaves the number of a message at zero, whatever the model, so that the loop need not run.
    """
    codec, image = Codec(tiny(channels), tile=NO_TILE), np.zeros((side, side, 3), np.uint8)
    small = image[:9, :9]
    monkeypatch.setattr(coder, "run_rows", lambda *_: None)
    without_loop = [codec.encode([each])[0] for each in (small, image)]
    monkeypatch.undo()
    assert codec.encode([small])[0] == without_loop[0]
    monkeypatch.setattr(coder, "run_rows", lambda *_: None)
    np.testing.assert_array_equal(codec.decode(*without_loop[1]), image, strict=True)


# What changes no byte.


@pytest.mark.parametrize("tile", [NO_TILE, SMALL_TILE])
def test_threads_and_portions_change_no_byte(tile, tiny):
    images = mixed()
    largest = max(image.nbytes for _, image in images)
    expected = file_of(Codec(tiny(), tile=tile, threads=1), images)
    assert_holds(expected, images, tiny())
    for threads in (1, 2, 5):
        codec = Codec(tiny(), tile=tile, threads=threads)
        for bytes_at_once in (1, 3 * largest, 64 * largest):
            assert file_of(codec, images, bytes_at_once=bytes_at_once) == expected


def test_an_image_does_not_depend_on_the_others(tiny):
    codec = Codec(tiny(), tile=SMALL_TILE)
    images = [image for _, image in mixed()]
    together = codec.encode(images)
    assert together == [codec.encode([image])[0] for image in images]
    assert together[::-1] == codec.encode(images[::-1])


def test_the_order_of_bytes_in_memory_does_not_matter(tiny):
    image = draw("noise", 12, 9, 3)
    codec = Codec(tiny(), tile=SMALL_TILE)
    expected = codec.encode([image])
    views = [np.asfortranarray(image), image.transpose(2, 0, 1).copy().transpose(1, 2, 0)]
    views += [image[::-1].copy()[::-1], np.repeat(image, 2, axis=1)[:, ::2]]
    for view in views:
        view.setflags(write=False)
        assert codec.encode([view]) == expected


@pytest.mark.parametrize("bands", [1, 2, 3, 4])
def test_decoding_needs_no_certain_number_of_threads(bands, tiny):
    image = draw("gradient", 25, 33, bands)
    codec = Codec(tiny(), tile=SMALL_TILE, threads=1)
    ((entry, messages),) = codec.encode([image])
    for threads in (None, 1, 2, 40):
        (found,) = codec.decode_many([(entry, messages)], threads=threads)
        np.testing.assert_array_equal(found, image)


# Planes and tiles.


def messages_of(codec, image):
    ((_, messages),) = codec.encode([image])
    return messages


@pytest.mark.parametrize("bands", [1, 2, 3, 4])
def test_a_grey_model_codes_every_band_by_itself(bands, tiny):
    codec, image = Codec(tiny(1), tile=NO_TILE), draw("gradient", 9, 7, bands)
    assert codec.header.channels == 1
    expected = [messages_of(codec, image[..., [band]])[0] for band in range(bands)]
    assert messages_of(codec, image) == expected


def test_a_colour_model_codes_colours_together_and_alpha_by_itself(tiny):
    codec, image = Codec(tiny(3), tile=NO_TILE), draw("gradient", 9, 7, 4)
    (colours,), (alpha,) = messages_of(codec, image[..., :3]), messages_of(codec, image[..., 3:])
    assert messages_of(codec, image) == [colours, alpha]
    grey = [messages_of(codec, image[..., [band]])[0] for band in (0, 1)]
    assert messages_of(codec, image[..., :2]) == grey


def test_tiles_are_images_of_their_own(tiny):
    image = draw("gradient", 5, 7, 4)
    whole, tiled = Codec(tiny(), tile=NO_TILE), Codec(tiny(), tile=4)
    expected = [
        messages_of(whole, image[top : top + 4, left : left + 4, bands])[0]
        for bands in (slice(0, 3), slice(3, 4))
        for top in (0, 4)
        for left in (0, 4)
    ]
    assert messages_of(tiled, image) == expected


def test_a_mixed_file(tiny):
    images = mixed()
    for channels in (1, 3):
        model = tiny(channels)
        assert_holds(file_of(Codec(model, tile=SMALL_TILE), images), images, model)


# What is refused.


@pytest.mark.parametrize("channels", [1, 3])
def test_levels_that_the_model_has_not(channels, tiny):
    model = tiny(channels, num_levels=17)
    images = mixed(num_levels=17)
    assert max(int(image.max()) for _, image in images) == 16
    assert_holds(file_of(Codec(model), images), images, model)
    images[5][1][0, 0, 0] = 17
    with pytest.raises(ImageMismatchError, match="17 levels, and a pixel here is 17"):
        file_of(Codec(model), images)


UNFIT = {
    "no rows": np.zeros((0, 5, 3), np.uint8),
    "no columns": np.zeros((5, 0, 3), np.uint8),
    "no bands": np.zeros((5, 5, 0), np.uint8),
    "five bands": np.zeros((5, 5, 5), np.uint8),
    "channels first": np.zeros((3, 5, 5), np.uint8),
    "two dimensions": np.zeros((5, 5), np.uint8),
    "one dimension": np.zeros(5, np.uint8),
    "a number": np.zeros((), np.uint8),
    "a batch": np.zeros((1, 5, 5, 3), np.uint8),
    "floats": np.zeros((5, 5, 3)),
    "int64": np.zeros((5, 5, 3), np.int64),
    "int8": np.zeros((5, 5, 3), np.int8),
    "bool": np.zeros((5, 5, 3), bool),
    "uint16": np.zeros((5, 5, 3), np.uint16),
    "too many pixels": np.broadcast_to(np.uint8(0), (1 << 14, (1 << 13) + 1, 1)),
    "too wide": np.broadcast_to(np.uint8(0), (1, (1 << 20) + 1, 1)),
}


@pytest.mark.parametrize("kind", UNFIT)
def test_images_that_do_not_fit_are_refused(kind, tiny):
    codec, good = Codec(tiny()), draw("noise", 3, 3, 3)
    with pytest.raises(ImageMismatchError, match="image"):
        codec.encode([good, UNFIT[kind]])
    with pytest.raises(ImageMismatchError, match="image"):
        file_of(codec, [("", good), ("", UNFIT[kind])])


@pytest.mark.parametrize("tile", [-1, 1 << 16])
def test_tiles_that_no_header_can_hold(tile, tiny):
    with pytest.raises(RecipeError, match="a tile has a side of 1 to 65535"):
        Codec(tiny(), tile=tile)


def test_pixels_that_did_not_go_in_are_never_returned(tiny, smooth_images):
    codec = Codec(tiny(), tile=SMALL_TILE)
    ((entry, messages),) = codec.encode([smooth_images(1, 3, 10, 10, 256)[0].transpose(1, 2, 0)])
    changed = [bytes([messages[0][0] ^ 1]) + messages[0][1:], *messages[1:]]
    other = Codec(tiny(seed=1), tile=SMALL_TILE)
    for decoder, found in ((codec, changed), (codec, messages[::-1]), (other, messages)):
        with pytest.raises(CompressedFileError, match=r"not those that went in|cut short"):
            decoder.decode(entry, found)
