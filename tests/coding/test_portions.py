"""Many images are coded a few at a time: memory, progress, and an end when it is asked for."""

import gc
import io
import threading
import time
import weakref

import numpy as np
import pytest

from pixelrnn.coding import Album, Codec, write
from pixelrnn.coding.container import Entry, Message
from pixelrnn.stepper import coder

MOST_SECONDS = 60


@pytest.fixture
def model(coding_model):
    return coding_model("pixelcnn", "logistic-mixture", 3, 256)


def draw(height, width, bands, seed):
    """An image of noise, uint8 `(height, width, bands)`."""
    return np.random.default_rng(seed).integers(256, size=(height, width, bands), dtype=np.uint8)


class Counted:
    """Counts how many images are in memory at once, at most."""

    def __init__(self):
        self.alive, self.most = set(), 0

    def add(self, image):
        number = len(self.alive) + 1000 * self.most
        self.alive.add(number)
        weakref.finalize(image, self.alive.discard, number)
        gc.collect(0)
        self.most = max(self.most, len(self.alive))
        return image


def most_alive_while_writing(model, pixels_at_once):
    counted = Counted()
    images = (("", counted.add(draw(4, 4, 3, seed))) for seed in range(40))
    write(Codec(model), images, io.BytesIO(), pixels_at_once=pixels_at_once)
    return counted.most


def test_images_are_read_a_few_at_a_time(model):
    assert most_alive_while_writing(model, 3 * 16) <= 2 * 3  # one portion goes, the next one comes
    assert most_alive_while_writing(model, 1) <= 3
    assert most_alive_while_writing(model, 64 * 16) == 40


def test_images_are_decoded_a_few_at_a_time(model, monkeypatch):
    stream, images = io.BytesIO(), [draw(4, 4, 3, seed) for seed in range(40)]
    write(Codec(model), [("", image) for image in images], stream)
    album, real = Album(stream, coding_model=model), Codec.decode_many
    for portion, expected in ((3, 2 * 3), (1, 3), (64, 40)):
        counted = Counted()

        def decode_many(self, *arguments, counted=counted, **options):
            return [counted.add(image) for image in real(self, *arguments, **options)]

        monkeypatch.setattr(Codec, "decode_many", decode_many)
        found = album.in_turn(pixels_at_once=portion * 16)
        for image, original in zip(found, images, strict=True):
            np.testing.assert_array_equal(image, original, strict=True)
        assert counted.most <= expected
    assert counted.most == 40


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("tile", [0, 7])
def test_progress_adds_up_to_the_pixels(channels, tile, coding_model):
    model = coding_model("pixelcnn", "logistic-mixture", channels, 256)
    images = [draw(5 + n, 20 - n, 1 + n % 4, n) for n in range(12)]
    pixels = sum(image.shape[0] * image.shape[1] for image in images)
    stream, written, read = io.BytesIO(), [], []
    entries = write(
        Codec(model, tile=tile),
        [("", image) for image in images],
        stream,
        on_progress=written.append,
    )
    list(Album(stream, coding_model=model).in_turn(read.append))
    rounded = sum(len(entry.messages) for entry in entries)
    for done in (written, read):
        assert pixels - rounded <= sum(done) <= pixels


@pytest.mark.parametrize("reads", [False, True])
def test_no_large_tile_is_waited_for(reads, model, monkeypatch):
    """The loop runs over some thousand pixels at a time, and an end is heard of in between."""
    small, large = np.zeros((1, 1, 3), np.uint8), np.zeros((100 * 128, 128, 3), np.uint8)
    codec, calls, begun = Codec(model, tile=0, threads=2), [], threading.Event()
    coded = [
        (Entry(*image.shape, 0, (Message(size),)), [b"\x01" * size])
        for image, size in ((small, 1), (large, 1000))
    ]

    def interrupted(tables, world, image, first, last):
        if len(image) == 1:
            begun.wait(MOST_SECONDS)
            raise KeyboardInterrupt
        begun.set()
        calls.append(first)
        time.sleep(0.05)

    monkeypatch.setattr(coder, "run_rows", interrupted)
    with pytest.raises(KeyboardInterrupt):
        list(codec.decode_many(coded)) if reads else codec.encode([small, large])
    assert 1 <= len(calls) < 50


def test_time_grows_with_the_images_not_with_their_square(model):
    """All of so many tiny images are one portion; in small portions they take as long.

    The processor's time, and the least of three, for a machine that is busy.
    """
    stream, images = io.BytesIO(), np.zeros((8000, 1, 1, 1), np.uint8)
    images[:] = 200  # bare, so that nothing but the portions takes time
    write(Codec(model), (("", image) for image in images), stream)
    album = Album(stream, coding_model=model, threads=1)

    def seconds(pixels_at_once):
        began = time.process_time()
        assert all(image == 200 for image in album.in_turn(pixels_at_once=pixels_at_once))
        return time.process_time() - began

    in_portions, in_one = (min(seconds(size) for _ in range(3)) for size in (100, 1 << 22))
    assert in_one < 4 * in_portions


def test_entries_in_turn_are_those_by_number(model):
    images = [draw(1 + n % 3 // 2 * 7, 5, 1 + n % 7 // 5, n) for n in range(60)]
    names = [f"{n} ü" if n % 2 else "" for n in range(60)]
    file = io.BytesIO()
    write(Codec(model, tile=4), zip(names, images, strict=True), file)
    for at_once in (1, 7, 1 << 12):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("pixelrnn.coding.index.MESSAGES_AT_ONCE", at_once)
            patch.setattr("pixelrnn.coding.names.NAMES_AT_ONCE", at_once)
            entries = Album(file, needs_model=False).entries
            assert list(entries) == [entries[n] for n in range(60)]
            assert list(entries.names) == names


def test_tiny_images_are_decoded_some_at_a_time(model, monkeypatch):
    """A million images of one pixel are few pixels, and many Python objects."""
    file = io.BytesIO()
    write(Codec(model), (("", draw(1, 1, 3, n)) for n in range(50)), file)
    monkeypatch.setattr("pixelrnn.coding.writing.TILES_AT_ONCE", 8)
    sizes = []
    real = Codec.decode_many
    monkeypatch.setattr(
        Codec, "decode_many", lambda *a, **k: (sizes.append(len(a[1])), real(*a, **k))[1]
    )
    assert len(list(Album(file, coding_model=model))) == 50
    assert sizes == [8] * 6 + [2]
