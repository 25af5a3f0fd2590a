"""CIFAR-10 and CIFAR-100 in their binary form: the official archive, an excerpt, or the folder.

A record is one label byte (two in CIFAR-100: coarse, fine) and 3,072 bytes of pixels: 1,024 red,
1,024 green, 1,024 blue, row by row. How many there are is taken from the length of the files. The
archive is read as a stream, never unpacked to disk, and what its headers claim is checked before
memory is taken.
"""

import gzip
import hashlib
import re
import tarfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Protocol, cast

import numpy as np

from pixelrnn.data.dataset import VALIDATION_RULE, DataSet, Images, carve_validation
from pixelrnn.errors import DataError
from pixelrnn.files import not_a_file
from pixelrnn.untrusted import unpacked_limit
from pixelrnn.wording import first_line

PIXEL_BYTES = 3072
MAX_MEMBER_BYTES = 160_000_000  # the largest official file has 153.7 million
MAX_ARCHIVE_BYTES = 256_000_000  # the official archives unpack to 184.4 million
MAX_MEMBERS = 1000


@dataclass(frozen=True)
class Layout:
    """What sets the two CIFARs apart."""

    title: str
    name: str
    archive: str
    md5: str
    label_classes: tuple[int, ...]
    train_pattern: str
    test_file: str

    @property
    def url(self) -> str:
        """Where the official archive is published."""
        return f"https://www.cs.toronto.edu/~kriz/{self.archive}"

    @property
    def record_bytes(self) -> int:
        """Bytes of one record: labels and pixels."""
        return len(self.label_classes) + PIXEL_BYTES


CIFAR10 = Layout(
    title="CIFAR-10",
    name="cifar10",
    archive="cifar-10-binary.tar.gz",
    md5="c32a1d4ab5d03f1284b67883e8d87530",
    label_classes=(10,),
    train_pattern=r"data_batch_(\d+)\.bin",
    test_file="test_batch.bin",
)
CIFAR100 = Layout(
    title="CIFAR-100",
    name="cifar100",
    archive="cifar-100-binary.tar.gz",
    md5="03b5dce01913d631647c71ecec9e9cb8",
    label_classes=(20, 100),
    train_pattern=r"train\.bin",
    test_file="test.bin",
)
LAYOUTS = (CIFAR10, CIFAR100)
OFFICIAL_COUNTS = (50_000, 10_000)
SOURCE = (
    "Krizhevsky, Learning Multiple Layers of Features from Tiny Images (2009), "
    "https://www.cs.toronto.edu/~kriz/cifar.html"
)
LICENCE = "none stated by its authors; for research, citing Krizhevsky (2009)"


def load_cifar_archive(path: Path, num_levels: int = 256) -> DataSet:
    """Return the images `(3, 32, 32)` of a CIFAR-10 or CIFAR-100 binary archive, `.tar.gz`.

    Raises:
        DataError: if the archive is truncated, damaged or incomplete, or has the official number of
            images and not the official checksum.
    """
    try:
        layout, images = _assemble(path, _archive_members(path))
        md5 = _md5(path)
    # A chain of headers makes tarfile call itself, as often as the file says.
    except (OSError, EOFError, zlib.error, tarfile.TarError, ValueError, RecursionError) as error:
        raise DataError(
            f"{path} is truncated or damaged ({_reason(error)}): fetch it again"
        ) from error
    official = md5 == layout.md5
    if not official and (len(images["train"]), len(images["test"])) == OFFICIAL_COUNTS:
        raise DataError(
            f"{path} is damaged or altered: it has as many images as {layout.title} but md5 {md5}, "
            f"not {layout.md5}; fetch it again with `pixelrnn data fetch {layout.name}`"
        )
    note = f"the official archive, md5 {md5}" if official else _excerpt_note(layout, images)
    name = layout.name if official else path.name
    return _data_set(name, images, num_levels, str(path), note)


def load_cifar_folder(path: Path, num_levels: int = 256) -> DataSet:
    """Return the images `(3, 32, 32)` of the folder that a CIFAR binary archive unpacks to.

    Raises:
        DataError: if a file is missing or its length is not a whole number of records.
    """
    try:
        layout, images = _assemble(path, _folder_members(path))
    except OSError as error:
        raise DataError(f"{path} cannot be read: {_reason(error)}") from error
    note = _excerpt_note(layout, images)
    if (len(images["train"]), len(images["test"])) == OFFICIAL_COUNTS:
        note = f"as many images as {layout.title}; no checksum is published for unpacked files"
    return _data_set(path.resolve().name, images, num_levels, str(path), note)


