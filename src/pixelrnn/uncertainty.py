"""How far a mean over images may be off, where several images are patches of one picture.

Patches of one picture are alike: a hundred of them say little more than the picture does. So the
standard error of a mean is computed from the sums over whole pictures, the cluster-robust one (Cameron
and Miller 2015, "A Practitioner's Guide to Cluster-Robust Inference", section II). Where every image is
a picture of its own, it is the usual standard error.
"""

import math

import numpy as np
import numpy.typing as npt

from pixelrnn.wording import counted

Pictures = npt.NDArray[np.int64]
"""The number of the picture that each of N images was cut from, `(N,)`; images of one have the same."""

MIN_PICTURES = 8
"""With fewer of them the standard error is itself too uncertain for a verdict."""


def standard_error(
    values: npt.NDArray[np.float64], pictures: Pictures | None = None
) -> float | None:
    """Return the standard error of the mean of `values`, clustered by picture.

    With residuals summed over each of G pictures, `s_g`, its square is
    `G / (G - 1) * sum(s_g ** 2) / N ** 2`; pictures may have different numbers of images.

    Args:
        values: one figure an image, `(N,)`.
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
