"""Images to files and back: planes, tiles, threads, checks.

An image of several bands is coded as one plane or more: red, green and blue together where the model is
one of colours, and each other band, alpha too, as a grey plane of its own. Planes are cut into tiles, and
each tile is a message of its own, so that a large image keeps all cores busy. Images are read, coded and
written a few at a time, whatever their number.
"""

import math
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from pixelrnn.coding.container import (
    HASH_BYTES,
    MAX_PIXELS,
    MAX_SIDE,
    MAX_TILE,
    Entry,
    Header,
    Message,
)
from pixelrnn.coding.program_file import CodingModel
from pixelrnn.errors import CompressedFileError, ImageMismatchError, RecipeError
from pixelrnn.kernels.compiled import told_of_compiling
from pixelrnn.processes import usable_cores
from pixelrnn.stepper.coder import Coder
from pixelrnn.stepper.range_coder import TOTAL
from pixelrnn.stepper.runner import Images, spread

BITS_PER_BYTE = 8
COMPILING = "compiling the coding loop, once on this machine: 10 to 30 seconds"
DEFAULT_TILE = 128


@dataclass(frozen=True)
class _Part:
    """A tile of a plane of an image."""

    rows: slice
    columns: slice
    bands: tuple[int, ...]

    @property
    def shape(self) -> tuple[int, int, int]:
        return (
            self.rows.stop - self.rows.start,
            self.columns.stop - self.columns.start,
            len(self.bands),
        )

    @property
    def size(self) -> int:
        """Levels of it."""
        return math.prod(self.shape)


