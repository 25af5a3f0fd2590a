"""Array files (`.npz`) with a schema: written and read by the same class.

Nothing in such a file is believed before it is checked, and only what the schema names is unpacked: the
list of its members, the header of an array and the size that is claimed are held against what is expected
before memory is taken.
"""

import math
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt
import pydantic

from pixelrnn.arrays import PICTURE_CHANNELS, Images
from pixelrnn.errors import ModelFileError
from pixelrnn.files import replacing
from pixelrnn.npz import open_npz, read_body, read_header
from pixelrnn.runs.reading import first_problem
from pixelrnn.untrusted import opened

MAX_ARRAY_BYTES = 1 << 26  # far more than the samples of large images take
# Which kinds of numbers, in numpy's letters, may stand in a file for an array of this type.
_STORED = {np.uint8: "u", np.float64: "iuf", np.int64: "iu", np.bool_: "biu"}


@dataclass(frozen=True)
class Axes:
    """The shape and type of an array in a schema.

    Attributes:
        names: of its axes, separated by spaces, such as "N C H W"; a number is a fixed length. Axes of
            the same name have the same length in all arrays of a file, and none is empty.
        dtype: float64 (finite), int64, bool, or uint8 for pixels, which may be uint16 too.
    """

    names: str
    dtype: type[np.generic]


def write_arrays(path: Path, **arrays: npt.NDArray[np.generic]) -> None:
    """Write a compressed `.npz` file in one step; raises `OutputError` if it cannot be written."""
    with replacing(path) as beside, beside.open("wb") as file:
        np.savez_compressed(file, **arrays)  # type: ignore[arg-type]


def as_in_files(images: Images) -> Images:
    """Return images `(..., C, H, W)` as array files have them, which `--data` reads.

    Grey ones are `(..., H, W)`, RGB ones `(..., H, W, 3)`; those of any other number of channels stay as
    they are, for two or four channels at the end would be taken for those of pictures with alpha.

    Example:
        >>> [as_in_files(np.zeros((9, n, 6, 7), np.uint8)).shape for n in (1, 2, 3)]
        [(9, 6, 7), (9, 2, 6, 7), (9, 6, 7, 3)]
    """
    if (channels := images.shape[-3]) not in PICTURE_CHANNELS:
        return images
    moved = np.moveaxis(images, -3, -1)
    return np.ascontiguousarray(moved[..., 0] if channels == 1 else moved)


def write_levels(path: Path, images: Images) -> None:
    """Write images `(N, C, H, W)` as a `.npy` file in one step, those of one channel `(N, H, W)`.

    Raises:
        OutputError: if it cannot be written.
    """
    with replacing(path) as beside, beside.open("wb") as file:
        np.save(file, images[:, 0] if images.shape[1] == 1 else images)


class ArrayFile(pydantic.BaseModel):
    """A schema: each field is an array of the file, annotated with its `Axes`.

    Fields that have a default may be missing in a file, as in those of earlier versions.
    """

    model_config = pydantic.ConfigDict(frozen=True, arbitrary_types_allowed=True)
    remedy: ClassVar[str]

    def write(self, path: Path) -> None:
        """Write the file in one step.

        Raises:
            OutputError: if it cannot be written.
        """
        write_arrays(path, **{name: array for name, array in self if array is not None})

    @classmethod
    def read(cls, path: Path, *, num_levels: int, **lengths: int) -> Self:
        """Read a file and check all that the schema says.

        Args:
            path: the file.
            num_levels: pixels have values below this.
            lengths: of axes that are known from elsewhere, by their names.

        Raises:
            ModelFileError: it is missing, damaged, or something in it is not what it should be.
        """
        found: dict[str, Any] = {}
        with opened(path, cls.remedy, ModelFileError) as file:
            archive, members = open_npz(file)
            for name, field in cls.model_fields.items():
                axes = next(each for each in field.metadata if isinstance(each, Axes))
                if name in members:
                    found[name] = _read(archive, members[name], axes, num_levels, lengths)
                elif field.is_required():
                    raise ValueError(f"there is no array {name}")
        try:
            return cls.model_validate(found)
        except pydantic.ValidationError as error:
            raise ModelFileError(f"{path}: {first_problem(error)}; {cls.remedy}") from None


def _read(
    archive: zipfile.ZipFile,
    member: zipfile.ZipInfo,
    axes: Axes,
    num_levels: int,
    lengths: dict[str, int],
) -> npt.NDArray[Any]:
    """Return an array once it has the axes that it should have; raises what `opened` names."""
    name = member.filename.removesuffix(".npy")
    is_pixels = axes.dtype is np.uint8
    with archive.open(member) as stream:
        header = read_header(stream)
        _check_shape(name, header.shape, axes, lengths)
        dtype, count = header.dtype, math.prod(header.shape)
        if dtype.kind not in _STORED[axes.dtype] or (is_pixels and dtype.itemsize > 2):
            raise ValueError(f"{name} is {dtype}, not {np.dtype(axes.dtype)}")
        if 8 * count > MAX_ARRAY_BYTES * (8 if is_pixels else 1):  # others become 8 bytes each
            raise ValueError(f"{name} would have {count:,} numbers")
        array = read_body(stream, header, member.file_size)
    if is_pixels and int(array.max()) >= num_levels:
        raise ValueError(f"{name} has values above {num_levels - 1}")
    if not np.isfinite(array).all():
        raise ValueError(f"{name} has values that are not finite")
    return array if is_pixels else array.astype(axes.dtype, copy=False)


def _check_shape(name: str, shape: tuple[int, ...], axes: Axes, lengths: dict[str, int]) -> None:
    """Compare the shape with the axes; the lengths of axes seen for the first time are noted."""
    names = axes.names.split()
    if len(shape) == len(names):
        lengths |= {axis: n for axis, n in zip(names, shape, strict=True) if axis not in lengths}
    wanted = tuple(int(axis) if axis.isdigit() else lengths.get(axis, -1) for axis in names)
    if shape != wanted or min(shape, default=1) < 1:
        words = (
            " x ".join(f"{length}" if length > 0 else "any" for length in wanted) or "one number"
        )
        raise ValueError(f"{name} has the shape {shape}, not {words}")
