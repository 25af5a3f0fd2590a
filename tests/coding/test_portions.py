"""Many images are coded a few at a time: memory, progress, and an end when it is asked for."""

import gc
import io
import threading
import time
import weakref
import zlib

import numpy as np
import pytest

from pixelrnn.coding import Album, Codec, write
from pixelrnn.coding.container import Entry, Message, Writer
from pixelrnn.stepper import coder
from spending import spending

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


def most_alive_while_writing(model, bytes_at_once):
    counted = Counted()
    images = (("", counted.add(draw(4, 4, 3, seed))) for seed in range(40))
    write(Codec(model), images, io.BytesIO(), bytes_at_once=bytes_at_once)
    return counted.most


def test_images_are_read_a_few_at_a_time(model):
    assert most_alive_while_writing(model, 3 * 48) <= 2 * 3  # one portion goes, the next one comes
    assert most_alive_while_writing(model, 1) <= 3
    assert most_alive_while_writing(model, 64 * 48) == 40


def test_images_are_decoded_a_few_at_a_time(model, monkeypatch):
    stream, images = io.BytesIO(), [draw(4, 4, 3, seed) for seed in range(40)]
    write(Codec(model), [("", image) for image in images], stream)
    album, real = Album(stream, coding_model=model), Codec.decode_many
    for portion, expected in ((3, 2 * 3), (1, 3), (64, 40)):
        counted = Counted()

        def decode_many(self, *arguments, counted=counted, **options):
            return [counted.add(image) for image in real(self, *arguments, **options)]

        monkeypatch.setattr(Codec, "decode_many", decode_many)
        found = album.in_turn(bytes_at_once=portion * 48)
        for image, original in zip(found, images, strict=True):
            np.testing.assert_array_equal(image, original, strict=True)
        assert counted.most <= expected
    assert counted.most == 40


@pytest.fixture
def sizes_of(monkeypatch):
    """A function that writes images and decodes them all; it returns how many were coded at a time."""

    def run(codec, images, **limit):
        found, stream, album = {}, io.BytesIO(), None
        for name in ("encode", "decode_many"):
            real, found[name] = getattr(Codec, name), []

            def counted(self, many, *more, real=real, sizes=found[name], **options):
                sizes.append(len(many))
                return real(self, many, *more, **options)

            monkeypatch.setattr(Codec, name, counted)
        write(codec, [("", image) for image in images], stream, **limit)
        album = Album(stream, coding_model=codec.model)
        for image, original in zip(album.in_turn(**limit), images, strict=True):
            np.testing.assert_array_equal(image, original, strict=True)
        assert found["encode"] == found["decode_many"]
        return found["encode"]

    return run


def test_portions_are_of_bytes(sizes_of, coding_model):
    """Sixteen channels of 16 bits are 32 bytes a pixel; what would go over begins the next portion."""
    for channels, levels, dtype in ((16, 65536, np.uint16), (3, 256, np.uint8)):
        codec = Codec(coding_model("pixelcnn", "logistic-mixture", channels, levels))
        images = [np.full((height, 2, channels), 7, dtype) for height in (1, 2, 1, 6, 1, 1)]
        at_once = 4 * images[0].nbytes
        assert sizes_of(codec, images, bytes_at_once=at_once) == [3, 1, 2]
        assert sizes_of(codec, images, bytes_at_once=at_once - 1) == [2, 1, 1, 2]
        assert sizes_of(codec, images, bytes_at_once=1) == [1] * 6


def test_tiles_are_counted_alike_on_both_sides(sizes_of, model, monkeypatch):
    monkeypatch.setattr("pixelrnn.coding.writing.TILES_AT_ONCE", 8)
    images = [draw(4 * tiles, 4, bands, tiles) for tiles, bands in ((1, 3), (3, 4), (1, 3), (9, 1))]
    assert sizes_of(Codec(model, tile=4), images) == [3, 1]


def test_of_many_images_only_some_are_in_memory(coding_model):
    """All of an album in turn takes no more than its largest image, and what is decoded at once."""
    model = coding_model("pixelcnn", "logistic-mixture", 16, 65536)
    shape, stream = (1000, 1000, 16), io.BytesIO()
    codec = Codec(model, tile=0)
    least = codec._coder.least_bytes(16_000_000)
    entry = Entry(*shape, zlib.crc32(bytes(32_000_000)), (Message(least),))
    writer = Writer(stream, codec.header)
    for _ in range(5):
        writer.add(entry, [bytes(least)])
    writer.close()
    album = Album(stream, coding_model=model)
    with spending() as spent:
        for image in album.in_turn():
            assert image.shape == shape
            del image
    assert spent.bytes < 3 * 32_000_000


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

    def seconds(bytes_at_once):
        began = time.process_time()
        assert all(image == 200 for image in album.in_turn(bytes_at_once=bytes_at_once))
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
