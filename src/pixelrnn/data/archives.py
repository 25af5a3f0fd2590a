"""Reading files from elsewhere: one by one, from a folder or an archive, none larger than it may be.

An archive is read as a stream, never unpacked to disk, and what its headers claim is checked before
memory is taken. Whatever damaged bytes make a library raise is one line that names the file.
"""

import gzip
import hashlib
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import IO, cast

from pixelrnn.errors import DataError
from pixelrnn.untrusted import opened, unpacked_limit

MAX_MEMBER_BYTES = 160_000_000  # the largest official file has 155.2 million
MAX_ARCHIVE_BYTES = 256_000_000  # the official archives unpack to 186.2 million
MAX_MEMBERS = 1000


def members(path: Path, is_wanted: Callable[[str], bool]) -> Iterator[tuple[str, bytes]]:
    """Yield the names and contents of the files that are wanted, of a folder or an archive (`.tar.gz`).

    Raises:
        DataError: if one cannot be read, or is larger than it can be; an archive also if it is truncated,
            damaged, or unpacks to more than any of CIFAR.
    """
    yield from (_of_folder if path.is_dir() else _of_archive)(path, is_wanted)


def md5_of(path: Path) -> str:
    """Return the MD5 of a file, in hexadecimal digits."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def _of_folder(path: Path, is_wanted: Callable[[str], bool]) -> Iterator[tuple[str, bytes]]:
    for child in sorted(filter(lambda child: is_wanted(child.name), path.iterdir())):
        with opened(child) as stream:
            if child.stat().st_size > MAX_MEMBER_BYTES:
                raise DataError(f"{child} is larger than any file of CIFAR")
            yield child.name, stream.read()


def _of_archive(path: Path, is_wanted: Callable[[str], bool]) -> Iterator[tuple[str, bytes]]:
    with opened(path) as packed, _BoundedGzip(path, fileobj=packed) as stream:
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
