"""How well a score tells unusual images from normal ones: AUROC, and false alarms at 95 % detection.

Intervals are of the bootstrap over pictures (Efron and Tibshirani 1993, "An Introduction to the Bootstrap",
sections 8.3 and 13.3): normal and unusual images are drawn again, each for itself, and where several images
are patches of one picture, whole pictures.
"""

from dataclasses import dataclass

import numpy as np

from pixelrnn.arrays import Floats, Integers
from pixelrnn.uncertainty import Pictures

DETECTION = 0.95  # of the unusual images
COVERAGE = 0.95  # of the intervals
REPLICATES = 1000
Interval = tuple[float, float]


@dataclass(frozen=True)
class Separation:
    """How well a score tells two sets of images apart.

    Attributes:
        auroc: how often an unusual image scores above a normal one, ties by half; 0.5 is chance.
        auroc_interval: where other images of the same kinds would have it, 95 %.
        false_positive_rate: the share of normal images that are flagged where the threshold flags 95 % of
            the unusual ones.
        false_positive_interval: likewise.
    """

    auroc: float
    auroc_interval: Interval
    false_positive_rate: float
    false_positive_interval: Interval


def separation(
    normal: Floats,
    unusual: Floats,
    *,
    normal_pictures: Pictures | None = None,
    unusual_pictures: Pictures | None = None,
    seed: int = 0,
    replicates: int = REPLICATES,
) -> Separation:
    """Say how well a score, higher for unusual images, tells two sets of images apart.

    Args:
        normal: scores of normal images, `(N,)`.
        unusual: scores of unusual ones, `(M,)`.
        normal_pictures: which picture each was cut from, `(N,)`; by default each is one of its own.
        unusual_pictures: likewise, `(M,)`.
        seed: of the draws for the intervals.
        replicates: how many draws.

    Raises:
        ValueError: if one of the sets is empty.

    Example:
        >>> found = separation(np.array([1.0, 2.0, 3.0, 4.0]), np.array([3.5, 5.0]), replicates=100)
        >>> found.auroc, found.false_positive_rate, found.auroc_interval[1]
        (0.875, 0.25, 1.0)
    """
    if not len(normal) or not len(unusual):
        raise ValueError("two sets of images are told apart, and one is empty")
    _, places = np.unique(np.concatenate([normal, unusual]), return_inverse=True)
    split = places[: len(normal)], places[len(normal) :]
    auroc, rate = _figures(split, (np.ones(len(normal)), np.ones(len(unusual))))
    draws = np.random.default_rng(seed)
    clusters = _clusters(len(normal), normal_pictures), _clusters(len(unusual), unusual_pictures)
    drawn = np.array(
        [
            _figures(split, (_weights(clusters[0], draws), _weights(clusters[1], draws)))
            for _ in range(replicates)
        ]
    )
    outside = (1 - COVERAGE) / 2
    low, high = np.quantile(drawn, (outside, 1 - outside), axis=0)
    return Separation(auroc, (float(low[0]), float(high[0])), rate, (float(low[1]), float(high[1])))


def _clusters(count: int, pictures: Pictures | None) -> Integers:
    """Return the number of each image's picture, from 0 on."""
    if pictures is None:
        return np.arange(count)
    return np.unique(pictures, return_inverse=True)[1]


def _weights(clusters: Integers, draws: np.random.Generator) -> Floats:
    """Return how often each image is in a sample of as many pictures, with replacement."""
    count = int(clusters.max()) + 1
    times = np.bincount(draws.integers(count, size=count), minlength=count)
    return times[clusters].astype(np.float64)


def _figures(
    places: tuple[Integers, Integers], weights: tuple[Floats, Floats]
) -> tuple[float, float]:
    """Return AUROC and the false-positive rate of weighted images, whose scores are ranked from 0 on."""
    size = 1 + max(int(each.max()) for each in places)
    normal, unusual = (
        np.bincount(each, weights=weight, minlength=size)
        for each, weight in zip(places, weights, strict=True)
    )
    total, detected = normal.sum(), unusual[::-1].cumsum()[::-1]
    below = normal.cumsum() - normal
    auroc = float((unusual * (below + normal / 2)).sum() / (total * detected[0]))
    # The highest threshold that still detects enough; the sums are of whole numbers, and exact.
    enough = np.flatnonzero(detected >= DETECTION * detected[0] - 1e-9)[-1]
    return auroc, float((total - below[enough]) / total)
