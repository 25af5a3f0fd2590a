"""The index of a file, read: numbers of every image, from which an entry is made when it is asked for.

A file of a million images takes some tens of bytes for each, and no Python object. What the index claims is
added up before memory is taken; `limits.py` says how much is believed.
"""

import io
import itertools
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

from pixelrnn.arrays import MAX_PIXELS, Integers
from pixelrnn.coding.container import (
    FOOTER,
    MAX_BANDS,
    MAX_SIDE,
    PLANES,
    WITH_GIVEN,
    Entry,
    Header,
    Message,
)
from pixelrnn.coding.limits import (
    MAX_IMAGES,
    MAX_INDEX_BYTES,
    MAX_LABELS,
    MAX_MESSAGES,
    MAX_MESSAGES_OF_IMAGE,
)
from pixelrnn.coding.names import Names, read_names
from pixelrnn.coding.varints import BLOCK, CUT_SHORT, Reader
from pixelrnn.errors import CompressedFileError
from pixelrnn.graph.conditions import MAX_FACTOR, MIN_FACTOR
from pixelrnn.lazy import LazySequence

NOT_THERE = "its index counts images that are not there: it is damaged"
NO_SMALL = "an image in it is given a smaller one that is none of it: it is damaged, or was made to do harm"
MESSAGES_AT_ONCE = 1 << 12  # made Python objects of


@dataclass(frozen=True)
class Runs:
    """Images of one shape that follow each other: an entry a run in each array.

    Attributes:
        counts: how many images.
        bands: of each of them.
        heights: likewise, in pixels.
        widths: likewise.
        messages: of each of them.
    """

    counts: Integers
    bands: Integers
    heights: Integers
    widths: Integers
    messages: Integers

    @property
    def num_pixels(self) -> int:
        """Of all images."""
        return int((self.counts * self.heights * self.widths).sum())

    @property
    def num_levels(self) -> int:
        """Of all images."""
        return int((self.counts * self.heights * self.widths * self.bands).sum())


@dataclass(frozen=True)
class Given:
    """What the images of a file are given by: an entry an image in each array, int32.

    Attributes:
        labels: 1 + the number of its class; 0 for none.
        before: how many images before it the small one is that it is given; 0 for none.
        factors: how many times smaller the sides of that one are; 0 for none.
    """

    labels: npt.NDArray[np.int32]
    before: npt.NDArray[np.int32]
    factors: npt.NDArray[np.int32]

    def of(self, number: int) -> tuple[int | None, int | None, int]:
        """Return class, number of the small image, and factor of an image."""
        label, before = int(self.labels[number]), int(self.before[number])
        small = number - before if before else None
        return label - 1 if label else None, small, int(self.factors[number])