class Codec:
    """Encodes and decodes images with one integer model.

    Args:
        model: from `load_program` or `name_model`.
        tile: side of the tiles in pixels; 0 to leave images whole.
        threads: tiles at the same time; by default one for each usable core. It changes no byte.

    Raises:
        RecipeError: if the tile is negative or larger than 65,535 pixels.
    """

    def __init__(
        self, model: CodingModel, *, tile: int = DEFAULT_TILE, threads: int | None = None
    ) -> None:
        if not 0 <= tile <= MAX_TILE:
            raise RecipeError(
                f"a tile has a side of 1 to {MAX_TILE} pixels, or 0 for none, not {tile}"
            )
        self.model = model
        self.tile = tile
        self.threads = threads or usable_cores()
        self._coder = Coder(model.program)

    def make_ready(self, on_compiling: Callable[[str], None] | None = None) -> float:
        """Compile the loop, or load what was compiled before; return the seconds that it took.

        Args:
            on_compiling: called with a line for the user before it is compiled.
        """
        began = time.perf_counter()
        with told_of_compiling(on_compiling, COMPILING):
            tiny = np.zeros((1, 1, self.model.program.channels), np.uint8)
            self._coder.decode(self._coder.encode(tiny), *tiny.shape)
        return time.perf_counter() - began

    @property
    def header(self) -> Header:
        """The header of this codec's files."""
        model = self.model
        return Header(model.name, model.program.channels, model.hash[:HASH_BYTES], self.tile)

    def encode(
        self, images: Sequence[Images], on_progress: Callable[[int], None] | None = None
    ) -> list[tuple[Entry, list[bytes]]]:
        """Encode images, uint8 `(H, W, bands)`: their entries, without names, and messages.

        Args:
            images: 1 to 4 bands each, of any size.
            on_progress: called with the pixels done since its last call, from any thread.

        Raises:
            ImageMismatchError: if an image is empty, too large, or has levels that the model has not.
        """
        for image in images:
            self.check(image)
        parts = [list(self._parts(*image.shape)) for image in images]
        jobs = [(n, m) for n, of_image in enumerate(parts) for m in range(len(of_image))]
        messages: list[list[bytes]] = [[b""] * len(of_image) for of_image in parts]

        def work(job: int) -> Iterator[None]:
            n, m = jobs[job]
            part = parts[n][m]
            tile = images[n][part.rows, part.columns][..., list(part.bands)]
            messages[n][m] = yield from self._coder.encoding(np.ascontiguousarray(tile))
            if on_progress:
                on_progress(part.size // images[n].shape[2])
            yield

        spread(work, len(jobs), self.threads)
        return [
            self._entry(image, of_image, found)
            for image, of_image, found in zip(images, parts, messages, strict=True)
        ]

    def decode(
        self, entry: Entry, messages: Sequence[bytes], *, threads: int | None = None
    ) -> Images:
        """Decode an image, uint8 `(H, W, bands)`; see `decode_many`."""
        (image,) = self.decode_many([(entry, messages)], threads=threads)
        return image

    def decode_many(
        self,
        coded: Sequence[tuple[Entry, Sequence[bytes]]],
        *,
        threads: int | None = None,
        on_progress: Callable[[int], None] | None = None,
        check: bool = True,
    ) -> list[Images]:
        """Decode images, each uint8 `(H, W, bands)`.

        Args:
            coded: of each image its entry, and the messages of its tiles.
            threads: tiles at the same time; by default as many as the codec has.
            on_progress: called with the pixels done since its last call, from any thread.
            check: whether to compare the pixels with their checksum; who does not must do it later.

        Raises:
            CompressedFileError: if the pixels of an image are not those that went in.
        """
        parts = [list(self._parts(e.height, e.width, e.bands)) for e, _ in coded]
        for (entry, _), of_image in zip(coded, parts, strict=True):
            _check_claims(entry, of_image, self.model.program.num_levels)
        images = [np.zeros((e.height, e.width, e.bands), np.uint8) for e, _ in coded]
        jobs = [(n, m) for n, of_image in enumerate(parts) for m in range(len(of_image))]

        def work(job: int) -> Iterator[None]:
            n, m = jobs[job]
            (entry, messages), part = coded[n], parts[n][m]
            if entry.messages[m].is_bare:
                levels = np.frombuffer(messages[m].ljust(part.size, b"\0"), np.uint8)
                tile = levels[: part.size].reshape(part.shape)
            else:
                tile = yield from self._coder.decoding(messages[m], *part.shape)
            first, last = part.bands[0], part.bands[-1]
            images[n][part.rows, part.columns, first : last + 1] = tile
            if on_progress:
                on_progress(part.size // entry.bands)
            yield

        spread(work, len(jobs), threads or self.threads)
        if check:
            for (entry, _), image in zip(coded, images, strict=True):
                check_pixels(entry, image)
        return images

    def ideal_bits(self, image: Images) -> float:
        """Return minus log2 of the probability that the integer model gives an image."""
        total = 0.0
        for part in self._parts(*image.shape):
            tile = image[part.rows, part.columns][..., list(part.bands)]
            found = self._coder.frequencies(np.ascontiguousarray(tile))
            total -= float(np.log2(found / TOTAL).sum())
        return total

    def check(self, image: Images, name: str = "") -> None:
        """Raise `ImageMismatchError`, naming the image, unless it can be encoded; see `encode`."""
        which = f"{name}: " if name else ""
        if image.dtype != np.uint8 or image.ndim != 3 or not 1 <= image.shape[2] <= 4:
            raise ImageMismatchError(
                f"{which}an image to compress is uint8 (H, W, 1 to 4), not {image.dtype} {image.shape}"
            )
        height, width, _ = image.shape
        if not image.size or max(height, width) > MAX_SIDE or height * width > MAX_PIXELS:
            raise ImageMismatchError(
                f"{which}an image of {height} x {width} pixels cannot be compressed: it has 1 to "
                f"{MAX_PIXELS:,} pixels, and no side is longer than {MAX_SIDE:,}"
            )
        levels = self.model.program.num_levels
        if int(image.max()) >= levels:
            raise ImageMismatchError(
                f"{which}{self.model.name} is a model of images with {levels} levels, and a pixel here is "
                f"{int(image.max())}: take another --model, such as colour-pixelcnn"
            )

    def _parts(self, height: int, width: int, bands: int) -> Iterator[_Part]:
        """Yield planes, and in each its tiles, row by row."""
        tile = self.tile or max(height, width)
        for plane in self.header.planes[bands]:
            for row in range(0, height, tile):
                for column in range(0, width, tile):
                    yield _Part(
                        slice(row, min(row + tile, height)),
                        slice(column, min(column + tile, width)),
                        plane,
                    )

    def _entry(
        self, image: Images, parts: Sequence[_Part], messages: list[bytes]
    ) -> tuple[Entry, list[bytes]]:
        """Return the entry of an image, and its messages: bare levels where coding does not pay."""
        sizes = []
        for n, part in enumerate(parts):
            least = _least_bytes(part.size, self.model.program.num_levels)
            messages[n] = messages[n].ljust(least, b"\0")
            is_bare = len(messages[n]) >= part.size
            if is_bare:
                tile = image[part.rows, part.columns][..., list(part.bands)]
                messages[n] = tile.tobytes()
            sizes.append(Message(len(messages[n]), is_bare))
        crc = zlib.crc32(np.ascontiguousarray(image).data)
        height, width, bands = image.shape
        return Entry(height, width, bands, crc, tuple(sizes)), messages


def check_pixels(entry: Entry, image: Images) -> None:
    """Raise `CompressedFileError` unless an image has the pixels that went in."""
    if zlib.crc32(image.data) != entry.crc:
        raise CompressedFileError(
            f"{entry.name or 'an image'} is damaged: its pixels are not those that went in (CRC-32); "
            "get the file again"
        )


def _least_bytes(size: int, levels: int) -> int:
    """Return how long a message must be to hold so many levels: each costs a little at least.

    It is less than that, rounded down, so that only huge flat images have to be filled up with zeros.
    """
    return max(0, size * (levels - 1) // (BITS_PER_BYTE * TOTAL) - BITS_PER_BYTE)


def _check_claims(entry: Entry, parts: Sequence[_Part], levels: int) -> None:
    """Refuse more levels than a message of its length can hold, before there is room for them."""
    for part, message in zip(parts, entry.messages, strict=True):
        enough = message.size >= _least_bytes(part.size, levels)
        if not (message.size == part.size if message.is_bare else enough):
            raise CompressedFileError(
                f"{entry.name or 'an image'} claims {part.size:,} levels in {message.size:,} bytes, which "
                "cannot be: the file is damaged"
            )
