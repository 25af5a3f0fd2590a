"""Training batches whose order, places and flips are a function of (seed, epoch, index) and nothing else.

The images of all epochs form one endless line, each epoch a permutation of its own; a batch is the
next `batch_size` of the line, across the border of epochs, so that no image is dropped. Random bits
come from Philox, a counter-based generator, keyed by seed and epoch: a run that is resumed, or split
over processes, sees the same images in the same order.
"""

import functools
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from pixelrnn.data import Images
from pixelrnn.data.patches import Uncut

_ORDER, _FLIPS, _PLACES = range(3)


class Batches:
    """The batches of a run, or the share of one process; Lightning saves and restores its place.

    Args:
        images: uint8 `(N, C, H, W)`.
        batch_size: images of an optimiser step, over all parts and processes.
        num_steps: optimiser steps of the whole run.
        parts: micro-batches of a step, times processes.
        rank: which process this is.
        processes: how many share a step.
        seed: seed of the order and of the flips.
        flips: whether to mirror each image with probability a half.
        uncut: what the images were cut from, if others are to be cut from it in every epoch.

    Example:
        >>> images = np.arange(5, dtype=np.uint8).reshape(5, 1, 1, 1)
        >>> batches = Batches(images, batch_size=2, num_steps=5, seed=0)
        >>> sorted(int(level) for batch in batches for level in batch.flatten())
        [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]
    """

    def __init__(
        self,
        images: Images,
        *,
        batch_size: int,
        num_steps: int,
        seed: int,
        parts: int = 1,
        rank: int = 0,
        processes: int = 1,
        flips: bool = False,
        uncut: Uncut | None = None,
    ) -> None:
        self._images = images
        self._size = batch_size // (parts * processes)
        self._count = num_steps * parts
        self._seed, self._flips, self._uncut = seed, flips, uncut
        self._rank, self._processes = rank, processes
        self._position = 0

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Tensor]:
        while self._position < self._count:
            part = self._position * self._processes + self._rank
            self._position += 1
            yield self._batch(np.arange(part * self._size, (part + 1) * self._size))

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

    def state_dict(self) -> dict[str, int]:
        """Return how many batches were taken."""
        return {"position": self._position}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Go on after as many batches as `state` says."""
        self._position = state["position"]


@functools.lru_cache(maxsize=6)
def _random_bits(seed: int, epoch: int, purpose: int, count: int) -> npt.NDArray[np.uint64]:
    # A seed has 63 bits: the 64th tells the third purpose from the first two, whose keys are older.
    third, parity = divmod(purpose, 2)
    philox = np.random.Philox(key=np.array([seed | third << 63, 2 * epoch + parity], np.uint64))
    return np.asarray(philox.random_raw(count), dtype=np.uint64)


@functools.lru_cache(maxsize=4)
def _permutation(seed: int, epoch: int, count: int) -> npt.NDArray[np.intp]:
    return _random_bits(seed, epoch, _ORDER, count).argsort(kind="stable")
