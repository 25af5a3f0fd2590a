"""The file of compressed images, byte by byte as docs/file-format.md has it.

    header      magic, version, model and the hash of its program, tile side, CRC-32
    messages    of all images, one after the other
    index       shapes, CRC-32 of pixels, lengths of messages, names
    footer      length of the index, CRC-32 of the index

It is written from front to back, so that images need not fit into memory, and read from its end: the
index (read by `index.py`) says where each image is. Every byte is under a checksum: header and index under
their own, messages under that of the pixels which they decode to.
"""

import io
import itertools
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import BinaryIO, NamedTuple

from pixelrnn.arrays import MAX_CHANNELS
from pixelrnn.coding.limits import (
    FREE_NAMES_BYTES,
    MAX_IMAGES,
    MAX_INDEX_BYTES,
    MAX_MESSAGES,
    MAX_NAMES_BYTES,
    NAMES_BYTES_PER_BYTE,
)
from pixelrnn.coding.varints import CUT_SHORT, varint
from pixelrnn.errors import CompressedFileError, DataError
from pixelrnn.units import BITS_PER_BYTE

MAGIC = b"\x89PXR"
PLAIN, WITH_GIVEN = VERSIONS = 1, 2  # the second says what images are given by
HASH_BYTES = 16
MAX_SIDE = 1 << 20  # pixels
MAX_BANDS = MAX_CHANNELS
MAX_TILE = (1 << 16) - 1
MAX_NAME_BYTES = 64
MAX_FILE_NAME_BYTES = 1024
AFTER_NAME = struct.Struct(f"<{HASH_BYTES}sBHI")
FOOTER = struct.Struct("<II")

# Bands that are coded together, for images of 0, 1, ... bands: with a model of grey, each of up to four by
# itself; with one of colours, red, green and blue as one plane; with another, all of its channels.
Planes = tuple[tuple[tuple[int, ...], ...], ...]
NO_PLANES: Planes = ((),) * (MAX_BANDS + 1)
PLANES: dict[int, Planes] = {
    channels: (*NO_PLANES[:channels], (tuple(range(channels)),), *NO_PLANES[channels + 1 :])
    for channels in range(1, MAX_CHANNELS + 1)
} | {
    1: ((), ((0,),), ((0,), (1,)), ((0,), (1,), (2,)), ((0,), (1,), (2,), (3,)), *NO_PLANES[5:]),
    3: ((), ((0,),), ((0,), (1,)), ((0, 1, 2),), ((0, 1, 2), (3,)), *NO_PLANES[5:]),
}


@dataclass(frozen=True)
class Header:
    """What a file says of itself first.

    Attributes:
        model: the name of the model.
        channels: of its images.
        hash: the first 16 bytes of the SHA-256 of its integer program.
        tile: side of the tiles in pixels, or 0 where images are whole.
        version: of the format.
    """

    model: str
    channels: int
    hash: bytes
    tile: int
    version: int = PLAIN

    def to_bytes(self) -> bytes:
        """Return the header as it is written."""
        name = self.model.encode()
        body = MAGIC + bytes([self.version, len(name)]) + name + self.hash
        body += struct.pack("<BH", self.channels, self.tile)
        return body + struct.pack("<I", zlib.crc32(body))


class Message(NamedTuple):
    """The length of a message in bytes, and whether it is the bare levels, not coded."""

    size: int
    is_bare: bool = False


@dataclass(frozen=True)
class Entry:
    """What the index says of an image.

    Attributes:
        height: in pixels.
        width: in pixels.
        bands: 1 grey, 2 grey and alpha, 3 red, green, blue, 4 these and alpha; or channels of any kind.
        crc: CRC-32 of its bytes, row by row, pixel by pixel, band by band.
        messages: of its planes, and in each of its tiles, row by row.
        name: that of the file it was read from, or "".
        start: where in the file its first message is.
        label: the number of the class that it is given, if any.
        small: the number of the smaller image in the file that it is given, before it; None for none.
        factor: how many times smaller the sides of that one are.
    """

    height: int
    width: int
    bands: int
    crc: int
    messages: tuple[Message, ...]
    name: str = ""
    start: int = 0
    label: int | None = None
    small: int | None = None
    factor: int = 0

    @property
    def size(self) -> int:
        """Bytes of all its messages."""
        return sum(message.size for message in self.messages)

    @property
    def num_dims(self) -> int:
        """Levels of it: what its bits are divided by."""
        return self.height * self.width * self.bands

    @property
    def bits_per_dim(self) -> float:
        """Of its messages."""
        return BITS_PER_BYTE * self.size / self.num_dims


