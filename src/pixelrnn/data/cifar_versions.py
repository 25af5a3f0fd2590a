"""How the two CIFARs are published: a binary and a Python version of each, their files and checksums.

A record of the binary version is one label byte (two in CIFAR-100: coarse, fine) and 3,072 bytes of
pixels: 1,024 red, 1,024 green, 1,024 blue, row by row. A file of the Python version is a pickled
dictionary: pixels in the same order, and a list of labels. How many images there are is taken from the
files.
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal, NamedTuple

import numpy as np

from pixelrnn.data.dataset import Images, Labels
from pixelrnn.data.pickles import PickledArray, read_pickle
from pixelrnn.errors import DataError

PIXEL_BYTES = 3072
_CLASSES = "airplane automobile bird cat deer dog frog horse ship truck"
CIFAR10_NAMES = tuple(_CLASSES.split())
_FINE_CLASSES = (
    "apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle bowl boy bridge bus "
    "butterfly camel can castle caterpillar cattle chair chimpanzee clock cloud cockroach couch "
    "crab crocodile cup dinosaur dolphin elephant flatfish forest fox girl hamster house kangaroo "
    "keyboard lamp lawn_mower leopard lion lizard lobster man maple_tree motorcycle mountain "
    "mouse mushroom oak_tree orange orchid otter palm_tree pear pickup_truck pine_tree plain "
    "plate poppy porcupine possum rabbit raccoon ray road rocket rose sea seal shark shrew skunk "
    "skyscraper snail snake spider squirrel streetcar sunflower sweet_pepper table tank telephone "
    "television tiger tractor train trout tulip turtle wardrobe whale willow_tree wolf woman worm"
)
CIFAR100_NAMES = tuple(_FINE_CLASSES.split())


class Batch(NamedTuple):
    """What one file holds: images `(N, 3, 32, 32)` and labels `(N,)`; what is not as published, or ""."""

    images: Images
    labels: Labels
    trouble: str


@dataclass(frozen=True)
class Version:
    """One version of one CIFAR.

    Attributes:
        title: of the set.
        name: of the set in the catalogue.
        form: "binary" or "Python".
        archive: the file that is published.
        archive_md5: its checksum, as published.
        train_files: of the whole set, in order.
        test_file: likewise.
        class_names: of the labels 0, 1, ...
        label_columns: of the binary version: how many classes each label byte tells apart. The last counts.
        label_key: of the Python version.
        md5s: the checksums of its files, where they are known.
        record_md5s: those of the same images and labels as binary records, however they are pickled.
    """

    title: str
    name: str
    form: Literal["binary", "Python"]
    archive: str
    archive_md5: str
    train_files: tuple[str, ...]
    test_file: str
    class_names: tuple[str, ...]
    label_columns: tuple[int, ...] = ()
    label_key: str = ""
    md5s: Mapping[str, str] = field(default_factory=dict)
    record_md5s: Mapping[str, str] = field(default_factory=dict)

    @property
    def url(self) -> str:
        """Where the archive is published."""
        return f"https://www.cs.toronto.edu/~kriz/{self.archive}"

    @cached_property
    def _train_pattern(self) -> re.Pattern[str]:
        return re.compile(re.escape(self.train_files[0]).replace("1", r"\d+"))

    def is_train(self, name: str) -> bool:
        """Return whether a file of this name holds training images; excerpts may have more or fewer."""
        return self._train_pattern.fullmatch(name) is not None

    def has(self, name: str) -> bool:
        """Return whether a file of this name is one of images."""
        return name == self.test_file or self.is_train(name)

    def read(self, name: str, content: bytes, where: str) -> Batch:
        """Return what the contents of a file of this name hold.

        Raises:
            DataError: if they are not those of a file of this version.
        """
        read = _read_records if self.form == "binary" else _read_dictionary
        images, labels = read(self, content, where)
        return Batch(
            images.reshape(-1, 3, 32, 32), labels, self._trouble(name, content, images, labels)
        )

    def _trouble(self, name: str, content: bytes, images: Images, labels: Labels) -> str:
        if name not in self.md5s:
            return f"no checksum of {name} is known"
        md5 = _md5(content)
        if md5 == self.md5s[name]:
            return ""
        if name in self.record_md5s:
            records = np.column_stack([labels.astype(np.uint8), images])
            if _md5(records.tobytes()) == self.record_md5s[name]:
                return ""
        return f"{name} has md5 {md5}, not {self.md5s[name]}"


def _md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def _read_records(version: Version, content: bytes, where: str) -> tuple[Images, Labels]:
    columns = len(version.label_columns)
    if not content or len(content) % (columns + PIXEL_BYTES):
        raise DataError(
            f"{where} has {len(content):,} bytes, which is not a whole number of records of "
            f"{columns + PIXEL_BYTES:,}: it is truncated or not {version.title}; fetch it again"
        )
    records = np.frombuffer(content, np.uint8).reshape(-1, columns + PIXEL_BYTES)
    for column, num_classes in enumerate(version.label_columns):
        if records[:, column].max() >= num_classes:
            raise DataError(f"{where} has a label that {version.title} lacks: fetch it again")
    return np.ascontiguousarray(records[:, columns:]), records[:, columns - 1].astype(np.int64)


def _read_dictionary(version: Version, content: bytes, where: str) -> tuple[Images, Labels]:
    found = read_pickle(content, where)
    if not isinstance(found, dict):
        raise DataError(f"{where} holds no dictionary: it is not {version.title}, Python version")
    values = {}
    for key in ("data", version.label_key):
        values[key] = found.get(key.encode(), found.get(key))
        if values[key] is None:
            raise DataError(f"{where} has no {key!r}: it is not {version.title}, Python version")
    images, labels = _pixels(values["data"], where), values[version.label_key]
    if not isinstance(labels, list) or not all(
        type(label) is int and 0 <= label < len(version.class_names) for label in labels
    ):
        raise DataError(f"{where} has a label that {version.title} lacks: fetch it again")
    if len(labels) != len(images):
        raise DataError(f"{where} has {len(images):,} images and {len(labels):,} labels")
    return images, np.array(labels, np.int64)


def _pixels(value: object, where: str) -> Images:
    try:
        if not isinstance(value, PickledArray):
            raise ValueError(f"a {type(value).__name__}")
        pixels = value.to_numpy()
    except ValueError as error:
        raise DataError(f"{where} has {error} for its images: fetch it again") from error
    if pixels.ndim != 2 or pixels.shape[1] != PIXEL_BYTES or not len(pixels):
        raise DataError(
            f"{where} has images of shape {pixels.shape}, not (N, {PIXEL_BYTES:,}): fetch it again"
        )
    return pixels


_BATCHES = tuple(f"data_batch_{number}" for number in range(1, 6))
# None is published: these are of the records of the Python version that has the checksums below.
_RECORD_MD5S = {
    "data_batch_1": "5dd7e06a14cb22eb9f671a540d1b7c25",
    "data_batch_2": "5ea93a67294ea407fff1d09f752e9692",
    "data_batch_3": "942cd6a4bcdd0dd3c604fbe906cb4421",
    "data_batch_4": "ae636b3ba5c66a11e91e8cb52e771fcb",
    "data_batch_5": "53f37980c15c3d472c316c40844f3f0d",
    "test_batch": "803d5f7f4d78ea53de84dbe85f74fb6d",
}
VERSIONS = (
    Version(
        title="CIFAR-10",
        name="cifar10",
        form="binary",
        archive="cifar-10-binary.tar.gz",
        archive_md5="c32a1d4ab5d03f1284b67883e8d87530",
        train_files=tuple(f"{name}.bin" for name in _BATCHES),
        test_file="test_batch.bin",
        class_names=CIFAR10_NAMES,
        label_columns=(10,),
        md5s={f"{name}.bin": md5 for name, md5 in _RECORD_MD5S.items()},
    ),
    Version(
        title="CIFAR-10",
        name="cifar10",
        form="Python",
        archive="cifar-10-python.tar.gz",
        archive_md5="c58f30108f718f92721af3b95e74349a",
        train_files=_BATCHES,
        test_file="test_batch",
        class_names=CIFAR10_NAMES,
        label_key="labels",
        md5s={
            "data_batch_1": "c99cafc152244af753f735de768cd75f",
            "data_batch_2": "d4bba439e000b95fd0a9bffe97cbabec",
            "data_batch_3": "54ebc095f3ab1f0389bbae665268c751",
            "data_batch_4": "634d18415352ddfa80567beed471001a",
            "data_batch_5": "482c414d41f54cd18b22e5b47cb7c3cb",
            "test_batch": "40351d587109b95175f43aff81a1287e",
        },
        record_md5s=_RECORD_MD5S,
    ),
    Version(
        title="CIFAR-100",
        name="cifar100",
        form="binary",
        archive="cifar-100-binary.tar.gz",
        archive_md5="03b5dce01913d631647c71ecec9e9cb8",
        train_files=("train.bin",),
        test_file="test.bin",
        class_names=CIFAR100_NAMES,
        label_columns=(20, 100),
    ),
    Version(
        title="CIFAR-100",
        name="cifar100",
        form="Python",
        archive="cifar-100-python.tar.gz",
        archive_md5="eb9058c3a382ffc7106e4002c42a8d85",
        train_files=("train",),
        test_file="test",
        class_names=CIFAR100_NAMES,
        label_key="fine_labels",
        md5s={
            "train": "16019d7e3df5f24257cddd939b257f8d",
            "test": "f0ef6b0ae62326f3e7ffdfab6717acfc",
        },
    ),
)
