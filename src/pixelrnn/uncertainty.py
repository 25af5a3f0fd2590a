"""How far a mean over images may be off, where several images are patches of one picture.

Patches of one picture are alike: a hundred of them say little more than the picture does. So the
standard error of a mean is computed from the sums over whole pictures, the cluster-robust one (Cameron
and Miller 2015, "A Practitioner's Guide to Cluster-Robust Inference", section II). Where every image is
a picture of its own, it is the usual standard error.

How far training with another seed would move a difference between two models is another question. Welch's
t-test answers it (Welch 1947, "The Generalization of 'Student's' Problem when Several Different Population
Variances are Involved"): each seed gives one figure per model, the models may vary differently, and few
seeds count as few.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pixelrnn.wording import counted

Pictures = npt.NDArray[np.int64]
"""The number of the picture that each of N images was cut from, `(N,)`; images of one have the same."""

MIN_PICTURES = 8
"""With fewer of them the standard error is itself too uncertain for a verdict."""

SIGNIFICANCE = 0.05
"""A difference over seeds counts where chance gives one so large less often."""

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(200)


def standard_error(
    values: npt.NDArray[np.float64], pictures: Pictures | None = None
) -> float | None:
    """Return the standard error of the mean of `values`, clustered by picture.

    With residuals summed over each of G pictures, `s_g`, its square is
    `G / (G - 1) * sum(s_g ** 2) / N ** 2`; pictures may have different numbers of images.

    Args:
        values: one figure per image, `(N,)`.
        pictures: which picture each image is of, `(N,)`; by default each is one of its own.

    Returns:
        The standard error, or `None` if there are fewer than two pictures: one says nothing about
        how much they differ.

    Example:
        >>> standard_error(np.array([1.0, 3.0]))
        1.0
        >>> patches = np.array([1.0, 1.0, 3.0, 3.0])
        >>> round(standard_error(patches), 3), standard_error(patches, np.array([0, 0, 1, 1]))
        (0.577, 1.0)
        >>> standard_error(patches, np.zeros(4, int)) is None
        True
    """
    if pictures is None:
        sums = values - values.mean() if len(values) else values
    else:
        _, numbers = np.unique(pictures, return_inverse=True)
        sums = np.bincount(numbers, weights=values - values.mean()) if len(values) else values
    count = len(sums)
    if count < 2:
        return None
    return math.sqrt(count / (count - 1) * float((sums**2).sum())) / len(values)


def count_pictures(num_images: int, pictures: Pictures | None) -> int:
    """Return of how many pictures `num_images` images are: as many, unless they are patches.

    Example:
        >>> count_pictures(4, np.array([7, 7, 7, 2])), count_pictures(4, None)
        (2, 4)
    """
    return num_images if pictures is None else len(np.unique(pictures))


def evenly_spread(num_images: int, count: int) -> npt.NDArray[np.intp]:
    """Return the indices of at most `count` of so many images, to stand for them all.

    The first ones would not: where images are patches, neighbours are of one picture.

    Example:
        >>> evenly_spread(9, 3).tolist(), evenly_spread(2, 3).tolist()
        ([0, 4, 8], [0, 1])
    """
    return np.linspace(0, num_images - 1, min(count, num_images)).astype(np.intp)


def images_of_pictures(num_images: int, num_pictures: int, kind: str = "") -> str:
    """Say how many images there are, and of how many pictures where these are fewer.

    Args:
        num_images: how many images were averaged.
        num_pictures: how many pictures they are of.
        kind: what comes before "images", such as a split.

    Example:
        >>> images_of_pictures(1464, 7, "test")
        '1,464 test images (patches of 7 pictures)'
        >>> images_of_pictures(1, 1)
        '1 image'
    """
    words = counted(num_images, f"{kind} image".strip())
    if num_pictures == num_images:
        return words
    return f"{words} (patches of {counted(num_pictures, 'picture')})"


def no_verdict(num_pictures: int) -> str:
    """Return why nothing can be concluded, or nothing if there are enough pictures.

    Example:
        >>> no_verdict(7), no_verdict(8)
        ('no verdict: only 7 pictures', '')
    """
    if num_pictures >= MIN_PICTURES:
        return ""
    return f"no verdict: only {counted(num_pictures, 'picture')}"


def plus_minus(value: float, error: float | None) -> str:
    """Write a figure in bits/dim with its standard error, if there is one.

    Example:
        >>> plus_minus(3.14159, 0.0123), plus_minus(3.14159, None)
        ('3.1416 ± 0.0123', '3.1416 (no standard error: one picture)')
    """
    if error is None:
        return f"{value:.4f} (no standard error: one picture)"
    return f"{value:.4f} ± {error:.4f}"


@dataclass(frozen=True)
class SeedDifference:
    """By how much one model is above another, both trained with several seeds: Welch's t-test.

    Attributes:
        mean: of the second, less that of the first, in bits/dim.
        standard_error: of it, over seeds.
        degrees_of_freedom: by Welch and Satterthwaite.
        p_value: how often chance alone gives a difference so large, in either direction.
        num_seeds: of the model that has fewer.
    """

    mean: float
    standard_error: float
    degrees_of_freedom: float
    p_value: float
    num_seeds: int

    @property
    def survives(self) -> bool:
        """Whether other seeds would hardly undo the difference."""
        return self.p_value < SIGNIFICANCE


def over_seeds(first: Sequence[float], second: Sequence[float]) -> SeedDifference | None:
    """Compare two models by a figure for each seed; `None` if one has fewer than two.

    Example:
        >>> found = over_seeds([2.00, 2.01, 2.02], [2.06, 2.07, 2.08])
        >>> round(found.mean, 4), round(found.standard_error, 4), round(found.p_value, 4)
        (0.06, 0.0082, 0.0018)
        >>> over_seeds([2.0], [2.1, 2.2]) is None
        True
    """
    if min(len(first), len(second)) < 2:
        return None
    mean = float(np.mean(second) - np.mean(first))
    parts = [float(np.var(values, ddof=1)) / len(values) for values in (first, second)]
    error = math.sqrt(sum(parts))
    fewest = min(len(first), len(second))
    if not error:  # every seed gave the same
        return SeedDifference(mean, 0.0, fewest - 1, 0.0 if mean else 1.0, fewest)
    below = [part**2 / (len(each) - 1) for part, each in zip(parts, (first, second), strict=True)]
    freedom = error**4 / sum(below)
    return SeedDifference(mean, error, freedom, two_sided(mean / error, freedom), fewest)


def two_sided(t: float, degrees_of_freedom: float) -> float:
    """Return how often Student's t is at least as far from zero, in either direction.

    The density is integrated over the angle whose tangent is t / sqrt(degrees of freedom), where it is a
    power of the cosine.

    Example:
        >>> round(two_sided(4.303, 2), 4), round(two_sided(-2.776, 4), 4), two_sided(0.0, 3)
        (0.05, 0.05, 1.0)
    """
    half = math.atan(abs(t) / math.sqrt(degrees_of_freedom)) / 2
    within = half * float(
        (_WEIGHTS * np.cos(half * (_NODES + 1)) ** (degrees_of_freedom - 1)).sum()
    )
    gammas = math.lgamma(degrees_of_freedom / 2) - math.lgamma((degrees_of_freedom + 1) / 2)
    return min(1.0, max(0.0, 1 - within / (math.sqrt(math.pi) / 2 * math.exp(gammas))))


def least_deviations(num_seeds: int) -> float:
    """Return the least difference that survives, in standard deviations of a single run.

    Both models have so many seeds and vary alike. A true difference of that size is seen about half the
    time.

    Example:
        >>> [round(least_deviations(count), 1) for count in (2, 3, 5, 10)]
        [4.3, 2.3, 1.5, 0.9]
    """
    low, high = 0.0, 1e3
    for _ in range(60):
        middle = (low + high) / 2
        above = two_sided(middle, 2 * num_seeds - 2) > SIGNIFICANCE
        low, high = (middle, high) if above else (low, middle)
    return high * math.sqrt(2 / num_seeds)


def p_value(value: float) -> str:
    """Write a p-value with two digits, as small as is worth writing.

    Example:
        >>> p_value(0.01234), p_value(0.0)
        ('p = 0.012', 'p < 0.001')
    """
    return "p < 0.001" if value < 1e-3 else f"p = {value:.2g}"
