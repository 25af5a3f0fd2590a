"""What a model has to beat: a uniform guess, a histogram for each position, lossless image files.

Every figure is measured on the test images at hand, in bits/dim like the models' own. A codec's is
the size of its real files, and every file is decoded again and compared: a codec that changes a
pixel gets no row. In a file of a small image the header outweighs the pixels; so each codec is also
measured on one picture that shows all the images, a mosaic, where headers hardly count.
"""

import math
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from pixelrnn.arrays import Images
from pixelrnn.baselines.files import start_formats
from pixelrnn.baselines.histograms import histogram
from pixelrnn.data import DataSet
from pixelrnn.errors import DataError
from pixelrnn.processes import usable_cores
from pixelrnn.runs import Baseline
from pixelrnn.uncertainty import Pictures

__all__ = ["Baseline", "measure", "measure_for"]


def measure(
    train: Images,
    test: Images,
    num_levels: int,
    *,
    pictures: Pictures | None = None,
    threads: int | None = None,
) -> list[Baseline]:
    """Measure all the baselines on `test`.

    A codec that is not in the installed Pillow or imagecodecs, or cannot hold these images, has no
    row; a warning on the logger `pixelrnn.baselines` says which and why.

    Args:
        train: uint8 `(N, C, H, W)`: the images that the histogram is fitted on.
        test: uint8 `(M, C, H, W)` with M > 0: the images that are measured.
        num_levels: every value is in `[0, num_levels)`; 2 to 65,536.
        pictures: which picture each test image was cut from, as `DataSet.pictures_of` says; by default
            each is one of its own.
        threads: how many files are written at once; default: one for each usable core.

    Raises:
        DataError: if the arrays are not such images, or not of one shape.

    Example:
        >>> images = np.zeros((4, 1, 8, 8), np.uint8)
        >>> rows = measure(images, images, num_levels=256)
        >>> rows[0].name, rows[0].test_bits_per_dim
        ('uniform', 8.0)
        >>> rows[1].name, round(rows[1].test_bits_per_dim, 3)
        ('histogram', 4.874)
    """
    _check(train, test, num_levels)
    rows = [
        Baseline("uniform", math.log2(num_levels), f"every one of {num_levels} levels as likely"),
        histogram(train, test, num_levels, pictures),
    ]
    pool = ThreadPoolExecutor(threads or usable_cores())
    try:
        # All is started before any is waited for: one format's files fill the threads that
        # another's single picture leaves idle.
        started = list(start_formats(test, num_levels, pool, pictures))
        return rows + [row for finish in started if (row := finish()) is not None]
    finally:
        pool.shutdown(cancel_futures=True)  # after Ctrl-C, do not write thousands more


def measure_for(data: DataSet) -> list[Baseline]:
    """Measure all the baselines on the test images of a data set; see `measure`."""
    train, test, pictures = data.images("train"), data.images("test"), data.pictures_of("test")
    return measure(train, test, data.num_levels, pictures=pictures)


def _check(train: Images, test: Images, num_levels: int) -> None:
    for split, images in (("training", train), ("test", test)):
        if images.dtype not in (np.uint8, np.uint16) or images.ndim != 4:
            raise DataError(
                f"{split} images must be uint8 or uint16 (N, C, H, W), not {images.dtype} {images.shape}"
            )
        if images.size and int(images.max()) >= num_levels:
            raise DataError(
                f"{split} images hold the value {images.max()}, but there are only "
                f"{num_levels} levels; give the number of levels that the data has"
            )
    if train.shape[1:] != test.shape[1:]:
        raise DataError(
            f"training images are {train.shape[1:]} and test images {test.shape[1:]} (C, H, W); "
            "baselines need images of one shape"
        )
    if not test.size:
        raise DataError("there are no test images to measure baselines on")
