"""CIFAR-10 and CIFAR-100: folder or archive of the binary or the Python version, whole or an excerpt.

A record of the binary version is one label byte (two in CIFAR-100: coarse, fine) and 3,072 bytes of
pixels: 1,024 red, 1,024 green, 1,024 blue, row by row. A file of the Python version is a pickled
dictionary: pixels in the same order, and a list of labels. How many images there are is taken from the
files.
"""

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np

from pixelrnn.arrays import Images
from pixelrnn.data.archives import md5_of, members
from pixelrnn.data.catalogue import CATALOGUE, read_table
from pixelrnn.data.dataset import DataSet
from pixelrnn.data.options import DataOptions
from pixelrnn.data.pickles import PickledArray, read_pickle
from pixelrnn.data.splits import Part, join, split_images
from pixelrnn.errors import DataError
from pixelrnn.files import FOLDER, not_a_file

PIXEL_BYTES = 3072
IMAGES = (-1, 3, 32, 32)
OFFICIAL_COUNTS = (50_000, 10_000)
PICKLE = b"\x80"  # what a pickle of any protocol but the first two begins with


class Batch(NamedTuple):
    """What one file holds, images `(3, 32, 32)` with labels; what of it is not as published, or ""."""

    part: Part
    mismatch: str


@dataclass(frozen=True, eq=False)
class Version:
    """One version of one CIFAR, as `cifar.toml` has it.

    Attributes:
        name: of the set in the catalogue.
        title: of the set.
        form: "binary" or "Python".
        archive: the file that is published.
        archive_md5: its checksum, as published.
        train_files: of the whole set, in order.
        test_file: likewise.
        label_columns: of the binary version: how many classes each label byte tells apart. The last counts.
        label_key: of the Python version.
        md5s: the checksums of its files, where they are known. Those of CIFAR-10's binary version are of
            the records of the published Python version, for none is published.
    """

    name: str
    title: str
    form: Literal["binary", "Python"]
    archive: str
    archive_md5: str
    train_files: Sequence[str]
    test_file: str
    label_columns: Sequence[int] = ()
    label_key: str = ""
    md5s: Mapping[str, str] = field(default_factory=dict)

    @property
    def label(self) -> str:
        """What it is, in words."""
        return f"{self.title}, {self.form} version"

    def is_train(self, name: str) -> bool:
        """Return whether a file of this name holds training images; excerpts may have more or fewer."""
        pattern = re.escape(self.train_files[0]).replace("1", r"\d+")
        return re.fullmatch(pattern, name) is not None

    def has(self, name: str) -> bool:
        """Return whether a file of this name is one of images."""
        return name == self.test_file or self.is_train(name)

    def is_present(self, folder: Path, names: Iterable[str]) -> bool:
        """Return whether a folder that holds these names has files of this version, all of them or not."""
        return any(self.has(name) and self._may_be(folder / name) for name in names)

    def missing_files(self, folder: Path, options: DataOptions) -> list[str]:
        """Return which files a folder lacks."""
        files = (*self.train_files, self.test_file)
        return [name for name in files if not (folder / name).is_file()]

    def read(self, path: Path, options: DataOptions) -> tuple[DataSet, str]:
        """Return the images `(3, 32, 32)` of a folder or archive, with their (fine) labels."""
        return self.data_set(path, _read_batches(path, [self])[1], options)

    def read_batch(self, name: str, content: bytes, where: str) -> Batch:
        """Return what the contents of a file of this name hold.

        Raises:
            DataError: if they are not those of a file of this version.
        """
        part = (_read_records if self.form == "binary" else _read_dictionary)(self, content, where)
        return Batch(part, self._file_mismatch(name, content, part))

    def data_set(
        self, path: Path, batches: Mapping[str, Batch], options: DataOptions
    ) -> tuple[DataSet, str]:
        """Return the images of these files, and what is not as it was published; "" if all is.

        Raises:
            DataError: if a file is missing; or if it is an archive that has the official number of images
                and not the official contents.
        """
        train_files = self._expected_train_files(batches)
        for name in (*train_files, self.test_file):
            if name not in batches:
                raise DataError(f"{path} has no {name}: it is incomplete, fetch it again")
        train = join([batches[name].part for name in train_files])
        test = batches[self.test_file].part
        mismatch, counts = self._mismatch(path, batches), (len(train), len(test))
        note = f"the official files of {self.title}, of the published checksums"
        if mismatch and counts == OFFICIAL_COUNTS:
            if path.is_file():
                raise DataError(
                    f"{path} is damaged or altered: it has as many images as {self.title} but {mismatch}; "
                    f"fetch it again with `pixelrnn data fetch {self.name}`"
                )
            note = f"as many images as {self.title}, but not known to be it: {mismatch}"
        elif mismatch:
            note = f"an excerpt of {sum(counts):,} images, not {self.title}"
        entry = CATALOGUE[self.name]
        data = DataSet(
            name=path.resolve().name if mismatch else self.name,
            num_levels=options.num_levels or entry.levels,
            source=f"{entry.source}; read from {path}",
            licence=entry.licence,
            notes=(note,),
            class_names=entry.class_names,
            **split_images({"train": train, "test": test}, "as published"),
        )
        return data, mismatch

    def _may_be(self, path: Path) -> bool:
        """Return whether a path may be a file of this version: others have a `train` and a `test`, too."""
        kind = not_a_file(path)
        if self.form == "binary" or "batch" in path.name:
            return kind != FOLDER
        if kind:  # opening a pipe waits for a writer
            return False
        try:
            with path.open("rb") as stream:
                return stream.read(1) == PICKLE
        except OSError:
            return False

    def _expected_train_files(self, batches: Iterable[str]) -> list[str]:
        """Return the names of the training files, in order, and of those that must be between them."""
        count = max(1, sum(map(self.is_train, batches)))
        return [self.train_files[0].replace("1", str(number + 1)) for number in range(count)]

    def _file_mismatch(self, name: str, content: bytes, part: Part) -> str:
        if name not in self.md5s:
            return f"no checksum of {name} is known"
        if (md5 := _md5(content)) == self.md5s[name]:
            return ""
        # The same images and labels, however they are pickled.
        assert part.labels is not None
        pixels = part.images.reshape(len(part), -1)
        records = np.column_stack([part.labels.astype(np.uint8), pixels])
        same_set = (other for other in VERSIONS if other.name == self.name)
        if _md5(records.tobytes()) in {other.md5s.get(f"{name}.bin") for other in same_set}:
            return ""
        return f"{name} has md5 {md5}, not {self.md5s[name]}"

    def _mismatch(self, path: Path, batches: Mapping[str, Batch]) -> str:
        """Return what is not as it was published; "" if all is."""
        if path.is_file() and not self.md5s:
            md5 = md5_of(path)
            return "" if md5 == self.archive_md5 else f"it has md5 {md5}, not {self.archive_md5}"
        for batch in batches.values():
            if batch.mismatch:
                return batch.mismatch
        others = {*self.train_files, self.test_file}.symmetric_difference(batches)
        for name in sorted(others):
            return f"{name} is {'one too many' if name in batches else 'missing'}"
        return ""


