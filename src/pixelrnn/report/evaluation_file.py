"""The typed reading of `evaluation.npz`, held against the numbers of `result.json`."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pixelrnn.errors import ModelFileError
from pixelrnn.report.array_file import Arrays, open_arrays
from pixelrnn.uncertainty import Pictures

# Both files come from the same sums in float64; more than this apart, from two evaluations.
TOLERANCE_BITS_PER_DIM = 1e-4


@dataclass(frozen=True)
class Examples:
    """Some test images: uint8 `(K, C, H, W)`, their bits/dim `(K,)` and test indices `(K,)`."""

    images: npt.NDArray[np.uint8]
    bits_per_dim: npt.NDArray[np.float64]
    indices: npt.NDArray[np.int64]


@dataclass(frozen=True)
class Evaluation:
    """What was measured image by image and sub-pixel by sub-pixel on the test split.

    `bits_per_dim_per_image` is float64 `(N,)`; `pictures` int64 `(N,)`, which picture each image was
    cut from, `None` where that was not recorded; `bits_map` float64 `(C, H, W)`, mean bits of each
    sub-pixel; `receptive_field` bool `(C, H, W)`, what the last colour of the pixel at
    `receptive_field_at` (row, column, channel) was measured to depend on.
    """

    bits_per_dim_per_image: npt.NDArray[np.float64]
    pictures: Pictures | None
    bits_map: npt.NDArray[np.float64]
    receptive_field: npt.NDArray[np.bool_]
    receptive_field_at: tuple[int, int, int]
    easiest: Examples
    hardest: Examples


def read_evaluation(
    path: Path,
    *,
    image_shape: tuple[int, int, int],
    num_levels: int,
    num_images: int,
    bits_per_dim: float,
) -> Evaluation:
    """Read `evaluation.npz` and check it against `result.json`.

    Args:
        path: the file.
        image_shape: channels, height, width of the images.
        num_levels: how many values a sub-pixel has.
        num_images: how many test images were evaluated.
        bits_per_dim: the test bits/dim of `result.json`.

    Raises:
        ModelFileError: the file is damaged, incomplete, of the wrong shape, or its mean is not
            the bits/dim of `result.json`.

    Example:
        >>> read_evaluation(
        ...     Path("none.npz"), image_shape=(1, 8, 8), num_levels=2, num_images=1, bits_per_dim=1
        ... )
        Traceback (most recent call last):
        pixelrnn.errors.ModelFileError: none.npz cannot be read (...); evaluate that run again
    """
    with open_arrays(path) as arrays:
        found = _evaluation(arrays, image_shape, num_levels, num_images)
    for name in ("bits_per_dim_per_image", "bits_map"):
        mean = float(getattr(found, name).mean())
        if abs(mean - bits_per_dim) > TOLERANCE_BITS_PER_DIM:
            raise ModelFileError(
                f"{path}: the mean of {name} is {mean:.4f}, but result.json says "
                f"{bits_per_dim:.4f} bits/dim; evaluate that run again"
            )
    return found


def _evaluation(
    arrays: Arrays, image_shape: tuple[int, int, int], num_levels: int, num_images: int
) -> Evaluation:
    known = "pictures" in arrays.members  # runs of earlier versions do not say
    return Evaluation(
        bits_per_dim_per_image=arrays.floats("bits_per_dim_per_image", (num_images,)),
        pictures=arrays.integers("pictures", (num_images,)) if known else None,
        bits_map=arrays.floats("bits_map", image_shape),
        receptive_field=arrays.flags("receptive_field", image_shape),
        receptive_field_at=arrays.place("receptive_field_at", image_shape),
        easiest=_examples(arrays, "easiest", image_shape, num_levels),
        hardest=_examples(arrays, "hardest", image_shape, num_levels),
    )


def _examples(
    arrays: Arrays, kind: str, image_shape: tuple[int, int, int], num_levels: int
) -> Examples:
    name = f"{kind}_images"
    count = arrays.length(name)
    return Examples(
        images=arrays.images(name, (count, *image_shape), num_levels),
        bits_per_dim=arrays.floats(f"{kind}_bits_per_dim", (count,)),
        indices=arrays.integers(f"{kind}_indices", (count,)),
    )
