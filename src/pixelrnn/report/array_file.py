"""Reading the array files of a run folder: each array by name, once it is what it should be."""

import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pixelrnn.errors import ModelFileError

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


def read_arrays(path: Path) -> "Arrays":
    """Read a `.npz` file whole.

    Raises:
        ModelFileError: if it is missing, damaged, or holds objects.
    """
    try:
        # Opened here: numpy leaves the file of a damaged archive open.
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            return Arrays(path, {name: archive[name] for name in archive.files})
    except _DAMAGED as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ModelFileError(f"{path} cannot be read ({reason}); evaluate that run again") from None


@dataclass(frozen=True)
class Arrays:
    """The arrays of one file, handed out by name once they have the shape they should have."""

    path: Path
    content: Mapping[str, npt.NDArray[np.generic]]

    def array(self, name: str, shape: tuple[int, ...]) -> npt.NDArray[np.generic]:
        """Return an array of this shape."""
        if name not in self.content:
            raise self.error(f"has no array {name}")
        found = self.content[name]
        if found.shape != shape:
            raise self.error(f"{name} has the shape {found.shape}, not {shape}")
        return found

    def floats(self, name: str, shape: tuple[int, ...]) -> npt.NDArray[np.float64]:
        """Return finite numbers of this shape."""
        found = self.array(name, shape)
        if found.dtype.kind not in "fiu":
            raise self.error(f"{name} is not made of numbers")
        values = found.astype(np.float64)
        if not np.isfinite(values).all():
            raise self.error(f"{name} has values that are not finite")
        return values

    def place(self, name: str, image_shape: tuple[int, int, int]) -> tuple[int, int, int]:
        """Return the place (row, column, channel) of a sub-pixel of the image."""
        row, column, channel = (int(value) for value in self.floats(name, (3,)))
        channels, height, width = image_shape
        if not (0 <= row < height and 0 <= column < width and 0 <= channel < channels):
            raise self.error(f"{name} lies outside the image")
        return row, column, channel

    def length(self, name: str) -> int:
        """Return how many things the array `name` holds; 0 if there is no such array."""
        found = self.content.get(name)
        return int(found.shape[0]) if found is not None and found.ndim else 0

    def images(self, name: str, shape: tuple[int, ...], num_levels: int) -> npt.NDArray[np.uint8]:
        """Return uint8 images of this shape, whose values are below `num_levels`."""
        found = self.array(name, shape)
        if found.dtype != np.uint8:
            raise self.error(f"{name} is {found.dtype}, not uint8")
        pixels = found.astype(np.uint8)
        if pixels.size and int(pixels.max()) >= num_levels:
            raise self.error(f"{name} has values above {num_levels - 1}")
        return pixels

    def error(self, trouble: str) -> ModelFileError:
        """Return the error that names the file and what to do."""
        return ModelFileError(f"{self.path}: {trouble}; evaluate that run again")
