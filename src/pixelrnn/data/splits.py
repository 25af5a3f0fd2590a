"""The rules by which splits are made, for anything that comes one per image: pixels, labels, files.

Splits are a function of an image's index (or of its whole photograph) and of nothing else: no
random generator, whose stream may change from version to version, says what is held out.
"""

from collections.abc import Collection, Hashable, Iterable, Mapping
from itertools import compress
from typing import Any, TypedDict, TypeVar

import numpy as np
import numpy.typing as npt

from pixelrnn.arrays import Images
from pixelrnn.errors import DataError
from pixelrnn.uncertainty import Pictures

T = TypeVar("T")
Rows = TypeVar("Rows", list[Any], npt.NDArray[Any])
Labels = npt.NDArray[np.int64]
Three = tuple[T, T, T]

SPLITS = ("train", "validation", "test")
VALIDATION_RULE = "validation: training images whose index % 10 is 9; train: the others"
WHOLE_RULE = (
    "test: images whose index % 10 is 9; validation: those whose index % 10 is 8; train: the others"
)


class Split(TypedDict):
    """What a `DataSet` is told of its splits."""

    train: Images
    validation: Images
    test: Images
    split_rule: str
    labels: Three[Labels] | None


def carve(parts: Mapping[str, Rows]) -> dict[str, Rows]:
    """Return train, validation and test: those given as they are, the others carved out of train.

    Args:
        parts: one row per image, of "train" alone, of "train" and "test", or of all three.

    Example:
        >>> carve({"train": list(range(12))})
        {'train': [0, 1, 2, 3, 4, 5, 6, 7, 10, 11], 'validation': [8], 'test': [9]}
        >>> carve({"train": list(range(12)), "test": [7]})["validation"]
        [9]
    """
    train = parts["train"]
    digit = np.arange(len(train)) % 10
    masks = {}
    if "test" not in parts:
        masks = {"train": digit < 8, "validation": digit == 8, "test": digit == 9}
    elif "validation" not in parts:
        masks = {"train": digit < 9, "validation": digit == 9}
    rows = dict(parts) | {split: _where(train, mask) for split, mask in masks.items()}
    return {split: rows[split] for split in SPLITS}


def describe_rule(parts: Collection[str], given: str, order: str = "") -> str:
    """Return in words how `carve` makes splits out of those that are given.

    Args:
        parts: the names of those given.
        given: where they come from, such as "as in the file".
        order: what the index of an image is one of, such as "sorted by name, ".
    """
    if "validation" in parts:
        return given
    return f"test: {given}; {order}{VALIDATION_RULE}" if "test" in parts else order + WHOLE_RULE


def split_images(
    parts: Mapping[str, Images],
    given: str,
    labels: Mapping[str, Labels] | None = None,
    whose: str = "",
) -> Split:
    """Return the splits of images, and of their labels, if there are any; see `carve` and `describe_rule`.

    Args:
        parts: uint8 `(N, C, H, W)` each.
        given: where they come from.
        labels: int64 `(N,)`, of the same splits.
        whose: what has the images, for the error.

    Raises:
        DataError: if images have more than one shape.
    """
    shapes = {split: images.shape[1:] for split, images in parts.items()}
    if len(set(shapes.values())) > 1:
        raise DataError(f"{whose}images of more than one shape (C, H, W): {shapes}")
    images = carve(parts)
    return Split(
        train=images["train"],
        validation=images["validation"],
        test=images["test"],
        split_rule=describe_rule(parts, given),
        labels=in_split_order(carve(labels)) if labels else None,
    )


def in_split_order(parts: Mapping[str, T]) -> Three[T]:
    """Return what each split has, in the order of `SPLITS`."""
    return parts["train"], parts["validation"], parts["test"]


def number_pictures(keys: Mapping[str, Iterable[Hashable]]) -> Three[Pictures]:
    """Number pictures from 0, over all splits, in the order in which they come.

    Args:
        keys: of each split, for each image what tells the picture that it is from.

    Example:
        >>> numbers = number_pictures({"train": "aab", "validation": "", "test": "cc"})
        >>> [each.tolist() for each in numbers]
        [[0, 0, 1], [], [2, 2]]
    """
    known: dict[Hashable, int] = {}
    return in_split_order(
        {
            split: np.array([known.setdefault(key, len(known)) for key in keys[split]], np.intp)
            for split in SPLITS
        }
    )


def _where(rows: Rows, mask: npt.NDArray[np.bool_]) -> Rows:
    return rows[mask] if isinstance(rows, np.ndarray) else list(compress(rows, mask))
