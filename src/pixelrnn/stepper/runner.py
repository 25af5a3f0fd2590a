"""Running programs over many images: one image a thread, the rows of an image in portions."""

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pixelrnn.errors import ImageMismatchError
from pixelrnn.graph.program import Program
from pixelrnn.processes import usable_cores
from pixelrnn.stepper.floats import Floats
from pixelrnn.stepper.layout import Layout, lay_out
from pixelrnn.stepper.machine import run_rows
from pixelrnn.stepper.tables import MAP_ROWS, MAP_STRIDE
from pixelrnn.stepper.world import Tables

Images = npt.NDArray[np.uint8]
MAX_WORKING_BYTES = 1 << 32
PIXELS_AT_ONCE = 1 << 14  # in one call of the loop: so often progress and Ctrl-C are seen


class UnwrittenError(ValueError):
    """A program reads a place that was never written: a fault in how a layer was lowered."""


@dataclass(frozen=True)
class Stepped:
    """What the loop made of images.

    Attributes:
        images: uint8 `(N, C, H, W)`, the unknown sub-pixels drawn.
        nats: log-probability of each sub-pixel, float64 `(N, C, H, W)`, if asked for.
        parameters: of the likelihood `(N, groups, maps, H, W)`, if asked for.
        largest: magnitude of each feature of each operation's result, `(operations, features)`, if
            asked for.
    """

    images: Images
    nats: npt.NDArray[np.float64] | None = None
    parameters: npt.NDArray[np.floating] | None = None
    largest: npt.NDArray[np.floating] | None = None


class Runner:
    """A program, laid out and ready to run.

    Args:
        program: the program.
        dtype: float32 for use, float64 for proof.
        threads: images at the same time; by default one for each usable core.
        poison: fill memory with NaN before it is written, and check that none is read.
    """

    def __init__(
        self,
        program: Program,
        *,
        dtype: npt.DTypeLike = np.float32,
        threads: int | None = None,
        poison: bool = False,
    ) -> None:
        self.layout: Layout = lay_out(program, dtype)
        self._channels = program.channels
        self._groups = program.groups
        self._maps = 0 if program.likelihood is None else program.likelihood.parameters[0].count
        self._threads = threads or usable_cores()
        self._poison = poison

    def run(
        self,
        images: Images,
        known: npt.NDArray[np.bool_],
        *,
        seed: int = 0,
        indices: Sequence[int] | None = None,
        temperature: float = 1.0,
        want_nats: bool = False,
        want_parameters: bool = False,
        want_largest: bool = False,
        on_progress: Callable[[int], None] | None = None,
    ) -> Stepped:
        """Run over images: what is known is scored, the rest is drawn.

        Args:
            images: uint8 `(N, C, H, W)`; what is unknown in them does not matter.
            known: bool, broadcast to the shape of the images.
            seed: of the random numbers, 0 to 2^63 - 1.
            indices: of the images: image i has the random numbers of (seed, indices[i]).
            temperature: sharper below 1, flatter above; positive.
            want_nats: whether to return the scores.
            want_parameters: whether to return the parameters.
            want_largest: whether to return how large the results of the operations became.
            on_progress: called with the pixels done since its last call, from any thread.

        Raises:
            UnwrittenError: with `poison`, if the program reads what it never wrote.
        """
        count, channels, height, width = images.shape
        # The loop wants channels last, and is compiled for arrays that can be written to.
        values = images.transpose(0, 2, 3, 1).copy()
        given = np.broadcast_to(known, images.shape).transpose(0, 2, 3, 1).copy()
        nats = np.zeros((count, height, width, channels)) if want_nats else None
        shape = (count, height, width, self._groups, self._maps)
        dtype = self.layout.weights.dtype
        parameters = np.zeros(shape, dtype) if want_parameters or self._poison else None
        no_nats, no_parameters = np.zeros((0, 0, 0)), np.zeros((0, 0, 0, 0), dtype)
        layout = self.layout
        maps = layout.maps(width)
        self._require_room(maps, width, count)
        fresh = layout.memory(maps)
        tables = Tables(layout.operations, layout.taps, layout.sections, layout.spec, maps)
        widest = max(operation.out.count for operation in layout.program.operations)
        of_each = np.zeros(
            (count, len(layout.operations), widest) if want_largest else (count, 0, 0), dtype
        )
        numbers = range(count) if indices is None else indices
        if len(numbers) != count:
            raise ValueError(f"{len(numbers)} indices for {count} images: give one an image")

        def work(n: int) -> Iterator[None]:
            world = Floats(
                layout.weights, fresh.copy(), given[n],
                np.uint64(seed), np.uint64(numbers[n]), float(temperature),
                no_nats if nats is None else nats[n],
                no_parameters if parameters is None else parameters[n],
                of_each[n], self._poison,
            )  # fmt: skip
            for first, last in portions(height, width):
                run_rows(tables, world, values[n], first, last)
                if on_progress:
                    on_progress((last - first) * width)
                yield

        spread(work, count, self._threads)
        if self._poison and parameters is not None and np.isnan(parameters).any():
            raise UnwrittenError("the program reads a place that it has not written")
        return Stepped(
            np.ascontiguousarray(values.transpose(0, 3, 1, 2)),
            None if nats is None else nats.transpose(0, 3, 1, 2),
            parameters.transpose(0, 3, 4, 1, 2)
            if want_parameters and parameters is not None
            else None,
            of_each.max(axis=0) if want_largest else None,
        )

    def _require_room(self, maps: npt.NDArray[np.int64], width: int, count: int) -> None:
        """Raise `ImageMismatchError` if the images at work at a time would need too much memory."""
        numbers = int((maps[:, MAP_ROWS] * maps[:, MAP_STRIDE]).sum())
        num_bytes = numbers * self.layout.weights.itemsize * (1 + min(self._threads, count))
        if num_bytes > MAX_WORKING_BYTES:
            raise ImageMismatchError(
                f"images {width:,} pixels wide need {num_bytes / 1e9:,.1f} GB of working memory with "
                f"this model and {self._threads} threads, more than {MAX_WORKING_BYTES / 1e9:,.0f} GB: "
                "take narrower ones (--size HEIGHTxWIDTH), or fewer --threads"
            )


def spread(work: Callable[[int], Iterator[None]], count: int, threads: int) -> None:
    """Do work 0 .. count - 1 in threads, which end early if one of them fails, or on Ctrl-C.

    No executor: Ctrl-C may leave the locks of its futures taken, and then it waits for ever.
    """
    numbers, failures = iter(range(count)), list[BaseException]()

    def keep_working() -> None:
        try:
            for n in numbers:
                for _ in work(n):
                    if failures:
                        return
        except BaseException as failure:
            failures.append(failure)

    workers = [
        threading.Thread(target=keep_working, daemon=True) for _ in range(min(threads, count))
    ]
    if len(workers) <= 1:
        keep_working()
    else:
        try:
            for worker in workers:
                worker.start()
            for worker in workers:
                worker.join()
        except BaseException as interruption:
            failures.append(interruption)
            for worker in workers:
                if worker.ident is not None:
                    worker.join()
    if failures:
        raise failures[0]


def portions(
    height: int, width: int, first_pixels: int = PIXELS_AT_ONCE
) -> Iterator[tuple[int, int]]:
    """Yield the rows (first, end) that are run in one call of the loop: few at first, if so wanted."""
    first, pixels = 0, first_pixels
    while first < height:
        last = min(first + max(1, pixels // width), height)
        yield first, last
        first, pixels = last, min(8 * pixels, PIXELS_AT_ONCE)
