"""Where images to score come from: one at a time, whatever there are and however large.

A source is a folder, whose files are read one after the other and may be of different sizes; an album;
a split of a data set; images that are made (`made.py`); or one of these, changed (`changed.py`).
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from pixelrnn.arrays import Images, Integers
from pixelrnn.coding import Album
from pixelrnn.data import DataSet
from pixelrnn.data.folder import no_images
from pixelrnn.data.image_files import UnreadableImageError, depth_of, read_header, read_pixels
from pixelrnn.data.listing import grouped, list_images
from pixelrnn.errors import DataError, PixelRNNError
from pixelrnn.lazy import LazySequence
from pixelrnn.models.given_images import check_images
from pixelrnn.scoring.changed import CHANGES
from pixelrnn.scoring.made import MADE, Shape
from pixelrnn.uncertainty import Pictures, evenly_spread
from pixelrnn.wording import counted, without_surrogates

PIXELS_AT_ONCE = 1 << 16  # of a batch, beyond its first image


class UnfitImageError(DataError):
    """An image that cannot be scored; `reason` fits in brackets."""

    def __init__(self, number: int, source: "Source", reason: str) -> None:
        super().__init__(f"image {source.names[number]} of {source.name}: {reason}")
        self.reason = reason


@dataclass(frozen=True)
class Source:
    """Images by number, read when they are asked for.

    Attributes:
        name: what they are called.
        names: of each image.
        read: from a number to the image, uint8 `(C, H, W)`.
        fingerprint: changes if the images do.
        pictures: which picture each was cut from, `(N,)`; None where each is one of its own.
        notes: what is left aside.
    """

    name: str
    names: Sequence[str]
    read: Callable[[int], Images]
    fingerprint: str
    pictures: Pictures | None = None
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.names)

    def take(self, chosen: Integers) -> "Source":
        """Return some of the images, by their numbers."""
        return replace(
            self,
            names=[self.names[number] for number in chosen],
            read=lambda number: self.read(int(chosen[number])),
            fingerprint=_digest(self.fingerprint, *map(str, chosen)),
            pictures=None if self.pictures is None else self.pictures[chosen],
        )

    def at_most(self, count: int | None) -> "Source":
        """Return so many of the images, evenly spread; all if there are no more, or with None."""
        if count is None or len(self) <= count:
            return self
        return self.take(evenly_spread(len(self), count))


@dataclass(frozen=True)
class Fit:
    """What images must be like to be scored by a model.

    Attributes:
        channels: of the model's images.
        num_levels: likewise.
    """

    channels: int
    num_levels: int

    def __call__(self, image: Images) -> Images:
        """Return an image as the model takes it: grey in a colour model has three equal colours.

        Raises:
            ImageMismatchError: if it does not fit.
        """
        if len(image) == 1 and self.channels == 3:
            image = np.broadcast_to(image, (3, *image.shape[1:]))
        check_images(image[np.newaxis], self.channels, self.num_levels)
        return image


def read(source: Source, fit: Fit, number: int) -> Images:
    """Return an image as the model takes it.

    Raises:
        UnfitImageError: if it cannot be read without loss, or does not fit the model.
    """
    try:
        image = fit(source.read(number))
    except PixelRNNError as error:
        raise UnfitImageError(number, source, getattr(error, "reason", str(error))) from error
    return image


def batches(
    source: Source,
    fit: Fit,
    *,
    size: int,
    start: int = 0,
    on_unfit: Callable[[int, UnfitImageError], None] | None = None,
) -> Iterator[tuple[list[int], Images]]:
    """Yield numbers and images `(B, C, H, W)`, in order; those of a batch are of one size.

    Args:
        source: the images.
        fit: what they must be like.
        size: the most images of a batch.
        start: the number of the first.
        on_unfit: called with an image that cannot be scored, which is then left out; by default that is
            raised.

    Raises:
        UnfitImageError: if an image cannot be scored, after those before it were yielded.
    """
    numbers: list[int] = []
    images: list[Images] = []
    for number in range(start, len(source)):
        try:
            image = read(source, fit, number)
        except UnfitImageError as error:
            if images:
                yield numbers, np.stack(images)
            numbers, images = [], []
            if on_unfit is None:
                raise
            on_unfit(number, error)
            continue
        is_full = len(images) == size or (len(images) + 1) * image[0].size > PIXELS_AT_ONCE
        if images and (is_full or image.shape != images[0].shape):
            yield numbers, np.stack(images)
            numbers, images = [], []
        numbers.append(number)
        images.append(image)
    if images:
        yield numbers, np.stack(images)


def of_data(data: DataSet, split: str) -> Source:
    """Return a split of a data set.

    Raises:
        DataError: if it is empty.
    """
    images = data.images(split)
    return Source(
        name=data.name if split == "all" else f"{data.name}, {split}",
        names=_Numbers(len(images)),
        read=lambda number: images[number],
        fingerprint=data.sha256(split),
        pictures=data.pictures_of(split),
    )


def of_folder(path: Path, num_levels: int = 256) -> Source:
    """Return the images of a folder and its sub-folders, or one image file.

    Args:
        path: the folder or file.
        num_levels: of a sub-pixel; of more than 256, files of 16 bits are read, and others not.

    Raises:
        DataError: if there are none, or a sub-folder cannot be looked into.
    """
    if path.is_file():
        files, notes = {path.name: path}, []
    else:
        listing = list_images(path)
        if listing.unreadable:
            raise listing.unreadable[0]
        if not listing.images:
            raise DataError(no_images(path, listing))
        files = {name: path / name for name in listing.images}
        notes = [f"left aside: {grouped(listing.left_aside)}"] if listing.left_aside else []
    paths, depth = list(files.values()), depth_of(num_levels)
    return Source(
        name=without_surrogates(path.resolve().name),
        names=[without_surrogates(name) for name in files],
        read=lambda number: read_pixels(read_header(paths[number], depth)),
        fingerprint=_digest(*(f"{name!a} {_state(each)}" for name, each in files.items())),
        notes=tuple(notes),
    )


def of_album(path: Path) -> Source:
    """Return the images of an album; what they are is decoded when they are asked for.

    Raises:
        CompressedFileError: if it is damaged, or of a model that is not here.
        DataError: if it is empty.
    """
    album = Album(path)
    if not len(album):
        raise DataError(f"{path} holds no images: compress some into it")
    names = [entry.name or f"image {number}" for number, entry in enumerate(album.entries)]

    def colours(number: int) -> Images:
        image = album[number]
        if len(image) in (2, 4):
            if image[-1].min() < 255:
                raise UnreadableImageError(path / names[number], "alpha that is not opaque")
            image = image[:-1]
        return image

    return Source(path.name, names, colours, _digest(f"{path.absolute()} {_state(path)}"))


def of_made(name: str, shape: Shape, num_levels: int, count: int, seed: int = 0) -> Source:
    """Return images that are made, so many of one shape.

    Raises:
        UnknownKindError: if none is called so.
    """
    make = MADE[name]
    about = f"{name} {shape} {num_levels} {seed}"
    return Source(
        name=f"{name} (seed {seed})" if seed else name,
        names=_Numbers(count),
        read=lambda number: make(shape, num_levels, np.random.default_rng((seed, number))),
        fingerprint=_digest(about, str(count)),
    )


def changed(source: Source, name: str, num_levels: int, seed: int = 0) -> Source:
    """Return a source's images, each changed.

    Raises:
        UnknownKindError: if no change is called so.
    """
    change = CHANGES[name]
    return replace(
        source,
        name=f"{source.name}, {name}",
        read=lambda number: change(
            source.read(number), num_levels, np.random.default_rng((seed, number))
        ),
        fingerprint=_digest(source.fingerprint, name, str(num_levels), str(seed)),
    )


class _Numbers(LazySequence[str]):
    """The names of images that have none: their numbers."""

    def __init__(self, count: int) -> None:
        self._count = count

    def __len__(self) -> int:
        return self._count

    def _make(self, index: int) -> str:
        return str(index)


def _state(path: Path) -> str:
    """Return what changes if a file does, without reading it."""
    try:
        about = path.stat()
    except OSError:
        return "gone"
    return f"{about.st_size} {about.st_mtime_ns}"


def _digest(*parts: str) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part.encode() + b"\0")
    return digest.hexdigest()


def described(source: Source) -> str:
    """Say how many images there are, and of what.

    Example:
        >>> described(of_made("noise", (1, 8, 8), 17, 300))
        '300 images of noise'
    """
    return f"{counted(len(source), 'image')} of {source.name}"
