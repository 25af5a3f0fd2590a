"""A folder of image files and its sub-folders, sorted by name; train, validation, test make the splits."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np

from pixelrnn.arrays import Images
from pixelrnn.data.dataset import DataSet
from pixelrnn.data.image_files import (
    SUFFIXES,
    ImageHeader,
    UnreadableImageError,
    depth_of,
    read_header,
    read_pixels,
)
from pixelrnn.data.listing import Listing, grouped, list_images, some
from pixelrnn.data.options import DataOptions
from pixelrnn.data.patches import RANDOM_CROPS, Cut, cut_patches, gather
from pixelrnn.data.splits import SPLITS, carve, describe_rule
from pixelrnn.errors import DataError
from pixelrnn.wording import without_surrogates

T = TypeVar("T")
R = TypeVar("R")
ReadPixels = Callable[[ImageHeader], Images]


class SizesError(DataError):
    """Images that are not all of one size."""


def load_folder(path: Path, options: DataOptions) -> DataSet:
    """Return the images of a folder.

    Images in the folder and its sub-folders are sorted by name and split by index. If there are sub-folders
    train and test, and perhaps validation, they are the splits, each with all that is below it. With
    `patch_size` each image is cut into squares that do not overlap, after whole images were assigned to
    splits. If all images, of each split, are in sub-folders, their names are those of the classes, sorted.
    With `num_levels` of more than 256 images of 16 bits are read, and others not.

    Raises:
        DataError: if there are no images, if one cannot be read without losing something, or if
            their sizes differ from what is asked; the message names them.
    """
    listing = list_images(path)
    _raise_refused(listing.unreadable, path)
    read = partial(read_header, depth=depth_of(options.num_levels or 0))
    headers = {split: _all(read, files, path) for split, files in _parts(path, listing).items()}
    classes = _classes(path, headers)
    return assemble(
        path, headers, "sorted by name, ", options, left_aside=listing.left_aside, classes=classes
    )


def assemble(
    path: Path,
    parts: Mapping[str, list[ImageHeader]],
    order: str,
    options: DataOptions,
    *,
    read: ReadPixels = read_pixels,
    left_aside: Sequence[tuple[str, str]] = (),
    num_levels: int = 256,
    classes: Mapping[Path, str] | None = None,
) -> DataSet:
    """Return the images of some headers, whole or in patches, as a data set; see `load_folder`.

    Args:
        path: what they are in; the paths of the headers are below it.
        parts: headers of the splits that are given; see `splits.carve`.
        order: what the others are carved from, such as "sorted by name, ".
        options: what the user asks for.
        read: a header to its pixels `(C, H, W)`; by default the file is read.
        left_aside: what is not among them, and why.
        num_levels: unless the options say.
        classes: the class of each image by its path, if it is known of all.
    """
    names = sorted(set((classes or {}).values()))
    number = {name: n for n, name in enumerate(names)}
    rows = {split: np.array(headers, dtype=object) for split, headers in parts.items()}
    items = [(split, header) for split, headers in carve(rows).items() for header in headers]
    everything = [header for _, header in items]
    _check_sizes(everything, options, path)
    side, channels = options.patch_size, max(header.channels for header in everything)

    def cut(item: tuple[str, ImageHeader]) -> Cut:
        split, header = item
        pixels = read(header)
        picture = np.broadcast_to(pixels, (channels, *pixels.shape[1:]))
        label = number[classes[header.path]] if classes else None
        if not side:
            return Cut(split, picture[np.newaxis], label=label)
        patches, is_kept = (
            cut_patches(picture, side, side),
            options.random_crops and split == "train",
        )
        return Cut(split, patches, id(header), picture if is_kept else None, label)

    return DataSet(
        name=path.resolve().name + (f" ({side}x{side} patches)" if side else ""),
        num_levels=options.num_levels or num_levels,
        source=str(path),
        notes=_notes(everything, channels, options, left_aside),
        split_rule=describe_rule(parts, "as in the sub-folders", order),
        class_names=tuple(names),
        **gather(_all(cut, items, path)),
    )


def _classes(path: Path, parts: Mapping[str, Sequence[ImageHeader]]) -> dict[Path, str] | None:
    """Return the class of each image, the folder in its split; nothing where one is in none."""
    has_splits = any((path / split).is_dir() for split in SPLITS)
    found = {}
    for split, headers in parts.items():
        for header in headers:
            folder, *rest = header.path.relative_to(path / split if has_splits else path).parts
            if not rest:
                return None
            found[header.path] = without_surrogates(folder)
    return found


def no_images(folder: Path, listing: Listing) -> str:
    """Return the message about a folder that has no images."""
    aside = f"; left aside: {grouped(listing.left_aside)}" if listing.left_aside else ""
    return (
        f"{folder} has no images ({', '.join(sorted(SUFFIXES))}), nor have its sub-folders{aside}: name "
        "a folder that has"
    )


def _parts(path: Path, listing: Listing) -> dict[str, list[Path]]:
    """Return the images of each split that has a sub-folder; those of a folder without them are "train"."""
    # By characters, and not in natural order: a split is what it was when a run was trained on it.
    images = sorted(listing.images, key=lambda name: name.split("/"))
    folders = [split for split in SPLITS if (path / split).is_dir()]
    if not folders:
        if not images:
            raise DataError(no_images(path, listing))
        return {"train": [path / name for name in images]}
    by_folder: dict[str, list[Path]] = {}
    for name in images:
        folder, slash, _ = name.partition("/")
        by_folder.setdefault(folder if slash else "", []).append(path / name)
    if "" in by_folder:
        raise DataError(
            f"{path} has images beside its sub-folder {folders[0]}: move them into sub-folders "
            "train, test and, if wanted, validation, or all into one folder"
        )
    parts = {}
    for split in dict.fromkeys(["train", "test", *folders]):
        if split not in by_folder:
            raise DataError(f"{path} has no images in a sub-folder {split}: add them")
        parts[split] = by_folder.pop(split)
    listing.left_aside += [
        (folder, f"{len(found)} images that are in none of the splits")
        for folder, found in by_folder.items()
    ]
    return parts


def _all(read: Callable[[T], R], items: Iterable[T], folder: Path) -> list[R]:
    """Return what is read of each; raise a DataError that names all that cannot be read."""
    found, refused = [], []
    for item in items:
        try:
            found.append(read(item))
        except UnreadableImageError as error:
            refused.append(error)
    _raise_refused(refused, folder)
    return found


def _raise_refused(refused: list[UnreadableImageError], folder: Path) -> None:
    if refused:
        named = some([f"{error.path.relative_to(folder)} ({error.reason})" for error in refused])
        raise DataError(
            f"{folder} has {len(refused)} images that cannot be read without loss: {named}; repair "
            "them or convert them to 8-bit grey or RGB without alpha"
        )


def _check_sizes(headers: Sequence[ImageHeader], options: DataOptions, folder: Path) -> None:
    side = options.patch_size
    if options.random_crops and not side:
        raise DataError(
            "data.random_crops cuts patches: say how large they are, such as data.patch_size=64"
        )
    wanted = options.size or (None if side else headers[0].size)
    if wanted is not None:
        wrong = [header for header in headers if header.size != wanted]
        what = f"are not {_size(wanted)} pixels (height x width)"
        if options.size is None:
            what += f" like the first, {headers[0].path.relative_to(folder)}"
        remedy = "resize them, or cut all into squares with --set data.patch_size=32"
    else:
        wrong = [header for header in headers if side and min(header.size) < side]
        what = f"are smaller than a patch of {side}x{side} pixels"
        remedy = (
            f"give a smaller one with --set data.patch_size={min(min(h.size) for h in headers)}"
        )
    if wrong:
        named = some([f"{h.path.relative_to(folder)} ({_size(h.size)})" for h in wrong])
        raise SizesError(
            f"{folder} has {len(wrong)} of {len(headers)} images that {what}: {named}; {remedy}"
        )


def _notes(
    headers: Sequence[ImageHeader],
    channels: int,
    options: DataOptions,
    left_aside: Sequence[tuple[str, str]],
) -> tuple[str, ...]:
    formats = Counter(header.format for header in headers)
    notes = ["read: " + ", ".join(f"{count} {name}" for name, count in sorted(formats.items()))]
    conversions = Counter(header.conversion for header in headers if header.conversion)
    if num_grey := sum(header.channels < channels for header in headers):
        conversions["grey to RGB"] = num_grey
    notes += [f"converted: {name} ({count})" for name, count in sorted(conversions.items())]
    turned = sum(header.orientation > 1 for header in headers)
    notes += [f"turned upright, as EXIF says: {turned}"] if turned else []
    lost = Counter(f"not kept, {fact}" for header in headers for fact in header.not_kept)
    notes += [f"{fact}: {count}" for fact, count in sorted(lost.items())]
    if options.patch_size:
        notes.append("patches do not overlap; what is left at the right and bottom is dropped")
    if options.random_crops:
        notes.append(RANDOM_CROPS)
    if left_aside:
        notes.append(f"left aside: {grouped(left_aside)}")
    return tuple(notes)


def _size(size: tuple[int, int]) -> str:
    return f"{size[0]}x{size[1]}"
