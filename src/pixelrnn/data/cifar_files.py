"""The files of a CIFAR one by one, from its folder or its archive, none larger than any that was published.

An archive is read as a stream, never unpacked to disk, and what its headers claim is checked before
memory is taken.
"""

import gzip
import hashlib
import tarfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import IO, Protocol, cast

from pixelrnn.errors import DataError
from pixelrnn.files import not_a_file
from pixelrnn.untrusted import unpacked_limit
from pixelrnn.wording import first_line

MAX_MEMBER_BYTES = 160_000_000  # the largest official file has 155.2 million
MAX_ARCHIVE_BYTES = 256_000_000  # the official archives unpack to 186.2 million
MAX_MEMBERS = 1000


def members(path: Path, is_wanted: Callable[[str], bool]) -> Iterator[tuple[str, bytes]]:
    """Yield the names and contents of the files that are wanted, of a folder or an archive (`.tar.gz`).

    Raises:
        DataError: if one cannot be read, or is larger than it can be; an archive also if it is truncated,
            damaged, or unpacks to more than any of CIFAR.
    """
    if path.is_dir():
        try:
            yield from _of_folder(path, is_wanted)
        except OSError as error:
            raise DataError(f"{path} cannot be read: {error.strerror or error}") from error
        return
    try:
        yield from _of_archive(path, is_wanted)
    # A chain of headers makes tarfile call itself, as often as the file says.
    except (OSError, EOFError, zlib.error, tarfile.TarError, ValueError, RecursionError) as error:
        if reason := getattr(error, "strerror", None):
            raise DataError(f"{path} cannot be read: {reason}") from error
        raise DataError(
            f"{path} is truncated or damaged ({first_line(error)}): fetch it again"
        ) from error


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
    with path.open("rb") as packed, gzip.GzipFile(fileobj=packed) as unpacked:
        stream = _BoundedStream(unpacked, path)
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


class _Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


class _BoundedStream:
    """An unpacked stream that ends where no archive of CIFAR would, whatever its headers say."""

    def __init__(self, stream: _Readable, path: Path) -> None:
        self._stream = stream
        self._path = path
        self._num_bytes = 0
        self._limit = min(MAX_ARCHIVE_BYTES, unpacked_limit(path.stat().st_size))

    def read(self, size: int) -> bytes:
        content = self._stream.read(size)
        self._num_bytes += len(content)
        if self._num_bytes > self._limit:
            raise DataError(
                f"{self._path} unpacks to more than {self._limit:,} bytes: it is not CIFAR"
            )
        return content
