"""`mnist`: 70,000 handwritten digits, 28x28, in 256 grey levels or binarised in a named way.

Numbers of bits for differently binarised digits cannot be compared, so the way is part of the name. The
files are found by their names in any folder: idx files as MNIST's relatives have them too, and the `.amat`
files of the fixed binarisation.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from pixelrnn.data.amat import read_amat
from pixelrnn.data.dataset import DataSet, Images, Labels
from pixelrnn.data.digits import DIGITS
from pixelrnn.data.download import RemoteFile
from pixelrnn.data.idx import read_idx
from pixelrnn.data.mnist_files import (
    AMAT_FILES,
    CONTENT_MD5,
    FIXED_FILES,
    IDX_FILES,
    IMAGE_FILES,
    amat_trouble,
    content_trouble,
    idx_path,
    missing_amat,
    spellings,
)
from pixelrnn.data.options import DataOptions
from pixelrnn.data.splits import splits_of
from pixelrnn.errors import DataError
from pixelrnn.files import FOLDER, not_a_file
from pixelrnn.wording import joined

BINARISED = {
    "none": "",
    "threshold": " (threshold at 0.5)",
    "sampled": " (sampled once)",
    "fixed": " (fixed, Larochelle)",
}
SOURCE = "LeCun, Cortes and Burges, The MNIST database of handwritten digits"
FIXED_SOURCE = "Larochelle and Murray, The Neural Autoregressive Distribution Estimator (2011)"
LICENCE = "CC BY-SA 3.0, as commonly stated"
# Keys of the generator that draws each pixel of `sampled`, once and for all.
TRAIN_KEY, TEST_KEY = 1601_06759_0, 1601_06759_1


class _Part(NamedTuple):
    """Images and labels as published, or as somebody else's: then `trouble` says how that is known."""

    images: Images
    labels: Labels | None
    trouble: str


def mnist_files(options: DataOptions) -> tuple[RemoteFile, ...]:
    """Return the files that a binarisation is made from."""
    return FIXED_FILES if options.binarisation == "fixed" else IDX_FILES


def mnist_splits(options: DataOptions) -> tuple[int, int, int]:
    """Return how many images train, validation and test have."""
    return (50_000, 10_000, 10_000) if options.binarisation == "fixed" else (54_000, 6_000, 10_000)


def mnist_levels(options: DataOptions) -> int:
    """Return 256 grey levels, or 2 when binarised."""
    return 256 if options.binarisation == "none" else 2


def is_mnist(folder: Path, names: Iterable[str]) -> bool:
    """Return whether a folder that holds these names has idx or `.amat` files, all of them or not."""
    known = {*AMAT_FILES, *(spelling for name in CONTENT_MD5 for spelling in spellings(name))}
    return any(not_a_file(folder / name) != FOLDER for name in known.intersection(names))


def missing_files(folder: Path, options: DataOptions) -> list[str]:
    """Return which of the files that a binarisation is made from a folder lacks."""
    if options.binarisation == "fixed":
        return missing_amat(folder)
    return [name for name in CONTENT_MD5 if not idx_path(folder, name)]


def mnist_trouble(folder: Path, options: DataOptions) -> str:
    """Return which file is not as it was published, and how that is known; "" if all are.

    Raises:
        DataError: if one cannot be read.
    """
    if options.binarisation == "fixed":
        return amat_trouble(folder)
    return _read_idx_part(folder, "train").trouble or _read_idx_part(folder, "t10k").trouble


