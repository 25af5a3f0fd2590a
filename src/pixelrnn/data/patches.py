"""Cutting pictures into square patches: on a grid, or anywhere."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypedDict

import numpy as np
import numpy.typing as npt

from pixelrnn.arrays import Images
from pixelrnn.data.splits import SPLITS, Part

RANDOM_CROPS = "in each epoch training patches are cut at other places, anywhere in their pictures"


@dataclass(frozen=True, eq=False)
class Uncut:
    """The pictures that training images were cut from, so that they can be cut at other places.

    Attributes:
        pictures: each uint8 `(C, H, W)`, no side shorter than that of a patch.
        numbers: int `(N,)`: which of them each training image is from; -1 of one that is whole.

    Example:
        >>> picture = np.arange(30, dtype=np.uint8).reshape(1, 5, 6)
        >>> uncut = Uncut((picture,), np.array([0, -1]))
        >>> uncut.patch(0, 2, random_bits=0).tolist(), uncut.patch(1, 2, random_bits=0)
        ([[[0, 1], [6, 7]]], None)
    """

    pictures: tuple[Images, ...]
    numbers: npt.NDArray[np.int64]

    def patch(self, index: int, side: int, *, random_bits: int) -> Images | None:
        """Return a patch of the picture that a training image is from, each place being as likely.

        Args:
            index: of the training image.
            side: height and width of the patch, in pixels.
            random_bits: 64 of them, which say where.

        Returns:
            uint8 `(C, side, side)`, or `None` for an image that is whole.
        """
        number = int(self.numbers[index])
        if number < 0:
            return None
        picture = self.pictures[number]
        _, height, width = picture.shape
        top = (random_bits >> 32) * (height - side + 1) >> 32
        left = (random_bits & 0xFFFFFFFF) * (width - side + 1) >> 32
        return picture[:, top : top + side, left : left + side]


class Cut(NamedTuple):
    """A picture that was read.

    Attributes:
        split: that it belongs to.
        patches: what was cut from it, uint8 `(N, C, side, side)`; or it alone, `(1, C, H, W)`.
        scene: what tells it from others; `None` of one that is whole.
        uncut: itself, `(C, H, W)`, if its patches are to be cut anew in each epoch.
        label: the number of its class, if all have one.
    """

    split: str
    patches: Images
    scene: Hashable = None
    uncut: Images | None = None
    label: int | None = None


class CutImages(TypedDict):
    """What a `DataSet` is told of images that were cut from pictures."""

    parts: dict[str, Part]
    uncut: Uncut | None


def gather(cuts: Sequence[Cut]) -> CutImages:
    """Return the patches of all pictures by split, in order, and what they were cut from.

    Pictures are numbered from 0, over all splits, in the order in which they come.
    """
    numbers: dict[Hashable, int] = {}
    is_unlabelled = any(cut.label is None for cut in cuts)
    parts = {}
    for split in SPLITS:
        own = [cut for cut in cuts if cut.split == split]
        of_scene = [numbers.setdefault(cut.scene, len(numbers)) for cut in own]
        counts = [len(cut.patches) for cut in own]
        pictures = np.repeat(np.array(of_scene, np.intp), counts)
        labels = [0 if cut.label is None else cut.label for cut in own]
        parts[split] = Part(
            images=np.concatenate([cuts[0].patches[:0], *(cut.patches for cut in own)]),
            labels=None if is_unlabelled else np.repeat(np.array(labels, np.int64), counts),
            pictures=None if cuts[0].scene is None else pictures,
        )
    kept = [(cut.uncut, len(cut.patches)) for cut in cuts if cut.uncut is not None]
    of_patch = np.repeat(np.arange(len(kept)), [count for _, count in kept])
    uncut = Uncut(tuple(picture for picture, _ in kept), of_patch) if kept else None
    return CutImages(parts=parts, uncut=uncut)


def cut_patches(picture: Images, side: int, stride: int) -> Images:
    """Cut a picture into squares, row by row; what is left at the right and bottom is dropped.

    Args:
        picture: uint8 `(C, H, W)` with H and W at least `side`.
        side: height and width of a patch, in pixels.
        stride: pixels from one patch to the next; less than `side` makes them overlap.

    Returns:
        uint8 `(N, C, side, side)`.

    Example:
        >>> cut_patches(np.zeros((3, 40, 70), np.uint8), side=32, stride=32).shape
        (2, 3, 32, 32)
    """
    windows = np.lib.stride_tricks.sliding_window_view(picture, (side, side), axis=(1, 2))
    grid = windows[:, ::stride, ::stride]
    return np.ascontiguousarray(grid.transpose(1, 2, 0, 3, 4)).reshape(-1, len(picture), side, side)
