"""Array files: `.npy` and `.npz` of images or codes `(N, H, W)`, `(N, H, W, C)` or `(N, C, H, W)`.

They are uint8, or uint16 where there are more than 256 levels. Channels are last where there are one or
three there, and else first.

The arrays of an `.npz` have the names of `NAMES`, as MedMNIST and Keras call them too, or it holds one of
any name. Labels, whole numbers from 0, `(N,)` or `(N, 1)`, are kept beside them, where their names say of
which images they are; what is called so and is something else, such as several labels an image, is left
aside, unread.

A file's header is never believed: shape and type are checked, and the size they imply is compared
with that of the file, before any memory is taken for the images. Nothing is ever unpickled.
"""

import re
from collections.abc import Callable, Collection, Iterable
from pathlib import Path
from typing import IO, Any, TypeVar

import numpy as np

from pixelrnn.arrays import MAX_CHANNELS, Images
from pixelrnn.data.dataset import DataSet
from pixelrnn.data.listing import some
from pixelrnn.data.options import DataOptions
from pixelrnn.data.splits import SPLITS, Labels, Part, split_images
from pixelrnn.errors import DataError
from pixelrnn.npz import open_npz, read_body, read_header
from pixelrnn.untrusted import opened, unpacked_limit
from pixelrnn.wording import as_ascii

T = TypeVar("T")

# What the splits are called, and the names of the arrays that hold their images and labels.
PARTS = {"train": ["train"], "validation": ["validation", "val"], "test": ["test"]}
NAMES = {
    split: [name for name in ("{}", "{}_images", "x_{}") for name in map(name.format, parts)]
    for split, parts in PARTS.items()
}
READ = "; ".join(f"{split}: {', '.join(names)}" for split, names in NAMES.items())
KINDS_OF_LABELS = ("labels", "label", "targets", "target", "y")
LABELS = re.compile(r"y|y_.*|labels?|targets?|.*_(labels?|targets?)", re.IGNORECASE)
SHOWN_NAMES = 12
WANTED = "uint8 or uint16 (N, H, W) for grey, (N, H, W, 3) for RGB, or (N, C, H, W)"


def load_arrays(path: Path, options: DataOptions) -> DataSet:
    """Return the images of a `.npy` or `.npz` file.

    A `.npy` is split by index; a `.npz` holds one such array, or those of training, test and, if wanted,
    validation, by names of `NAMES`.

    Raises:
        DataError: if the file is damaged, holds anything but uint8 images, or a value that is not
            below `num_levels`.
    """
    aside: list[str] = []
    with opened(path, "save it again") as stream:
        if path.suffix.lower() == ".npz":
            parts, aside = _read_npz(path, stream)
        else:
            parts = {"train": Part(_read_images(stream, path.stat().st_size, str(path)))}
    return DataSet(
        name=path.name,
        num_levels=options.num_levels or levels_of(part.images for part in parts.values()),
        source=str(path),
        notes=(f"left aside: {some(aside, SHOWN_NAMES)}",) if aside else (),
        **split_images(parts, "as in the file", f"{path} has "),
    )


def levels_of(images: Iterable[Images]) -> int:
    """Return how many levels images have: 256 of a byte, else the power of two that holds them.

    Example:
        >>> levels_of([np.array([3], np.uint8)]), levels_of([np.array([700], np.uint16)])
        (256, 1024)
    """
    highest = max(int(each.max(initial=0)) for each in images)
    return max(256, 1 << highest.bit_length())


def are_channels_first(shape: tuple[int, ...], dtype: np.dtype[Any]) -> bool:
    """Return whether axis 1 of `(N, ...)` can only be that of channels.

    It is small, and of bytes, which may be pictures with alpha, smaller than the others.

    Example:
        >>> [are_channels_first(shape, np.dtype("u1")) for shape in [(9, 4, 8, 8), (9, 8, 8, 4)]]
        [True, False]
    """
    return shape[1] <= MAX_CHANNELS and (dtype.itemsize > 1 or shape[1] < min(shape[2:]))


