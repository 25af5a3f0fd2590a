"""Arrays in `.npy` and `.npz` files from elsewhere: what they claim is known before it takes memory.

Nothing is ever unpickled. Whatever is wrong is raised as what `untrusted.opened` makes one line of.
"""

import io
import math
import warnings
import zipfile
from typing import IO, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from pixelrnn.wording import as_ascii, first_line

MAX_HEADER_BYTES = 1 << 16
MAX_DIRECTORY_BYTES = 1 << 15  # of the list of members, which is read as a whole: some 600
DEFLATE_LIMIT = 1032  # deflate cannot shrink anything more than so many times
SLACK_BYTES = 1 << 14  # a member may claim so many more than it can have
# Of the records that end a zip archive; the second, and what leads to it, of one of more than 4 GB.
END_BYTES, ZIP64_BYTES = 22, 56 + 20


class Header(NamedTuple):
    """What a `.npy` stream says of its array; each may be a lie."""

    shape: tuple[int, ...]
    is_fortran: bool
    dtype: np.dtype[Any]


def open_npz(file: IO[bytes]) -> tuple[zipfile.ZipFile, dict[str, zipfile.ZipInfo]]:
    """Return an `.npz` file and its members by the names of their arrays.

    Raises:
        ValueError: if two have one name, or one claims what cannot be.
        zipfile.BadZipFile: if it is none, or holds far too many.
    """
    if _directory_bytes(file) > MAX_DIRECTORY_BYTES:
        raise zipfile.BadZipFile("it holds far too many arrays")
    archive = zipfile.ZipFile(file)
    members: dict[str, zipfile.ZipInfo] = {}
    for member in archive.infolist():
        name = member.filename.removesuffix(".npy")
        if name in members:
            raise ValueError(f"it has two arrays named {as_ascii(name)}")
        _check_claim(member)
        members[name] = member
    return archive, members


def _check_claim(member: zipfile.ZipInfo) -> None:
    name, most = as_ascii(member.filename), member.compress_size + SLACK_BYTES
    if member.compress_type == zipfile.ZIP_DEFLATED:
        most += DEFLATE_LIMIT * member.compress_size
    elif member.compress_type != zipfile.ZIP_STORED:
        raise ValueError(f"{name} is packed in a way that numpy does not write")
    if member.file_size > most:
        raise ValueError(
            f"{name} claims to unpack to {member.file_size:,} bytes from {member.compress_size:,}, which "
            "cannot be"
        )


def read_header(stream: IO[bytes]) -> Header:
    """Return what a `.npy` stream says of its array.

    Raises:
        ValueError: if it is damaged, or none.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            start = stream.read(8)
            length = stream.read(2 if start[6:7] == b"\x01" else 4)
            if (size := int.from_bytes(length, "little")) > MAX_HEADER_BYTES:
                raise ValueError(f"its header claims {size:,} bytes")
            header = io.BytesIO(start + length + stream.read(size))
            if np.lib.format.read_magic(header) == (1, 0):
                return Header(*np.lib.format.read_array_header_1_0(header))
            return Header(*np.lib.format.read_array_header_2_0(header))
    except OSError:
        raise
    # numpy evaluates the header as a Python literal: damaged bytes can raise nearly anything there.
    except Exception as error:
        raise ValueError(f"it is no .npy array: {first_line(error)}") from error


def read_body(stream: IO[bytes], header: Header, num_bytes: int) -> npt.NDArray[Any]:
    """Return the array behind a header whose shape and type were found to be what is wanted.

    Args:
        stream: where its header ends.
        header: of the array.
        num_bytes: of the whole stream.

    Raises:
        ValueError: if it is not as long as its header says.
    """
    claimed, there = math.prod(header.shape) * header.dtype.itemsize, num_bytes - stream.tell()
    if claimed != there:
        problem = "is cut short" if claimed > there else "has bytes left over"
        raise ValueError(
            f"it {problem}: its header announces {claimed:,} bytes and {there:,} follow"
        )
    content = stream.read(claimed)
    stream.read(1)  # at its end a zip member checks its CRC-32
    flat = np.frombuffer(content, header.dtype)
    return flat.reshape(header.shape, order="F" if header.is_fortran else "C")


def _directory_bytes(file: IO[bytes]) -> int:
    """Return how long the list of members is that `zipfile` will read, and keep, of an archive."""
    size = file.seek(0, 2)
    file.seek(max(0, size - END_BYTES - (1 << 16)))  # a comment of 2^16 bytes may follow
    tail = file.read()
    at = tail.rfind(b"PK\5\6")
    if not 0 <= at <= len(tail) - END_BYTES:
        raise zipfile.BadZipFile("it is not a whole .npz file")
    record = tail[max(0, at - ZIP64_BYTES) : at]
    if record[:4] == b"PK\6\6":  # of more than 4 GB: the sizes are here
        return int.from_bytes(record[40:48], "little")
    return int.from_bytes(tail[at + 12 : at + 16], "little")
