"""Reading the array files of a run folder: each array by name, once it is what it should be.

Nothing in such a file is believed before it is checked, and only what is asked for is unpacked: the list
of its members, the header of an array and the size that is claimed are held against what is expected
before memory is taken.
"""

import math
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from pixelrnn.errors import ModelFileError
from pixelrnn.untrusted import directory_bytes, most_unpacked
from pixelrnn.wording import first_line

MAX_ARRAY_BYTES = 1 << 26  # far more than the samples of large images take
MAX_DIRECTORY_BYTES = 1 << 14  # a hundred arrays or more
PIXELS = "u"  # numpy's kind of them

# What numpy and zipfile raise for bytes that are not an archive of arrays; the header of an array is
# evaluated as a literal, where damaged bytes can raise nearly anything.
_DAMAGED = (
    OSError,
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    EOFError,
    RuntimeError,
    SyntaxError,
    MemoryError,
    zipfile.BadZipFile,
    zlib.error,
)


@contextmanager
def open_arrays(path: Path) -> Iterator["Arrays"]:
    """Open a `.npz` file, whose arrays can be read until the `with` ends.

    Raises:
        ModelFileError: if it is missing, damaged, or has far too many members.
    """
    with ExitStack() as stack:
        with _damage_named(path):
            file = stack.enter_context(path.open("rb"))
            if directory_bytes(file) > MAX_DIRECTORY_BYTES:
                raise zipfile.BadZipFile("it has far too many members")
            archive = stack.enter_context(zipfile.ZipFile(file))
            members = {
                member.filename.removesuffix(".npy"): member for member in archive.infolist()
            }
        yield Arrays(path, archive, members)


@contextmanager
def _damage_named(path: Path) -> Iterator[None]:
    try:
        yield
    except _DAMAGED as error:
        raise ModelFileError(
            f"{path} cannot be read ({first_line(error)}); evaluate that run again"
        ) from None


@dataclass(frozen=True)
class Arrays:
    """The arrays of one open file, handed out by name once they have the shape they should have."""

    path: Path
    archive: zipfile.ZipFile
    members: Mapping[str, zipfile.ZipInfo]

    def shape(self, name: str) -> tuple[int, ...]:
        """Return the shape that the header of an array claims; () if there is no such array."""
        if name not in self.members:
            return ()
        with _damage_named(self.path), self.archive.open(self.members[name]) as stream:
            return _read_header(stream)[0]

    def array(self, name: str, shape: tuple[int, ...], kinds: str = "biuf") -> npt.NDArray[Any]:
        """Return an array of this shape, of numbers or truth values of numpy's `kinds`."""
        if name not in self.members:
            raise self.error(f"has no array {name}")
        member = self.members[name]
        with _damage_named(self.path), self.archive.open(member) as stream:
            found, fortran, dtype = _read_header(stream)
            if found != shape:
                raise self.error(f"{name} has the shape {found}, not {shape}")
            if dtype.kind not in kinds:
                what = "uint8" if kinds == PIXELS else "made of what it should be"
                raise self.error(f"{name} is {dtype}, not {what}")
            count = math.prod(shape)
            num_bytes = count * dtype.itemsize
            # Numbers that are not pixels become float64 or int64.
            _check_memory(name, num_bytes if kinds == PIXELS else 8 * count)
            _check_size(member, stream.tell() + num_bytes)
            flat = np.frombuffer(stream.read(num_bytes), dtype)
            stream.read(1)  # at its end a member checks its CRC-32
            return flat.reshape(shape, order="F" if fortran else "C")

    def floats(self, name: str, shape: tuple[int, ...]) -> npt.NDArray[np.float64]:
        """Return finite numbers of this shape."""
        values = self.array(name, shape, "iuf").astype(np.float64)
        if not np.isfinite(values).all():
            raise self.error(f"{name} has values that are not finite")
        return values

    def integers(self, name: str, shape: tuple[int, ...]) -> npt.NDArray[np.int64]:
        """Return whole numbers of this shape."""
        return self.array(name, shape, "iu").astype(np.int64)

    def flags(self, name: str, shape: tuple[int, ...]) -> npt.NDArray[np.bool_]:
        """Return truth values of this shape."""
        return self.array(name, shape, "biu").astype(np.bool_)

    def place(self, name: str, image_shape: tuple[int, int, int]) -> tuple[int, int, int]:
        """Return the place (row, column, channel) of a sub-pixel of the image."""
        row, column, channel = (int(value) for value in self.integers(name, (3,)))
        channels, height, width = image_shape
        if not (0 <= row < height and 0 <= column < width and 0 <= channel < channels):
            raise self.error(f"{name} lies outside the image")
        return row, column, channel

    def length(self, name: str) -> int:
        """Return how many things the array `name` holds; 0 if there is no such array."""
        return (*self.shape(name), 0)[0]

    def images(self, name: str, shape: tuple[int, ...], num_levels: int) -> npt.NDArray[np.uint8]:
        """Return uint8 images of this shape, whose values are below `num_levels`."""
        found = self.array(name, shape, PIXELS)
        if found.dtype != np.uint8:
            raise self.error(f"{name} is {found.dtype}, not uint8")
        if found.size and int(found.max()) >= num_levels:
            raise self.error(f"{name} has values above {num_levels - 1}")
        return found

    def error(self, trouble: str) -> ModelFileError:
        """Return the error that names the file and what to do."""
        return ModelFileError(f"{self.path}: {trouble}; evaluate that run again")


def _read_header(stream: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    # Version 1.0, which numpy writes for arrays like these, has a header of 64 KiB at most.
    if np.lib.format.read_magic(stream) != (1, 0):
        raise ValueError("an array of it has a header of another version")
    shape, fortran, dtype = np.lib.format.read_array_header_1_0(stream)
    if dtype.hasobject:
        raise ValueError("it holds Python objects")
    return shape, fortran, dtype


def _check_memory(name: str, num_bytes: int) -> None:
    if num_bytes > MAX_ARRAY_BYTES:
        raise ValueError(f"{name} would take {num_bytes:,} bytes")


def _check_size(member: zipfile.ZipInfo, expected_bytes: int) -> None:
    if not expected_bytes == member.file_size <= most_unpacked(member):
        raise ValueError(
            f"{member.filename} should unpack to {expected_bytes:,} bytes, and claims "
            f"{member.file_size:,} from {member.compress_size:,}"
        )
