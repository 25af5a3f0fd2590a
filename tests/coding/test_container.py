"""The bytes of a compressed file, as docs/file-format.md has them."""

import io
import struct
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pixelrnn.coding import container, varints
from pixelrnn.coding.container import Entry, Header, Message, Writer, read_header
from pixelrnn.coding.index import read_index
from pixelrnn.coding.tiles import Tiling
from pixelrnn.errors import CompressedFileError, PixelRNNError

HASH = bytes(range(16))
HEADER = Header("tiny", 3, HASH, 2)
WHOLE = Header("tiny", 3, HASH, 0)


def written(header, entries, messages=None):
    """The bytes of a file; where no messages are given, the right number of zeros."""
    stream = io.BytesIO()
    writer = Writer(stream, header)
    for n, entry in enumerate(entries):
        zeros = [bytes(message.size) for message in entry.messages]
        writer.add(entry, zeros if messages is None else messages[n])
    writer.close()
    return stream.getvalue()


def read(content):
    stream = io.BytesIO(content)
    header = read_header(stream)
    return header, read_index(stream, header)


# What is written.


def test_every_byte_of_a_small_file():
    """Two images in tiles of 2: 3 x 2 RGB, so two tiles; 2 x 1 with alpha, so two planes."""
    long, short, empty = bytes(range(200)), b"\x07", b""
    content = written(
        Header("tiny é", 3, HASH, 2),
        [
            Entry(3, 2, 3, 0x01020304, (Message(200), Message(1)), "a b.png"),
            Entry(2, 1, 4, 0xFFFFFFFF, (Message(0), Message(2, is_bare=True)), "ü.png"),
        ],
        [[long, short], [empty, b"\x10\x20"]],
    )
    name = "tiny é".encode()
    header = b"\x89PXR" + struct.pack("<BB", 1, 7) + name + HASH + struct.pack("<BH", 3, 2)
    header += struct.pack("<I", zlib.crc32(header))
    names = zlib.compress("a b.png\0ü.png".encode(), 9)
    index = (
        b"\x02"  # two images
        b"\x01\x03\x03\x02"  # one of 3 bands, 3 high, 2 wide
        b"\x01\x04\x02\x01"  # one of 4 bands, 2 high, 1 wide
        b"\x04\x03\x02\x01\xff\xff\xff\xff"  # CRC-32 of the pixels
        b"\x90\x03\x02"  # twice 200, in two groups of 7 bits; twice 1
        b"\x00\x05"  # twice 0; twice 2, and 1 for bare
    ) + struct.pack("<B", len(names)) + names  # fmt: skip
    footer = struct.pack("<II", len(index), zlib.crc32(index))
    assert content == header + long + short + empty + b"\x10\x20" + index + footer


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (0, "00"), (1, "01"), (127, "7f"), (128, "8001"), (300, "ac02"), (16383, "ff7f"),
        (16384, "808001"), (2**32, "8080808010"), (2**63 - 1, "ffffffffffffffff7f"),
    ],
)  # fmt: skip
def test_varints(number, expected):
    assert varints.varint(number).hex() == expected
    reader = varints.Reader(bytes.fromhex(expected) + b"\xff")
    assert reader.varint() == number
    assert reader.at == len(expected) // 2


def test_a_varint_that_ends_too_early():
    with pytest.raises(CompressedFileError, match="cut short"):
        varints.Reader(b"\x80\xff").varint()


def test_a_varint_without_end():
    with pytest.raises(CompressedFileError, match="too long"):
        varints.Reader(b"\xff" * 1_000_000).varint()


def test_equal_shapes_are_said_once():
    a = Entry(3, 2, 3, 0, (Message(1),))
    b = Entry(3, 2, 1, 0, (Message(1),))
    index = container._index_bytes([a, a, b, a])
    expected = b"\x04\x02\x03\x03\x02\x01\x01\x03\x02\x01\x03\x03\x02"
    assert index == expected + bytes(16) + b"\x02\x02\x02\x02" + b"\x00"
    many = container._index_bytes([a] * 1000)
    assert len(many) == 2 + 5 + 5 * 1000 + 1  # a checksum and a length of each, and nothing else


