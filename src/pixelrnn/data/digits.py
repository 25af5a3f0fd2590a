"""`digits`: scikit-learn's 1,797 handwritten digits, 8x8, 17 grey levels, inside its wheel."""

import numpy as np

from pixelrnn.data.dataset import DataSet
from pixelrnn.data.options import DataOptions
from pixelrnn.data.splits import carve_validation

NUM_LEVELS = 17
NUM_TEST = 297
DIGITS = tuple("0123456789")
SOURCE = (
    "inside the scikit-learn wheel: the test part of Alpaydin and Kaynak, Optical Recognition of "
    "Handwritten Digits, UCI Machine Learning Repository (1998)"
)
LICENCE = "CC BY 4.0 (UCI)"


def load_digits(options: DataOptions) -> DataSet:
    """Return the digits: 1,350 training, 150 validation and 297 test images `(1, 8, 8)`.

    The test images are the last 297: the file goes writer by writer, so they are by other hands.

    Example:
        >>> load_digits(DataOptions()).images("train").shape
        (1350, 1, 8, 8)
    """
    from sklearn.datasets import load_digits as read_digits  # noqa: PLC0415 - takes a second

    read = read_digits()
    images = read.images.astype(np.uint8)[:, np.newaxis]
    labels = read.target.astype(np.int64)
    train, validation = carve_validation(images[:-NUM_TEST])
    return DataSet(
        name="digits",
        num_levels=options.num_levels or NUM_LEVELS,
        train=train,
        validation=validation,
        test=images[-NUM_TEST:],
        source=SOURCE,
        licence=LICENCE,
        notes=(),
        split_rule="test: the last 297 images (other writers); validation: of the first 1,500, "
        "those whose index % 10 is 9; train: the other 1,350",
        labels=(*carve_validation(labels[:-NUM_TEST]), labels[-NUM_TEST:]),
        class_names=DIGITS,
    )
