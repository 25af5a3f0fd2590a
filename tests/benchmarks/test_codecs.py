"""The codec benchmark: sizes are those of real files, speeds those of what it says, faults show."""

import dataclasses
import io
import json

import numpy as np
import pytest

from benchmarks import codecs, image_codecs, in_turn
from benchmarks.codecs import benchmark_codecs, pixels_to_do
from benchmarks.image_formats import ALL_FORMATS, Stream
from benchmarks.in_turn import Measured
from pixelrnn.baselines.mosaic import as_pictures, one_picture
from pixelrnn.coding import Codec, codec, name_model, write
from pixelrnn.errors import CompressedFileError, ImageMismatchError
from pixelrnn.operations.export import export
from pixelrnn.stepper.spreading import spread

NAMES = ["PNG", "WebP", "JPEG XL", "JPEG XL (effort 7)", "JPEG-LS", "JPEG 2000", "LZMA"]
ENCODING, DECODING = "images_per_second_encoding", "images_per_second_decoding"
SPEEDS = [
    ENCODING, DECODING, f"{ENCODING}_1_thread", f"{DECODING}_1_thread",
    "seconds_to_decode_one_image",
]  # fmt: skip

PROCESSOR = ["cpu_seconds_per_megapixel_encoding", "cpu_seconds_per_megapixel_decoding"]


@pytest.fixture(autouse=True)
def fast(monkeypatch):
    monkeypatch.setattr(in_turn, "SECONDS_EACH", 0.0)


@pytest.fixture
def images(random_images):
    return random_images(5, 3, 6, 9, num_levels=4).numpy()


@pytest.fixture
def model(tiny_model, images):
    program = tiny_model("pixelcnn", "categorical", 3, layers=1, noise=0.3).float().lower(images)
    return name_model("tiny", export(program))


def measured(model, images, *, tile=0, threads=2, **settings):
    made = Codec(model, tile=tile, threads=threads)
    return benchmark_codecs([made], images, 5, threads=threads, **{"repeats": 1} | settings)


def bits_per_dim(num_bytes, images):
    return num_bytes * 8 / images.size


def file_bytes(model, images, tile=0):
    stream = io.BytesIO()
    pixels = [("", np.ascontiguousarray(image.transpose(1, 2, 0))) for image in images]
    entries = write(Codec(model, tile=tile, threads=1), pixels, stream)
    return len(stream.getvalue()), sum(entry.size for entry in entries)


def only(monkeypatch, *formats):
    monkeypatch.setattr(codecs, "ALL_FORMATS", formats)


@pytest.mark.parametrize("tile", [0, 4])
def test_sizes_of_a_model_are_those_of_its_files(model, images, tile, monkeypatch):
    only(monkeypatch)
    (found,) = measured(model, images, tile=tile).models
    album, messages = file_bytes(model, images, tile)
    each = [file_bytes(model, image[np.newaxis], tile)[0] for image in images]
    assert found.bits_per_dim_all_in_one == bits_per_dim(album, images)
    assert found.messages_bits_per_dim == bits_per_dim(messages, images)
    assert found.bits_per_dim_one_file_each == bits_per_dim(sum(each), images)
    assert 1 < found.ideal_bits_per_dim < found.messages_bits_per_dim
    assert (found.name, found.program_hash) == ("tiny", model.hash.hex())
    assert ("tiles of 4" in found.note) == bool(tile)


def test_sizes_of_image_codecs_are_those_of_their_files(model, images):
    found = {figures.name: figures for figures in measured(model, images).codecs}
    assert list(found) == NAMES
    pictures = as_pictures(images)
    for each in ALL_FORMATS:
        sizes = sum(len(each.encode(picture, 5)) for picture in pictures)
        together = pictures.reshape(-1, 9, 3) if isinstance(each, Stream) else one_picture(pictures)
        figures = found[each.name]
        assert figures.bits_per_dim_one_file_each == bits_per_dim(sizes, images)
        assert figures.bits_per_dim_all_in_one == bits_per_dim(
            len(each.encode(together, 5)), images
        )
        assert figures.all_in_one == ("stream" if each.name == "LZMA" else "picture")


