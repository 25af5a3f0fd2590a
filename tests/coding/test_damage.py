"""Damaged files: what is wrong is said, or every pixel is right; no wrong image, and no other error."""

import functools
import io
import struct
import time
import tracemalloc
import zlib

import numpy as np
import pytest
from PIL import Image

from pixelrnn.coding import Album, Codec, codec, load_program, program_file, save_program, write
from pixelrnn.coding.container import FOOTER
from pixelrnn.errors import CompressedFileError, ModelFileError
from pixelrnn.stepper.coder import Coder

MOST_BYTES, MOST_SECONDS = 256_000_000, 5
TRIALS = 100


@pytest.fixture
def model_file(coding_model, tmp_path):
    model = coding_model("pixelcnn", "logistic-mixture", 3, 256, features=4, head_features=4)
    save_program(model, tmp_path / "tiny.safetensors")
    return tmp_path / "tiny.safetensors"


@pytest.fixture
def images(smooth_images):
    """Names and images `(H, W, bands)`."""
    return [
        (name, smooth_images(1, bands, height, width, 256, seed)[0].transpose(1, 2, 0).copy())
        for seed, (name, height, width, bands) in enumerate(
            [("a b.png", 4, 5, 3), ("ü.png", 2, 3, 1), ("", 3, 3, 4)]
        )
    ]


@pytest.fixture
def content(images, model_file):
    """The bytes of a file in tiles of 4 pixels, some of them bare."""
    stream = io.BytesIO()
    entries = write(Codec(load_program(model_file), tile=4), images, stream)
    kinds = {message.is_bare for entry in entries for message in entry.messages}
    assert kinds == {True, False}
    assert len(stream.getvalue()) < 400
    return stream.getvalue()


class Reader:
    """Opens damaged files, counts what came of it, and checks that nothing else did."""

    def __init__(self, path, images, model_file):
        self.path, self.images, self.model_file = path, images, model_file
        self.refused = self.right = 0
        self.slowest = 0.0

    def read(self, damaged):
        """Return whether the file was read, with all its pixels right."""
        self.path.write_bytes(damaged)
        refusal, began = None, time.process_time()
        try:
            with Album(self.path, model=self.model_file, threads=1) as opened:
                decoded = list(opened.in_turn())
                single = [opened.pixels(n) for n in range(len(opened))]
        except (CompressedFileError, ModelFileError) as error:
            refusal = str(error)
        self.slowest = max(self.slowest, time.process_time() - began)
        if refusal is not None:
            assert refusal.startswith(f"{self.path}: ")
            assert len(refusal.splitlines()) == 1
            self.refused += 1
            return False
        for found in (decoded, single):
            for image, (_, expected) in zip(found, self.images, strict=True):
                np.testing.assert_array_equal(image, expected, strict=True)
        self.right += 1
        return True


@pytest.fixture
def reader(tmp_path, images, model_file, monkeypatch):
    """A reader of damaged files, which loads the model and makes it ready once, not for each file."""
    coders = {}

    def coder_of(program):
        if id(program) not in coders:
            coders[id(program)] = Coder(program)
        return coders[id(program)]

    monkeypatch.setattr(program_file, "load_program", functools.cache(load_program))
    monkeypatch.setattr(codec, "Coder", coder_of)
    return Reader(tmp_path / "damaged.pxr", images, model_file)


