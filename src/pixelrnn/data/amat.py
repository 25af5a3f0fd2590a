"""`.amat` files: binarised images as text, one a line, as Larochelle published those of MNIST."""

from pathlib import Path

import numpy as np

from pixelrnn.data.archives import damage_named
from pixelrnn.data.splits import Images
from pixelrnn.errors import DataError
from pixelrnn.files import not_a_file

SIDE = 28
MAX_BYTES = 1 << 28  # the largest published file has 78.4 MB


def read_amat(path: Path) -> Images:
    """Return the images `(N, 1, 28, 28)` of a text file of zeros and ones, one image a line.

    Raises:
        DataError: if it holds anything else, or not a whole number of images.
    """
    if kind := not_a_file(path):
        raise DataError(f"{path} is {kind}, not an .amat file")
    with damage_named(path):
        if path.stat().st_size > MAX_BYTES:
            raise DataError(f"{path} is larger than any file of binarised MNIST")
        text = np.fromfile(path, np.uint8)
    digits = text[(text == ord("0")) | (text == ord("1"))]
    num_spaces = int(np.isin(text, np.frombuffer(b" \r\n\t", np.uint8)).sum())
    if not digits.size or digits.size % (SIDE * SIDE) or digits.size + num_spaces != text.size:
        raise DataError(f"{path} is not a whole number of binary 28x28 images: fetch it again")
    images: Images = (digits == ord("1")).astype(np.uint8)
    return images.reshape(-1, 1, SIDE, SIDE)
