"""A histogram of levels for each position: the best that can be done without looking around."""

import numpy as np

from pixelrnn.arrays import Images
from pixelrnn.runs import Baseline
from pixelrnn.uncertainty import Pictures, standard_error
from pixelrnn.units import bits_per_dim

_PSEUDO_COUNT = 0.5
"""Added to each level's count in the histogram, so that one never seen costs a finite amount."""

_BLOCK_ELEMENTS = 2**22
"""How many array elements the histogram holds at once; bounds its memory, whatever the data."""


def histogram(
    train: Images, test: Images, num_levels: int, pictures: Pictures | None = None
) -> Baseline:
    """Fit a histogram of levels to each position of the training images; measure it on `test`."""
    num_train, num_positions = len(train), test[0].size
    train_values = train.reshape(num_train, num_positions)
    test_values = test.reshape(len(test), num_positions)
    block = max(1, _BLOCK_ELEMENTS // max(num_levels, num_train, len(test)))
    nats = np.zeros(len(test))
    for start in range(0, num_positions, block):
        here = slice(start, min(start + block, num_positions))
        # One bin for each (position, level) of the block: all its histograms in one count.
        offsets = np.arange(here.stop - here.start) * num_levels
        num_bins = len(offsets) * num_levels
        counts = np.bincount((train_values[:, here] + offsets).ravel(), minlength=num_bins)
        log_probability = np.log(
            (counts + _PSEUDO_COUNT) / (num_train + _PSEUDO_COUNT * num_levels)
        )
        nats -= log_probability[test_values[:, here] + offsets].sum(axis=1)
    note = (
        f"the levels seen at each position in {num_train:,} training images, "
        f"each count plus {_PSEUDO_COUNT:g}"
    )
    error = standard_error(nats * bits_per_dim(1.0, num_positions), pictures)
    return Baseline("histogram", bits_per_dim(float(nats.sum()), test.size), note, error)
