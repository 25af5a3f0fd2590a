"""Training batches whose order, places and flips are a function of (seed, epoch, index) and nothing else.

The images of all epochs form one endless line, each epoch a permutation of its own; a batch is the
next `batch_size` of the line, across the border of epochs, so that no image is dropped. Random bits
come from Philox, a counter-based generator, keyed by seed and epoch: a run that is resumed, or split
over processes, sees the same images in the same order.
"""

import functools
from dataclasses import KW_ONLY, dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from pixelrnn.data import DataSet, Images
from pixelrnn.data.patches import Uncut
from pixelrnn.data.splits import Labels
from pixelrnn.graph.conditions import Condition
from pixelrnn.models.config import ModelConfig
from pixelrnn.training.tables import TrainingTable

_ORDER, _FLIPS, _PLACES, _LABELS, _CONDITIONS, _DROPPED = range(6)
_SHARES = 2.0**64


class Batch(NamedTuple):
    """What a model is trained on at a time.

    Attributes:
        images: uint8 `(B, C, H, W)`.
        labels: class of each, int64 `(B,)`, `num_labels` for none; or None.
        given: the image that each is given by, uint8 `(B, c, H, W)`; or None.
        known: what of it is known, bool `(B, 1, H, W)`.
    """

    images: Tensor
    labels: Tensor | None = None
    given: Tensor | None = None
    known: Tensor | None = None


@dataclass(frozen=True, eq=False)
class Batches:
    """The images of every step of a run, or of one process's share in it.

    Attributes:
        images: uint8 `(N, C, H, W)`.
        batch_size: images of an optimiser step, over all parts and processes.
        parts: portions in which a process computes its share.
        rank: which process this is.
        processes: how many share a step.
        seed: seed of the order and of the flips.
        flips: whether to mirror each image with probability a half.
        uncut: what the images were cut from, if others are to be cut from it in every epoch.
        labels: the class of each image, int64 `(N,)`, if they are shown.
        no_label: the number that stands for none.
        label_dropout: share of images that are shown without their class.
        condition: what image each is given by, if they are shown with one.
        condition_dropout: share of images of which nothing is given.

    Example:
        >>> images = np.arange(5, dtype=np.uint8).reshape(5, 1, 1, 1)
        >>> batches = Batches(images, batch_size=2, seed=0)
        >>> sorted(int(level) for step in range(5) for level in batches.of_step(step)[0].images)
        [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]
    """

    images: Images
    _: KW_ONLY
    batch_size: int
    seed: int
    parts: int = 1
    rank: int = 0
    processes: int = 1
    flips: bool = False
    uncut: Uncut | None = None
    labels: Labels | None = None
    no_label: int = 0
    label_dropout: float = 0.0
    condition: Condition | None = None
    condition_dropout: float = 0.0

    def of_step(self, step: int) -> list[Batch]:
        """Return what is shown in a step, counted from 0: a batch for each part."""
        size = self.batch_size // (self.parts * self.processes)
        first, distance = step * self.batch_size, size * self.processes
        starts = range(first + self.rank * size, first + self.batch_size, distance)
        return [self._batch(range(start, start + size)) for start in starts]

    def _batch(self, places: range) -> Batch:
        count = len(self.images)
        epochs = [place // count for place in places]
        indices = [
            int(_permutation(self.seed, epoch, count)[place % count])
            for epoch, place in zip(epochs, places, strict=True)
        ]
        images = self.images[indices]
        for image, epoch, index in zip(images, epochs, indices, strict=True):
            if self.uncut:
                bits = int(_random_bits(self.seed, epoch, _PLACES, count)[index])
                patch = self.uncut.patch(index, image.shape[-1], random_bits=bits)
                image[:] = image if patch is None else patch
            if self.flips and int(_random_bits(self.seed, epoch, _FLIPS, count)[index]) & 1:
                image[:] = image[..., ::-1]
        shown = torch.from_numpy(images)
        return Batch(
            shown, self._labels(epochs, indices), *self._conditions(images, epochs, indices)
        )

    def _labels(self, epochs: list[int], indices: list[int]) -> Tensor | None:
        """Return the classes of images, some of which are dropped anew in each epoch."""
        if self.labels is None:
            return None
        chosen = self.labels[indices]
        bits = self._random_bits(_LABELS, epochs, indices)
        chosen[bits < self.label_dropout * _SHARES] = self.no_label
        return torch.from_numpy(chosen)

    def _conditions(
        self, images: Images, epochs: list[int], indices: list[int]
    ) -> tuple[Tensor | None, Tensor | None]:
        """Return what images are given by, and what of it is known, which is nothing of some."""
        if self.condition is None:
            return None, None
        bits = self._random_bits(_CONDITIONS, epochs, indices)
        levels, known = self.condition.of_images(images, bits)
        dropped = self._random_bits(_DROPPED, epochs, indices) < self.condition_dropout * _SHARES
        return torch.from_numpy(levels), torch.from_numpy(known & ~dropped[:, None, None, None])

    def _random_bits(
        self, purpose: int, epochs: list[int], indices: list[int]
    ) -> npt.NDArray[np.uint64]:
        """Return 64 random bits for each of some images."""
        count = len(self.images)
        each = zip(epochs, indices, strict=True)
        drawn = (_random_bits(self.seed, epoch, purpose, count)[index] for epoch, index in each)
        return np.fromiter(drawn, np.uint64, len(indices))


def draw_batches(
    training: TrainingTable,
    data: DataSet,
    rank: int = 0,
    processes: int = 1,
    *,
    model: ModelConfig | None = None,
) -> Batches:
    """Return the batches of a run, or the share of one process, with what the model takes beside images."""
    num_labels = model.num_labels if model else 0
    return Batches(
        data.images("train"),
        batch_size=training.batch_size,
        seed=training.seed,
        parts=training.accumulate,
        rank=rank,
        processes=processes,
        flips=training.horizontal_flips,
        uncut=data.uncut,
        labels=data.labels_of("train") if num_labels else None,
        no_label=num_labels,
        label_dropout=training.label_dropout,
        condition=model.condition.build() if model and model.condition else None,
        condition_dropout=training.condition_dropout,
    )


@functools.lru_cache(maxsize=12)
def _random_bits(seed: int, epoch: int, purpose: int, count: int) -> npt.NDArray[np.uint64]:
    # A seed has 63 bits, and an epoch far fewer: the bits above tell later purposes from the first two.
    pair, parity = divmod(purpose, 2)
    key = seed | (pair & 1) << 63, 2 * epoch + parity | (pair >> 1) << 63
    philox = np.random.Philox(key=np.array(key, np.uint64))
    return np.asarray(philox.random_raw(count), dtype=np.uint64)


@functools.lru_cache(maxsize=4)
def _permutation(seed: int, epoch: int, count: int) -> npt.NDArray[np.intp]:
    return _random_bits(seed, epoch, _ORDER, count).argsort(kind="stable")
