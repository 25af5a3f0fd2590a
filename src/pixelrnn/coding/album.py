"""A file of compressed images as a sequence: one image is decoded when it is asked for."""

import itertools
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from pixelrnn.arrays import Images
from pixelrnn.coding.codec import Codec
from pixelrnn.coding.container import Entry, Header, read_header
from pixelrnn.coding.given import ImageGiven
from pixelrnn.coding.index import Index, read_index
from pixelrnn.coding.originals import originals
from pixelrnn.coding.program_file import CodingModel, find_model
from pixelrnn.coding.writing import BYTES_AT_ONCE, portions
from pixelrnn.errors import CompressedFileError
from pixelrnn.files import not_a_file
from pixelrnn.lazy import LazySequence
from pixelrnn.processes import renew_when_forked

CLOSED = "it was closed: open it again"


class Album(LazySequence[Images]):
    """The images of a `.pxr` file, uint8 `(C, H, W)`; also a data set of torch.

    They are those that went in: `entries` says of each what the file does, and `all_entries` of all images
    in it, also of small ones that are there only because others are given them.

    It may be handed to other processes and used from several threads. Slices are lists. An image that is
    asked for is decoded then, and raises `CompressedFileError` if it is damaged.

    Args:
        source: the file's path, or the file, open for reading bytes. A path stays where it is when the
            working folder changes.
        model: name or path of the model, where it is not one that comes with the package.
        threads: tiles decoded at the same time; by default one for each usable core.
        needs_model: whether to look for the model at once; without it only images want it.
        coding_model: the model itself, where it is at hand.

    Raises:
        CompressedFileError: if the file is damaged, or of a model that is not here.
        ModelFileError: if `model` is none.

    Example:
        >>> import io
        >>> from pixelrnn.coding import Codec, load_program, write
        >>> image = np.full((4, 5, 3), 7, np.uint8)
        >>> file = io.BytesIO()
        >>> _ = write(Codec(load_program("colour-pixelcnn")), [("", image)], file)
        >>> album = Album(file)
        >>> len(album), album[0].shape, int(album[0].max())
        (1, (3, 4, 5), 7)
    """

    def __init__(
        self,
        source: str | bytes | os.PathLike[str] | os.PathLike[bytes] | BinaryIO,
        *,
        model: str | Path | None = None,
        threads: int | None = None,
        needs_model: bool = True,
        coding_model: CodingModel | None = None,
    ) -> None:
        self._source: Path | BinaryIO
        if isinstance(source, (str, bytes, os.PathLike)):
            self._place = os.fsdecode(source)
            self._source = Path(self._place).absolute()
        else:
            self._place, self._source = "the file", source
        self._wanted = model
        self._threads = threads
        self._renew_lock()
        self._stream: BinaryIO | None = None
        self._process = os.getpid()  # that opened it
        self._codec: Codec | None = None
        self._model: CodingModel | None = coding_model
        self._is_closed = False
        renew_when_forked(self._renew_lock)
        with self._reading() as stream:
            self.header: Header = read_header(stream)
            self.all_entries: Index = read_index(stream, self.header)
        self.entries = originals(self.all_entries)
        if needs_model:
            self.model  # noqa: B018 - better missed now than in the middle of the work

    @property
    def model(self) -> CodingModel:
        """The model of the file; raises `CompressedFileError` if it is not here."""
        with self._naming():
            model = self._model = self._model or find_model(self.header, self._wanted)
            if model.program.channels != self.header.channels:
                raise CompressedFileError(
                    f"its header says that its model has {self.header.channels} colours, and {model.name} "
                    f"has {model.program.channels}: it is damaged, or was made to do harm"
                )
        return model

    @property
    def names(self) -> list[str]:
        """The names of the files that the images came from; empty where they came from an array."""
        return list(self.entries.names)

    @property
    def num_bytes(self) -> int:
        """The size of the file."""
        with self._reading() as stream:
            return stream.seek(0, 2)

    @property
    def num_pixels(self) -> int:
        """Pixels of all images."""
        return self.entries.runs.num_pixels

    @property
    def num_dims(self) -> int:
        """Levels of all images: what its bits are divided by."""
        return self.entries.runs.num_levels

    def __len__(self) -> int:
        return len(self.entries)

    def __repr__(self) -> str:
        return f"<Album of {len(self):,} images>"

    def _make(self, index: int) -> Images:
        return _bands_first(self.pixels(index))

    def __iter__(self) -> Iterator[Images]:
        return map(_bands_first, self.in_turn())  # which keeps none of them

    def in_turn(
        self,
        on_progress: Callable[[int], None] | None = None,
        *,
        bytes_at_once: int = BYTES_AT_ONCE,
    ) -> Iterator[Images]:
        """Decode all images, some at a time, uint8 `(H, W, bands)`; raises as indexing does.

        Args:
            on_progress: called with the pixels done since its last call, from any thread.
            bytes_at_once: how many bytes of levels are worked on at the same time, unless one image has
                more.
        """

        def bytes_and_tiles(entry: Entry) -> tuple[int, int]:
            return entry.num_dims * level_bytes, len(entry.messages)

        level_bytes = self._ready().room.level_bytes
        for portion in portions(self.entries, bytes_and_tiles, bytes_at_once):
            yield from self._decoded(portion, on_progress)

    def pixels(self, index: int) -> Images:
        """Decode an image, uint8 `(H, W, bands)`; raises as indexing does."""
        (image,) = self._decoded([self.entries[index]])
        return image

    def _decoded(
        self, entries: Sequence[Entry], on_progress: Callable[[int], None] | None = None
    ) -> Iterator[Images]:
        """Decode some images, and yield them; a damaged one ends it, after those before it."""
        with self._naming():
            given = self._given(entries)
            coded = [(entry, self.messages(entry)) for entry in entries]
            yield from self._ready().decode_many(coded, given=given, on_progress=on_progress)

    def _given(self, entries: Sequence[Entry]) -> list[ImageGiven]:
        """Return what images are given by; the small ones are decoded, and before them their own."""
        if self.all_entries.given is None:
            return []
        numbers = sorted({entry.small for entry in entries if entry.small is not None})
        decoded = self._decoded([self.all_entries[number] for number in numbers]) if numbers else ()
        small = dict(zip(numbers, decoded, strict=True))
        return [
            ImageGiven(e.label, None if e.small is None else small[e.small], e.factor)
            for e in entries
        ]

    def make_ready(self, on_compiling: Callable[[str], None] | None = None) -> float:
        """Compile the loop, or load what was compiled before; see `Codec.make_ready`."""
        return self._ready().make_ready(on_compiling)

    def _ready(self) -> Codec:
        if self._codec is None:
            self._codec = Codec(self.model, tile=self.header.tile, threads=self._threads)
        return self._codec

    def messages(self, entry: Entry) -> list[bytes]:
        """Read the messages of an image."""
        with self._reading() as stream:
            stream.seek(entry.start)
            content = stream.read(entry.size)
        ends = itertools.accumulate((message.size for message in entry.messages), initial=0)
        return [content[first:last] for first, last in itertools.pairwise(ends)]

    def close(self) -> None:
        """Close the file, not in the middle of a reading; no image is read any more."""
        self._is_closed = True
        with self._lock:
            if self._stream is not None and self._stream is not self._source:
                self._stream.close()
            self._stream = None

    def __enter__(self) -> "Album":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __getstate__(self) -> dict[str, Any]:
        if not isinstance(self._source, Path):
            raise TypeError("an album of an open file cannot be handed on: give its path")
        state = self.__dict__ | {"_stream": None, "_codec": None}
        del state["_lock"]
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__ |= state
        self._renew_lock()
        renew_when_forked(self._renew_lock)

    def _renew_lock(self) -> None:
        self._lock = threading.RLock()  # whoever reads may close, too

    def __del__(self) -> None:
        if "_stream" in self.__dict__:
            self.close()

    def _opened(self) -> BinaryIO:
        if self._is_closed:
            raise CompressedFileError(CLOSED)
        if self._stream is None or self._process != os.getpid():
            # A forked process has the file of its parent, but must not move the place in it.
            self._process = os.getpid()
            if isinstance(self._source, Path):
                if kind := not_a_file(self._source):
                    raise CompressedFileError(f"cannot be read: it is {kind}")
                # Without a buffer: its lock, too, could be one that nobody lets go of.
                self._stream = self._source.open("rb", buffering=0)
            else:
                self._stream = self._source
        return self._stream

    @contextmanager
    def _reading(self) -> Iterator[BinaryIO]:
        """Have the file to oneself; an error names it."""
        with self._naming(), self._lock:
            yield self._opened()

    @contextmanager
    def _naming(self) -> Iterator[None]:
        """Put the file in front of what an error says."""
        place = self._place
        try:
            yield
        except CompressedFileError as error:
            named = str(error).removeprefix(f"{place}: ")
            raise CompressedFileError(f"{place}: {named}") from error
        except ValueError as error:  # what Python says of a file that was closed in the meantime
            if not (self._is_closed or getattr(self._source, "closed", False)):
                raise
            raise CompressedFileError(f"{place}: {CLOSED}") from error
        except OSError as error:
            reason = error.strerror or error
            raise CompressedFileError(f"{place} cannot be read: {reason}") from error


def _bands_first(image: Images) -> Images:
    return np.ascontiguousarray(image.transpose(2, 0, 1))