def is_cifar_folder(path: Path) -> bool:
    """Return whether a folder looks like an unpacked CIFAR archive."""
    return any(_is_batch(child.name) for child in path.glob("*.bin"))


def _is_batch(name: str) -> bool:
    return any(
        name == layout.test_file or re.fullmatch(layout.train_pattern, name) for layout in LAYOUTS
    )


def _data_set(
    name: str, images: Mapping[str, Images], num_levels: int, where: str, note: str
) -> DataSet:
    train, validation = carve_validation(images["train"])
    return DataSet(
        name=name,
        num_levels=num_levels,
        train=train,
        validation=validation,
        test=images["test"],
        source=f"{SOURCE}; read from {where}",
        licence=LICENCE,
        notes=(note,),
        split_rule=f"test: as published; {VALIDATION_RULE}",
    )


def _excerpt_note(layout: Layout, images: Mapping[str, Images]) -> str:
    count = len(images["train"]) + len(images["test"])
    return f"an excerpt of {count:,} images, not {layout.title}"


def _assemble(path: Path, members: Iterator[tuple[str, bytes]]) -> tuple[Layout, dict[str, Images]]:
    """Turn the batch files of an archive or a folder into training and test images."""
    batches: dict[str, bytes] = {}
    for name, content in members:
        if name in batches:
            raise DataError(f"{path} has two files named {name}: fetch it again")
        batches[name] = content
    layout = next((each for each in LAYOUTS if _train_names(each, batches)), None)
    if layout is None:
        raise DataError(
            f"{path} has no data_batch_1.bin ... or train.bin: it must be the *binary* version of "
            "CIFAR-10 or CIFAR-100, not the Python or Matlab one"
        )
    train_names = _train_names(layout, batches)
    for name in [*_missing_batches(train_names), layout.test_file]:
        if name not in batches:
            raise DataError(f"{path} has no {name}: it is incomplete, fetch it again")
    train = [_images(layout, path, name, batches.pop(name)) for name in train_names]
    test = _images(layout, path, layout.test_file, batches.pop(layout.test_file))
    return layout, {"train": np.concatenate(train), "test": test}


def _train_names(layout: Layout, batches: Mapping[str, bytes]) -> list[str]:
    names = [name for name in batches if re.fullmatch(layout.train_pattern, name)]
    return sorted(names, key=lambda name: (len(name), name))  # data_batch_10 after data_batch_9


def _missing_batches(train_names: list[str]) -> list[str]:
    if train_names == ["train.bin"]:
        return []
    return [f"data_batch_{number + 1}.bin" for number in range(len(train_names))]


def _images(layout: Layout, path: Path, name: str, content: bytes) -> Images:
    if not content or len(content) % layout.record_bytes:
        raise DataError(
            f"{path}: {name} has {len(content):,} bytes, which is not a whole number of records of "
            f"{layout.record_bytes:,}: it is truncated or not {layout.title}; fetch it again"
        )
    records = np.frombuffer(content, np.uint8).reshape(-1, layout.record_bytes)
    for column, num_classes in enumerate(layout.label_classes):
        if records[:, column].max() >= num_classes:
            raise DataError(f"{path}: {name} has a label that {layout.title} lacks")
    pixels = records[:, len(layout.label_classes) :]
    return np.ascontiguousarray(pixels).reshape(-1, 3, 32, 32)


def _folder_members(path: Path) -> Iterator[tuple[str, bytes]]:
    for child in sorted(path.glob("*.bin")):
        if _is_batch(child.name):
            if kind := not_a_file(child):
                raise DataError(f"{child} is {kind}, not a file of CIFAR")
            if child.stat().st_size > MAX_MEMBER_BYTES:
                raise DataError(f"{child} is larger than any file of CIFAR")
            yield child.name, child.read_bytes()


def _archive_members(path: Path) -> Iterator[tuple[str, bytes]]:
    with path.open("rb") as packed, gzip.GzipFile(fileobj=packed) as unpacked:
        stream = _BoundedStream(unpacked, path)
        with tarfile.open(fileobj=cast("IO[bytes]", stream), mode="r|") as archive:
            for number, member in enumerate(archive):
                if number == MAX_MEMBERS:
                    raise DataError(f"{path} has more than {MAX_MEMBERS:,} files: it is not CIFAR")
                name = PurePosixPath(member.name).name
                if not member.isreg() or not _is_batch(name):
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


def _md5(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or first_line(error)
