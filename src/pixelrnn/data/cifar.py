"""CIFAR-10 and CIFAR-100: folder or archive of the binary or the Python version, whole or an excerpt."""

from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from pixelrnn.data.cifar_files import md5_of, members
from pixelrnn.data.cifar_versions import VERSIONS, Batch, Version
from pixelrnn.data.dataset import VALIDATION_RULE, DataSet, Images, Labels
from pixelrnn.data.options import DataOptions
from pixelrnn.data.splits import carve_validation
from pixelrnn.errors import DataError
from pixelrnn.files import FOLDER, not_a_file

OFFICIAL_COUNTS = (50_000, 10_000)
SOURCE = (
    "Krizhevsky, Learning Multiple Layers of Features from Tiny Images (2009), "
    "https://www.cs.toronto.edu/~kriz/cifar.html"
)
LICENCE = "none stated by its authors; for research, citing Krizhevsky (2009)"
PICKLE = b"\x80"  # what a pickle of any protocol but the first two begins with


def load_cifar(path: Path, options: DataOptions, version: Version | None = None) -> DataSet:
    """Return the images `(3, 32, 32)` of CIFAR-10 or CIFAR-100, with their (fine) labels.

    Args:
        path: the archive (`.tar.gz`) of the binary or the Python version, or the folder that it unpacks to.
        options: `num_levels` applies.
        version: what it is; by default the names in it tell.

    Raises:
        DataError: if it is truncated, damaged or incomplete; or an archive that has the official number of
            images and not the official contents.
    """
    version, batches = _read(path, version)
    for name in (*_train_names(version, batches), version.test_file):
        if name not in batches:
            raise DataError(f"{path} has no {name}: it is incomplete, fetch it again")
    train = [batches[name] for name in _train_names(version, batches)]
    images = np.concatenate([batch.images for batch in train])
    labels = np.concatenate([batch.labels for batch in train])
    test = batches[version.test_file]
    trouble = _trouble(path, version, batches)
    counts = (len(images), len(test.images))
    if trouble and counts == OFFICIAL_COUNTS and not path.is_dir():
        raise DataError(
            f"{path} is damaged or altered: it has as many images as {version.title} but {trouble}; "
            f"fetch it again with `pixelrnn data fetch {version.name}`"
        )
    return _data_set(path, version, (images, labels), test, trouble, options)


def is_cifar(folder: Path, names: Iterable[str], version: Version) -> bool:
    """Return whether a folder that holds these names has files of a version, all of them or not."""
    return any(version.has(name) and _may_be(folder / name, version) for name in names)


def missing_files(path: Path, version: Version) -> list[str]:
    """Return which files of a version a folder lacks; an archive that is there lacks none."""
    files = (*version.train_files, version.test_file)
    return [] if path.is_file() else [name for name in files if not (path / name).is_file()]


def cifar_trouble(path: Path, version: Version) -> str:
    """Return what is not as it was published, in a folder or an archive of a version; "" if all is.

    Raises:
        DataError: if it cannot be read.
    """
    if path.is_file() and md5_of(path) == version.archive_md5:
        return ""
    return _trouble(path, version, _read(path, version)[1])


def _may_be(path: Path, version: Version) -> bool:
    """Return whether a path may be a file of a version: others have a `train` and a `test`, too."""
    kind = not_a_file(path)
    if version.form == "binary" or "batch" in path.name:
        return kind != FOLDER
    if kind:
        return False
    try:
        with path.open("rb") as stream:
            return stream.read(1) == PICKLE
    except OSError:
        return False


def _version_of(name: str) -> Version | None:
    return next((version for version in VERSIONS if version.has(name)), None)


def _read(path: Path, known: Version | None) -> tuple[Version, dict[str, Batch]]:
    """Read the files of a folder or an archive, of one version if that is known."""
    batches: dict[str, Batch] = {}
    versions: list[Version] = []
    is_wanted = known.has if known else lambda name: _version_of(name) is not None
    for name, content in members(path, is_wanted):
        if name in batches:
            raise DataError(f"{path} has two files named {name}: fetch it again")
        version = known or _version_of(name)
        assert version is not None
        if version not in versions:
            versions.append(version)
        if len(versions) > 1:
            raise DataError(
                f"{path} has files of two versions of CIFAR, {' and '.join(_title(v) for v in versions)}: "
                "take one of them out"
            )
        batches[name] = version.read(name, content, f"{path}: {name}")
    if not versions:
        raise DataError(
            f"{path} has no data_batch_1.bin ... or train.bin, nor data_batch_1 ... or train: it must be "
            "the binary or the Python version of CIFAR-10 or CIFAR-100, not the Matlab one"
        )
    return versions[0], batches


def _title(version: Version) -> str:
    return f"{version.title} ({version.form})"


def _train_names(version: Version, batches: Mapping[str, Batch]) -> list[str]:
    """Return the names of the training files, in order, and of those that must be missing between them."""
    if len(version.train_files) == 1:
        return list(version.train_files)
    count = max(1, sum(version.is_train(name) for name in batches))
    first = version.train_files[0]
    return [first.replace("1", str(number)) for number in range(1, count + 1)]


def _trouble(path: Path, version: Version, batches: Mapping[str, Batch]) -> str:
    """Return what is not as it was published; "" if all is."""
    if path.is_file() and not version.md5s:
        md5 = md5_of(path)
        return "" if md5 == version.archive_md5 else f"it has md5 {md5}, not {version.archive_md5}"
    troubles = [batch.trouble for batch in batches.values() if batch.trouble]
    others = {*version.train_files, version.test_file}.symmetric_difference(batches)
    troubles += [
        f"{name} is {'one too many' if name in batches else 'missing'}" for name in sorted(others)
    ]
    return next(iter(troubles), "")


def _data_set(
    path: Path,
    version: Version,
    train: tuple[Images, Labels],
    test: Batch,
    trouble: str,
    options: DataOptions,
) -> DataSet:
    kept, held_out = carve_validation(train[0])
    count = len(train[0]) + len(test.images)
    note = f"the official files of {version.title}, of the published checksums"
    if trouble:
        note = f"an excerpt of {count:,} images, not {version.title}"
    if trouble and count == sum(OFFICIAL_COUNTS):
        note = f"as many images as {version.title}, but not known to be it: {trouble}"
    return DataSet(
        name=path.resolve().name if trouble else version.name,
        num_levels=options.num_levels or 256,
        train=kept,
        validation=held_out,
        test=test.images,
        source=f"{SOURCE}; read from {path}",
        licence=LICENCE,
        notes=(note,),
        split_rule=f"test: as published; {VALIDATION_RULE}",
        labels=(*carve_validation(train[1]), test.labels),
        class_names=version.class_names,
    )