def load_mnist(folder: Path, options: DataOptions) -> DataSet:
    """Return the images of a folder with idx files or the three `.amat` files: digits are `(1, 28, 28)`.

    The fixed binarisation is read from the `.amat` files, which have no labels; where there are no others,
    it is what the folder holds. Everything else is made from the idx files.

    Raises:
        DataError: if a file is missing, is not what it should be, or does not have what is asked for.
    """
    if _is_fixed(folder, options):
        return _load_fixed(folder, options)
    train_part, test_part = (_read_idx_part(folder, name) for name in ("train", "t10k"))
    images = {
        "train": binarise(train_part.images, options.binarisation, TRAIN_KEY),
        "test": binarise(test_part.images, options.binarisation, TEST_KEY),
    }
    (train, validation, test), rule = splits_of(images, "as published", f"{folder} has ")
    trouble = train_part.trouble or test_part.trouble
    labels = None
    if train_part.labels is not None and test_part.labels is not None:
        labels, _ = splits_of({"train": train_part.labels, "test": test_part.labels}, "")
    without = () if labels else ("there are no labels beside the images",)
    return DataSet(
        name=_base_name(folder, trouble) + BINARISED[options.binarisation],
        num_levels=options.num_levels or mnist_levels(options),
        train=train,
        validation=validation,
        test=test,
        source=str(folder) if trouble else f"{SOURCE}; read from {folder}",
        licence="the owner's" if trouble else LICENCE,
        notes=(f"binarisation: {options.binarisation}", *_not_official(trouble), *without),
        split_rule=rule,
        labels=labels,
        class_names=DIGITS if labels and not trouble else (),
    )


def _load_fixed(folder: Path, options: DataOptions) -> DataSet:
    train, validation, test = (read_amat(folder / name) for name in AMAT_FILES)
    trouble = amat_trouble(folder)
    return DataSet(
        name=_base_name(folder, trouble) + BINARISED["fixed"],
        num_levels=options.num_levels or 2,
        train=train,
        validation=validation,
        test=test,
        source=str(folder) if trouble else f"{SOURCE}; {FIXED_SOURCE}; read from {folder}",
        licence="the owner's" if trouble else LICENCE,
        notes=("binarisation: fixed", *_not_official(trouble)),
        split_rule="as published: 50,000 training, 10,000 validation and 10,000 test images"
        if not trouble
        else "as in the three files",
    )


def _is_fixed(folder: Path, options: DataOptions) -> bool:
    """Return whether the fixed binarisation is what is asked for, or all that there is.

    Raises:
        DataError: if that is not in the folder, or something else is asked for that is not.
    """
    missing = missing_amat(folder)
    has_idx = any(idx_path(folder, name) for name in IMAGE_FILES)
    wanted = options.binarisation
    if wanted != "fixed" and (has_idx or len(missing) == len(AMAT_FILES)):
        return False
    if wanted not in ("fixed", "none"):
        raise DataError(
            f"data.binarisation = {wanted} does not apply to {folder}, whose .amat files are binarised "
            "already: leave it out, or give a folder with the idx files of grey images"
        )
    if missing and wanted == "fixed" and has_idx:
        raise DataError(
            f"{folder} has no {joined(missing)}, which data.binarisation = fixed is read from: add what is "
            "missing, or give none, threshold or sampled"
        )
    if missing:
        raise DataError(
            f"{folder} has no {joined(missing)}: the fixed binarisation is all of "
            f"{joined(AMAT_FILES)}, in one folder"
        )
    return True


def _base_name(folder: Path, trouble: str) -> str:
    """Return what to call the images: nothing is called MNIST unless it is."""
    if not trouble:
        return "mnist"
    path = folder.resolve()
    return f"{path.parent.name if path.name == 'raw' else path.name}, not the official MNIST"


def _not_official(trouble: str) -> tuple[str, ...]:
    return (f"not the official MNIST: {trouble}",) if trouble else ()


def _read_idx_part(folder: Path, part: str) -> _Part:
    """Read the images of "train" or "t10k" and, if they are there, their labels."""
    of_images, of_labels = (name for name in CONTENT_MD5 if name.startswith(part))
    path, label_path = idx_path(folder, of_images), idx_path(folder, of_labels)
    others_labels = [name for name in CONTENT_MD5 if "labels" in name and idx_path(folder, name)]
    if path is None or (label_path is None and others_labels):
        missing = of_labels if path else of_images
        raise DataError(f"{folder} has no {missing} (or .gz): it is incomplete, fetch it again")
    images, md5 = read_idx(path, num_axes=3)
    troubles = content_trouble(path, of_images, md5)
    labels = None
    if label_path is not None:
        read, md5 = read_idx(label_path, num_axes=1)
        labels = read.astype(np.int64)
        troubles = troubles or content_trouble(label_path, of_labels, md5)
        if len(labels) != len(images):
            raise DataError(
                f"{path} has {len(images):,} images and {label_path.name} {len(labels):,} labels: they do "
                "not belong together"
            )
    return _Part(images[:, np.newaxis], labels, troubles)


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
