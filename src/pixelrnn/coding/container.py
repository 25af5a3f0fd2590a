"""The file of compressed images, byte by byte as docs/file-format.md has it.

    header      magic, version, model and the hash of its program, tile side, CRC-32
    messages    of all images, one after the other
    index       shapes, CRC-32 of pixels, lengths of messages, names
    footer      length of the index, CRC-32 of the index

It is written from front to back, so that images need not fit into memory, and read from its end: the
index says where each image is. Every byte is under a checksum: header and index under their own, messages
under that of the pixels which they decode to.
"""

import io
import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import BinaryIO

from pixelrnn.coding.varints import CUT_SHORT, Reader, varint
from pixelrnn.errors import CompressedFileError, DataError

MAGIC = b"\x89PXR"
VERSION = 1
HASH_BYTES = 16
MAX_SIDE = 1 << 20  # pixels
MAX_PIXELS = 1 << 27  # of an image
MAX_BANDS = 4
MAX_TILE = (1 << 16) - 1
MAX_NAME_BYTES = 64
MAX_FILE_NAME_BYTES = 1024
MAX_NAMES_BYTES = 1 << 26  # of all images together
AFTER_NAME = struct.Struct(f"<{HASH_BYTES}sBHI")
FOOTER = struct.Struct("<II")

# Bands that are coded together, for images of 0, 1, ... 4 bands: with a model of grey, each by itself;
# with one of colours, red, green and blue as one plane.
Planes = tuple[tuple[tuple[int, ...], ...], ...]
PLANES: dict[int, Planes] = {
    1: ((), ((0,),), ((0,), (1,)), ((0,), (1,), (2,)), ((0,), (1,), (2,), (3,))),
    3: ((), ((0,),), ((0,), (1,)), ((0, 1, 2),), ((0, 1, 2), (3,))),
}


@dataclass(frozen=True)
class Header:
    """What a file says of itself first.

    Attributes:
        model: the name of the model.
        channels: colours of its images: 1 or 3.
        hash: the first 16 bytes of the SHA-256 of its integer program.
        tile: side of the tiles in pixels, or 0 where images are whole.
    """

    model: str
    channels: int
    hash: bytes
    tile: int

    @property
    def planes(self) -> Planes:
        """Which bands are coded together, by the number of bands."""
        return PLANES[self.channels]

    def to_bytes(self) -> bytes:
        """Return the header as it is written."""
        name = self.model.encode()
        body = MAGIC + bytes([VERSION, len(name)]) + name + self.hash
        body += struct.pack("<BH", self.channels, self.tile)
        return body + struct.pack("<I", zlib.crc32(body))


@dataclass(frozen=True)
class Message:
    """The length of a message in bytes, and whether it is the bare levels, not coded."""

    size: int
    is_bare: bool = False


@dataclass(frozen=True)
class Entry:
    """What the index says of an image.

    Attributes:
        height: in pixels.
        width: in pixels.
        bands: 1 grey, 2 grey and alpha, 3 red, green, blue, 4 these and alpha.
        crc: CRC-32 of its bytes, row by row, pixel by pixel, band by band.
        messages: of its planes, and in each of its tiles, row by row.
        name: that of the file it was read from, or "".
        start: where in the file its first message is.
    """

    height: int
    width: int
    bands: int
    crc: int
    messages: tuple[Message, ...]
    name: str = ""
    start: int = 0

    @property
    def size(self) -> int:
        """Bytes of all its messages."""
        return sum(message.size for message in self.messages)


@dataclass
class Writer:
    """Writes a file, image by image; `close` writes the index.

    Raises:
        DataError: if a name holds a zero, which ends it, or is longer than 1,024 bytes.
    """

    stream: BinaryIO
    header: Header
    entries: list[Entry] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.stream.write(self.header.to_bytes())

    def add(self, entry: Entry, messages: Sequence[bytes]) -> None:
        """Append an image; raises as the class says."""
        if "\0" in entry.name or len(entry.name.encode()) > MAX_FILE_NAME_BYTES:
            raise DataError(f"{entry.name!r} cannot be the name of an image: give a shorter one")
        for message in messages:
            self.stream.write(message)
        self.entries.append(entry)

    def close(self) -> None:
        """Write index and footer."""
        index = _index_bytes(self.entries)
        self.stream.write(index)
        self.stream.write(FOOTER.pack(len(index), zlib.crc32(index)))


def _index_bytes(entries: Sequence[Entry]) -> bytes:
    out = io.BytesIO()
    out.write(varint(len(entries)))
    for count, entry in _runs(entries):
        out.write(varint(count) + bytes([entry.bands]) + varint(entry.height) + varint(entry.width))
    for entry in entries:
        out.write(struct.pack("<I", entry.crc))
    for entry in entries:
        for message in entry.messages:
            out.write(varint(2 * message.size + message.is_bare))
    names = "\0".join(entry.name for entry in entries)
    packed = zlib.compress(names.encode(), 9) if any(entry.name for entry in entries) else b""
    out.write(varint(len(packed)) + packed)
    return out.getvalue()


