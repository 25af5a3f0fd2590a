"""Labels beside the images of an `.npz`, by the names that MedMNIST and Keras give them.

They are whole numbers from 0, `(N,)` or `(N, 1)`. What is called so and is something else, such as several
labels an image, is left aside, unread.
"""

import math
import zipfile
from collections.abc import Iterable, Mapping

import numpy as np

from pixelrnn.data.dataset import Images, Labels
from pixelrnn.data.npy import read_exactly, read_header
from pixelrnn.errors import DataError
from pixelrnn.wording import as_ascii

PARTS = {"train": ("train",), "validation": ("validation", "val"), "test": ("test",)}
KINDS = ("labels", "label", "targets", "target", "y")


def label_names(splits: Iterable[str], names: Iterable[str]) -> dict[str, str]:
    """Return which array holds the labels of each split; nothing if one has none, or several.

    Args:
        splits: those that have images.
        names: of all arrays.

    Example:
        >>> label_names(["train", "test"], ["x_train", "y_train", "x_test", "y_test"])
        {'train': 'y_train', 'test': 'y_test'}
        >>> label_names(["train"], ["images", "labels"])
        {'train': 'labels'}
    """
    names, splits = set(names), list(splits)
    found = {}
    for split in splits:
        wanted = {f"y_{part}" for part in PARTS[split]}
        wanted |= {f"{part}_{kind}" for part in PARTS[split] for kind in KINDS}
        if splits == ["train"]:
            wanted |= set(KINDS)
        there = sorted(wanted & names)
        if len(there) != 1:
            return {}
        found[split] = there[0]
    return found


def read_labels(
    archive: zipfile.ZipFile,
    members: Mapping[str, zipfile.ZipInfo],
    arrays: Mapping[str, Images],
    where: str,
) -> dict[str, Labels] | None:
    """Return the labels of each split, `(N,)`; `None` if they are not whole numbers from 0.

    Args:
        archive: the file.
        members: what holds the labels of each split.
        arrays: the images of each split.
        where: the file's path, for the error.

    Raises:
        DataError: if there are not as many labels as images.
    """
    labels = {}
    for split, member in members.items():
        name = f"{where} ({as_ascii(member.filename)})"
        with archive.open(member) as stream:
            try:
                shape, _, dtype = read_header(stream, name)
            except DataError:
                return None
            if dtype.kind not in "iu" or len(shape) not in (1, 2) or shape[1:] not in ((), (1,)):
                return None
            if shape[0] != len(arrays[split]):
                raise DataError(
                    f"{name} holds {shape[0]:,} labels for {len(arrays[split]):,} images of {split}: save "
                    "them again, or leave the labels out"
                )
            flat = read_exactly(stream, math.prod(shape) * dtype.itemsize, name)
        labels[split] = flat.view(dtype).astype(np.int64)
    return labels if all(each.min(initial=0) >= 0 for each in labels.values()) else None
