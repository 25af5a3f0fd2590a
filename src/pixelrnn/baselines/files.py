"""The images as files: one file per image, and all in one picture, in every format there is."""

import logging
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np

from pixelrnn.baselines.codecs import CODECS, ImageFormat
from pixelrnn.baselines.mosaic import Pixels, as_colour, as_pictures, grid_shape, one_picture
from pixelrnn.runs import Baseline
from pixelrnn.uncertainty import Pictures, standard_error
from pixelrnn.units import BITS_PER_BYTE

logger = logging.getLogger("pixelrnn.baselines")


def start_codecs(
    test: Pixels, num_levels: int, pool: ThreadPoolExecutor, pictures: Pictures | None = None
) -> Iterator[Callable[[], Baseline | None]]:
    """Hand all the files to `pool`; yield, in table order, what waits for each row."""
    num_images, channels = test.shape[:2]
    if channels not in (1, 3):
        logger.warning("image files left out: they hold 1 or 3 channels, not %d", channels)
        return
    shown_each = as_pictures(test)
    rows, columns = grid_shape(num_images)
    mosaic = one_picture(shown_each)
    empty = rows * columns - num_images
    layout = f"{rows} x {columns} images" + (f", {empty} cells empty (black)" if empty else "")
    for codec in CODECS:
        if not codec.available():
            logger.warning("%s left out: the installed Pillow or imagecodecs has none", codec.name)
            continue
        note = codec.described(channels, num_levels)
        started: list[Callable[[], Baseline | None]] = []
        for name, shown, what in (
            # The picture is the longest job of all: started first, listed last.
            (f"{codec.name}, one picture", None if mosaic is None else mosaic[np.newaxis], layout),
            (codec.name, shown_each, f"{num_images:,} files"),
        ):
            if shown is None or max(shown.shape[1:3]) > codec.max_side:
                logger.warning("%s left out: the picture would be too large", name)
                continue
            stored = shown if codec.stores_grey else as_colour(shown)
            sizes = _sizes(codec, stored, num_levels, pool)
            started.append(_row(name, sizes, test.size, f"{what}, {note}", pictures))
        yield from reversed(started)


def _sizes(
    codec: ImageFormat, pictures: Pixels, num_levels: int, pool: ThreadPoolExecutor
) -> list[Future[list[int]]]:
    """Start writing each picture to a file; a future gives the bytes of each, -1 where it is lossy."""

    def size_bytes(some: Pixels) -> list[int]:
        sizes = []
        for pixels in some:
            data = codec.encode(pixels, num_levels)
            if not np.array_equal(codec.decode(data), pixels):
                return [-1]
            sizes.append(len(data))
        return sizes

    # Several images per task: with one, the fastest codec would spend its time on bookkeeping.
    return [pool.submit(size_bytes, pictures[i : i + 16]) for i in range(0, len(pictures), 16)]


def _row(
    name: str,
    sizes: list[Future[list[int]]],
    num_dims: int,
    note: str,
    pictures: Pictures | None,
) -> Callable[[], Baseline | None]:
    def finish() -> Baseline | None:
        each = np.array([size for some in sizes for size in some.result()])
        if each.min() < 0:
            logger.warning("%s left out: it decodes to other pixels, so it is not lossless", name)
            return None
        bits_per_dim = int(each.sum()) * BITS_PER_BYTE / num_dims
        if len(each) == 1:  # one picture of all images, which is no mean over them
            return Baseline(name, bits_per_dim, note)
        error = standard_error(each * (BITS_PER_BYTE * len(each) / num_dims), pictures)
        return Baseline(name, bits_per_dim, note, error)

    return finish
