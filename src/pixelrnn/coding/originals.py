"""The images that went into a file: all in it but those that are there as the small ones of others."""

from dataclasses import replace

import numpy as np

from pixelrnn.coding.container import Entry
from pixelrnn.coding.index import Given, Index
from pixelrnn.lazy import Picked


class Originals(Picked[Entry]):
    """The entries of the images that went in.

    Args:
        index: of the file.
        given: what it says of what images are given by.
    """

    def __init__(self, index: Index, given: Given) -> None:
        is_original = np.ones(len(index), bool)
        large = np.flatnonzero(given.before)
        is_original[large - given.before[large]] = False
        numbers = np.flatnonzero(is_original).astype(np.int64)
        super().__init__(index, numbers)
        self.names = Picked(index.names, numbers)
        run = np.searchsorted(np.cumsum(index.runs.counts), numbers, side="right")
        counts = np.bincount(run, minlength=len(index.runs.counts)).astype(np.int64)
        self.runs = replace(index.runs, counts=counts)


def originals(index: Index) -> Index | Originals:
    """Return the entries of the images that went into the file of this index."""
    return index if index.given is None else Originals(index, index.given)
