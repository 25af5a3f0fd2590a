"""Sampling: an integer program's decoder, fed with random bits."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import numpy.typing as npt

from pixelrnn.arrays import Images
from pixelrnn.errors import ImageMismatchError
from pixelrnn.graph.given import NOTHING_GIVEN, GivenLevels
from pixelrnn.kernels.range_coder import MAX_BYTES_AT_END, MAX_BYTES_PER_SYMBOL
from pixelrnn.processes import usable_cores
from pixelrnn.stepper.asked import checked_size
from pixelrnn.stepper.coder import Coder
from pixelrnn.stepper.spreading import spread

MAX_WORKING_BYTES = 1 << 32
LEAST_PRODUCTS = 1 << 16  # in an image: of fewer, threads would mostly wait for the interpreter


def draw(
    coder: Coder,
    images: Images,
    known: npt.NDArray[np.bool_],
    *,
    given: Sequence[GivenLevels] = (),
    seed: int = 0,
    indices: Sequence[int] | None = None,
    threads: int | None = None,
    on_progress: Callable[[int], None] | None = None,
) -> Images:
    """Return images whose unknown sub-pixels are sampled, each given all before it.

    Args:
        coder: the model in integers.
        images: `(N, C, H, W)`; what is unknown in them does not matter.
        known: bool, broadcast to the shape of the images.
        given: what each image is given by; nothing by default.
        seed: of the random bits, 0 to 2^63 - 1.
        indices: of the images: image i has the random bits of (seed, indices[i]).
        threads: images at the same time; by default one for each usable core, or one where they are tiny.
        on_progress: called with the pixels done since its last call, from any thread.

    Raises:
        ImageMismatchError: if the images would need too much memory.
    """
    count, _, height, width = images.shape
    numbers = range(count) if indices is None else indices
    if len(numbers) != count:
        raise ValueError(f"{len(numbers)} indices for {count} images: give one per image")
    threads = min(threads or _threads_worth(coder, height * width), count)
    _require_room(coder, height, width, threads)
    values = np.array(images.transpose(0, 2, 3, 1), coder.stored_type, order="C")
    levels_known = np.broadcast_to(known, images.shape).transpose(0, 2, 3, 1)

    def work(n: int) -> Iterator[None]:
        bits = random_bytes(seed, numbers[n], values[n].size)
        by = given[n] if given else NOTHING_GIVEN
        for rows in coder.drawing(bits, values[n], levels_known[n].copy(), by):
            if on_progress:
                on_progress(rows * width)
            yield

    spread(work, count, threads)
    return np.ascontiguousarray(values.transpose(0, 3, 1, 2).astype(coder.level_type, copy=False))


def sample(
    coder: Coder,
    count: int,
    size: tuple[int, ...] | None,
    *,
    given: Sequence[GivenLevels] = (),
    seed: int = 0,
    indices: Sequence[int] | None = None,
    threads: int | None = None,
    on_progress: Callable[[int], None] | None = None,
) -> Images:
    """Return images, `(count, C, H, W)`, of which nothing is known; see `draw`.

    Args:
        coder: the model in integers.
        count: how many.
        size: height and width in pixels.
        given: what each is given by; nothing by default.
        seed: of the random bits.
        indices: of the images.
        threads: images at the same time.
        on_progress: called with the pixels done since its last call.

    Raises:
        ImageMismatchError: if size or count are not positive, or too much memory is needed.
    """
    height, width = checked_size(size, count)
    if count < 1:
        raise ImageMismatchError(f"at least one image must be drawn, not {count}")
    blank = np.zeros((count, coder.program.channels, height, width), coder.level_type)
    nothing = np.array(False)
    return draw(
        coder, blank, nothing, given=given, seed=seed, indices=indices, threads=threads,
        on_progress=on_progress,
    )  # fmt: skip


def random_bytes(seed: int, index: int, levels: int) -> npt.NDArray[np.uint8]:
    """Return as many random bytes as decoding so many levels can read, by the generator Philox 4x64.

    Example:
        >>> bool((random_bytes(0, 0, 10) == random_bytes(0, 0, 12)[:38]).all())
        True
    """
    count = levels * MAX_BYTES_PER_SYMBOL + MAX_BYTES_AT_END
    generator = np.random.Philox(key=np.array([seed, index], np.uint64))
    words = generator.random_raw(-(-count // 8)).astype("<u8")
    return words.view(np.uint8)[:count]


def _threads_worth(coder: Coder, pixels: int) -> int:
    """Return how many threads are worth starting for images of so many pixels each."""
    return usable_cores() if coder.layout.weights.size * pixels >= LEAST_PRODUCTS else 1


def _require_room(coder: Coder, height: int, width: int, threads: int) -> None:
    """Raise `ImageMismatchError` if the images at work at a time would need too much memory."""
    num_bytes = coder.working_bytes(height, width) * (1 + threads)
    if num_bytes > MAX_WORKING_BYTES:
        raise ImageMismatchError(
            f"images {width:,} pixels wide need {num_bytes / 1e9:,.1f} GB of working memory with "
            f"this model and {threads} threads, more than {MAX_WORKING_BYTES / 1e9:,.0f} GB: "
            "take narrower ones (--size HEIGHTxWIDTH), or fewer --threads"
        )
