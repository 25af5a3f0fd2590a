"""Array files (`.npz`) with a schema: written and read by the same class.

Nothing in such a file is believed before it is checked, and only what the schema names is unpacked: the
list of its members, the header of an array and the size that is claimed are held against what is expected
before memory is taken.
"""

import math
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, ClassVar, Self

import numpy as np
import numpy.typing as npt
import pydantic

from pixelrnn.errors import ModelFileError
from pixelrnn.files import replacing
from pixelrnn.runs.reading import first_problem
from pixelrnn.untrusted import directory_bytes, most_unpacked
from pixelrnn.wording import first_line

MAX_ARRAY_BYTES = 1 << 26  # far more than the samples of large images take
MAX_DIRECTORY_BYTES = 1 << 14  # a hundred arrays or more
# Which kinds of numbers, in numpy's letters, may stand in a file for an array of this type.
_STORED = {np.uint8: "u", np.float64: "iuf", np.int64: "iu", np.bool_: "biu"}
# What numpy and zipfile raise for bytes that are not an archive of arrays; the header of an array is
# evaluated as a literal, where damaged bytes can raise nearly anything.
_DAMAGED = (OSError, ValueError, TypeError, LookupError, AttributeError, EOFError, RuntimeError,
            SyntaxError, MemoryError, zipfile.BadZipFile, zlib.error)  # fmt: skip


@dataclass(frozen=True)
class Axes:
    """The shape and type of an array in a schema.

    Attributes:
        names: of its axes, separated by spaces, such as "N C H W"; a number is a fixed length. Axes of
            the same name have the same length in all arrays of a file, and none is empty.
        dtype: float64 (finite), int64, bool, or uint8 for pixels.
    """

    names: str
    dtype: type[np.generic]


def write_arrays(path: Path, **arrays: npt.NDArray[np.generic]) -> None:
    """Write a compressed `.npz` file in one step; raises `OutputError` if it cannot be written."""
    with replacing(path) as beside, beside.open("wb") as file:
        np.savez_compressed(file, **arrays)  # type: ignore[arg-type]


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
        if path.exists() and not path.is_file():  # opening a pipe would wait for a writer
            raise ModelFileError(f"{path} cannot be read (it is not a file); {cls.remedy}")
        with _damage_named(path, cls.remedy), path.open("rb") as file:
            if directory_bytes(file) > MAX_DIRECTORY_BYTES:
                raise zipfile.BadZipFile("it has far too many members")
            with zipfile.ZipFile(file) as archive:
                members = {each.filename.removesuffix(".npy"): each for each in archive.infolist()}
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


@contextmanager
def _damage_named(path: Path, remedy: str) -> Iterator[None]:
    try:
        yield
    except _DAMAGED as error:
        raise ModelFileError(f"{path} cannot be read ({first_line(error)}); {remedy}") from None


def _read(
    archive: zipfile.ZipFile,
    member: zipfile.ZipInfo,
    axes: Axes,
    num_levels: int,
    lengths: dict[str, int],
) -> npt.NDArray[Any]:
    """Return an array once it has the axes that it should have; raises what `_DAMAGED` lists."""
    name = member.filename.removesuffix(".npy")
    with archive.open(member) as stream:
        shape, fortran, dtype = _read_header(stream)
        _check_shape(name, shape, axes, lengths)
        is_pixels = axes.dtype is np.uint8
        if dtype.kind not in _STORED[axes.dtype] or (is_pixels and dtype != np.uint8):
            raise ValueError(f"{name} is {dtype}, not {np.dtype(axes.dtype)}")
        count = math.prod(shape)
        if 8 * count > MAX_ARRAY_BYTES * (8 if is_pixels else 1):  # others become 8 bytes each
            raise ValueError(f"{name} would have {count:,} numbers")
        num_bytes = count * dtype.itemsize
        _check_size(member, stream.tell() + num_bytes)
        flat = np.frombuffer(stream.read(num_bytes), dtype)
        stream.read(1)  # at its end a member checks its CRC-32
    if is_pixels and int(flat.max()) >= num_levels:
        raise ValueError(f"{name} has values above {num_levels - 1}")
    if not np.isfinite(flat).all():
        raise ValueError(f"{name} has values that are not finite")
    return flat.reshape(shape, order="F" if fortran else "C").astype(axes.dtype, copy=False)


def _read_header(stream: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    # Version 1.0, which numpy writes for arrays like these, has a header of 64 KiB at most.
    if np.lib.format.read_magic(stream) != (1, 0):
        raise ValueError("an array of it has a header of another version")
    shape, fortran, dtype = np.lib.format.read_array_header_1_0(stream)
    if dtype.hasobject:
        raise ValueError("it holds Python objects")
    return shape, fortran, dtype


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


def _check_size(member: zipfile.ZipInfo, expected_bytes: int) -> None:
    if not expected_bytes == member.file_size <= most_unpacked(member):
        raise ValueError(
            f"{member.filename} should unpack to {expected_bytes:,} bytes, and claims "
            f"{member.file_size:,} from {member.compress_size:,}"
        )