def test_all_of_it_is_measured_and_goes_into_json(model, images):
    found = measured(model, images)
    assert (found.finished, found.repeats, found.left_out) == (True, 1, {})
    assert (found.num_images, found.num_images_timed, found.threads) == (5, 5, 2)
    kept = json.loads(json.dumps(found.as_dict()))
    assert all(kept["models"][0][name] > 0 for name in SPEEDS)
    assert all(each[name] > 0 for each in kept["codecs"] for name in SPEEDS[:2])
    assert all(each[name] >= 0 for each in kept["models"] + kept["codecs"] for name in PROCESSOR)


def test_figures_follow_from_seconds(model, images, monkeypatch):
    def clock(ways, repeats, on_progress):
        seconds = tuple(2.0**n for n in range(len(ways)))
        return Measured(seconds, tuple(3 * each for each in seconds), repeats, True)

    only(monkeypatch, ALL_FORMATS[0])
    monkeypatch.setattr(codecs, "measure_in_turn", clock)
    monkeypatch.setattr(codecs, "TIMED_PIXELS", 3 * 6 * 9)
    monkeypatch.setattr(codecs, "TIMED_IMAGES_PER_THREAD", 1)
    found = measured(model, images, threads=2, repeats=7)
    (figures,), (png,) = found.models, found.codecs
    assert (found.repeats, found.num_images_timed, found.num_images) == (7, 3, 5)
    assert [getattr(figures, name) for name in SPEEDS] == [3, 3 / 2, 3 / 4, 3 / 8, 16.0]
    assert [getattr(png, name) for name in SPEEDS[:2]] == [3 / 32, 3 / 64]
    megapixels = 3 * 6 * 9 / 1e6
    assert (found.num_pixels, found.num_pixels_timed) == (5 * 6 * 9, 3 * 6 * 9)
    for each, seconds in ((figures, (3, 6)), (png, (96, 192))):
        found_seconds = [getattr(each, name) for name in PROCESSOR]
        assert found_seconds == pytest.approx([second / megapixels for second in seconds])


@pytest.mark.parametrize(("threads", "timed"), [(1, 2), (3, 3), (9, 5)])
def test_every_thread_has_images_to_time(threads, timed, images, monkeypatch):
    monkeypatch.setattr(codecs, "TIMED_PIXELS", 2 * 6 * 9)
    monkeypatch.setattr(codecs, "TIMED_IMAGES_PER_THREAD", 1)
    assert codecs._num_timed(images, threads) == timed


def test_ways_do_what_their_figures_say(model, images, monkeypatch):
    used = []

    def counting(work, count, threads):
        used.append((count, threads))
        spread(work, count, threads)

    coder = codecs._Model(Codec(model, tile=4, threads=3), images, 4, lambda _: None)
    monkeypatch.setattr(codec, "spread", counting)
    ways, tiles = coder.ways(), 2 * 3
    assert list(ways) == SPEEDS
    for name, whole in (
        (ENCODING, (4 * tiles, 3)),
        (f"{ENCODING}_1_thread", (4 * tiles, 1)),
        (DECODING, (4 * tiles, 3)),
        (f"{DECODING}_1_thread", (4 * tiles, 1)),
        ("seconds_to_decode_one_image", (tiles, 3)),
    ):
        used.clear()
        result = ways[name]()
        assert used == [whole]
        if "decoding" in name:
            np.testing.assert_array_equal(np.stack(result).transpose(0, 3, 1, 2), images[:4])


def test_image_codecs_are_timed_on_all_threads(images, monkeypatch):
    used = []

    def counting(work, count, threads):
        used.append((count, threads))
        spread(work, count, threads)

    coder = codecs.ImageCodec(ALL_FORMATS[0], images, 5, 4, 3, lambda _: None)
    monkeypatch.setattr(image_codecs, "spread", counting)
    ways = coder.ways()
    assert ways[ENCODING]() == coder.files
    np.testing.assert_array_equal(ways[DECODING](), as_pictures(images)[:4])
    assert used == [(4, 3), (4, 3)]


def test_grey_images_and_formats_without_grey(random_images, tiny_model):
    images = random_images(3, 1, 4, 5).numpy()
    model = name_model("grey", export(tiny_model("pixelcnn", layers=1).float().lower(images)))
    found = measured(model, images)
    assert [figures.name for figures in found.codecs] == NAMES
    assert "grey stored as equal red, green and blue" in found.codecs[1].note


