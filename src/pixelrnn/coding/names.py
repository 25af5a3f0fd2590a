"""The names of images in a file: bytes until one is asked for."""

import codecs
import itertools
import zlib
from collections.abc import Iterator

import numpy as np

from pixelrnn.coding.container import MAX_FILE_NAME_BYTES, most_names_bytes
from pixelrnn.errors import CompressedFileError
from pixelrnn.lazy import LazySequence

NAMES_DAMAGED = "the names in its index are damaged; get it again"
TEXT_AT_ONCE = 1 << 16  # bytes
NAMES_AT_ONCE = 1 << 12  # made Python objects of


class Names(LazySequence[str]):
    """The names of images, as bytes until one is asked for.

    Args:
        text: all of them, UTF-8, with a zero byte between; None where no image has one.
        count: how many.
    """

    def __init__(self, text: bytes | None, count: int) -> None:
        self._text = text
        self._count = count
        self._ends = np.zeros(0, np.int32)
        if text is not None:
            ends = np.flatnonzero(np.frombuffer(text, np.uint8) == 0)
            self._ends = np.append(ends, len(text)).astype(np.int32)
            if np.diff(self._ends, prepend=-1).max() - 1 > MAX_FILE_NAME_BYTES:
                raise CompressedFileError(NAMES_DAMAGED)

    def __len__(self) -> int:
        return self._count if self._text is None else len(self._ends)

    def __iter__(self) -> Iterator[str]:
        """Yield the names in turn, many times as fast as by their numbers."""
        if self._text is None:
            yield from itertools.repeat("", self._count)
            return
        for first in range(0, len(self), NAMES_AT_ONCE):
            last = min(first + NAMES_AT_ONCE, len(self)) - 1
            yield from self._between(self._text, first, last).split("\0")

    def _make(self, index: int) -> str:
        return "" if self._text is None else self._between(self._text, index, index)

    def _between(self, text: bytes, first: int, last: int) -> str:
        begin = int(self._ends[first - 1]) + 1 if first else 0
        return text[begin : int(self._ends[last])].decode()


def read_names(packed: bytes, count: int) -> Names:
    """Return the names of `count` images, as the index has them packed.

    Raises:
        CompressedFileError: if they are damaged, or unpack to more than is read.
    """
    if not packed:
        return Names(None, count)
    limit = min(count * (MAX_FILE_NAME_BYTES + 1), most_names_bytes(len(packed)))
    unpacker = zlib.decompressobj()
    try:
        text = unpacker.decompress(packed, limit + 1)
        if len(text) > limit or not unpacker.eof or unpacker.unused_data:
            raise CompressedFileError(NAMES_DAMAGED)
        decoder = codecs.getincrementaldecoder("utf-8")()
        for first in range(0, len(text), TEXT_AT_ONCE):
            decoder.decode(text[first : first + TEXT_AT_ONCE])
        decoder.decode(b"", final=True)
    except (zlib.error, UnicodeDecodeError) as error:
        raise CompressedFileError(NAMES_DAMAGED) from error
    if not count or text.count(b"\0") != count - 1:
        raise CompressedFileError(NAMES_DAMAGED)
    return Names(text, count)
