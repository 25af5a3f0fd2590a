"""`mnist`: 70,000 handwritten digits, 28x28, in 256 grey levels or binarised in a named way.

Numbers of bits for differently binarised digits cannot be compared, so the way is part of the name.
"""

import gzip
import math
import struct
import zlib
from pathlib import Path

import numpy as np

from pixelrnn.data.dataset import VALIDATION_RULE, DataSet, Images, carve_validation
from pixelrnn.data.download import RemoteFile, fetch_file
from pixelrnn.data.options import DataOptions
from pixelrnn.errors import DataError

_MIRROR = "https://ossci-datasets.s3.amazonaws.com/mnist/"
_FIXED = "http://www.cs.toronto.edu/~larocheh/public/datasets/binarized_mnist/"

TRAIN_FILE = RemoteFile(
    "train-images-idx3-ubyte.gz",
    _MIRROR + "train-images-idx3-ubyte.gz",
    "md5:f68b3c2dcbeaaa9fbdd348bbdeb94873",
    9_912_422,
)
TEST_FILE = RemoteFile(
    "t10k-images-idx3-ubyte.gz",
    _MIRROR + "t10k-images-idx3-ubyte.gz",
    "md5:9fb629c4189551a2d022fa330f9573f3",
    1_648_877,
)
# Larochelle publishes no checksums: these are the ones that TensorFlow Datasets records.
FIXED_FILES = tuple(
    RemoteFile(name, _FIXED + name, f"sha256:{sha256}", num_bytes)
    for name, sha256, num_bytes in (
        (
            "binarized_mnist_train.amat",
            "ad693b29f94c14277b095f5238ddefbbdaaae0939789dd2f4f0205278cee3e4d",
            78_400_000,
        ),
        (
            "binarized_mnist_valid.amat",
            "1de3d397c40fe8eeb33dafd4099a1f665ec01e96d9be234aaeeac8a34930e2e2",
            15_680_000,
        ),
        (
            "binarized_mnist_test.amat",
            "e6687bfea3f820c174f33b7865140b2a2dd2930ef786f35d45795fc193b5ab2c",
            15_680_000,
        ),
    )
)

SIDE = 28
MAX_PIXELS = 60_000 * SIDE * SIDE
IDX_MAGIC = 0x00000803  # unsigned bytes, three axes
NAMES = {
    "none": "mnist",
    "threshold": "mnist (threshold at 0.5)",
    "sampled": "mnist (sampled once)",
    "fixed": "mnist (fixed, Larochelle)",
}
SOURCE = "LeCun, Cortes and Burges, The MNIST database of handwritten digits"
FIXED_SOURCE = "Larochelle and Murray, The Neural Autoregressive Distribution Estimator (2011)"
LICENCE = "CC BY-SA 3.0, as commonly stated"
# Keys of the generator that draws each pixel of `sampled`, once and for all.
TRAIN_KEY, TEST_KEY = 1601_06759_0, 1601_06759_1


def mnist_files(options: DataOptions) -> tuple[RemoteFile, ...]:
    """Return the files that a binarisation is made from."""
    return FIXED_FILES if options.binarisation == "fixed" else (TRAIN_FILE, TEST_FILE)


def mnist_splits(options: DataOptions) -> tuple[int, int, int]:
    """Return how many images train, validation and test have."""
    return (50_000, 10_000, 10_000) if options.binarisation == "fixed" else (54_000, 6_000, 10_000)


def mnist_levels(options: DataOptions) -> int:
    """Return how many levels the pixels have, if it is not given."""
    return 256 if options.binarisation == "none" else 2