def test_progress_adds_up(model, images):
    done = []
    measured(model, images, repeats=2, on_progress=done.append)
    assert sum(done) == pixels_to_do(1, images, threads=2, repeats=2)


# Faults.


def test_a_pixel_that_a_model_changes_is_found(model, images, monkeypatch):
    real = Codec.decode_many

    def wrong(self, coded, **settings):
        decoded = list(real(self, coded, **settings))
        decoded[3][-1, -1, -1] ^= 1
        return decoded

    only(monkeypatch)
    monkeypatch.setattr(Codec, "decode_many", wrong)
    with pytest.raises(CompressedFileError, match="image 3 does not decode to the same pixels"):
        measured(model, images)


def flipping(image_format, wanted):
    """A codec that changes one picture: where `wanted` is true of it."""

    def encode(pixels, num_levels):
        return image_format.encode(pixels ^ np.uint8(wanted(pixels)), num_levels)

    return dataclasses.replace(image_format, encode=encode)


@pytest.mark.parametrize("image_format", [ALL_FORMATS[0], ALL_FORMATS[-1]], ids=["PNG", "LZMA"])
@pytest.mark.parametrize("in_all", [False, True], ids=["one of the images", "all in one"])
def test_a_lossy_codec_is_left_out(image_format, in_all, model, images, monkeypatch):
    def wanted(pixels):
        is_last = np.array_equal(pixels, as_pictures(images)[-1])
        return pixels.size > images[0].size if in_all else is_last

    only(monkeypatch, flipping(image_format, wanted), ALL_FORMATS[2])
    found = measured(model, images)
    assert [figures.name for figures in found.codecs] == ["JPEG XL"]
    assert found.left_out == {
        image_format.name: "it decodes to other pixels, so it is not lossless"
    }


def test_a_missing_codec_is_left_out(model, images, monkeypatch):
    only(monkeypatch, dataclasses.replace(ALL_FORMATS[0], available=lambda: False), ALL_FORMATS[2])
    found = measured(model, images)
    assert [figures.name for figures in found.codecs] == ["JPEG XL"]
    assert found.left_out == {"PNG": "the installed Pillow or imagecodecs has none"}


@pytest.mark.parametrize(("side", "together"), [(8, None), (9, False), (100, True)])
def test_what_a_format_cannot_hold(side, together, model, images, monkeypatch):
    only(monkeypatch, dataclasses.replace(ALL_FORMATS[0], max_side=side))
    found = measured(model, images)
    if together is None:
        assert found.left_out == {"PNG": "the images are too large for it"}
    else:
        (png,) = found.codecs
        assert (png.bits_per_dim_all_in_one is not None) == together
        assert png.images_per_second_encoding > 0


def test_levels_that_a_model_has_not_are_said_first(model, images, monkeypatch):
    monkeypatch.setattr(codecs, "_Model", None)  # nothing is measured before
    images[-1, -1, -1, -1] = 5
    with pytest.raises(ImageMismatchError, match="tiny is a model of images with 5 levels"):
        measured(model, images)


# Ctrl-C.


def test_stopped_between_codecs_it_keeps_the_sizes(model, images, monkeypatch):
    def stop(pixels, num_levels):
        raise KeyboardInterrupt

    only(monkeypatch, ALL_FORMATS[0], dataclasses.replace(ALL_FORMATS[2], encode=stop))
    found = measured(model, images)
    assert [figures.name for figures in found.codecs] == ["PNG"]
    assert (found.finished, found.repeats) == (False, 0)
    assert found.models[0].bits_per_dim_all_in_one > 0
    assert all(getattr(found.models[0], name) is None for name in SPEEDS)


def test_stopped_while_timing_it_keeps_repetitions(model, images, monkeypatch):
    only(monkeypatch, ALL_FORMATS[0])
    calls, real = [], codecs._Model._decode

    def stop(self, *arguments):
        calls.append(arguments)
        if len(calls) == 8:  # one to check, and two ways, called once before the first repetition
            raise KeyboardInterrupt
        return real(self, *arguments)

    monkeypatch.setattr(codecs._Model, "_decode", stop)
    found = measured(model, images, repeats=5)
    assert (found.finished, found.repeats) == (False, 2)
    assert found.codecs[0].images_per_second_encoding > 0
