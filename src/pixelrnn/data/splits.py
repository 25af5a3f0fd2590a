"""The rules of `dataset` applied to arrays: to images, and to labels in the same way."""

from typing import TypeVar

import numpy as np
import numpy.typing as npt

from pixelrnn.data.dataset import (
    VALIDATION_RULE,
    WHOLE_RULE,
    carve_all_indices,
    carve_validation_indices,
)
from pixelrnn.errors import DataError

T = TypeVar("T", bound=np.generic)
Three = tuple[npt.NDArray[T], npt.NDArray[T], npt.NDArray[T]]


def carve_validation(rows: npt.NDArray[T]) -> tuple[npt.NDArray[T], npt.NDArray[T]]:
    """Split training images, or their labels, into (train, validation) by `VALIDATION_RULE`."""
    train, validation = carve_validation_indices(len(rows))
    return rows[train], rows[validation]


def carve_all(rows: npt.NDArray[T]) -> Three[T]:
    """Split what came without splits into (train, validation, test) by `WHOLE_RULE`."""
    train, validation, test = carve_all_indices(len(rows))
    return rows[train], rows[validation], rows[test]


def splits_of(
    parts: dict[str, npt.NDArray[T]], given: str, whose: str = ""
) -> tuple[Three[T], str]:
    """Return train, validation and test images, and their rule: as they are given, the others carved.

    Args:
        parts: those of "train" alone, with "test", or of all three; or their labels.
        given: where splits come from that are not carved, such as "as in the file".
        whose: what has the images, for the error.

    Raises:
        DataError: if images have more than one shape.
    """
    shapes = {split: images.shape[1:] for split, images in parts.items()}
    if len(set(shapes.values())) > 1:
        raise DataError(f"{whose}images of more than one shape (C, H, W): {shapes}")
    if set(parts) == {"train"}:
        return carve_all(parts["train"]), WHOLE_RULE
    if "validation" in parts:
        return (parts["train"], parts["validation"], parts["test"]), given
    return (*carve_validation(parts["train"]), parts["test"]), f"test: {given}; {VALIDATION_RULE}"
