"""What a file claims is believed only as far as it can be true: all checksums here are right."""

import io
import struct
import time
import tracemalloc
import zlib

import pytest

from pixelrnn.coding import Codec, container
from pixelrnn.coding.container import Entry, Header, Message, read_header
from pixelrnn.coding.index import read_index
from pixelrnn.errors import CompressedFileError

WHOLE = Header("tiny", 3, bytes(16), 0)
TILE_1 = Header("tiny", 3, bytes(16), 1)
MOST_BYTES, MOST_SECONDS = 50_000_000, 5


def crafted(index, header=WHOLE, body=b""):
    """A file with right checksums whose index is any bytes."""
    return header.to_bytes() + body + index + struct.pack("<II", len(index), zlib.crc32(index))


def read(content):
    stream = io.BytesIO(content)
    header = read_header(stream)
    return header, read_index(stream, header)


def varints(*numbers):
    return b"".join(container.varint(number) for number in numbers)


def shapes(*runs):
    """The number of images, and runs (count, bands, height, width)."""
    total = sum(count for count, _, _, _ in runs)
    return varints(total) + b"".join(
        varints(count) + bytes([bands]) + varints(height, width)
        for count, bands, height, width in runs
    )


def bomb(unit, megabytes, *, is_whole=False):
    """Packed bytes that unpack to megabytes of one byte: each megabyte by the same thousand bytes."""
    megabyte, packer = unit * (1 << 20), zlib.compressobj(9)
    packed = packer.compress(megabyte) + packer.flush(zlib.Z_FULL_FLUSH)
    again = packer.compress(megabyte) + packer.flush(zlib.Z_FULL_FLUSH)
    packed += again * (megabytes - 1)
    if not is_whole:
        return packed
    checksum = 1
    for _ in range(megabytes):
        checksum = zlib.adler32(megabyte, checksum)
    packed += b"\x03\x00" + struct.pack(">I", checksum)
    return packed


def with_names(packed, count=1):
    lengths = bytes(count)
    runs = [(count, 1, 1, 1)] if count else []
    return shapes(*runs) + bytes(4 * count) + lengths + varints(len(packed)) + packed


def in_many_runs():
    """Every run is as long as the bytes would allow if it were alone."""
    run = varints(60_000) + b"\x01" + varints(1, 1)
    return varints(2**40) + run * 10_000


ONE = shapes((1, 3, 1, 1)) + bytes(4)
CLAIMS = {
    "a huge image": (shapes((1, 3, 10**9, 10**9)) + bytes(9), "pixels"),
    "a long image": (shapes((1, 1, 1, (1 << 20) + 1)) + bytes(9), "pixels"),
    "a large image": (shapes((1, 1, 1 << 14, (1 << 13) + 1)) + bytes(9), "pixels"),
    "an image of no height": (shapes((1, 1, 0, 1)) + bytes(9), "pixels"),
    "no bands": (shapes((1, 0, 1, 1)) + bytes(9), "bands"),
    "five bands": (shapes((1, 5, 1, 1)) + bytes(9), "bands"),
    "2^40 images of one shape": (shapes((2**40, 3, 1, 1)) + bytes(9), "images"),
    "2^40 images of no shape": (varints(2**40), "images|cut short"),
    "2^40 images in many runs": (in_many_runs(), "images"),
    "a run of no image": (varints(1, 0) + b"\x01" + varints(1, 1) + bytes(9), "images"),
    "a run beyond the count": (varints(1, 2) + b"\x01" + varints(1, 1) + bytes(20), "images"),
    "more checksums than bytes": (shapes((3, 1, 1, 1)) + bytes(10), "cut short"),
    "no lengths": (ONE, "cut short"),
    "a message beyond the file": (ONE + varints(2 * 100, 0), "length"),
    "a message beyond any file": (ONE + varints(2**63 - 2, 0), "length"),
    "a number beyond 64 bits": (ONE + b"\xff" * 11, "too long"),
    "bytes left over": (ONE + bytes(3), "left over"),
    "names longer than the index": (ONE + varints(0, 2**40), "cut short"),
    "names that are not packed": (with_names(b"a.png"), "names"),
    "names that are cut short": (with_names(zlib.compress(b"a.png")[:-1]), "names"),
    "names with more behind": (with_names(zlib.compress(b"a.png") + b"x"), "names"),
    "names that are not text": (with_names(zlib.compress(b"\xff")), "names"),
    "a name too many": (with_names(zlib.compress(b"a\0b")), "names"),
    "a name too few": (with_names(zlib.compress(b"a"), 2), "names"),
    "a name of two gigabytes": (with_names(bomb(b"a", 2048)), "names"),
    "two billion names": (with_names(bomb(b"\0", 2048)), "names"),
    "a name of a hundred megabytes": (with_names(bomb(b"a", 100, is_whole=True)), "names"),
    "names of no image": (with_names(bomb(b"a", 2048), 0), "names"),
    "a hundred million names": (with_names(bomb(b"\0", 100, is_whole=True)), "names"),
}


def refused(content, message):
    """Read a file that must be refused, soon and without taking much memory."""
    tracemalloc.start()
    began = time.process_time()
    try:
        with pytest.raises(CompressedFileError, match=message) as caught:
            read(content)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert time.process_time() - began < MOST_SECONDS
    assert peak < MOST_BYTES
    return str(caught.value)


def test_the_bombs_are_bombs():
    assert zlib.decompress(bomb(b"a", 3, is_whole=True)) == b"a" * (3 << 20)
    assert len(zlib.decompressobj().decompress(bomb(b"a", 3))) == 3 << 20
    assert len(bomb(b"a", 2048)) < 3_000_000


@pytest.mark.parametrize("claim", CLAIMS)
def test_a_claim_that_cannot_be_is_refused_before_memory_is_taken(claim):
    index, message = CLAIMS[claim]
    assert len(index) < 3_000_000
    refused(crafted(index), message)


@pytest.mark.parametrize("size", [(1000, 1000), (1 << 20, 128)])
def test_a_million_tiles_that_are_not_there(size):
    refused(crafted(shapes((1, 3, *size)) + bytes(4 + 1000), TILE_1), "tiles")


def test_messages_that_end_before_the_index():
    index = ONE + varints(2 * 3, 0)
    read(crafted(index, body=b"abc"))
    for body in (b"", b"ab", b"abcd"):
        refused(crafted(index, body=body), "length")


def test_an_index_longer_than_the_file():
    index = ONE + varints(0, 0)
    content = crafted(index)
    read(content)
    for length in (len(index) + 1, len(content), 2**32 - 1):
        footer = struct.pack("<II", length, zlib.crc32(index))
        refused(content[:-8] + footer, "cut short")


def test_no_index_that_laps_over_the_header():
    """The last bytes of the header would do as an index, if it were looked for there."""
    header = Header("x", 1, bytes(16), 0).to_bytes()
    tail = header[-1:]
    refused(header + struct.pack("<II", 1, zlib.crc32(tail)), "cut short")


@pytest.mark.parametrize(
    "message", [Message(5), Message(1 << 26, is_bare=True), Message(0, is_bare=True)]
)
def test_more_pixels_than_a_message_can_hold(message, coding_model):
    """Refused by the lengths alone: there is nothing to decode, nor room for the image."""
    entry = Entry(1 << 12, 1 << 13, 1, 0, (message,))
    with pytest.raises(CompressedFileError, match="which cannot be"):
        Codec(coding_model(num_levels=256), tile=0).decode(entry, [])
