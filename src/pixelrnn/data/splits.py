"""Splits: what one holds, and the rules by which they are made.

Splits are a function of an image's index (or of its whole photograph) and of nothing else: no
random generator, whose stream may change from version to version, says what is held out.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypedDict, TypeVar

import numpy as np
import numpy.typing as npt

from pixelrnn.arrays import Images
from pixelrnn.errors import DataError
from pixelrnn.uncertainty import Pictures

Labels = npt.NDArray[np.int64]

SPLITS = ("train", "validation", "test")
VALIDATION_RULE = "validation: training images whose index % 10 is 9; train: the others"
WHOLE_RULE = (
    "test: images whose index % 10 is 9; validation: those whose index % 10 is 8; train: the others"
)


@dataclass(frozen=True, eq=False)
class Part:
    """Some images, and what is known of each: row n of every column belongs to image n.

    Attributes:
        images: uint8 or uint16 `(N, C, H, W)`; C-contiguous and read-only, whatever was given.
        labels: the class of each, int64 `(N,)`, from 0.
        pictures: which picture each was cut from, int `(N,)`; `None` where each is one of its own.

    Example:
        >>> part = Part(np.zeros((3, 1, 4, 5), np.uint8), labels=np.arange(3))
        >>> len(part), part[part.labels > 0].labels.tolist(), len(join([part, part]))
        (3, [1, 2], 6)
    """

    images: Images
    labels: Labels | None = None
    pictures: Pictures | None = None

    def __post_init__(self) -> None:
        if self.images.ndim != 4 or self.images.dtype not in (np.uint8, np.uint16):
            raise ValueError(
                "images must be uint8 or uint16 (N, C, H, W), not "
                f"{self.images.dtype} {self.images.shape}"
            )
        for name in ("labels", "pictures"):
            numbers = getattr(self, name)
            if numbers is not None and numbers.shape != (len(self),):
                raise ValueError(f"{name} must have one number for each image")
        frozen = np.ascontiguousarray(self.images).view()
        frozen.flags.writeable = False
        object.__setattr__(self, "images", frozen)

    def __len__(self) -> int:
        return len(self.images)

    def of_type(self, wanted: type[np.uint8 | np.uint16]) -> "Part":
        """Return the same with levels of a type that holds them."""
        if self.images.dtype == wanted:
            return self
        return Part(self.images.astype(wanted), self.labels, self.pictures)

    def __getitem__(self, rows: Any) -> "Part":
        taken: list[Any] = [column if column is None else column[rows] for column in self.columns]
        return Part(*taken)

    @property
    def columns(self) -> tuple[Any, ...]:
        """All that has a row for each image."""
        return self.images, self.labels, self.pictures


def join(parts: Sequence[Part]) -> Part:
    """Return parts as one; a column that one of them lacks is missing."""
    columns = zip(*(part.columns for part in parts), strict=True)
    return Part(*map(_concatenated, columns))


def _concatenated(columns: Sequence[npt.NDArray[Any] | None]) -> Any:
    known = [column for column in columns if column is not None]
    return np.concatenate(known) if len(known) == len(columns) else None


Rows = TypeVar("Rows", Part, npt.NDArray[Any])


class Split(TypedDict):
    """What a `DataSet` is told of its splits."""

    parts: dict[str, Part]
    split_rule: str


def carve(parts: Mapping[str, Rows]) -> dict[str, Rows]:
    """Return train, validation and test: those given as they are, the others carved out of train.

    Args:
        parts: one row per image, of "train" alone, of "train" and "test", or of all three.

    Example:
        >>> {split: rows.tolist() for split, rows in carve({"train": np.arange(12)}).items()}
        {'train': [0, 1, 2, 3, 4, 5, 6, 7, 10, 11], 'validation': [8], 'test': [9]}
        >>> carve({"train": np.arange(12), "test": np.array([7])})["validation"].tolist()
        [9]
    """
    train = parts["train"]
    digit = np.arange(len(train)) % 10
    masks = {}
    if "test" not in parts:
        masks = {"train": digit < 8, "validation": digit == 8, "test": digit == 9}
    elif "validation" not in parts:
        masks = {"train": digit < 9, "validation": digit == 9}
    return {split: train[masks[split]] if split in masks else parts[split] for split in SPLITS}


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


def split_images(parts: Mapping[str, Part], given: str, whose: str = "") -> Split:
    """Return the splits of images, with what is known of each; see `carve` and `describe_rule`.

    Args:
        parts: those that are given.
        given: where they come from.
        whose: what has the images, for the error.

    Raises:
        DataError: if images have more than one shape.
    """
    shapes = {split: part.images.shape[1:] for split, part in parts.items()}
    if len(set(shapes.values())) > 1:
        raise DataError(f"{whose}images of more than one shape (C, H, W): {shapes}")
    return Split(parts=carve(parts), split_rule=describe_rule(parts, given))
