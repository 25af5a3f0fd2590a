"""Images to files and back: planes, tiles, threads, checks.

An image of several bands is coded as one plane or more: red, green and blue together where the model is
one of colours, and each other band, alpha too, as a grey plane of its own. Planes are cut into tiles, and
each tile is a message of its own, so that a large image keeps all cores busy. Images are read, coded and
written a few at a time, whatever their number.
"""

import time
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from pixelrnn.arrays import Images
from pixelrnn.coding.container import (
    HASH_BYTES,
    MAX_TILE,
    Entry,
    Header,
    Message,
)
from pixelrnn.coding.given import NOTHING, ImageGiven, check_given
from pixelrnn.coding.pixels import bytes_of, check_pixels, crc_of, pixels_of
from pixelrnn.coding.program_file import CodingModel
from pixelrnn.coding.room import Room
from pixelrnn.coding.tiles import DEFAULT_TILE, Part, Tiling
from pixelrnn.errors import CompressedFileError, RecipeError
from pixelrnn.graph.given import NOTHING_GIVEN
from pixelrnn.kernels.compiled import notify_of_compiling
from pixelrnn.kernels.range_coder import TOTAL
from pixelrnn.processes import usable_cores
from pixelrnn.stepper.coder import Coder
from pixelrnn.stepper.spreading import spread