VERSIONS = tuple(Version(**facts) for facts in read_table("cifar.toml")["versions"])


def load_cifar(path: Path, options: DataOptions) -> DataSet:
    """Return the images of an archive (`.tar.gz`) of any version; the names in it tell which.

    Raises:
        DataError: if it is truncated, damaged or incomplete.
    """
    version, batches = _read_batches(path, VERSIONS)
    return version.data_set(path, batches, options)[0]


def _read_batches(path: Path, known: Sequence[Version]) -> tuple[Version, dict[str, Batch]]:
    """Read the files of a folder or an archive, which are of one of the versions that are known."""
    batches: dict[str, Batch] = {}
    found: dict[Version, None] = {}
    for name, content in members(path, lambda name: any(each.has(name) for each in known)):
        if name in batches:
            raise DataError(f"{path} has two files named {name}: fetch it again")
        version = next(each for each in known if each.has(name))
        found[version] = None
        if len(found) > 1:
            both = " and ".join(f"{each.title} ({each.form})" for each in found)
            raise DataError(
                f"{path} has files of two versions of CIFAR, {both}: take one of them out"
            )
        batches[name] = version.read_batch(name, content, f"{path}: {name}")
    if not found:
        raise DataError(
            f"{path} has no data_batch_1.bin ... or train.bin, nor data_batch_1 ... or train: it must be "
            "the binary or the Python version of CIFAR-10 or CIFAR-100, not the Matlab one"
        )
    return next(iter(found)), batches


def _read_records(version: Version, content: bytes, where: str) -> Part:
    columns = len(version.label_columns)
    if not content or len(content) % (columns + PIXEL_BYTES):
        raise DataError(
            f"{where} has {len(content):,} bytes, which is not a whole number of records of "
            f"{columns + PIXEL_BYTES:,}: it is truncated or not {version.title}; fetch it again"
        )
    records = np.frombuffer(content, np.uint8).reshape(-1, columns + PIXEL_BYTES)
    if (records[:, :columns] >= version.label_columns).any():
        raise DataError(f"{where} has a label that {version.title} lacks: fetch it again")
    return Part(records[:, columns:].reshape(IMAGES), records[:, columns - 1].astype(np.int64))


def _read_dictionary(version: Version, content: bytes, where: str) -> Part:
    found = read_pickle(content, where)
    if not isinstance(found, dict):
        raise DataError(f"{where} holds no dictionary: it is not {version.label}")
    values = {key: found.get(key.encode(), found.get(key)) for key in ("data", version.label_key)}
    if missing := [key for key, value in values.items() if value is None]:
        raise DataError(f"{where} has no {missing[0]!r}: it is not {version.label}")
    images, labels = _pixels(values["data"], where), values[version.label_key]
    num_classes = len(CATALOGUE[version.name].class_names)
    if not isinstance(labels, list) or not all(
        type(label) is int and 0 <= label < num_classes for label in labels
    ):
        raise DataError(f"{where} has a label that {version.title} lacks: fetch it again")
    if len(labels) != len(images):
        raise DataError(f"{where} has {len(images):,} images and {len(labels):,} labels")
    return Part(images, np.array(labels, np.int64))


def _pixels(value: object, where: str) -> Images:
    try:
        if not isinstance(value, PickledArray):
            raise ValueError(f"a {type(value).__name__}")
        pixels = value.to_numpy()
        if pixels.ndim != 2 or pixels.shape[1] != PIXEL_BYTES or not len(pixels):
            raise ValueError(f"an array of shape {pixels.shape}, not (N, {PIXEL_BYTES:,}),")
    except ValueError as error:
        raise DataError(f"{where} has {error} for its images: fetch it again") from error
    return pixels.reshape(IMAGES)


def _md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()
