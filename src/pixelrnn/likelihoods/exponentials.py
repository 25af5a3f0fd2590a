"""Exponentials of integer logits, from a table: what both likelihoods weigh by."""

from typing import Any

import numpy as np
from numba import njit

from pixelrnn.graph.curves import EXPONENTIAL_SIZE, WEIGHT_BITS

whole: Any = np.int64  # in compiled code, Python's integers mixed with numpy's
ONE_WEIGHT = 1 << WEIGHT_BITS


@njit(error_model="numpy")
def exponentials(
    logits: np.ndarray, at: int, count: int, exponential: np.ndarray, out: np.ndarray
) -> int:
    """Write exp(logit - highest) to `out`, and return the sum."""
    highest = whole(logits[at])
    for k in range(1, count):
        highest = max(highest, whole(logits[at + k]))
    total: int = whole(0)
    for k in range(count):
        out[k] = exponential[min(highest - whole(logits[at + k]), EXPONENTIAL_SIZE - 1)]
        total += out[k]
    return total


@njit(error_model="numpy")
def normalise(weights: np.ndarray, total: int) -> None:
    """Divide weights by their sum, so that they add up to 2^20 exactly; the first takes the rest."""
    others = whole(0)
    for k in range(1, len(weights)):
        weights[k] = (weights[k] << WEIGHT_BITS) // total
        others += weights[k]
    weights[0] = ONE_WEIGHT - others
