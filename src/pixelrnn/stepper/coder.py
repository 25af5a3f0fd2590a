"""Images to messages and back, by an integer program: one image a call, any number of calls at a time."""

import functools
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from pixelrnn.arrays import Images, level_type
from pixelrnn.errors import CompressedFileError
from pixelrnn.graph.given import NOTHING_GIVEN, GivenLevels
from pixelrnn.graph.program import Program
from pixelrnn.kernels import range_coder
from pixelrnn.kernels.range_coder import TOTAL
from pixelrnn.operations.products import LANES
from pixelrnn.operations.tables import MAP_ROWS, MAP_STRIDE, OP_COUNT, OP_PAIRS
from pixelrnn.stepper.given import NOTHING_KNOWN, known_part, require_the_part, write_given
from pixelrnn.stepper.guided import room_of
from pixelrnn.stepper.layout import lay_out
from pixelrnn.stepper.machine import run_rows
from pixelrnn.stepper.run_state import RunState, Tables
from pixelrnn.stepper.spreading import portions
from pixelrnn.units import BITS_PER_BYTE

NO_FREQUENCIES = np.zeros((0, 0, 0), np.int64)
Result = TypeVar("Result")
KEPT_SIZES = 8  # of images, whose memory is kept ready ...
KEPT_BYTES = 1 << 23  # ... if it is small
FIRST_PIXELS = 1 << 10  # before the first look at whether the message has come to its end
NO_MESSAGE = np.zeros(0, np.uint8)


@dataclass(frozen=True)
class _Memory:
    """What the memory of a program is like before the first pixel.

    Attributes:
        maps: where the maps are.
        narrow: the narrow maps, and behind them room for gathered inputs.
        gathered_at: where that room is.
        wide: the wide maps.
    """

    maps: npt.NDArray[np.int64]
    narrow: npt.NDArray[np.int16]
    gathered_at: int
    wide: npt.NDArray[np.int32]


