"""Array files: `.npy` and `.npz` of uint8 images `(N, H, W)` or `(N, H, W, C)`.

The arrays of an `.npz` have the names of `NAMES`, as MedMNIST and Keras call them too, or it holds one of
any name. Labels are kept beside them, where their names say of which images they are.

A file's header is never believed: shape and type are checked, and the size they imply is compared
with that of the file, before any memory is taken for the images. Nothing is ever unpickled.
"""

import math
import re
import struct
import zipfile
import zlib
from pathlib import Path
from typing import IO, Any

import numpy as np

from pixelrnn.data.array_labels import label_names, read_labels
from pixelrnn.data.dataset import SPLITS, DataSet, Images, Labels
from pixelrnn.data.npy import CHUNK_BYTES, read_exactly, read_header
from pixelrnn.data.splits import splits_of
from pixelrnn.errors import DataError
from pixelrnn.untrusted import directory_bytes, most_unpacked, unpacked_limit
from pixelrnn.wording import as_ascii

WANTED = "uint8 (N, H, W) for grey or (N, H, W, 3) for RGB"
NAMES = {
    "train": ("train", "train_images", "x_train"),
    "validation": ("validation", "val", "validation_images", "val_images", "x_validation", "x_val"),
    "test": ("test", "test_images", "x_test"),
}
READ = "; ".join(f"{split}: {', '.join(names)}" for split, names in NAMES.items())
LABELS = re.compile(r"y|y_.*|labels?|targets?|.*_(labels?|targets?)", re.IGNORECASE)
MAX_MEMBERS = 1000
MAX_DIRECTORY_BYTES = 1 << 21  # of the list of members, which is read as a whole
SHOWN_NAMES = 12


def load_arrays(path: Path, num_levels: int = 256) -> DataSet:
    """Return the images of a `.npy` or `.npz` file.

    A `.npy` is split by index; a `.npz` holds one such array, or those of training, test and, if wanted,
    validation, by names of `NAMES`.

    Raises:
        DataError: if the file is damaged, holds anything but uint8 images, or a value that is not
            below `num_levels`.
    """
    try:
        if path.suffix.lower() == ".npz":
            arrays, labels, aside = _read_npz(path)
        else:
            with path.open("rb") as stream:
                images = _read_array(stream, path.stat().st_size, str(path))
            arrays, labels, aside = {"train": images}, None, []
        parts, rule = splits_of(arrays, "as in the file", f"{path} has ")
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}") from error
    train, validation, test = parts
    return DataSet(
        name=path.name,
        num_levels=num_levels,
        train=train,
        validation=validation,
        test=test,
        source=str(path),
        licence="the owner's",
        notes=(f"left aside: {_listed(aside)}",) if aside else (),
        split_rule=rule,
        labels=splits_of(labels, "")[0] if labels else None,
    )


def _read_npz(path: Path) -> tuple[dict[str, Images], dict[str, Labels] | None, list[str]]:
    """Return the arrays of images by split, those of labels, and the names left aside."""
    arrays = {}
    try:
        with path.open("rb") as file:
            if directory_bytes(file) > MAX_DIRECTORY_BYTES:
                raise DataError(f"{path} holds far too many arrays: it must hold {WANTED}")
            archive = zipfile.ZipFile(file)
            members = _members(path, archive)
            chosen = _chosen(path, list(members))
            of_labels = label_names(chosen, set(members) - set(chosen.values()))
            _check_sizes(path, [members[name] for name in chosen.values()])
            for split, name in chosen.items():
                member = members[name]
                with archive.open(member) as stream:
                    arrays[split] = _read_array(
                        stream, member.file_size, f"{path} ({as_ascii(name)})"
                    )
            label_members = {split: members[name] for split, name in of_labels.items()}
            labels = read_labels(archive, label_members, arrays, str(path)) or None
    except (
        zipfile.BadZipFile,
        zlib.error,
        EOFError,
        NotImplementedError,
        RuntimeError,
        ValueError,
        LookupError,
        struct.error,
    ) as error:
        raise DataError(f"{path} is not a whole .npz file ({error}); save it again") from error
    read = {*chosen.values(), *(of_labels.values() if labels else ())}
    return arrays, labels, sorted(set(members) - read)


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
        raise DataError(
            f"{path} holds arrays named {_listed(sorted(names))}: give it one array of images, or arrays "
            f"for train, test and, if wanted, validation; the names that are read are {READ}, and labels "
            "beside them, such as y_train or train_labels"
        )
    return chosen