def _runs(entries: Sequence[Entry]) -> Iterator[tuple[int, Entry]]:
    """Yield how many images of one shape follow each other, and the first of them."""
    first = 0
    for n in range(1, len(entries) + 1):
        if n == len(entries) or _shape(entries[n]) != _shape(entries[first]):
            yield n - first, entries[first]
            first = n


def _shape(entry: Entry) -> tuple[int, int, int]:
    return entry.bands, entry.height, entry.width


def num_messages(height: int, width: int, tile: int, planes: int) -> int:
    """Return how many messages an image has: one for each tile of each plane."""
    if not tile:
        return planes
    return planes * -(-height // tile) * -(-width // tile)


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
    if version != VERSION:  # of which nothing more is known
        raise CompressedFileError(
            f"it has format version {version}, and this pixelrnn reads version {VERSION}: install a "
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
    return Header(name, channels, digest, tile)


def read_index(stream: BinaryIO, header: Header) -> list[Entry]:
    """Read the index of a file.

    Args:
        stream: the file.
        header: its header.

    Raises:
        CompressedFileError: if it is damaged, or an image is larger than is read.
    """
    size, begin = stream.seek(0, io.SEEK_END), len(header.to_bytes())
    if size < begin + FOOTER.size:
        raise CompressedFileError(CUT_SHORT)
    stream.seek(size - FOOTER.size)
    length, crc = FOOTER.unpack(stream.read(FOOTER.size))
    if length > size - begin - FOOTER.size:
        raise CompressedFileError(CUT_SHORT)
    stream.seek(size - FOOTER.size - length)
    index = stream.read(length)
    if zlib.crc32(index) != crc:
        raise CompressedFileError(CUT_SHORT)
    entries = _entries(Reader(index), header, begin)
    end = entries[-1].start + entries[-1].size if entries else begin
    if end != size - FOOTER.size - length:
        raise CompressedFileError("its index does not fit its length: it is damaged; get it again")
    return entries


def _entries(reader: Reader, header: Header, begin: int) -> list[Entry]:
    count = reader.varint()
    if 4 * count > len(reader.data):  # each image has a CRC of 4 bytes
        raise CompressedFileError("its index counts images that are not there: it is damaged")
    shapes: list[tuple[int, int, int]] = []
    while len(shapes) < count:
        run, (bands,), height, width = (
            reader.varint(), reader.bytes(1), reader.varint(), reader.varint()
        )  # fmt: skip
        if not 1 <= run <= count - len(shapes):
            raise CompressedFileError("its index counts images that are not there: it is damaged")
        _check_shape(bands, height, width)
        shapes += [(bands, height, width)] * run
    crcs = struct.unpack(f"<{count}I", reader.bytes(4 * count))
    entries = []
    for (bands, height, width), crc in zip(shapes, crcs, strict=True):
        number = num_messages(height, width, header.tile, len(header.planes[bands]))
        if number > len(reader.data):
            raise CompressedFileError("its index counts tiles that are not there: it is damaged")
        lengths = [reader.varint() for _ in range(number)]
        messages = tuple(Message(length >> 1, bool(length & 1)) for length in lengths)
        entries.append(Entry(height, width, bands, crc, messages, start=begin))
        begin += entries[-1].size
    names = _names(reader.bytes(reader.varint()), count)
    if reader.at != len(reader.data):
        raise CompressedFileError("its index has bytes left over: it is damaged; get it again")
    return [
        Entry(e.height, e.width, e.bands, e.crc, e.messages, name, e.start)
        for e, name in zip(entries, names, strict=True)
    ]


def _check_shape(bands: int, height: int, width: int) -> None:
    if not 1 <= bands <= MAX_BANDS:
        raise CompressedFileError(f"it claims an image of {bands} bands: it is damaged")
    if not (1 <= height <= MAX_SIDE and 1 <= width <= MAX_SIDE and height * width <= MAX_PIXELS):
        raise CompressedFileError(
            f"it claims an image of {height} x {width} pixels, more than the {MAX_PIXELS:,} that are read"
        )


def _names(packed: bytes, count: int) -> list[str]:
    if not packed:
        return [""] * count
    unpacker, limit = (
        zlib.decompressobj(),
        min(count * (MAX_FILE_NAME_BYTES + 1), MAX_NAMES_BYTES),
    )
    try:
        text = unpacker.decompress(packed, limit + 1).decode()
    except (zlib.error, UnicodeDecodeError) as error:
        raise CompressedFileError("the names in its index are damaged; get it again") from error
    names = text.split("\0") if len(text) <= limit else []
    if not count or len(names) != count or not unpacker.eof or unpacker.unused_data:
        raise CompressedFileError("the names in its index are damaged; get it again")
    return names
