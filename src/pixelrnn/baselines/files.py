"""The images as files: one each, and all in one picture, in every format there is."""

import logging
import math
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np

from pixelrnn.baselines.base import Baseline, Pixels
from pixelrnn.baselines.codecs import CODECS, Codec

logger = logging.getLogger("pixelrnn.baselines")

_MOSAIC_MAX_PIXELS = 2**26
"""The largest picture made: Pillow takes larger ones for an attack when it reads them back."""

_BYTE_BITS = 8


def start_codecs(
    test: Pixels, num_levels: int, pool: ThreadPoolExecutor
) -> Iterator[Callable[[], Baseline | None]]:
    """Hand all the files to `pool`; yield, in table order, what waits for each row."""
    num_images, channels, height, width = test.shape
    if channels not in (1, 3):
        logger.warning("image files left out: they hold 1 or 3 channels, not %d", channels)
        return
    pictures = _as_pictures(test)
    rows, columns = _grid(num_images)
    mosaic_fits = rows * height * columns * width <= _MOSAIC_MAX_PIXELS
    mosaic = _mosaic(pictures, rows, columns)[np.newaxis] if mosaic_fits else None
    empty = rows * columns - num_images
    layout = f"{rows} x {columns} images" + (f", {empty} cells empty (black)" if empty else "")
    for codec in CODECS:
        if not codec.available():
            logger.warning("%s left out: the installed Pillow or imagecodecs has none", codec.name)
            continue
        note = _note(codec, channels, num_levels)
        started: list[Callable[[], Baseline | None]] = []
        for name, shown, what in (
            # The picture is the longest job of all: started first, listed last.
            (f"{codec.name}, one picture", mosaic, layout),
            (codec.name, pictures, f"{num_images:,} files"),
        ):
            if shown is None or max(shown.shape[1:3]) > codec.max_side:
                logger.warning("%s left out: the picture would be too large", name)
                continue
            stored = shown if codec.stores_grey else _as_colour(shown)
            sizes = _sizes(codec, stored, num_levels, pool)
            started.append(_row(name, sizes, test.size, f"{what}, {note}"))
        yield from reversed(started)


def _note(codec: Codec, channels: int, num_levels: int) -> str:
    if channels == 1 and not codec.stores_grey:
        return f"{codec.note}, grey stored as equal red, green and blue"
    if channels == 1 and num_levels == 2 and codec.name == "PNG":
        return f"{codec.note}, 1 bit a pixel"
    return codec.note


def _sizes(
    codec: Codec, pictures: Pixels, num_levels: int, pool: ThreadPoolExecutor
) -> list[Future[int]]:
    """Start writing each picture to a file; a future gives the bytes, or -1 where it is lossy."""

    def size_bytes(some: Pixels) -> int:
        total = 0
        for pixels in some:
            data = codec.encode(pixels, num_levels)
            if not np.array_equal(codec.decode(data), pixels):
                return -1
            total += len(data)
        return total

    # A few images a task: one each would be all bookkeeping for the fastest codec.
    return [pool.submit(size_bytes, pictures[i : i + 16]) for i in range(0, len(pictures), 16)]


def _row(
    name: str, sizes: list[Future[int]], num_dims: int, note: str
) -> Callable[[], Baseline | None]:
    def finish() -> Baseline | None:
        totals = [size.result() for size in sizes]
        if min(totals) < 0:
            logger.warning("%s left out: it decodes to other pixels, so it is not lossless", name)
            return None
        return Baseline(name, sum(totals) * _BYTE_BITS / num_dims, note)

    return finish


def _as_pictures(images: Pixels) -> Pixels:
    """Turn `(N, C, H, W)` into `(N, H, W)` for one channel or `(N, H, W, 3)` for three."""
    if images.shape[1] == 1:
        return np.ascontiguousarray(images[:, 0])
    return np.ascontiguousarray(images.transpose(0, 2, 3, 1))


def _as_colour(pictures: Pixels) -> Pixels:
    """Give grey pictures `(N, H, W)` three equal colours; leave `(N, H, W, 3)` alone."""
    if pictures.ndim == 4:
        return pictures
    return np.repeat(pictures[..., np.newaxis], 3, axis=-1)


def _grid(num_images: int) -> tuple[int, int]:
    """Return a mosaic's rows and columns: fewest empty cells, then squarest, at most 1:4."""
    root = math.isqrt(num_images - 1) + 1
    shapes = ((-(-num_images // columns), columns) for columns in range(root, 2 * root + 1))
    return min(shapes, key=lambda shape: (shape[0] * shape[1], shape[1]))


def _mosaic(pictures: Pixels, rows: int, columns: int) -> Pixels:
    """Lay the pictures out edge to edge, row by row; cells left over are black."""
    height, width = pictures.shape[1:3]
    rest = pictures.shape[3:]
    cells = np.zeros((rows * columns, height, width, *rest), np.uint8)
    cells[: len(pictures)] = pictures
    grid = cells.reshape(rows, columns, height, width, *rest).swapaxes(1, 2)
    return np.ascontiguousarray(grid).reshape(rows * height, columns * width, *rest)
