"""The images as files: one file per image, and all in one picture, in every format there is."""

import logging
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from pixelrnn.arrays import PICTURE_CHANNELS, Images
from pixelrnn.baselines.formats import FORMATS, ImageFormat, UnfitFormatError
from pixelrnn.baselines.mosaic import grid_shape
from pixelrnn.runs import Baseline
from pixelrnn.uncertainty import Pictures, standard_error
from pixelrnn.units import BITS_PER_BYTE

logger = logging.getLogger("pixelrnn.baselines")
AT_ONCE = 16  # files of a task: one each would be all bookkeeping for the fastest format
Row = Callable[[], Baseline | None]


def start_formats(
    test: Images, num_levels: int, pool: ThreadPoolExecutor, pictures: Pictures | None = None
) -> Iterator[Row]:
    """Hand all the files to `pool`; yield, in table order, what waits for each row."""
    num_images, channels = test.shape[:2]
    if channels not in PICTURE_CHANNELS:
        logger.warning("image files left out: they hold 1 or 3 channels, not %d", channels)
        return
    rows, columns = grid_shape(num_images)
    empty = rows * columns - num_images
    layout = f"{rows} x {columns} images" + (f", {empty} cells empty (black)" if empty else "")

    def start(name: str, image_format: ImageFormat, files: Sequence[Images], note: str) -> Row:
        def size_bytes(some: Sequence[Images]) -> list[int]:
            return [len(image_format.checked_file(pixels, num_levels)) for pixels in some]

        parts = [files[first : first + AT_ONCE] for first in range(0, len(files), AT_ONCE)]
        sizes = [pool.submit(size_bytes, part) for part in parts]

        def finish() -> Baseline | None:
            try:
                each = np.array([size for some in sizes for size in some.result()])
            except UnfitFormatError as reason:
                logger.warning("%s left out: %s", name, reason)
                return None
            per_dim = each * (BITS_PER_BYTE * len(each) / test.size)
            # One picture of all images is no mean over them.
            error = None if len(each) == 1 else standard_error(per_dim, pictures)
            return Baseline(name, int(each.sum()) * BITS_PER_BYTE / test.size, note, error)

        return finish

    for image_format in FORMATS:
        name, note = image_format.name, image_format.described(channels, num_levels)
        try:
            each = image_format.pictures(list(test))
        except UnfitFormatError as reason:
            logger.warning("%s left out: %s", name, reason)
            continue
        # The picture is the longest job of all: started first, listed last.
        mosaic, in_one = image_format.all_in_one(each), f"{name}, one picture"
        last = (
            [] if mosaic is None else [start(in_one, image_format, [mosaic], f"{layout}, {note}")]
        )
        yield start(name, image_format, each, f"{num_images:,} files, {note}")
        yield from last
        if not last:
            logger.warning("%s left out: it would be too large", in_one)