class Coder:
    """An integer program, laid out and ready to encode and decode.

    Its methods may be called from several threads at once: each call has memory of its own.

    Args:
        program: from `operations.export`, or read from a file.
    """

    def __init__(self, program: Program) -> None:
        if program.curves is None:
            raise ValueError("only an integer program codes exactly: export it first")
        self.program = program
        self.layout = lay_out(program)
        self._curves = program.curves
        self.level_type = level_type(program.num_levels)
        self.stored_type = np.dtype(self.level_type).newbyteorder("<")  # while the loop runs
        # A vector more than is needed: results are written in whole ones.
        self._widest = int(self.layout.operations[:, OP_COUNT].max()) + LANES
        self._room = room_of(program)
        self._memories: dict[tuple[int, int], _Memory] = {}
        self._bytes_of = functools.lru_cache(maxsize=1024)(self._count_bytes)

    def _bytes_of_levels(self, image: Images) -> npt.NDArray[np.uint8]:
        """Return a copy of an image as the loop takes it, `(H, W, C * bytes of a level)`."""
        return np.array(image, self.stored_type, order="C").view(np.uint8)

    def working_bytes(self, height: int, width: int) -> int:
        """Return the bytes of all maps for an image of this size."""
        return self._bytes_of(*self._key(height, width))

    def _key(self, height: int, width: int) -> tuple[int, int]:
        """Return what memory depends on: the height only where whole maps are kept."""
        return height if self.layout.keeps_whole_maps else 0, width

    def _count_bytes(self, height: int, width: int) -> int:
        maps = self.layout.maps(height, width)
        sizes = np.array([4 if each.wide else 2 for each in self.program.maps])
        return int((maps[:, MAP_ROWS] * maps[:, MAP_STRIDE] * sizes).sum())

    def least_bytes(self, levels: int) -> int:
        """Return how long a message must be to hold so many levels: each costs a little at least.

        It is less than that, rounded down, so that only huge flat images have to be filled up with zeros.
        """
        least_bits = levels * (self.program.num_levels - 1) // TOTAL
        return max(0, least_bits // BITS_PER_BYTE - BITS_PER_BYTE)

    def encode(self, image: Images, given: GivenLevels = NOTHING_GIVEN) -> bytes:
        """Return the message of an image, integers `(H, W, C)`; its end of zeros is left out.

        C is that of the program, or 1 for a grey image, which is coded as the red of one whose
        colours are equal.
        """
        return _finished(self.encoding(image, given))

    def encoding(
        self, image: Images, given: GivenLevels = NOTHING_GIVEN
    ) -> Generator[None, None, bytes]:
        """Do the same in steps of some thousand pixels, between which it may be left."""
        state, tables = self._writing(image, given)
        message = yield from _written(state, tables, self._bytes_of_levels(image))
        return message.ljust(self.least_bytes(image.size), b"\0")

    def frequencies(
        self, image: Images, given: GivenLevels = NOTHING_GIVEN
    ) -> npt.NDArray[np.int64]:
        """Return the frequency, of 2^24, of each level of an image, int64 `(H, W, C)`."""
        found = np.zeros(image.shape, np.int64)
        state, tables = self._writing(image, given, found)
        _finished(_written(state, tables, self._bytes_of_levels(image)))
        return found

    def decode(
        self,
        message: bytes,
        height: int,
        width: int,
        channels: int,
        given: GivenLevels = NOTHING_GIVEN,
    ) -> Images:
        """Return the image of a message, of `level_type`, `(height, width, channels)`.

        Of another that an encoder may have written, it is some image.

        Raises:
            CompressedFileError: if no encoder writes such a message for an image of this size.
        """
        return _finished(self.decoding(message, height, width, channels, given))

    def decoding(
        self,
        message: bytes,
        height: int,
        width: int,
        channels: int,
        given: GivenLevels = NOTHING_GIVEN,
    ) -> Generator[None, None, Images]:
        """Do the same in steps of some thousand pixels, between which it may be left."""
        levels, known = known_part(self.program, given, (height, width, channels))
        image = levels.astype(self.stored_type, copy=False)
        least, number = self.least_bytes(image.size), message.rstrip(b"\0")
        if not number:  # see `range_coder.outcome`
            _require(len(message) == least)
            return image.astype(self.level_type, copy=False)
        stream = np.frombuffer(message, np.uint8).copy()
        state, tables = self._state(image.shape, stream, given, reads=True, known=known)
        range_coder.start_reading(state.coder, state.stream)
        for first, last in portions(height, width, FIRST_PIXELS):
            run_rows(tables, state, image.view(np.uint8), first, last)
            yield
            outcome = range_coder.outcome(state.coder, stream)
            if outcome is not None:
                _require(outcome)
                break
        else:
            is_canonical, needed = range_coder.is_canonical(state.coder, stream)
            _require(is_canonical)
            least = max(least, needed)
        _require(len(message) == max(least, len(number)))
        return image.astype(self.level_type, copy=False)

    def drawing(
        self,
        stream: npt.NDArray[np.uint8],
        image: Images,
        known: npt.NDArray[np.bool_],
        given: GivenLevels = NOTHING_GIVEN,
    ) -> Iterator[int]:
        """Fill in the unknown levels of an image by random bytes; yield the rows done, some at a time.

        Args:
            stream: the random bytes: three a level, and eight.
            image: of `stored_type`, `(H, W, C)`; written to.
            known: bool `(H, W, C)`: the levels that the image gives.
            given: what it is given by; a part of the image itself is known, too.
        """
        levels, given_too = known_part(self.program, given, image.shape)
        if given_too.size:
            image[given_too] = levels[given_too]
            known = known | given_too
        state, tables = self._state(image.shape, stream, given, reads=True, known=known)
        range_coder.start_reading(state.coder, state.stream)
        for first, last in portions(*image.shape[:2]):
            run_rows(tables, state, image.view(np.uint8), first, last)
            yield last - first

    def _writing(
        self,
        image: Images,
        given: GivenLevels,
        frequencies: npt.NDArray[np.int64] = NO_FREQUENCIES,
    ) -> tuple[RunState, Tables]:
        """Return fresh memory for an image that is encoded."""
        levels, known = known_part(self.program, given, image.shape)
        require_the_part(image, levels, known)
        return self._state(
            image.shape, NO_MESSAGE, given, reads=False, known=known, frequencies=frequencies
        )

    def _state(
        self,
        shape: tuple[int, ...],
        message: npt.NDArray[np.uint8],
        given: GivenLevels = NOTHING_GIVEN,
        *,
        reads: bool,
        known: npt.NDArray[np.bool_] = NOTHING_KNOWN,
        frequencies: npt.NDArray[np.int64] = NO_FREQUENCIES,
    ) -> tuple[RunState, Tables]:
        """Return fresh memory for an image."""
        height, width, channels = shape
        if not reads:
            longest = height * width * channels * range_coder.MAX_BYTES_PER_SYMBOL
            message = np.zeros(longest + range_coder.MAX_BYTES_AT_END, np.uint8)
        layout, curves = self.layout, self._curves
        fresh = self._fresh(height, width)
        narrow, wide = fresh.narrow.copy(), fresh.wide.copy()
        write_given(self.program, given, (height, width), fresh.maps, narrow, wide)
        state = RunState(
            layout.weights,
            layout.numbers,
            curves.sigmoid, curves.tanh, curves.exponential,
            curves.logistic, curves.inverse_scales, curves.coupling,
            narrow,
            fresh.gathered_at,
            wide,
            np.zeros(self._widest, np.int32),
            np.zeros(range_coder.STATE_SIZE, np.int64),
            message,
            reads,
            (known if known.any() else NOTHING_KNOWN).view(np.uint8),
            frequencies,
            np.zeros((4, self._room), np.int64),
        )  # fmt: skip
        maps = fresh.maps
        return state, Tables(layout.operations, layout.taps, layout.sections, layout.spec, maps)

    def _fresh(self, height: int, width: int) -> "_Memory":
        """Return what memory is like before the first pixel of an image of this size."""
        key = self._key(height, width)
        found = self._memories.get(key)
        if found is None:
            layout = self.layout
            maps = layout.maps(height, width)
            # One more than an operation reads: an odd number of inputs is read in pairs, too.
            room = 2 * int(layout.operations[:, OP_PAIRS].max()) + 1
            narrow, wide = layout.memory(maps, room=room), layout.memory(maps, wide=True)
            found = _Memory(maps, narrow, len(narrow) - room, wide)
            if len(self._memories) >= KEPT_SIZES or self.working_bytes(*key) > KEPT_BYTES:
                self._memories.clear()
            self._memories[key] = found
        return found


def _written(state: RunState, tables: Tables, image: Images) -> Generator[None, None, bytes]:
    range_coder.start(state.coder)
    for first, last in portions(*image.shape[:2]):
        run_rows(tables, state, image, first, last)
        yield
    needed = range_coder.bytes_needed(state.coder)
    size = range_coder.finish(state.coder, state.stream)
    return state.stream[:size].tobytes().ljust(needed, b"\0")


def _require(is_ours: bool) -> None:
    if not is_ours:
        raise CompressedFileError("no encoder writes such a message")


def _finished(steps: Generator[None, None, Result]) -> Result:
    """Return what comes out in the end."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            result: Result = end.value
            return result
