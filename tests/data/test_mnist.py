"""MNIST's files and its binarisations, on small files of the same form."""

import gzip
import hashlib
import struct

import numpy as np
import pytest

from pixelrnn.data import DataOptions, load, mnist
from pixelrnn.data.download import RemoteFile
from pixelrnn.errors import DataError

TRAIN = np.random.default_rng(0).integers(0, 256, (40, 28, 28), np.uint8)
TEST = np.random.default_rng(1).integers(0, 256, (12, 28, 28), np.uint8)


def idx(images, magic=0x803, shape=None):
    return gzip.compress(
        struct.pack(">IIII", magic, *(shape or images.shape)) + images.tobytes(), mtime=0
    )


def amat(images):
    return "".join(" ".join(map(str, row.ravel())) + " \n" for row in images).encode()


def in_place(tmp_path, monkeypatch, name, content):
    """A file that is in the folder of downloads already."""
    monkeypatch.setenv("PIXELRNN_DATA", str(tmp_path))
    (tmp_path / name).write_bytes(content)
    checksum = "sha256:" + hashlib.sha256(content).hexdigest()
    return RemoteFile(name, "http://127.0.0.1:9/" + name, checksum, len(content))


@pytest.fixture
def small_mnist(tmp_path, monkeypatch):
    train = in_place(tmp_path, monkeypatch, "train.gz", idx(TRAIN))
    test = in_place(tmp_path, monkeypatch, "test.gz", idx(TEST))
    bits = [amat(images > 127) for images in (TRAIN.astype(int), TRAIN[:5], TEST)]
    bits = [content.replace(b"True", b"1").replace(b"False", b"0") for content in bits]
    fixed = [in_place(tmp_path, monkeypatch, f"{i}.amat", each) for i, each in enumerate(bits)]
    monkeypatch.setattr(mnist, "TRAIN_FILE", train)
    monkeypatch.setattr(mnist, "TEST_FILE", test)
    monkeypatch.setattr(mnist, "FIXED_FILES", tuple(fixed))


@pytest.mark.usefixtures("small_mnist")
def test_each_binarisation_is_named():
    seen = {}
    for binarisation, name, levels in (
        ("none", "mnist", 256),
        ("threshold", "mnist (threshold at 0.5)", 2),
        ("sampled", "mnist (sampled once)", 2),
        ("fixed", "mnist (fixed, Larochelle)", 2),
    ):
        data = load("mnist", DataOptions(binarisation=binarisation))
        assert (data.name, data.num_levels) == (name, levels)
        seen[binarisation] = data
    np.testing.assert_array_equal(seen["none"].images("test")[:, 0], TEST)
    np.testing.assert_array_equal(seen["none"].images("validation")[:, 0], TRAIN[9::10])
    np.testing.assert_array_equal(seen["threshold"].images("test")[:, 0], TEST / 255 > 0.5)
    np.testing.assert_array_equal(seen["fixed"].images("test")[:, 0], TEST > 127)
    assert seen["fixed"].count("validation") == 5
    assert seen["sampled"].sha256("test") != seen["threshold"].sha256("test")


def test_sampled_is_the_same_for_ever():
    images = np.arange(256, dtype=np.uint8).reshape(1, 1, 16, 16)
    drawn = mnist.binarise(np.repeat(images, 4, axis=0), "sampled", mnist.TRAIN_KEY)
    assert hashlib.sha256(drawn.tobytes()).hexdigest() == (
        "3666f24290549f46cea961d2fe1f9f6edbcdf0e45bf56cbc8c481018cad62764"
    )


def test_sampled_draws_with_the_grey_level_as_probability():
    images = np.repeat(np.arange(256, dtype=np.uint8).reshape(1, 1, 16, 16), 2000, axis=0)
    frequency = mnist.binarise(images, "sampled", key=1).mean(axis=0).ravel()
    expected = np.arange(256) / 255
    assert frequency[0] == 0
    assert frequency[255] == 1
    deviation = np.abs(frequency - expected) / np.sqrt(expected * (1 - expected) / 2000 + 1e-12)
    assert deviation.max() < 4.5


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (idx(TEST)[:-20], "truncated or damaged"),
        (idx(TEST, magic=0x801), "not an IDX file"),
        (b"plain", "truncated or damaged"),
        (gzip.compress(b"", mtime=0), "not an IDX file"),
        (idx(TEST, shape=(60_000, 28, 28)), "does not hold"),
        (idx(TEST, shape=(11, 28, 28)), "does not hold"),
        (idx(TEST, shape=(2**31, 28, 28)), "more than MNIST"),
        (idx(TEST[:0], shape=(0, 28, 28)), "does not hold"),
    ],
)
def test_damaged_idx(tmp_path, content, message):
    path = tmp_path / "images.gz"
    path.write_bytes(content)
    with pytest.raises(DataError, match=message):
        mnist.read_idx(path)


@pytest.mark.parametrize("content", [b"", b"0 1 1\n", b"2 " * 784, b"0 " * 784 + b"x"])
def test_damaged_amat(tmp_path, content):
    path = tmp_path / "images.amat"
    path.write_bytes(content)
    with pytest.raises(DataError, match="whole number of binary"):
        mnist.read_amat(path)
