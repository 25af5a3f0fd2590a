"""Training batches whose order, places and flips are a function of (seed, epoch, index) and nothing else.

The images of all epochs form one endless line, each epoch a permutation of its own; a batch is the
next `batch_size` of the line, across the border of epochs, so that no image is dropped. Random bits
come from Philox, a counter-based generator, keyed by seed and epoch: a run that is resumed, or split
over processes, sees the same images in the same order.
"""

import functools

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from pixelrnn.data import DataSet, Images
from pixelrnn.data.patches import Uncut
from pixelrnn.training.tables import TrainingTable

_ORDER, _FLIPS, _PLACES = range(3)


class Batches:
    """The images of every step of a run, or of one process's share in it.

    Args:
        images: uint8 `(N, C, H, W)`.
        batch_size: images of an optimiser step, over all parts and processes.
        parts: portions in which a process computes its share.
        rank: which process this is.
        processes: how many share a step.
        seed: seed of the order and of the flips.
        flips: whether to mirror each image with probability a half.
        uncut: what the images were cut from, if others are to be cut from it in every epoch.

    Example:
        >>> images = np.arange(5, dtype=np.uint8).reshape(5, 1, 1, 1)
        >>> batches = Batches(images, batch_size=2, seed=0)
        >>> sorted(int(level) for step in range(5) for level in batches.of_step(step)[0].flatten())
        [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]
    """

    def __init__(
        self,
        images: Images,
        *,
        batch_size: int,
        seed: int,
        parts: int = 1,
        rank: int = 0,
        processes: int = 1,
        flips: bool = False,
        uncut: Uncut | None = None,
    ) -> None:
        self._images = images
        self._batch_size, self._size = batch_size, batch_size // (parts * processes)
        self._seed, self._flips, self._uncut = seed, flips, uncut
        self._rank, self._processes = rank, processes

    def of_step(self, step: int) -> list[Tensor]:
        """Return the images of a step, counted from 0: a part each, uint8 `(B, C, H, W)`."""
        first, distance = step * self._batch_size, self._size * self._processes
        starts = range(first + self._rank * self._size, first + self._batch_size, distance)
        return [self._batch(np.arange(start, start + self._size)) for start in starts]

    def _batch(self, places: npt.NDArray[np.int64]) -> Tensor:
        epochs, within = np.divmod(places, len(self._images))
        pairs = list(zip(epochs.tolist(), within.tolist(), strict=True))
        indices = [self._order(epoch)[place] for epoch, place in pairs]
        batch = self._images[indices]
        if self._uncut:
            for place, ((epoch, _), i) in enumerate(zip(pairs, indices, strict=True)):
                bits = int(self._bits(_PLACES, epoch)[i])
                patch = self._uncut.patch(i, batch.shape[-1], random_bits=bits)
                if patch is not None:
                    batch[place] = patch
        if self._flips:
            mirrored = np.array(
                [
                    self._bits(_FLIPS, epoch)[i] & 1
                    for (epoch, _), i in zip(pairs, indices, strict=True)
                ],
                dtype=bool,
            )
            batch[mirrored] = batch[mirrored, ..., ::-1]
        return torch.from_numpy(batch)

    def _order(self, epoch: int) -> npt.NDArray[np.intp]:
        return _permutation(self._seed, epoch, len(self._images))

    def _bits(self, purpose: int, epoch: int) -> npt.NDArray[np.uint64]:
        return _random_bits(self._seed, epoch, purpose, len(self._images))


def draw_batches(
    training: TrainingTable, data: DataSet, rank: int = 0, processes: int = 1
) -> Batches:
    """Return the batches of a run, or the share of one process."""
    return Batches(
        data.images("train"),
        batch_size=training.batch_size,
        seed=training.seed,
        parts=training.accumulate,
        rank=rank,
        processes=processes,
        flips=training.horizontal_flips,
        uncut=data.uncut,
    )


@functools.lru_cache(maxsize=6)
def _random_bits(seed: int, epoch: int, purpose: int, count: int) -> npt.NDArray[np.uint64]:
    # A seed has 63 bits: the 64th tells the third purpose from the first two, whose keys are older.
    third, parity = divmod(purpose, 2)
    philox = np.random.Philox(key=np.array([seed | third << 63, 2 * epoch + parity], np.uint64))
    return np.asarray(philox.random_raw(count), dtype=np.uint64)


@functools.lru_cache(maxsize=4)
def _permutation(seed: int, epoch: int, count: int) -> npt.NDArray[np.intp]:
    return _random_bits(seed, epoch, _ORDER, count).argsort(kind="stable")
