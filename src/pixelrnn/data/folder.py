"""A folder of image files, sorted by name; sub-folders train, validation, test make the splits."""

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

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
from pixelrnn.data.image_files import ImageHeader, UnreadableImageError, read_header, read_pixels
from pixelrnn.data.options import DataOptions
from pixelrnn.data.patches import cut_patches
from pixelrnn.errors import DataError

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff", ".gif"})
# Files that are pictures to their owner: leaving them out without a word would be a surprise.
OTHER_IMAGES = frozenset(
    {".avif", ".dng", ".exr", ".hdr", ".heic", ".heif", ".jp2", ".jxl", ".pgm", ".ppm", ".psd"}
)
NUM_NAMED = 3  # offenders that a message names; the others are counted


def load_folder(path: Path, options: DataOptions) -> DataSet:
    """Return the images of a folder.

    Images in the folder itself are sorted by name and split by index. If there are sub-folders
    train and test, and perhaps validation, they are the splits. With `patch_size` each image is cut into
    squares that do not overlap, after whole images were assigned to splits.

    Raises:
        DataError: if there are no images, if one cannot be read without losing something, or if
            their sizes differ from what is asked; the message names them.
    """
    files, rule = _files_of_splits(path)
    headers = {split: _headers(files[split], path) for split in SPLITS}
    everything = [header for split in SPLITS for header in headers[split]]
    _check_sizes(everything, options, path)
    channels = max(header.channels for header in everything)
    images, counts = _read_splits(headers, channels, options, path)
    patches = f" ({options.patch_size}x{options.patch_size} patches)" if options.patch_size else ""
    return DataSet(
        name=path.resolve().name + patches,
        num_levels=options.num_levels or 256,
        train=images["train"],
        validation=images["validation"],
        test=images["test"],
        source=str(path),
        licence="the owner's",
        notes=_notes(everything, channels, options, _num_other_files(path, files)),
        split_rule=rule,
        pictures=number_pictures(counts) if options.patch_size else None,
    )


def _files_of_splits(path: Path) -> tuple[dict[str, list[Path]], str]:
    flat = _image_files(path)
    folders = [split for split in SPLITS if (path / split).is_dir()]
    if not folders:
        if not flat:
            raise DataError(
                f"{path} has no images ({', '.join(sorted(SUFFIXES))}): name a folder that has "
                "them itself or in sub-folders train, test and, if wanted, validation"
            )
        parts = carve_all_indices(len(flat))
        files = {split: [flat[i] for i in part] for split, part in zip(SPLITS, parts, strict=True)}
        return files, f"sorted by name, {WHOLE_RULE}"
    if flat:
        raise DataError(
            f"{path} has images beside its sub-folder {folders[0]}: move them into sub-folders "
            "train, test and, if wanted, validation, or all into one folder"
        )
    files = {split: _image_files(path / split) if split in folders else [] for split in SPLITS}
    for split in {"train", "test", *folders}:
        if not files[split]:
            raise DataError(f"{path} has no images in a sub-folder {split}: add them")
    if "validation" in folders:
        return files, "as in the sub-folders"
    train = files["train"]
    kept, held_out = carve_validation_indices(len(train))
    files["train"], files["validation"] = [train[i] for i in kept], [train[i] for i in held_out]
    return files, f"test: as in the sub-folder; sorted by name, {VALIDATION_RULE}"


def _image_files(folder: Path) -> list[Path]:
    try:
        files = sorted((child for child in folder.iterdir() if child.is_file()), key=_name)
    except OSError as error:
        raise DataError(f"{folder} cannot be read: {error.strerror}") from error
    visible = [file for file in files if not file.name.startswith(".")]
    if others := [file.name for file in visible if file.suffix.lower() in OTHER_IMAGES]:
        raise DataError(
            f"{folder} has {len(others)} images of a kind that is not read: {_named(others)}; "
            "convert them to PNG, or move them away"
        )
    return [file for file in visible if file.suffix.lower() in SUFFIXES]