class Index(LazySequence[Entry]):
    """What a file says of its images, a sequence of entries.

    Args:
        runs: their shapes.
        crcs: their checksums, uint32.
        ends: where each message ends in the file, with the place of the first in front.
        bare: which messages are bare levels.
        names: of the images.
        given: what they are given by, if the file says that.
    """

    def __init__(
        self,
        runs: Runs,
        crcs: npt.NDArray[np.uint32],
        ends: Integers,
        bare: npt.NDArray[np.bool_],
        names: Names,
        given: Given | None = None,
    ) -> None:
        self.runs, self.names, self.given = runs, names, given
        self._crcs, self._ends, self._bare = crcs, ends, bare
        self._images_before = np.cumsum(runs.counts) - runs.counts
        self._messages_before = np.cumsum(runs.counts * runs.messages) - runs.counts * runs.messages

    def __len__(self) -> int:
        return len(self._crcs)

    def __iter__(self) -> Iterator[Entry]:
        """Yield the entries in turn, many times as fast as by their numbers."""
        names, first = iter(self.names), 0
        for run, count in enumerate(self.runs.counts.tolist()):
            end, at_once = first + count, max(1, MESSAGES_AT_ONCE // self.runs.messages[run])
            while first < end:
                some = range(first, min(first + at_once, end))
                yield from self._entries(run, some, itertools.islice(names, len(some)))
                first = some.stop

    def _make(self, index: int) -> Entry:
        run = int(np.searchsorted(self._images_before, index, side="right")) - 1
        return next(self._entries(run, range(index, index + 1), iter([self.names[index]])))

    def _entries(self, run: int, images: range, names: Iterator[str]) -> Iterator[Entry]:
        """Yield the entries of some images of a run."""
        runs, count = self.runs, int(self.runs.messages[run])
        shape = int(runs.heights[run]), int(runs.widths[run]), int(runs.bands[run])
        place = int(self._messages_before[run])
        place += (images.start - int(self._images_before[run])) * count
        ends = self._ends[place : place + len(images) * count + 1]
        bare = self._bare[place : place + len(images) * count]
        messages = list(map(Message, np.diff(ends).tolist(), bare.tolist()))
        crcs = self._crcs[images.start : images.stop].tolist()
        for n, (crc, start) in enumerate(zip(crcs, ends[:-1:count].tolist(), strict=True)):
            own = tuple(messages[n * count : (n + 1) * count])
            given = self.given.of(images.start + n) if self.given else ()
            yield Entry(*shape, crc, own, next(names), start, *given)


def read_index(stream: BinaryIO, header: Header) -> Index:
    """Read the index of a file.

    Args:
        stream: the file.
        header: its header.

    Raises:
        CompressedFileError: if it is damaged, or holds more than is read.
    """
    size, begin = stream.seek(0, io.SEEK_END), len(header.to_bytes())
    if size < begin + FOOTER.size:
        raise CompressedFileError(CUT_SHORT)
    stream.seek(size - FOOTER.size)
    length, crc = FOOTER.unpack(stream.read(FOOTER.size))
    if length > size - begin - FOOTER.size:
        raise CompressedFileError(CUT_SHORT)
    _limit("bytes of index", length, MAX_INDEX_BYTES)
    stream.seek(size - FOOTER.size - length)
    index = stream.read(length)
    if zlib.crc32(index) != crc:
        raise CompressedFileError(CUT_SHORT)
    return _index(Reader(index), header, begin, end=size - FOOTER.size - length)


def _index(reader: Reader, header: Header, begin: int, end: int) -> Index:
    count = reader.varint()
    if 4 * count > len(reader.data):  # each image has a CRC of 4 bytes
        raise CompressedFileError(NOT_THERE)
    _limit("images", count, MAX_IMAGES)
    runs = _runs(reader, header, count)
    crcs = np.frombuffer(reader.bytes(4 * count), "<u4")
    num_messages = int((runs.counts * runs.messages).sum())
    _limit("tiles", num_messages, MAX_MESSAGES)
    lengths = reader.varints(num_messages)
    bare = (lengths & 1).astype(bool)
    lengths >>= 1
    fits = lengths.max(initial=0) <= end - begin  # whatever they add up to is no overflow then
    ends = np.empty(num_messages + 1, np.int64)
    ends[0] = begin
    np.cumsum(lengths, out=ends[1:])
    ends[1:] += begin
    names = read_names(reader.bytes(reader.varint()), count)
    given = _given(reader, runs, count) if header.version == WITH_GIVEN else None
    if reader.at != len(reader.data):
        raise CompressedFileError("its index has bytes left over: it is damaged; get it again")
    if not fits or ends[-1] != end:
        raise CompressedFileError("its index does not fit its length: it is damaged; get it again")
    return Index(runs, crcs, ends, bare, names, given)


def _given(reader: Reader, runs: Runs, count: int) -> Given:
    """Read what images are given by: a small one is before its own, of its bands, and smaller."""
    labels = _numbers(reader, count, MAX_LABELS)
    before = _numbers(reader, count, count)
    large = np.flatnonzero(before)
    factors = np.zeros(count, np.int32)
    factors[large] = _numbers(reader, len(large), MAX_FACTOR)
    small, factor = large - before[large], factors[large].astype(np.int64)
    if (small < 0).any() or (factor < MIN_FACTOR).any():
        raise CompressedFileError(NO_SMALL)
    run = np.cumsum(runs.counts)
    of_large, of_small = (np.searchsorted(run, each, side="right") for each in (large, small))
    fits = runs.bands[of_large] == runs.bands[of_small]
    for sides in (runs.heights, runs.widths):
        fits &= -(-sides[of_large] // factor) == sides[of_small]
    # What is given by itself, or by one as large, would never come to an end.
    fits &= (runs.heights[of_large] > runs.heights[of_small]) | (
        runs.widths[of_large] > runs.widths[of_small]
    )
    if not fits.all():
        raise CompressedFileError(NO_SMALL)
    return Given(labels, before, factors)


def _numbers(reader: Reader, count: int, most: int) -> npt.NDArray[np.int32]:
    found = reader.varints(count)
    if found.max(initial=0) > most:
        raise CompressedFileError(
            f"its index gives an image something numbered {found.max()}: it is damaged"
        )
    return found.astype(np.int32)


def _limit(things: str, number: int, most: int) -> None:
    if number > most:
        raise CompressedFileError(
            f"it has {number:,} {things}, more than the {most:,} that are read: it is damaged, or was made "
            "to do harm"
        )


def _runs(reader: Reader, header: Header, count: int) -> Runs:
    """Read the shapes of `count` images: all four numbers of a run are varints, bands of one byte."""
    parts, found, window = [np.empty((0, 4), np.int64)], 0, 4
    while found < count:
        numbers, sizes = reader.ahead(window)
        whole = len(numbers) // 4
        if not whole:
            reader.varints(4)  # which says what is wrong
        table, bytes_of = numbers[: 4 * whole].reshape(-1, 4), sizes[: 4 * whole].reshape(-1, 4)
        images = found + np.cumsum(np.minimum(table[:, 0], count + 1))
        used = min(int(np.searchsorted(images, count)) + 1, whole)
        table, bytes_of = table[:used], bytes_of[:used]
        if (table[:, 0] < 1).any() or images[used - 1] > count:
            raise CompressedFileError(NOT_THERE)
        _check_shapes(table, bytes_of)
        parts.append(table)
        found = int(images[used - 1])
        reader.at += int(bytes_of.sum())
        window = min(16 * window, BLOCK)
    counts, bands, heights, widths = np.concatenate(parts).T.copy()
    planes = np.array([len(each) for each in PLANES[header.channels]])[bands]
    if (planes == 0).any():
        raise CompressedFileError(
            f"it claims an image of {bands[planes == 0][0]} bands: it is damaged"
        )
    tile = header.tile or MAX_SIDE
    messages = planes * -(-heights // tile) * -(-widths // tile)
    most = int(messages.max(initial=0))
    if most > len(reader.data):
        raise CompressedFileError("its index counts tiles that are not there: it is damaged")
    _limit("tiles in an image", most, MAX_MESSAGES_OF_IMAGE)
    return Runs(counts, bands, heights, widths, messages)


def _check_shapes(table: Integers, sizes: Integers) -> None:
    """Check rows of images, bands, height, width; and how many bytes each number has."""
    _, bands, heights, widths = table.T
    wrong = (bands < 1) | (bands > MAX_BANDS) | (sizes[:, 1] != 1)
    if wrong.any():
        raise CompressedFileError(
            f"it claims an image of {bands[wrong.argmax()]} bands: it is damaged"
        )
    sides = np.stack([heights, widths])
    outside = (sides < 1).any(axis=0) | (sides > MAX_SIDE).any(axis=0)
    outside |= np.minimum(heights, MAX_SIDE) * np.minimum(widths, MAX_SIDE) > MAX_PIXELS
    if outside.any():
        height, width = sides[:, outside.argmax()]
        raise CompressedFileError(
            f"it claims an image of {height} x {width} pixels, more than the {MAX_PIXELS:,} that are read"
        )
