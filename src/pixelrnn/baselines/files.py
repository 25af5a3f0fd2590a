"""The images as files: one file per image, and all in one picture, in every format there is."""

import logging
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np

from pixelrnn.baselines.formats import FORMATS, ImageFormat, UnfitFormatError
from pixelrnn.baselines.mosaic import Pixels, grid_shape
from pixelrnn.runs import Baseline
from pixelrnn.uncertainty import Pictures, standard_error
from pixelrnn.units import BITS_PER_BYTE

logger = logging.getLogger("pixelrnn.baselines")


def start_formats(
    test: Pixels, num_levels: int, pool: ThreadPoolExecutor, pictures: Pictures | None = None
) -> Iterator[Callable[[], Baseline | None]]:
    """Hand all the files to `pool`; yield, in table order, what waits for each row."""
    num_images, channels = test.shape[:2]
    if channels not in (1, 3):
        logger.warning("image files left out: they hold 1 or 3 channels, not %d", channels)
        return
    rows, columns = grid_shape(num_images)
    empty = rows * columns - num_images
    layout = f"{rows} x {columns} images" + (f", {empty} cells empty (black)" if empty else "")
    for image_format in FORMATS:
        name, note = image_format.name, image_format.described(channels, num_levels)
        try:
            each = image_format.pictures(list(test))
        except UnfitFormatError as reason:
            logger.warning("%s left out: %s", name, reason)
            continue
        # The picture is the longest job of all: started first, listed last.
        started = []
        mosaic = image_format.all_in_one(each)
        if mosaic is None:
            logger.warning("%s, one picture left out: it would be too large", name)
        else:
            sizes = _sizes(image_format, [mosaic], num_levels, pool)
            started = [_row(f"{name}, one picture", sizes, test.size, f"{layout}, {note}", None)]
        sizes = _sizes(image_format, each, num_levels, pool)
        yield _row(name, sizes, test.size, f"{num_images:,} files, {note}", pictures)
        yield from started


def _sizes(
    image_format: ImageFormat, pictures: Sequence[Pixels], num_levels: int, pool: ThreadPoolExecutor
) -> list[Future[list[int]]]:
    """Start writing each picture to a file; a future gives the bytes of each."""

    def size_bytes(some: Sequence[Pixels]) -> list[int]:
        return [len(image_format.checked_file(pixels, num_levels)) for pixels in some]

    # A few images per task: one each would be all bookkeeping for the fastest format.
    return [pool.submit(size_bytes, pictures[i : i + 16]) for i in range(0, len(pictures), 16)]


def _row(
    name: str,
    sizes: list[Future[list[int]]],
    num_dims: int,
    note: str,
    pictures: Pictures | None,
) -> Callable[[], Baseline | None]:
    def finish() -> Baseline | None:
        try:
            each = np.array([size for some in sizes for size in some.result()])
        except UnfitFormatError as reason:
            logger.warning("%s left out: %s", name, reason)
            return None
        bits_per_dim = int(each.sum()) * BITS_PER_BYTE / num_dims
        if len(each) == 1:  # one picture of all images, which is no mean over them
            return Baseline(name, bits_per_dim, note)
        error = standard_error(each * (BITS_PER_BYTE * len(each) / num_dims), pictures)
        return Baseline(name, bits_per_dim, note, error)

    return finish
