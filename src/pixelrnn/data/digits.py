"""`digits`: scikit-learn's 1,797 handwritten digits, 8x8, 17 grey levels, inside its wheel."""

import numpy as np

from pixelrnn.data.catalogue import CATALOGUE
from pixelrnn.data.dataset import DataSet
from pixelrnn.data.options import DataOptions
from pixelrnn.data.splits import Part, split_images

NUM_LEVELS = CATALOGUE["digits"].levels
NUM_TEST = CATALOGUE["digits"].counts[2]


def load_digits(options: DataOptions) -> DataSet:
    """Return the digits: 1,350 training, 150 validation and 297 test images `(1, 8, 8)`.

    The test images are the last 297: the file goes writer by writer, so they are by other hands.

    Example:
        >>> load_digits(DataOptions()).images("train").shape
        (1350, 1, 8, 8)
    """
    from sklearn.datasets import load_digits as read_digits  # noqa: PLC0415 - takes a second

    read, entry = read_digits(), CATALOGUE["digits"]
    images = read.images.astype(np.uint8)[:, np.newaxis]
    digits = Part(images, read.target.astype(np.int64))
    return DataSet(
        name="digits",
        num_levels=options.num_levels or NUM_LEVELS,
        source=entry.source,
        licence=entry.licence,
        class_names=entry.class_names,
        **split_images(
            {"train": digits[:-NUM_TEST], "test": digits[-NUM_TEST:]},
            f"the last {NUM_TEST} images (other writers)",
        ),
    )