def flipped(content, bit):
    damaged = bytearray(content)
    damaged[bit // 8] ^= 1 << bit % 8
    return bytes(damaged)


def index_of(content):
    """Where the index of a file begins and ends."""
    end = len(content) - FOOTER.size
    (length, _) = FOOTER.unpack(content[end:])
    return end - length, end


def test_every_single_bit(reader, content):
    assert reader.read(content)
    for bit in range(8 * len(content)):
        assert not reader.read(flipped(content, bit))
    assert reader.slowest < MOST_SECONDS
    assert reader.refused == 8 * len(content)


def test_memory_for_some_single_bits(reader, content):
    """Slower, for every allocation is counted: all of header and footer, and some of the rest."""
    begin, end = index_of(content)
    bits = [*range(0, 8 * 40), *range(320, 8 * begin, 97), *range(8 * begin, 8 * end, 17)]
    bits += range(8 * end, 8 * len(content))
    reader.read(content)
    tracemalloc.start()
    try:
        for bit in bits:
            reader.read(flipped(content, bit))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < MOST_BYTES


def test_every_length(reader, content):
    for length in range(len(content)):
        assert not reader.read(content[:length])


def test_every_bit_of_the_index_under_a_right_checksum(reader, content):
    """Only what pixels decode to can tell then; a name may differ, for no pixel depends on it."""
    begin, end = index_of(content)
    for bit in range(8 * begin, 8 * end):
        damaged = flipped(content, bit)
        index = damaged[begin:end]
        reader.read(damaged[:end] + struct.pack("<II", len(index), zlib.crc32(index)))
    assert reader.slowest < MOST_SECONDS
    assert reader.refused > reader.right


def test_every_bit_of_the_header_under_a_right_checksum(reader, content):
    """Its model's name may differ, for the hash decides; the rest may not."""
    body = 4 + 2 + len("tiny") + 16 + 1 + 2
    name = range(8 * 6, 8 * 10)
    for bit in range(8 * body):
        damaged = flipped(content, bit)
        checksum = struct.pack("<I", zlib.crc32(damaged[:body]))
        was_read = reader.read(damaged[:body] + checksum + damaged[body + 4 :])
        assert not was_read or bit in name
    assert reader.right > 0


def test_several_bytes_at_random(reader, content):
    generator = np.random.default_rng(0)
    for _ in range(TRIALS):
        damaged = bytearray(content)
        places = generator.integers(len(content), size=generator.integers(1, 9))
        for place in places:
            damaged[place] = generator.integers(256)
        if bytes(damaged) != content:
            reader.read(bytes(damaged))
    assert reader.refused > 0.95 * TRIALS


def test_a_part_that_is_missing_doubled_or_moved(reader, content):
    generator = np.random.default_rng(1)
    for _ in range(TRIALS):
        first, last = sorted(generator.integers(len(content) + 1, size=2))
        part = content[first:last]
        if part:
            assert not reader.read(content[:first] + content[last:])
            assert not reader.read(content[:last] + part + content[last:])
            reader.read(content[:first] + bytes(len(part)) + content[last:])
            reader.read(content[:first] + part[::-1] + content[last:])
    assert reader.slowest < MOST_SECONDS


@pytest.mark.parametrize("more", [b"\0", b"\n", b"x" * 100, bytes(4096)])
def test_bytes_before_or_behind(more, reader, content):
    assert not reader.read(content + more)
    assert not reader.read(more + content)


def test_two_files_in_one(reader, content, images, model_file):
    stream = io.BytesIO()
    write(Codec(load_program(model_file), tile=0), images[:2], stream)
    assert not reader.read(content + content)
    assert not reader.read(content + stream.getvalue())
    assert not reader.read(stream.getvalue() + content)
    half = len(content) // 2
    assert not reader.read(content[:half] + stream.getvalue()[half:])


def png():
    stream = io.BytesIO()
    Image.new("RGB", (9, 9), (1, 2, 3)).save(stream, "PNG")
    return stream.getvalue()


@pytest.mark.parametrize(
    "other", [b"", b"\0", b"\x89", b"\x89PXR", b"a text\n" * 99, png(), bytes(9999), b"\xff" * 9999]
)
def test_other_files(other, reader):
    assert not reader.read(other)
    if len(other) >= 4 and other != b"\x89PXR":
        with pytest.raises(CompressedFileError, match="not a compressed file of pixelrnn"):
            Album(reader.path)


def test_bits_of_the_model_file(content, images, model_file, tmp_path):
    """A model that is not read as it was written is refused, or would code as before."""
    good = model_file.read_bytes()
    reader = Reader(tmp_path / "good.pxr", images, model_file)
    for bit in np.random.default_rng(2).integers(8 * len(good), size=60):
        model_file.write_bytes(flipped(good, int(bit)))
        with pytest.raises((CompressedFileError, ModelFileError), match=r"tiny\.safetensors"):
            Album(io.BytesIO(content), model=model_file)
    model_file.write_bytes(good)
    assert reader.read(content)


def test_the_checks_would_see_a_wrong_pixel(reader, content, monkeypatch):
    """Without the checksum of pixels, damage shows as wrong images, and the tests above turn red."""
    monkeypatch.setattr("pixelrnn.coding.codec.check_pixels", lambda *_, **__: None)
    begin, _ = index_of(content)
    wrong = 0
    for bit in range(8 * 40, 8 * begin, 16):
        try:
            reader.read(flipped(content, bit))
        except AssertionError:
            wrong += 1
    assert wrong > reader.refused