def _read_npz(path: Path, file: IO[bytes]) -> tuple[dict[str, Part], list[str]]:
    """Return the images and labels of each split, and the names of the arrays left aside."""
    archive, members = open_npz(file)
    chosen = _chosen(path, list(members))
    claimed = sum(members[name].file_size for name in chosen.values())
    packed = path.stat().st_size
    if claimed > unpacked_limit(packed):
        raise DataError(
            f"{path} has {packed:,} bytes and claims to unpack to {claimed:,}, more than the "
            f"{unpacked_limit(packed):,} that are unpacked: save the images as .npy, which is not packed"
        )
    of_labels = label_names(list(chosen), set(members) - set(chosen.values()))

    def read(name: str, reader: Callable[..., T], *about: Any) -> T:
        with archive.open(members[name]) as stream:
            return reader(stream, members[name].file_size, f"{path} ({as_ascii(name)})", *about)

    images = {split: read(name, _read_images) for split, name in chosen.items()}
    labels = {
        split: read(name, _read_labels, split, len(images[split]))
        for split, name in of_labels.items()
    }
    aside = set(members).difference(chosen.values(), of_labels.values())
    named = sorted(map(as_ascii, aside))
    if any(each is None for each in labels.values()):
        named += [f"{as_ascii(name)} (no whole numbers from 0)" for name in of_labels.values()]
        labels = {}
    return {split: Part(each, labels.get(split)) for split, each in images.items()}, named


def _chosen(path: Path, names: list[str]) -> dict[str, str]:
    """Return which array is of which split; the only one is "train", from which the others are carved.

    Raises:
        DataError: if it cannot be told.
    """
    if not names:
        raise DataError(f"{path} holds no arrays: it must hold {WANTED}")
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


def _read_images(stream: IO[bytes], num_bytes: int, where: str) -> Images:
    """Return the images `(N, C, H, W)` of one `.npy` stream that is `num_bytes` long."""
    header = read_header(stream)
    shape, dtype = header.shape, header.dtype
    found = f"{where} holds {dtype} {shape}, but must hold {WANTED}"
    if dtype.hasobject:
        raise DataError(f"{found}: Python objects are not read; stack the images into one array")
    require_images(shape, dtype, found, "save")
    is_last = len(shape) == 3 or shape[3] in (1, 3)
    if not is_last and not are_channels_first(shape, dtype):
        hint = f"which axis has the channels, {MAX_CHANNELS} at most, cannot be told"
        if shape[3] in (2, 4) and dtype.itemsize == 1:
            hint = "drop the alpha channel, if it is opaque, with x[..., :-1]"
        raise DataError(f"{found}: {hint}")
    array = read_body(stream, header, num_bytes)
    array = array.astype(array.dtype.newbyteorder("="), copy=False)
    return array.reshape(*shape[:3], -1).transpose(0, 3, 1, 2) if is_last else array


def _read_labels(
    stream: IO[bytes], num_bytes: int, where: str, split: str, count: int
) -> Labels | None:
    """Return the labels `(N,)` of one `.npy` stream; `None` if they are not whole numbers from 0."""
    try:
        header = read_header(stream)
    except ValueError:
        return None
    shape = header.shape
    if header.dtype.kind not in "iu" or shape[1:] not in ((), (1,)) or not shape:
        return None
    if shape[0] != count:
        raise DataError(
            f"{where} holds {shape[0]:,} labels for {count:,} images of {split}: save them again, or leave "
            "the labels out"
        )
    labels = read_body(stream, header, num_bytes).astype(np.int64).reshape(-1)
    return labels if labels.min(initial=0) >= 0 else None


def require_images(shape: tuple[int, ...], dtype: np.dtype[Any], found: str, verb: str) -> None:
    """Raise a DataError unless arrays of this shape and type may hold images, wherever their channels are.

    Args:
        shape: as a header says.
        dtype: likewise.
        found: the error's beginning: what there is, and what must be.
        verb: how images are handed over, "save" or "give".
    """
    problem = ""
    if dtype.kind == "f":
        problem = f"if its values are 0 ... 1, {verb} (x * 255).round().astype('uint8')"
    elif dtype.newbyteorder("=") not in (np.uint8, np.uint16):
        problem = (
            "convert with x.astype('uint8') if every value is 0 ... 255, or 'uint16' if 0 ... 65535"
        )
    elif len(shape) not in (3, 4):
        problem = "a single image needs a first axis, x[None]"
    elif any(type(side) is not int for side in shape):  # to Python, True is a number
        problem = "its shape is damaged; save it again"
    elif min(shape) < 1:
        problem = "there are no pixels in it"
    if problem:
        raise DataError(f"{found}: {problem}")