def _listed(names: list[str]) -> str:
    more = ", ..." if len(names) > SHOWN_NAMES else ""
    return ", ".join(map(as_ascii, names[:SHOWN_NAMES])) + more


def _check_sizes(path: Path, members: list[zipfile.ZipInfo]) -> None:
    """Refuse arrays that claim more than can be, or more than is unpacked from a file of its size."""
    for member in members:
        _check_member(member, path)
    claimed, packed = sum(member.file_size for member in members), path.stat().st_size
    if claimed > unpacked_limit(packed):
        raise DataError(
            f"{path} has {packed:,} bytes and claims to unpack to {claimed:,}, more than the "
            f"{unpacked_limit(packed):,} that are unpacked: save the images as .npy, which is not packed"
        )


def _check_member(member: zipfile.ZipInfo, path: Path) -> None:
    if member.file_size > most_unpacked(member) + CHUNK_BYTES // 1024:
        raise DataError(
            f"{path}: {as_ascii(member.filename)} claims to unpack to {member.file_size:,} bytes from "
            f"{member.compress_size:,}, which cannot be: the file is damaged"
        )


def _read_array(stream: IO[bytes], num_bytes: int, where: str) -> Images:
    """Return the images `(N, C, H, W)` of one `.npy` stream that is `num_bytes` long."""
    shape, fortran_order, dtype = read_header(stream, where)
    _check_header(shape, dtype, where)
    expected_bytes = math.prod(shape)
    body_bytes = num_bytes - stream.tell()
    if expected_bytes != body_bytes:
        trouble = "is cut short" if expected_bytes > body_bytes else "has bytes left over"
        raise DataError(
            f"{where} {trouble}: its header announces {expected_bytes:,} bytes of images and "
            f"{body_bytes:,} follow; save it again"
        )
    flat = read_exactly(stream, expected_bytes, where)
    array = flat.reshape(shape[::-1]).T if fortran_order else flat.reshape(shape)
    if array.ndim == 3:
        array = array[..., np.newaxis]
    return np.ascontiguousarray(array.transpose(0, 3, 1, 2))


def _check_header(shape: tuple[int, ...], dtype: np.dtype[Any], where: str) -> None:
    found = f"{where} holds {dtype} {shape}, but must hold {WANTED}"
    if dtype.hasobject:
        raise DataError(f"{found}: Python objects are not read; stack the images into one array")
    if dtype.kind == "f":
        raise DataError(
            f"{found}: if its values are 0 ... 1, save (x * 255).round().astype('uint8')"
        )
    if dtype != np.uint8:
        raise DataError(f"{found}: convert with x.astype('uint8') if every value is 0 ... 255")
    if len(shape) == 4 and shape[3] not in (1, 3):
        hint = f"{shape[3]} channels are neither 1 nor 3"
        if shape[1] in (1, 3):
            hint = "put the channels last, with x.transpose(0, 2, 3, 1)"
        elif shape[3] in (2, 4):
            hint = "drop the alpha channel, if it is opaque, with x[..., :-1]"
        raise DataError(f"{found}: {hint}")
    if len(shape) not in (3, 4):
        raise DataError(f"{found}: a single image needs a first axis, x[None]")
    if any(type(side) is not int for side in shape):  # to Python, True is a number
        raise DataError(f"{found}: its shape is damaged; save it again")
    if min(shape) < 1:
        raise DataError(f"{found}: there are no pixels in it")