def test_images_are_written_as_they_come():
    """The stream can neither seek nor read, and nothing waits for the end."""

    class Pipe:
        def __init__(self):
            self.content = b""

        def write(self, data):
            self.content += data

    pipe = Pipe()
    writer = Writer(pipe, WHOLE)
    assert pipe.content == WHOLE.to_bytes()
    writer.add(Entry(1, 1, 1, 0, (Message(3),)), [b"abc"])
    assert pipe.content == WHOLE.to_bytes() + b"abc"
    writer.add(Entry(1, 1, 2, 0, (Message(1), Message(1))), [b"d", b"e"])
    assert pipe.content == WHOLE.to_bytes() + b"abcde"
    writer.close()
    _, entries = read(pipe.content)
    assert [entry.start - len(WHOLE.to_bytes()) for entry in entries] == [0, 3]


SIDES = st.integers(1, 300)


@st.composite
def files(draw):
    """A header and entries, some in runs, that fit it."""
    header = Header(
        draw(st.text("abé ", min_size=1, max_size=20)),
        draw(st.sampled_from((1, 3))),
        draw(st.binary(min_size=16, max_size=16)),
        draw(st.sampled_from((0, 64, 100, 65535))),
    )
    names = st.text(st.characters(exclude_characters="\0", codec="utf-8"), max_size=5)
    entries = []
    for _ in range(draw(st.integers(0, 4))):
        bands, height, width = draw(st.integers(1, 4)), draw(SIDES), draw(SIDES)
        number = Tiling(header.channels, header.tile).count(height, width, bands)
        for _ in range(draw(st.integers(1, 3))):
            message = st.builds(Message, st.integers(0, 300), st.booleans())
            messages = draw(st.lists(message, min_size=number, max_size=number))
            crc = draw(st.integers(0, 2**32 - 1))
            entries.append(Entry(height, width, bands, crc, tuple(messages), draw(names)))
    return header, entries


@settings(max_examples=40, deadline=None, derandomize=True, database=None)
@given(files())
def test_what_is_written_is_read(file):
    header, entries = file
    found_header, found = read(written(header, entries))
    assert found_header == header
    start = len(header.to_bytes())
    for entry, read_back in zip(entries, found, strict=True):
        assert read_back == Entry(
            entry.height, entry.width, entry.bands, entry.crc, entry.messages, entry.name, start
        )
        start += entry.size


@pytest.mark.parametrize(
    ("tile", "bands", "expected"), [(0, 2, 2), (2, 1, 6), (2, 3, 18), (3, 1, 2), (100, 2, 2)]
)
def test_the_number_of_messages(tile, bands, expected):
    assert Tiling(1, tile).count(3, 6 - 1, bands) == expected


# Headers of other files.


def header_with(**changes):
    """A header with a right checksum, and something in it that is wrong."""
    parts = {"magic": b"\x89PXR", "version": 1, "name": b"tiny", "channels": 3} | changes
    body = parts["magic"] + bytes([parts["version"], len(parts["name"])]) + parts["name"]
    body += HASH + struct.pack("<BH", parts["channels"], 0)
    return body + struct.pack("<I", zlib.crc32(body))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"magic": b"\x89PNG"}, r"not a compressed file of pixelrnn \(.pxr\)"),
        ({"version": 3}, "format version 3, and this pixelrnn reads up to 2: install a later"),
        ({"version": 0}, "format version 0"),
        ({"channels": 17}, "17 colours"),
        ({"channels": 0}, "0 colours"),
        ({"name": b"\xff"}, "name of its model"),
        ({"name": b""}, "name of its model"),
        ({"name": b"x" * 65}, "name of its model"),
    ],
)
def test_headers_of_other_files(changes, message):
    assert read_header(io.BytesIO(header_with())) == WHOLE
    with pytest.raises(CompressedFileError, match=message):
        read_header(io.BytesIO(header_with(**changes) + bytes(100)))


def test_a_header_that_is_cut_short_anywhere():
    header = WHOLE.to_bytes()
    for length in range(len(header)):
        message = "cut short" if length >= 4 else "not a compressed file"
        with pytest.raises(CompressedFileError, match=message):
            read_header(io.BytesIO(header[:length]))


def test_a_file_without_images():
    header, entries = read(written(WHOLE, []))
    assert header == WHOLE
    assert list(entries) == []


def test_a_name_that_no_index_can_hold_is_not_written():
    """A zero ends a name: one inside it would make the whole file unreadable."""
    with pytest.raises((ValueError, PixelRNNError), match="name"):
        written(WHOLE, [Entry(1, 1, 1, 0, (Message(0),), "a\0b")])