@dataclass
class Writer:
    """Writes a file, image by image; `close` writes the index.

    Raises:
        DataError: if a name holds a zero, which ends it, or is longer than 1,024 bytes, or there are more
            images than are read again.
    """

    stream: BinaryIO
    header: Header
    entries: list[Entry] = field(default_factory=list)
    _messages: int = 0

    def __post_init__(self) -> None:
        self.stream.write(self.header.to_bytes())

    def add(self, entry: Entry, messages: Sequence[bytes]) -> None:
        """Append an image; raises as the class says."""
        if "\0" in entry.name or len(entry.name.encode()) > MAX_FILE_NAME_BYTES:
            raise DataError(f"{entry.name!r} cannot be the name of an image: give a shorter one")
        self._messages += len(messages)
        if len(self.entries) == MAX_IMAGES or self._messages > MAX_MESSAGES:
            raise DataError(
                f"a file holds at most {MAX_IMAGES:,} images, and {MAX_MESSAGES:,} tiles of all of them: "
                "write several files, or larger tiles"
            )
        for message in messages:
            self.stream.write(message)
        self.entries.append(entry)

    def close(self) -> None:
        """Write index and footer."""
        index = _index_bytes(self.entries, self.header.version)
        if len(index) > MAX_INDEX_BYTES:
            raise DataError(
                f"the index of a file has at most {MAX_INDEX_BYTES:,} bytes: write several files"
            )
        self.stream.write(index)
        self.stream.write(FOOTER.pack(len(index), zlib.crc32(index)))


def _index_bytes(entries: Sequence[Entry], version: int = PLAIN) -> bytes:
    out = io.BytesIO()
    out.write(varint(len(entries)))
    shapes = ((entry.bands, entry.height, entry.width) for entry in entries)
    for (bands, height, width), alike in itertools.groupby(shapes):
        count = sum(1 for _ in alike)
        out.write(varint(count) + bytes([bands]) + varint(height) + varint(width))
    for entry in entries:
        out.write(struct.pack("<I", entry.crc))
    for entry in entries:
        for message in entry.messages:
            out.write(varint(2 * message.size + message.is_bare))
    names = "\0".join(entry.name for entry in entries)
    packed = _packed(names.encode()) if any(entry.name for entry in entries) else b""
    out.write(varint(len(packed)) + packed)
    if version == WITH_GIVEN:
        _write_given(entries, out)
    return out.getvalue()


def _write_given(entries: Sequence[Entry], out: BinaryIO) -> None:
    """Write what images are given by: 0 or 1 + the class; how far before each its small one is; factors."""
    for entry in entries:
        out.write(varint(0 if entry.label is None else 1 + entry.label))
    for number, entry in enumerate(entries):
        out.write(varint(0 if entry.small is None else number - entry.small))
    for entry in entries:
        if entry.small is not None:
            out.write(varint(entry.factor))


def _packed(names: bytes) -> bytes:
    """Return the names packed, but no better than a reader believes."""
    if len(names) > MAX_NAMES_BYTES:
        raise DataError(f"all names have {len(names):,} bytes: write several files")
    packed = zlib.compress(names, 9)
    return packed if len(names) <= most_names_bytes(len(packed)) else zlib.compress(names, 0)


def most_names_bytes(packed: int) -> int:
    """Return how many bytes of names are unpacked from so many bytes."""
    return min(FREE_NAMES_BYTES + NAMES_BYTES_PER_BYTE * packed, MAX_NAMES_BYTES)


def read_header(stream: BinaryIO) -> Header:
    """Read the header of a file.

    Raises:
        CompressedFileError: if it is no such file, of a later version, or damaged.
    """
    stream.seek(0)
    start = stream.read(len(MAGIC) + 2)
    if len(start) < len(MAGIC) or not start.startswith(MAGIC):
        raise CompressedFileError("it is not a compressed file of pixelrnn (.pxr)")
    if len(start) < len(MAGIC) + 2:
        raise CompressedFileError(CUT_SHORT)
    version, name_bytes = start[-2:]
    rest = stream.read(name_bytes + AFTER_NAME.size)
    is_whole = len(rest) == name_bytes + AFTER_NAME.size
    if version not in VERSIONS:  # of which nothing more is known
        raise CompressedFileError(
            f"it has format version {version}, and this pixelrnn reads up to {max(VERSIONS)}: install a "
            "later pixelrnn, or get the file again if it is damaged"
        )
    if not is_whole:
        raise CompressedFileError(CUT_SHORT)
    digest, channels, tile, crc = AFTER_NAME.unpack(rest[name_bytes:])
    if zlib.crc32(start + rest[:-4]) != crc:
        raise CompressedFileError(f"its header is damaged: {CUT_SHORT}")
    try:
        name = rest[:name_bytes].decode()
    except UnicodeDecodeError as error:
        raise CompressedFileError("the name of its model is not text") from error
    if not 1 <= name_bytes <= MAX_NAME_BYTES:
        raise CompressedFileError(f"the name of its model has {name_bytes} bytes: it is damaged")
    if channels not in PLANES:
        raise CompressedFileError(f"its model is of {channels} colours: it is damaged")
    return Header(name, channels, digest, tile, version)
