"""Array files: `.npy` and `.npz` of uint8 images `(N, H, W)` or `(N, H, W, C)`.

The arrays of an `.npz` have the names of `NAMES`, as MedMNIST and Keras call them too, or it holds one of
any name. Labels, whole numbers from 0, `(N,)` or `(N, 1)`, are kept beside them, where their names say of
which images they are; what is called so and is something else, such as several labels an image, is left
aside, unread.

A file's header is never believed: shape and type are checked, and the size they imply is compared
with that of the file, before any memory is taken for the images. Nothing is ever unpickled.
"""

import re
import zipfile
from collections.abc import Collection
from pathlib import Path
from typing import IO

from pixelrnn.arrays import Images
from pixelrnn.data.archives import reporting_damage
from pixelrnn.data.dataset import DataSet
from pixelrnn.data.listing import some
from pixelrnn.data.npy import WANTED, read_images, read_labels
from pixelrnn.data.options import DataOptions
from pixelrnn.data.splits import SPLITS, Labels, split_images
from pixelrnn.errors import DataError
from pixelrnn.untrusted import directory_bytes, most_unpacked, unpacked_limit
from pixelrnn.wording import as_ascii

# What the splits are called, and the names of the arrays that hold their images and labels.
PARTS = {"train": ["train"], "validation": ["validation", "val"], "test": ["test"]}
NAMES = {
    split: [name for name in ("{}", "{}_images", "x_{}") for name in map(name.format, parts)]
    for split, parts in PARTS.items()
}
READ = "; ".join(f"{split}: {', '.join(names)}" for split, names in NAMES.items())
KINDS_OF_LABELS = ("labels", "label", "targets", "target", "y")
LABELS = re.compile(r"y|y_.*|labels?|targets?|.*_(labels?|targets?)", re.IGNORECASE)
MAX_MEMBERS = 1000
MAX_DIRECTORY_BYTES = 1 << 21  # of the list of members, which is read as a whole
SLACK_BYTES = 1 << 14  # a member may claim so many more than it can have
SHOWN_NAMES = 12


def load_arrays(path: Path, options: DataOptions) -> DataSet:
    """Return the images of a `.npy` or `.npz` file.

    A `.npy` is split by index; a `.npz` holds one such array, or those of training, test and, if wanted,
    validation, by names of `NAMES`.

    Raises:
        DataError: if the file is damaged, holds anything but uint8 images, or a value that is not
            below `num_levels`.
    """
    with reporting_damage(path, "save it again"), path.open("rb") as stream:
        if path.suffix.lower() == ".npz":
            arrays, labels, aside = _read_npz(path, stream)
        else:
            images = read_images(stream, path.stat().st_size, str(path))
            arrays, labels, aside = {"train": images}, {}, []
    return DataSet(
        name=path.name,
        num_levels=options.num_levels or 256,
        source=str(path),
        notes=(f"left aside: {some(aside, SHOWN_NAMES)}",) if aside else (),
        **split_images(arrays, "as in the file", labels, f"{path} has "),
    )


def _read_npz(
    path: Path, file: IO[bytes]
) -> tuple[dict[str, Images], dict[str, Labels], list[str]]:
    """Return the arrays of images by split, those of labels, and the names left aside."""
    if directory_bytes(file) > MAX_DIRECTORY_BYTES:
        raise DataError(f"{path} holds far too many arrays: it must hold {WANTED}")
    archive = zipfile.ZipFile(file)
    members = _members(path, archive)
    chosen = _chosen(path, list(members))
    _check_sizes(path, [members[name] for name in chosen.values()])
    images = {}
    for split, name in chosen.items():
        with archive.open(members[name]) as stream:
            size = members[name].file_size
            images[split] = read_images(stream, size, f"{path} ({as_ascii(name)})")
    of_labels = label_names(list(chosen), set(members) - set(chosen.values()))
    labels = {}
    for split, name in of_labels.items():
        with archive.open(members[name]) as stream:
            where = f"{path} ({as_ascii(members[name].filename)})"
            labels[split] = read_labels(stream, len(images[split]), split, where)
    known = {split: numbers for split, numbers in labels.items() if numbers is not None}
    if len(known) < len(labels):
        known, of_labels = {}, {}
    aside = set(members).difference(chosen.values(), of_labels.values())
    return images, known, sorted(map(as_ascii, aside))


def _members(path: Path, archive: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    """Return the arrays of an `.npz` by name, as its index has them."""
    members: dict[str, zipfile.ZipInfo] = {}
    if len(archive.filelist) > MAX_MEMBERS:
        raise DataError(f"{path} holds {len(archive.filelist):,} arrays: it must hold {WANTED}")
    for member in archive.infolist():
        name = member.filename.removesuffix(".npy")
        if name in members:
            raise DataError(f"{path} has two arrays named {as_ascii(name)}: save it again")
        members[name] = member
    if not members:
        raise DataError(f"{path} holds no arrays: it must hold {WANTED}")
    return members


def _chosen(path: Path, names: list[str]) -> dict[str, str]:
    """Return which array is of which split; the only one is "train", from which the others are carved.

    Raises:
        DataError: if it cannot be told.
    """
    found = {split: [name for name in names if name in NAMES[split]] for split in SPLITS}
    for split, several in found.items():
        if len(several) > 1:
            raise DataError(
                f"{path} holds {' and '.join(several)}, both for {split}: leave one out"
            )
    chosen = {split: several[0] for split, several in found.items() if several}
    images = [name for name in names if not LABELS.fullmatch(name)] or names
    if len(images) == 1:
        return {"train": images[0]}
    if not {"train", "test"} <= set(chosen) or set(images) - set(chosen.values()):
        named = some([as_ascii(name) for name in sorted(names)], SHOWN_NAMES)
        raise DataError(
            f"{path} holds arrays named {named}: give it one array of images, or arrays "
            f"for train, test and, if wanted, validation; the names that are read are {READ}, and labels "
            "beside them, such as y_train or train_labels"
        )
    return chosen


def label_names(splits: list[str], names: Collection[str]) -> dict[str, str]:
    """Return which array holds the labels of each split; nothing if one has none, or several.

    Args:
        splits: those that have images.
        names: of all other arrays.

    Example:
        >>> label_names(["train", "test"], ["y_train", "y_test"])
        {'train': 'y_train', 'test': 'y_test'}
        >>> label_names(["train"], ["labels"])
        {'train': 'labels'}
    """
    found = {}
    for split in splits:
        wanted = set(KINDS_OF_LABELS if splits == ["train"] else [])
        for part in PARTS[split]:
            wanted |= {f"y_{part}", *(f"{part}_{kind}" for kind in KINDS_OF_LABELS)}
        there = wanted.intersection(names)
        if len(there) != 1:
            return {}
        found[split] = there.pop()
    return found


def _check_sizes(path: Path, members: list[zipfile.ZipInfo]) -> None:
    """Refuse arrays that claim more than can be, or more than is unpacked from a file of its size."""
    for member in members:
        if member.file_size > most_unpacked(member) + SLACK_BYTES:
            raise DataError(
                f"{path}: {as_ascii(member.filename)} claims to unpack to {member.file_size:,} bytes from "
                f"{member.compress_size:,}, which cannot be: the file is damaged"
            )
    claimed, packed = sum(member.file_size for member in members), path.stat().st_size
    if claimed > unpacked_limit(packed):
        raise DataError(
            f"{path} has {packed:,} bytes and claims to unpack to {claimed:,}, more than the "
            f"{unpacked_limit(packed):,} that are unpacked: save the images as .npy, which is not packed"
        )