def load_mnist(options: DataOptions) -> DataSet:
    """Return the digits `(1, 28, 28)`, downloading them if they are not here yet.

    Raises:
        DownloadError: if they are not here and cannot be downloaded.
        DataError: if a file is not what it should be.
    """
    paths = [fetch_file(remote) for remote in mnist_files(options)]
    if options.binarisation == "fixed":
        train, validation, test = map(read_amat, paths)
        rule = "as published: 50,000 training, 10,000 validation and 10,000 test images"
    else:
        whole, test = map(read_idx, paths)
        whole = binarise(whole, options.binarisation, TRAIN_KEY)
        test = binarise(test, options.binarisation, TEST_KEY)
        train, validation = carve_validation(whole)
        rule = f"test: as published; {VALIDATION_RULE}"
    return DataSet(
        name=NAMES[options.binarisation],
        num_levels=options.num_levels or mnist_levels(options),
        train=train,
        validation=validation,
        test=test,
        source=SOURCE if options.binarisation != "fixed" else f"{SOURCE}; {FIXED_SOURCE}",
        licence=LICENCE,
        notes=(f"binarisation: {options.binarisation}",),
        split_rule=rule,
    )


def binarise(images: Images, binarisation: str, key: int) -> Images:
    """Make grey images of 256 levels black and white, in a named way.

    Args:
        images: uint8 `(N, 1, H, W)`.
        binarisation: "none" returns the images; "threshold" gives 1 where grey / 255 > 0.5;
            "sampled" draws each pixel once, 1 with probability grey / 255.
        key: of the counter-based generator that draws; the same key gives the same images for
            ever, on any machine.

    Example:
        >>> binarise(np.array([[[[0, 127, 128, 255]]]], np.uint8), "threshold", key=0).tolist()
        [[[[0, 0, 1, 1]]]]
    """
    if binarisation == "none":
        return images
    if binarisation == "threshold":
        return (images > 127).astype(np.uint8)
    # Philox's raw stream is fixed by its definition, and the comparison is one of integers:
    # draw / 2**32 < grey / 255.
    generator = np.random.Philox(key=key)
    drawn = np.empty_like(images)
    for index, image in enumerate(images):
        draws = generator.random_raw(image.size).reshape(image.shape) >> np.uint64(32)
        drawn[index] = draws * np.uint64(255) < image.astype(np.uint64) << np.uint64(32)
    return drawn


def read_idx(path: Path) -> Images:
    """Return the images `(N, 1, H, W)` of a gzipped IDX file.

    Raises:
        DataError: if it is truncated, damaged, or holds anything but images of MNIST's size.
    """
    try:
        with gzip.open(path) as stream:
            header = stream.read(16)
            if len(header) < 16 or struct.unpack(">I", header[:4]) != (IDX_MAGIC,):
                raise DataError(f"{path} is not an IDX file of images: fetch it again")
            shape = struct.unpack(">III", header[4:])
            if math.prod(shape) > MAX_PIXELS:
                raise DataError(f"{path} claims images of shape {shape}, more than MNIST has")
            content = stream.read(math.prod(shape) + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path} is truncated or damaged ({error}): fetch it again") from error
    if len(content) != math.prod(shape) or not content:
        raise DataError(f"{path} does not hold the {shape} bytes that it claims: fetch it again")
    return np.frombuffer(content, np.uint8).reshape(shape)[:, np.newaxis]


def read_amat(path: Path) -> Images:
    """Return the images `(N, 1, 28, 28)` of a text file of zeros and ones, one image a line.

    Raises:
        DataError: if it holds anything else, or not a whole number of images.
    """
    try:
        text = np.fromfile(path, np.uint8)
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from error
    digits = text[(text == ord("0")) | (text == ord("1"))]
    num_spaces = int(np.isin(text, np.frombuffer(b" \r\n\t", np.uint8)).sum())
    if not digits.size or digits.size % (SIDE * SIDE) or digits.size + num_spaces != text.size:
        raise DataError(f"{path} is not a whole number of binary 28x28 images: fetch it again")
    images: Images = (digits == ord("1")).astype(np.uint8)
    return images.reshape(-1, 1, SIDE, SIDE)
