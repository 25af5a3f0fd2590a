"""The typed reading of `evaluation.npz`, held against the numbers of `result.json`."""

import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pixelrnn.errors import ModelFileError

# Both files come from the same sums in float64; more than this apart, from two evaluations.
TOLERANCE_BITS_PER_DIM = 1e-4
# What numpy and zipfile raise for bytes that are not an archive of arrays; objects are refused.
_DAMAGED = (
    OSError,
    ValueError,
    TypeError,
    AttributeError,
    EOFError,
    zipfile.BadZipFile,
    zlib.error,
)


@dataclass(frozen=True)
class Examples:
    """Some test images: uint8 `(K, C, H, W)`, their bits/dim `(K,)` and test indices `(K,)`."""

    images: npt.NDArray[np.uint8]
    bits_per_dim: npt.NDArray[np.float64]
    indices: npt.NDArray[np.int64]


@dataclass(frozen=True)
class Evaluation:
    """What was measured image by image and sub-pixel by sub-pixel on the test split.

    `bits_per_dim_per_image` is float64 `(N,)`; `bits_map` float64 `(C, H, W)`, mean bits of each
    sub-pixel; `receptive_field` bool `(C, H, W)`, what the last colour of the pixel at
    `receptive_field_at` (row, column, channel) was measured to depend on.
    """

    bits_per_dim_per_image: npt.NDArray[np.float64]
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
    arrays = _Arrays(path, _load(path))
    bits_per_dim_per_image = arrays.floats("bits_per_dim_per_image", (num_images,))
    bits_map = arrays.floats("bits_map", image_shape)
    for name, values in (
        ("bits_per_dim_per_image", bits_per_dim_per_image),
        ("bits_map", bits_map),
    ):
        if abs(float(values.mean()) - bits_per_dim) > TOLERANCE_BITS_PER_DIM:
            raise ModelFileError(
                f"{path}: the mean of {name} is {values.mean():.4f}, but result.json says "
                f"{bits_per_dim:.4f} bits/dim; evaluate that run again"
            )
    return Evaluation(
        bits_per_dim_per_image=bits_per_dim_per_image,
        bits_map=bits_map,
        receptive_field=arrays.array("receptive_field", image_shape).astype(np.bool_),
        receptive_field_at=arrays.place("receptive_field_at", image_shape),
        easiest=arrays.examples("easiest", image_shape, num_levels),
        hardest=arrays.examples("hardest", image_shape, num_levels),
    )


def _load(path: Path) -> dict[str, npt.NDArray[np.generic]]:
    try:
        # Opened here: numpy leaves the file of a damaged archive open.
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except _DAMAGED as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ModelFileError(f"{path} cannot be read ({reason}); evaluate that run again") from None


@dataclass(frozen=True)
class _Arrays:
    """The arrays of one file, handed out by name once they have the shape they should have."""

    path: Path
    content: Mapping[str, npt.NDArray[np.generic]]

    def array(self, name: str, shape: tuple[int, ...]) -> npt.NDArray[np.generic]:
        if name not in self.content:
            raise self.error(f"has no array {name}")
        found = self.content[name]
        if found.shape != shape:
            raise self.error(f"{name} has the shape {found.shape}, not {shape}")
        return found

    def floats(self, name: str, shape: tuple[int, ...]) -> npt.NDArray[np.float64]:
        found = self.array(name, shape)
        if found.dtype.kind not in "fiu":
            raise self.error(f"{name} is not made of numbers")
        values = found.astype(np.float64)
        if not np.isfinite(values).all():
            raise self.error(f"{name} has values that are not finite")
        return values

    def place(self, name: str, image_shape: tuple[int, int, int]) -> tuple[int, int, int]:
        row, column, channel = (int(value) for value in self.floats(name, (3,)))
        channels, height, width = image_shape
        if not (0 <= row < height and 0 <= column < width and 0 <= channel < channels):
            raise self.error(f"{name} lies outside the image")
        return row, column, channel

    def examples(self, kind: str, image_shape: tuple[int, int, int], num_levels: int) -> Examples:
        name = f"{kind}_images"
        count = (
            self.content[name].shape[0] if name in self.content and self.content[name].ndim else 0
        )
        images = self.array(name, (count, *image_shape))
        if images.dtype != np.uint8:
            raise self.error(f"{name} is {images.dtype}, not uint8")
        pixels = images.astype(np.uint8)
        if pixels.size and int(pixels.max()) >= num_levels:
            raise self.error(f"{name} has values above {num_levels - 1}")
        return Examples(
            images=pixels,
            bits_per_dim=self.floats(f"{kind}_bits_per_dim", (count,)),
            indices=self.floats(f"{kind}_indices", (count,)).astype(np.int64),
        )

    def error(self, trouble: str) -> ModelFileError:
        return ModelFileError(f"{self.path}: {trouble}; evaluate that run again")
