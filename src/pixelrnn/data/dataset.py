"""A data set: three splits of images, where they come from, and what was done to them."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from pixelrnn.arrays import Images, level_type
from pixelrnn.data.splits import SPLITS, Labels, Part, join
from pixelrnn.errors import DataError
from pixelrnn.uncertainty import Pictures

if TYPE_CHECKING:
    from pixelrnn.data.patches import Uncut


@dataclass(frozen=True, eq=False)
class DataSet:
    """Images in three fixed splits, with where they come from and what was done to them.

    Attributes:
        name: of the set or file, with what makes its numbers incomparable, such as a binarisation.
        num_levels: pixel values are 0 ... num_levels - 1.
        parts: "train", "validation" and "test", with one C, H, W; the last two may be empty. Images of one
            picture have one number, in all of them.
        source: where the images come from.
        licence: what its owners allow.
        notes: what was converted, left out or only in part read.
        split_rule: how the splits were made, in words.
        uncut: where training images are patches that are cut anew in each epoch, what from.
        sets: of a mixture, each set's name and how many images it has in each split; see `mixture`.
        class_names: of the classes 0, 1, ..., where they are known; else empty.

    Raises:
        DataError: if a value is not below `num_levels`.

    Example:
        >>> import numpy as np
        >>> grey = Part(np.zeros((3, 1, 4, 5), np.uint8))
        >>> parts = {"train": grey, "validation": grey[:1], "test": grey[:0]}
        >>> data = DataSet("dark", 2, parts, "made up", split_rule="by hand")
        >>> data.channels, data.height, data.width, data.images("all").shape
        (1, 4, 5, (4, 1, 4, 5))
    """

    name: str
    num_levels: int
    parts: Mapping[str, Part]
    source: str
    licence: str = "the owner's"
    notes: tuple[str, ...] = ()
    split_rule: str = ""
    uncut: "Uncut | None" = None
    sets: tuple[tuple[str, tuple[int, ...]], ...] = ()
    class_names: tuple[str, ...] = ()

    @classmethod
    def from_array(
        cls, train: Any, validation: Any = None, test: Any = None, **settings: Any
    ) -> "DataSet":
        """Return images in memory as a data set, split as a folder is where no test images are given.

        Args:
            train: uint8 or uint16 `(N, H, W)`, `(N, C, H, W)` or `(N, H, W, C)`, an array or a tensor.
            validation: likewise; by default it comes out of `train`.
            test: likewise.
            **settings: `num_levels`, by default 256, of uint16 the power of two that holds them; `name`;
                and `channels`, "first" or "last", where the shape does not show it.

        Raises:
            DataError: if they are anything else.

        Example:
            >>> DataSet.from_array(np.zeros((20, 8, 8, 3), np.uint8)).images("test").shape
            (2, 3, 8, 8)
        """
        from pixelrnn.data.in_memory import from_array  # noqa: PLC0415 - it makes these

        return from_array(train, validation, test, **settings)

    @classmethod
    def from_torch(
        cls, train: Any, validation: Any = None, test: Any = None, **settings: Any
    ) -> "DataSet":
        """Return a data set of torch as one of ours; see `from_array`.

        Args:
            train: has a length and an index; an item is an image, or a tuple or a dictionary with one: a
                tensor `(C, H, W)` or `(H, W)` of uint8 or of floats k / 255, an array `(H, W, C)`, or
                Pillow's image of mode L or RGB. A whole number after it, or under "label", is kept as its
                label if all items have one.
            validation: likewise; by default it comes out of `train`.
            test: likewise.
            **settings: `num_levels`, by default 256, and `name`.

        Raises:
            DataError: if an item is anything else, or of another size than the first.

        Example:
            >>> DataSet.from_torch([(np.zeros((8, 8), np.uint8), "label")] * 10).count("all")
            10
        """
        from pixelrnn.data.in_memory import from_torch  # noqa: PLC0415 - it makes these

        return from_torch(train, validation, test, **settings)

    def __post_init__(self) -> None:
        self._check()
        wanted = level_type(self.num_levels)
        parts = {split: part.of_type(wanted) for split, part in self.parts.items()}
        object.__setattr__(self, "parts", parts)

    def _check(self) -> None:
        shapes = {part.images.shape[1:] for part in self.parts.values()}
        if tuple(self.parts) != SPLITS or len(shapes) != 1:
            raise ValueError(f"parts must be {SPLITS} with one (C, H, W), not {shapes}")
        for split, part in self.parts.items():
            highest = int(part.images.max(initial=0))
            if highest >= self.num_levels:
                raise DataError(
                    f"{self.name} has a pixel of value {highest} in {split}, but data.num_levels = "
                    f"{self.num_levels} allows 0 ... {self.num_levels - 1}: give data.num_levels = "
                    f"{highest + 1} or more, or leave it out"
                )

    def __repr__(self) -> str:
        """Say how many images of what kind there are, without the arrays."""
        counts = ", ".join(f"{split}={self.count(split)}" for split in SPLITS)
        shape = (self.channels, self.height, self.width)
        return f"DataSet({self.name!r}, {counts}, shape={shape}, num_levels={self.num_levels})"

    @property
    def channels(self) -> int:
        """1 for grey, 3 for RGB; or of another kind."""
        return int(self.parts["train"].images.shape[1])

    @property
    def height(self) -> int:
        """Rows of an image."""
        return int(self.parts["train"].images.shape[2])

    @property
    def width(self) -> int:
        """Columns of an image."""
        return int(self.parts["train"].images.shape[3])

    def count(self, split: str) -> int:
        """Return how many images `split` has, which may be none."""
        return len(self.part(split))

    def images(self, split: str) -> Images:
        """Return the images of a split, uint8 or uint16 `(N, C, H, W)` with N > 0.

        Args:
            split: "train", "validation", "test", or "all": those three, one after the other.

        Raises:
            DataError: if there is no such split, or if it is empty.
        """
        images = self.part(split).images
        if not len(images):
            raise DataError(
                f"{self.name} has no {split} images: it has {self.count('all')} in all "
                f"({self.split_rule}); add images, or use --split all to evaluate all of them"
            )
        return images

    def pictures_of(self, split: str) -> Pictures | None:
        """Return which picture each image of a split was cut from, int `(N,)`.

        `None` where each image is a picture of its own; see `uncertainty.standard_error`.

        Raises:
            DataError: if there is no such split.
        """
        return self.part(split).pictures

    def labels_of(self, split: str) -> Labels | None:
        """Return the class of each image of a split, int64 `(N,)`; `None` where there are no labels.

        Raises:
            DataError: if there is no such split.

        Example:
            >>> from pixelrnn.data import load
            >>> digits = load("digits")
            >>> digits.labels_of("train")[:4].tolist(), digits.num_classes, digits.class_names[3]
            ([0, 1, 2, 3], 10, '3')
        """
        return self.part(split).labels

    @property
    def num_classes(self) -> int:
        """How many classes the labels tell apart; 0 if there are no labels."""
        labels = [part.labels for part in self.parts.values() if part.labels is not None]
        return len(self.class_names) or 1 + max(
            (int(each.max(initial=-1)) for each in labels), default=-1
        )

    def without_labels(self) -> str:
        """Return a clause: that there are no labels, and what was left aside, which may be they."""
        aside = [note for note in self.notes if note.startswith("left aside")]
        return "; ".join([f"{self.name} has no labels", *aside])

    def sha256(self, split: str) -> str:
        """Return the SHA-256 of a split's shape and bytes, as 64 hexadecimal digits.

        Where training images are cut anew, it covers the pictures that they are cut from, too.
        """
        uncut = self.uncut.pictures if self.uncut and split == "train" else ()
        return _sha256(self.part(split).images, *uncut)

    def labels_sha256(self, split: str) -> str:
        """Return the SHA-256 of the classes of a split's images; without labels, that of nothing."""
        labels = self.part(split).labels
        return _sha256(*(() if labels is None else (labels,)))

    def part(self, split: str) -> Part:
        """Return the images of a split, which may be none, and what is known of each.

        Raises:
            DataError: if there is no such split.
        """
        if split == "all":
            return join(list(self.parts.values()))
        if split not in self.parts:
            raise DataError(f"there is no split {split!r}: choose one of {', '.join(SPLITS)}, all")
        return self.parts[split]


def _sha256(*arrays: npt.NDArray[Any]) -> str:
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(f"{array.dtype} {array.shape}\n".encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()