COMPILING = "compiling the coding loop, once on this machine: 10 to 30 seconds"


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
        self._tiling = Tiling(model.program.channels, tile)
        self._coder = Coder(model.program)
        self._levels = self._coder.level_type
        self.room = Room(model, self._coder, self._tiling)

    def make_ready(self, on_compiling: Callable[[str], None] | None = None) -> float:
        """Compile the loop, or load what was compiled before; return the seconds that it took.

        Args:
            on_compiling: called with a line for the user before it is compiled.
        """
        began = time.perf_counter()
        with notify_of_compiling(on_compiling, COMPILING):
            tiny = np.zeros((1, 1, self.model.program.channels), self._levels)
            self._coder.decode(self._coder.encode(tiny), *tiny.shape)
        return time.perf_counter() - began

    @property
    def header(self) -> Header:
        """The header of this codec's files."""
        model = self.model
        return Header(model.name, model.program.channels, model.hash[:HASH_BYTES], self.tile)

    def encode(
        self,
        images: Sequence[Images],
        on_progress: Callable[[int], None] | None = None,
        given: Sequence[ImageGiven] = (),
    ) -> list[tuple[Entry, list[bytes]]]:
        """Encode images, uint8 `(H, W, bands)`: their entries, without names, and messages.

        Args:
            images: 1 to 4 bands each, of any size.
            on_progress: called with the pixels done since its last call, from any thread.
            given: what each is given by; nothing by default.

        Raises:
            ImageMismatchError: if an image is empty, too large, or has levels that the model has not; or it
                takes no such thing as is given.
        """
        channels = self.model.program.channels
        for image in images:
            self.room.check(image)
        messages = [[b""] * self._tiling.count(*image.shape) for image in images]
        jobs = _numbered(messages)

        def work(job: int) -> Iterator[None]:
            n, m = jobs[job]
            part = self._tiling.part(images[n].shape, m)
            by = given[n].of(part, channels) if given else NOTHING_GIVEN
            messages[n][m] = yield from self._coder.encoding(part.of(images[n]), by)
            if on_progress:
                on_progress(part.size // images[n].shape[2])
            yield

        spread(work, len(jobs), self.threads)
        return [self._entry(*each) for each in zip(images, messages, strict=True)]

    def decode(self, entry: Entry, messages: Sequence[bytes]) -> Images:
        """Decode an image, uint8 `(H, W, bands)`; see `decode_many`."""
        return next(self.decode_many([(entry, messages)]))

    def decode_many(
        self,
        coded: Sequence[tuple[Entry, Sequence[bytes]]],
        *,
        given: Sequence[ImageGiven] = (),
        threads: int | None = None,
        on_progress: Callable[[int], None] | None = None,
    ) -> Iterator[Images]:
        """Decode images, and then yield each, uint8 `(H, W, bands)`, up to one that is damaged.

        Args:
            coded: of each image its entry, and the messages of its tiles.
            given: what each is given by; nothing by default.
            threads: tiles at the same time; by default as many as the codec has.
            on_progress: called with the pixels done since its last call, from any thread.

        Raises:
            CompressedFileError: if the pixels of an image are not those that went in, or it needs more
                memory than is given to a file.
        """
        for entry, _ in coded:
            self._check_claims(entry)
        # Band by band in memory, which is how most users want it.
        images: list[Images | None] = [
            np.zeros((e.bands, e.height, e.width), self._levels).transpose(1, 2, 0)
            for e, _ in coded
        ]
        jobs, damaged = _numbered([entry.messages for entry, _ in coded]), set[int]()
        channels = self.model.program.channels

        def work(job: int) -> Iterator[None]:
            n, m = jobs[job]
            (entry, messages), image = coded[n], images[n]
            if n in damaged or image is None:
                return
            part = self._tiling.part(image.shape, m)
            try:
                if entry.messages[m].is_bare:
                    tile = self._bare(messages[m], part)
                else:
                    by = given[n].of(part, channels) if given else NOTHING_GIVEN
                    tile = yield from self._coder.decoding(messages[m], *part.shape, by)
            except CompressedFileError:
                damaged.add(n)
                return
            first, last = part.bands[0], part.bands[-1]
            image[part.rows, part.columns, first : last + 1] = tile
            if on_progress:
                on_progress(part.size // entry.bands)
            yield

        if coded:
            shapes = [(entry.height, entry.width, entry.bands) for entry, _ in coded]
            spread(work, len(jobs), self.room.threads(shapes, threads or self.threads))
        for n, (entry, _) in enumerate(coded):
            image, images[n] = images[n], None  # who has it may let go of it
            assert image is not None
            check_pixels(entry, image, is_damaged=n in damaged)
            yield image

    def ideal_bits(self, image: Images, given: ImageGiven = NOTHING) -> float:
        """Return minus log2 of the probability that the integer model gives an image, `(H, W, bands)`.

        Raises:
            ImageMismatchError: as `encode`.
        """
        self.room.check(image)
        total = 0.0
        for m in range(self._tiling.count(*image.shape)):
            part = self._tiling.part(image.shape, m)
            by = given.of(part, self.model.program.channels)
            found = self._coder.frequencies(part.of(image), by)
            total -= float(np.log2(found / TOTAL).sum())
        return total

    def _check_claims(self, entry: Entry) -> None:
        """Refuse what needs too much memory, or cannot be in messages of their length, or be given."""
        name, shape = entry.name or "an image", (entry.height, entry.width, entry.bands)
        trouble = self.room.too_large(*shape)
        if trouble:
            raise CompressedFileError(
                f"{name} of {entry.height} x {entry.width} pixels is not decoded: {trouble}; it is "
                "damaged, or was made to do harm"
            )
        check_given(entry, self.model.program, name)
        for m, message in enumerate(entry.messages):
            size = self._tiling.part(shape, m).size
            enough = message.size >= self._coder.least_bytes(size)
            bare_size = size * self.room.level_bytes
            if not (message.size == bare_size if message.is_bare else enough):
                raise CompressedFileError(
                    f"{name} claims {size:,} levels in {message.size:,} bytes, which cannot be: the file "
                    "is damaged"
                )

    def _bare(self, message: bytes, part: Part) -> Images:
        levels = pixels_of(message, self._levels)
        if levels.size != part.size or int(levels.max()) >= self.model.program.num_levels:
            raise CompressedFileError("no encoder writes such levels")
        return levels.reshape(part.shape)

    def _entry(self, image: Images, messages: list[bytes]) -> tuple[Entry, list[bytes]]:
        """Return the entry of an image, and its messages: bare levels where coding does not pay."""
        sizes = []
        for m, message in enumerate(messages):
            part = self._tiling.part(image.shape, m)
            is_bare = len(message) >= part.size * self.room.level_bytes
            if is_bare:
                messages[m] = bytes_of(part.of(image))
            sizes.append(Message(len(messages[m]), is_bare))
        crc = crc_of(image)
        height, width, bands = image.shape
        return Entry(height, width, bands, crc, tuple(sizes)), messages


def _numbered(messages: Sequence[Sequence[object]]) -> list[tuple[int, int]]:
    """Return (image, tile) of each message of all images."""
    return [(n, m) for n, each in enumerate(messages) for m in range(len(each))]
