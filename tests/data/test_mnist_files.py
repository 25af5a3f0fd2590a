"""idx files, packed or not: sound, damaged, and claiming more than there is."""

import gzip
import hashlib
import os

import numpy as np
import pytest

from pixelrnn.data.mnist_files import read_idx
from pixelrnn.errors import DataError
from published import draw, idx
from spending import spending

IMAGES = draw(12, 5, 7)


@pytest.fixture(params=[bytes, lambda content: gzip.compress(content, 1, mtime=0)])
def pack(request):
    """Leave the contents as they are, or pack them."""
    return request.param


@pytest.mark.parametrize("name", ["images", "images.gz"])
def test_whether_it_is_packed_is_seen_from_its_bytes(tmp_path, pack, name):
    (tmp_path / name).write_bytes(pack(idx(IMAGES)))
    array, md5 = read_idx(tmp_path / name, num_axes=3)
    np.testing.assert_array_equal(array, IMAGES)
    assert md5 == hashlib.md5(idx(IMAGES)).hexdigest()
    (tmp_path / name).write_bytes(pack(idx(IMAGES[:, 0, 0])))
    assert read_idx(tmp_path / name, num_axes=1)[0].tolist() == IMAGES[:, 0, 0].tolist()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not an idx file of images"),
        (b"plain text, and long enough", "not an idx file of images"),
        (idx(IMAGES)[:9], "not an idx file of images"),
        (idx(IMAGES, magic=0x801), "not an idx file of images"),
        (idx(IMAGES, magic=0xD03), "not an idx file of images"),
        (idx(IMAGES)[:-1], "does not hold the 420 bytes|claims images"),
        (idx(IMAGES) + b"x", "does not hold the 420 bytes"),
        (idx(IMAGES, shape=(13, 5, 7)), "does not hold the 455 bytes|claims images"),
        (idx(IMAGES, shape=(11, 5, 7)), "does not hold the 385 bytes"),
        (idx(IMAGES[:0], shape=(0, 5, 7)), "does not hold the 0 bytes"),
        (idx(IMAGES, shape=(2**31, 28, 28)), "claims images of shape"),
        (idx(IMAGES, shape=(2**32 - 1,) * 3), "claims images of shape"),
    ],
)
def test_damage(tmp_path, pack, content, message):
    (tmp_path / "images").write_bytes(pack(content))
    with pytest.raises(DataError, match=message) as caught:
        read_idx(tmp_path / "images", num_axes=3)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("keep", [2, 11, 30, -9, -1])
def test_a_packed_file_cut_short(tmp_path, keep):
    (tmp_path / "images.gz").write_bytes(gzip.compress(idx(IMAGES), mtime=0)[:keep])
    with pytest.raises(DataError, match="truncated or damaged"):
        read_idx(tmp_path / "images.gz", num_axes=3)


def test_a_flipped_bit_of_a_packed_file(tmp_path):
    content = bytearray(gzip.compress(idx(IMAGES), mtime=0))
    content[-6] ^= 1
    (tmp_path / "images.gz").write_bytes(content)
    with pytest.raises(DataError, match="truncated or damaged"):
        read_idx(tmp_path / "images.gz", num_axes=3)


@pytest.mark.parametrize("shape", [(12, 5, 7), (100_000, 50, 50)])
def test_a_bomb_takes_no_memory(tmp_path, shape):
    """300 MB of zeros in 300 KB, with an honest and with a modest header."""
    packer = gzip.compress(idx(IMAGES[:0], shape=shape), mtime=0)
    (tmp_path / "images.gz").write_bytes(packer + gzip.compress(bytes(100 << 20), mtime=0) * 3)
    with spending() as spent, pytest.raises(DataError, match=r"claims images|does not hold"):
        read_idx(tmp_path / "images.gz", num_axes=3)
    assert spent.bytes < 1 << 20


def test_a_hole_on_the_disk_is_not_read(tmp_path):
    """A file of 2 GB that takes none, and whose header agrees."""
    with (tmp_path / "images").open("wb") as file:
        file.write(idx(IMAGES[:0], shape=(1 << 21, 32, 32)))
        file.truncate(16 + (1 << 31))
    with spending() as spent, pytest.raises(DataError, match="claims images"):
        read_idx(tmp_path / "images", num_axes=3)
    assert spent.bytes < 1 << 20


def test_what_is_no_file(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(DataError, match="cannot be read: it is a pipe"):
        read_idx(tmp_path / "pipe", num_axes=3)
    with pytest.raises(DataError, match="cannot be read: it is a folder"):
        read_idx(tmp_path, num_axes=3)
