"""A folder of image files and its sub-folders, sorted by name; train, validation, test make the splits."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np

from pixelrnn.data.dataset import (
    SPLITS,
    VALIDATION_RULE,
    WHOLE_RULE,
    DataSet,
    Images,
    carve_all_indices,
    carve_validation_indices,
    number_pictures,
)
from pixelrnn.data.image_files import (
    SUFFIXES,
    ImageHeader,
    UnreadableImageError,
    read_header,
    read_pixels,
)
from pixelrnn.data.listing import ImageFile, Listing, grouped, list_images, some
from pixelrnn.data.options import DataOptions
from pixelrnn.data.patches import RANDOM_CROPS, Uncut, cut_patches, uncut
from pixelrnn.errors import DataError

T = TypeVar("T")
R = TypeVar("R")


class SizesError(DataError):
    """Images that are not all of one size."""


def load_folder(path: Path, options: DataOptions) -> DataSet:
    """Return the images of a folder.

    Images in the folder and its sub-folders are sorted by name and split by index. If there are sub-folders
    train and test, and perhaps validation, they are the splits, each with all that is below it. With
    `patch_size` each image is cut into squares that do not overlap, after whole images were assigned to
    splits.

    Raises:
        DataError: if there are no images, if one cannot be read without losing something, or if
            their sizes differ from what is asked; the message names them.
    """
    listing = list_images(path)
    _raise_refused(listing.unreadable, path)
    files, rule = _files_of_splits(path, listing)
    headers = {split: _all(read_header, files[split], path) for split in SPLITS}
    return assemble(path, headers, rule, options, left_aside=listing.left_aside)


def assemble(
    path: Path,
    headers: dict[str, list[ImageHeader]],
    rule: str,
    options: DataOptions,
    *,
    read: Callable[[ImageHeader], Images] | None = None,
    left_aside: Sequence[tuple[str, str]] = (),
    num_levels: int = 256,
) -> DataSet:
    """Return the images of some headers, whole or in patches, as a data set; see `load_folder`.

    Args:
        path: what they are in; the paths of the headers are below it.
        headers: of each split.
        rule: how the splits were made.
        options: what the user asks for.
        read: a header to its pixels `(C, H, W)`; by default the file is read.
        left_aside: what is not among them, and why.
        num_levels: unless the options say.
    """
    everything = [header for split in SPLITS for header in headers[split]]
    _check_sizes(everything, options, path)
    channels = max(header.channels for header in everything)
    images, counts, pictures = _read_splits(headers, channels, options, path, read or read_pixels)
    patches = f" ({options.patch_size}x{options.patch_size} patches)" if options.patch_size else ""
    return DataSet(
        name=path.resolve().name + patches,
        num_levels=options.num_levels or num_levels,
        train=images["train"],
        validation=images["validation"],
        test=images["test"],
        source=str(path),
        licence="the owner's",
        notes=_notes(everything, channels, options, left_aside),
        split_rule=rule,
        pictures=number_pictures(counts) if options.patch_size else None,
        uncut=pictures,
    )


def _files_of_splits(path: Path, listing: Listing) -> tuple[dict[str, list[Path]], str]:
    # By characters, and not in natural order: a split is what it was when a run was trained on it.
    images = sorted(listing.images, key=lambda image: image.name.split("/"))
    folders = [split for split in SPLITS if (path / split).is_dir()]
    if not folders:
        if not images:
            raise DataError(no_images(path, listing))
        parts = carve_all_indices(len(images))
        files = {
            split: [images[i].path for i in part] for split, part in zip(SPLITS, parts, strict=True)
        }
        return files, f"sorted by name, {WHOLE_RULE}"
    by_folder = _by_folder(images)
    if "" in by_folder:
        raise DataError(
            f"{path} has images beside its sub-folder {folders[0]}: move them into sub-folders "
            "train, test and, if wanted, validation, or all into one folder"
        )
    files = {split: by_folder.pop(split, []) for split in SPLITS}
    others = [(folder, f"{len(found)} images that are in none of the splits")
              for folder, found in by_folder.items()]  # fmt: skip
    listing.left_aside += others
    for split in {"train", "test", *folders}:
        if not files[split]:
            raise DataError(f"{path} has no images in a sub-folder {split}: add them")
    if "validation" in folders:
        return files, "as in the sub-folders"
    train = files["train"]
    kept, held_out = carve_validation_indices(len(train))
    files["train"], files["validation"] = [train[i] for i in kept], [train[i] for i in held_out]
    return files, f"test: as in the sub-folder; sorted by name, {VALIDATION_RULE}"


def _by_folder(images: Sequence[ImageFile]) -> dict[str, list[Path]]:
    """Return the images by the first folder of their names, "" for those in none."""
    found: dict[str, list[Path]] = {}
    for image in images:
        folder, slash, _ = image.name.partition("/")
        found.setdefault(folder if slash else "", []).append(image.path)
    return found


def no_images(folder: Path, listing: Listing) -> str:
    """Return the message about a folder that has no images."""
    aside = f"; left aside: {grouped(listing.left_aside)}" if listing.left_aside else ""
    return (
        f"{folder} has no images ({', '.join(sorted(SUFFIXES))}), nor have its sub-folders{aside}: name "
        "a folder that has"
    )


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


def read_all(
    headers: Sequence[ImageHeader], folder: Path, read: Callable[[ImageHeader], Images]
) -> list[Images]:
    """Read images of any sizes, each uint8 `(C, H, W)`; all are of colours if one is."""
    channels = max(header.channels for header in headers)
    return [
        np.broadcast_to(picture, (channels, *picture.shape[1:]))
        for picture in _all(read, headers, folder)
    ]


def folder_pictures(path: Path, count: int | None = None) -> list[Images]:
    """Return the images of a folder and its sub-folders, the first `count`, each at its own size."""
    listing = list_images(path)
    _raise_refused(listing.unreadable, path)
    headers = _all(read_header, [image.path for image in listing.images][:count], path)
    return read_all(headers, path, read_pixels)


def _read_splits(
    headers: dict[str, list[ImageHeader]],
    channels: int,
    options: DataOptions,
    folder: Path,
    read: Callable[[ImageHeader], Images],
) -> tuple[dict[str, Images], list[list[int]], Uncut | None]:
    """Return the images of each split, how many each file gave, and what training images are cut from."""
    side = options.patch_size
    training = set(map(id, headers["train"])) if options.random_crops else set()
    kept: list[Images] = []

    def cut(header: ImageHeader) -> Images:
        picture = read(header)
        picture = np.broadcast_to(picture, (channels, *picture.shape[1:]))
        if id(header) in training:
            kept.append(picture)
        return cut_patches(picture, side, side) if side else picture[np.newaxis]

    everything = [header for split in SPLITS for header in headers[split]]
    parts = _all(cut, everything, folder)
    nothing = np.empty((0, *parts[0].shape[1:]), np.uint8)
    images, counts = {}, []
    for split in SPLITS:
        of_split, parts = parts[: len(headers[split])], parts[len(headers[split]) :]
        images[split] = np.concatenate([nothing, *of_split])
        counts.append(list(map(len, of_split)))
    return images, counts, uncut(kept, counts[0]) if options.random_crops else None


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
    notes += _metadata_notes(headers)
    if options.patch_size:
        notes.append("patches do not overlap; what is left at the right and bottom is dropped")
    if options.random_crops:
        notes.append(RANDOM_CROPS)
    if left_aside:
        notes.append(f"left aside: {grouped(left_aside)}")
    return tuple(notes)


def _metadata_notes(headers: Sequence[ImageHeader]) -> list[str]:
    """Return of how many files metadata turned the pixels, or is not kept."""
    turned = sum(header.orientation > 1 for header in headers)
    lost = Counter(f"not kept, {fact}" for header in headers for fact in header.not_kept)
    notes = [f"{fact}: {count}" for fact, count in sorted(lost.items())]
    return [f"turned upright, as EXIF says: {turned}", *notes] if turned else notes


def _size(size: tuple[int, int]) -> str:
    return f"{size[0]}x{size[1]}"
