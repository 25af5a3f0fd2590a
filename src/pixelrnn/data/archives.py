"""Reading files from elsewhere: one by one, from a folder or an archive, none larger than it may be.

An archive is read as a stream, never unpacked to disk, and what its headers claim is checked before
memory is taken. Whatever damaged bytes make a library raise is one line that names the file.
"""

import gzip
import hashlib
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, cast

from pixelrnn.errors import DataError
from pixelrnn.files import not_a_file
from pixelrnn.untrusted import unpacked_limit
from pixelrnn.wording import first_line

MAX_MEMBER_BYTES = 160_000_000  # the largest official file has 155.2 million
MAX_ARCHIVE_BYTES = 256_000_000  # the official archives unpack to 186.2 million
MAX_MEMBERS = 1000

DAMAGED = (
    *(OSError, EOFError, ValueError, LookupError, RuntimeError),  # that of recursion, too
    *(struct.error, zlib.error, tarfile.TarError, zipfile.BadZipFile),
)


@contextmanager
def reporting_damage(path: Path, remedy: str = "fetch it again") -> Iterator[None]:
    """Turn what a library raises over a file into a DataError that names it.

    Raises:
        DataError: if the file cannot be read, is truncated or damaged, or holds more than there is memory.
    """
    try:
        yield
    except MemoryError as error:
        raise DataError(f"{path} holds more than there is memory for") from error
    except DAMAGED as error:
        if reason := getattr(error, "strerror", None):
            where = getattr(error, "filename", None) or path
            raise DataError(f"{where} cannot be read: {reason}") from error
        raise DataError(
            f"{path} is truncated or damaged ({first_line(error)}): {remedy}"
        ) from error


def members(path: Path, is_wanted: Callable[[str], bool]) -> Iterator[tuple[str, bytes]]:
    """Yield the names and contents of the files that are wanted, of a folder or an archive (`.tar.gz`).

    Raises:
        DataError: if one cannot be read, or is larger than it can be; an archive also if it is truncated,
            damaged, or unpacks to more than any of CIFAR.
    """
    with reporting_damage(path):
        yield from (_of_folder if path.is_dir() else _of_archive)(path, is_wanted)


def md5_of(path: Path) -> str:
    """Return the MD5 of a file, in hexadecimal digits."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def _of_folder(path: Path, is_wanted: Callable[[str], bool]) -> Iterator[tuple[str, bytes]]:
    for child in sorted(path.iterdir()):
        if is_wanted(child.name):
            if kind := not_a_file(child):
                raise DataError(f"{child} is {kind}, not a file of CIFAR")
            if child.stat().st_size > MAX_MEMBER_BYTES:
                raise DataError(f"{child} is larger than any file of CIFAR")
            yield child.name, child.read_bytes()


def _of_archive(path: Path, is_wanted: Callable[[str], bool]) -> Iterator[tuple[str, bytes]]:
    with path.open("rb") as packed, _BoundedGzip(path, fileobj=packed) as stream:
        stream.limit = min(MAX_ARCHIVE_BYTES, unpacked_limit(path.stat().st_size))
        with tarfile.open(fileobj=cast("IO[bytes]", stream), mode="r|") as archive:
            for number, member in enumerate(archive):
                if number == MAX_MEMBERS:
                    raise DataError(f"{path} has more than {MAX_MEMBERS:,} files: it is not CIFAR")
                name = PurePosixPath(member.name).name
                if not member.isreg() or not is_wanted(name):
                    continue
                if member.size > MAX_MEMBER_BYTES or member.issparse():
                    raise DataError(
                        f"{path}: {name} claims {member.size:,} bytes, more than any file of CIFAR"
                    )
                content = archive.extractfile(member)
                yield name, content.read() if content else b""
        while stream.read(1 << 20):  # to the end, where gzip checks its CRC-32
            pass


class _BoundedGzip(gzip.GzipFile):
    """A packed stream that ends where no archive of CIFAR would, whatever its headers say."""

    limit = 0

    def read(self, size: int | None = -1) -> bytes:
        content = super().read(size)
        if self.tell() > self.limit:
            raise DataError(
                f"{self.name} unpacks to more than {self.limit:,} bytes: it is not CIFAR"
            )
        return content