def _name(file: Path) -> str:
    return file.name


def _num_other_files(path: Path, files: dict[str, list[Path]]) -> int:
    folders = {path, *(path / split for split in SPLITS if (path / split).is_dir())}
    present = sum(child.is_file() for folder in folders for child in folder.iterdir())
    return present - sum(map(len, files.values()))


def _headers(files: Iterable[Path], folder: Path) -> list[ImageHeader]:
    headers, refused = [], []
    for file in files:
        try:
            headers.append(read_header(file))
        except UnreadableImageError as error:
            refused.append(error)
    _raise_refused(refused, folder)
    return headers


def _raise_refused(refused: list[UnreadableImageError], folder: Path) -> None:
    if refused:
        named = _named([f"{error.path.name} ({error.reason})" for error in refused])
        raise DataError(
            f"{folder} has {len(refused)} images that cannot be read without loss: {named}; repair "
            "them or convert them to 8-bit grey or RGB without alpha"
        )


def _check_sizes(headers: Sequence[ImageHeader], options: DataOptions, folder: Path) -> None:
    side = options.patch_size
    wanted = options.size or (None if side else headers[0].size)
    if wanted is not None:
        wrong = [header for header in headers if header.size != wanted]
        what = f"are not {_size(wanted)} pixels (height x width)"
        if options.size is None:
            what += f" like the first, {headers[0].path.name}"
        remedy = "resize them, or cut all into squares with --set data.patch_size=32"
    else:
        wrong = [header for header in headers if side and min(header.size) < side]
        what = f"are smaller than a patch of {side}x{side} pixels"
        remedy = (
            f"give a smaller one with --set data.patch_size={min(min(h.size) for h in headers)}"
        )
    if wrong:
        named = _named([f"{header.path.name} ({_size(header.size)})" for header in wrong])
        raise DataError(
            f"{folder} has {len(wrong)} of {len(headers)} images that {what}: {named}; {remedy}"
        )


def _read_splits(
    headers: dict[str, list[ImageHeader]], channels: int, options: DataOptions, folder: Path
) -> tuple[dict[str, Images], list[list[int]]]:
    """Return the images of each split, and how many each file gave."""
    side = options.patch_size
    height, width = (side, side) if side else next(h for s in SPLITS for h in headers[s]).size
    refused: list[UnreadableImageError] = []
    images, counts = {}, []
    for split in SPLITS:
        parts = [np.empty((0, channels, height, width), np.uint8)]
        for header in headers[split]:
            try:
                picture = read_pixels(header)
            except UnreadableImageError as error:
                refused.append(error)
                continue
            picture = np.broadcast_to(picture, (channels, *picture.shape[1:]))
            parts.append(cut_patches(picture, side, side) if side else picture[np.newaxis])
        images[split] = np.concatenate(parts)
        counts.append([len(part) for part in parts[1:]])
    _raise_refused(refused, folder)
    return images, counts


def _notes(
    headers: Sequence[ImageHeader], channels: int, options: DataOptions, num_other_files: int
) -> tuple[str, ...]:
    formats = Counter(header.format for header in headers)
    notes = ["read: " + ", ".join(f"{count} {name}" for name, count in sorted(formats.items()))]
    conversions = Counter(header.conversion for header in headers if header.conversion)
    if num_grey := sum(header.channels < channels for header in headers):
        conversions["grey to RGB"] = num_grey
    notes += [f"converted: {name} ({count})" for name, count in sorted(conversions.items())]
    if options.patch_size:
        notes.append("patches do not overlap; what is left at the right and bottom is dropped")
    if num_other_files:
        notes.append(f"left out: {num_other_files} files that are not images")
    return tuple(notes)


def _named(names: Sequence[str]) -> str:
    more = len(names) - NUM_NAMED
    return ", ".join(names[:NUM_NAMED]) + (f" and {more} more" if more > 0 else "")


def _size(size: tuple[int, int]) -> str:
    return f"{size[0]}x{size[1]}"
