"""The typed reading of `samples.npz`: what a model drew after it was evaluated."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pixelrnn.report.array_file import Arrays, open_arrays

Images = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Samples:
    """Images that a model drew.

    Attributes:
        seed: the same for every model.
        samples: uint8 `(N, C, H, W)`.
        known: bool `(H, W)`: what was given of the completed images.
        completed_images: test images, uint8 `(M, C, H, W)`.
        completed_indices: which test images they are, `(M,)`.
        completions: uint8 `(M, K, C, H, W)`.
        hidden_bits_per_dim: what the hidden part of each of the images costs, float64 `(M,)`.
    """

    seed: int
    samples: Images
    known: npt.NDArray[np.bool_]
    completed_images: Images
    completed_indices: npt.NDArray[np.int64]
    completions: Images
    hidden_bits_per_dim: npt.NDArray[np.float64]


def read_samples(path: Path, *, image_shape: tuple[int, int, int], num_levels: int) -> Samples:
    """Read `samples.npz` and check that it is of images of this kind.

    Args:
        path: the file.
        image_shape: channels, height, width of the images.
        num_levels: how many values a sub-pixel has.

    Raises:
        ModelFileError: the file is damaged, incomplete, or of other images.

    Example:
        >>> read_samples(Path("none.npz"), image_shape=(1, 8, 8), num_levels=2)
        Traceback (most recent call last):
        pixelrnn.errors.ModelFileError: none.npz cannot be read (...); evaluate that run again
    """
    with open_arrays(path) as arrays:
        return _samples(arrays, image_shape, num_levels)


def _samples(arrays: Arrays, image_shape: tuple[int, int, int], num_levels: int) -> Samples:
    count, completed = arrays.length("samples"), arrays.length("completed_images")
    shape = arrays.shape("completions")
    each = shape[1] if len(shape) == 5 else 0
    if not count or not completed or not each:
        raise arrays.error("has no samples, or no completions")
    return Samples(
        seed=int(arrays.integers("seed", ())),
        samples=arrays.images("samples", (count, *image_shape), num_levels),
        known=arrays.flags("known", image_shape[1:]),
        completed_images=arrays.images("completed_images", (completed, *image_shape), num_levels),
        completed_indices=arrays.integers("completed_indices", (completed,)),
        completions=arrays.images("completions", (completed, each, *image_shape), num_levels),
        hidden_bits_per_dim=arrays.floats("hidden_bits_per_dim", (completed,)),
    )
