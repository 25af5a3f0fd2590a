"""Image files, and folders of them, that are to be compressed, with their names in the album."""

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pixelrnn.arrays import Images
from pixelrnn.coding import Codec
from pixelrnn.coding.container import MAX_FILE_NAME_BYTES
from pixelrnn.data import image_files
from pixelrnn.data.folder import no_images
from pixelrnn.data.image_files import ImageHeader, UnreadableImageError
from pixelrnn.data.listing import grouped, list_images
from pixelrnn.errors import DataError, ImageMismatchError
from pixelrnn.files import FOLDER, not_a_file
from pixelrnn.wording import counted, without_surrogates

PLURALS = {"colour profile": "colour profiles", "set of EXIF data": "sets of EXIF data"}


@dataclass(frozen=True)
class GivenImage:
    """An image file and its name in the album."""

    name: str
    header: ImageHeader
    num_bytes: int

    @property
    def path(self) -> Path:
        """Where it is."""
        return self.header.path

    @property
    def shape(self) -> tuple[int, int, int]:
        """Height and width in pixels, and how many bands, as the file's header has them."""
        return (*self.header.size, self.header.channels + self.header.has_alpha)

    @property
    def num_pixels(self) -> int:
        """Of the image."""
        return self.header.size[0] * self.header.size[1]


@dataclass
class GivenImages:
    """All that was given.

    Attributes:
        images: those whose headers can be read.
        read: those whose pixels were, in order; see `pixels`.
        refused: those that cannot be read without loss.
        left_aside: what is in the folders besides, and why it is not read.
        depth: bits of a level that are read, 8 or 16.
    """

    images: list[GivenImage] = field(default_factory=list)
    read: list[GivenImage] = field(default_factory=list)
    refused: list[UnreadableImageError] = field(default_factory=list)
    left_aside: list[tuple[str, str]] = field(default_factory=list)
    depth: int = 8

    def refuse(self, *, skip: bool) -> None:
        """Raise a DataError that names every image that cannot be read, unless they are skipped.

        Raises:
            DataError: also if no image is left.
        """
        if self.refused and not skip:
            each = grouped([(str(error.path), error.reason) for error in self.refused], None)
            raise DataError(
                f"{counted(len(self.refused), 'image')} cannot be read without loss: {each}; convert to "
                f"{self.depth}-bit PNG (grey or RGB{', with alpha or without' * (self.depth == 8)}), or "
                "leave out such images with --skip"
            )
        if not self.images:
            raise nothing_left(self.notes())

    def check_sizes(self, codec: Codec, *, skip: bool) -> None:
        """Look for images that are too large, before their pixels are read.

        Raises:
            ImageMismatchError: if there is one, unless they are skipped.
            DataError: if no image is left.
        """
        fitting = []
        for image in self.images:
            try:
                codec.room.check_size(*image.shape, image.name)
                fitting.append(image)
            except ImageMismatchError as error:
                if not skip:
                    raise
                reason = str(error).removeprefix(f"{image.name}: ")
                self.refused.append(UnreadableImageError(image.path, reason))
        self.images = fitting
        self.refuse(skip=True)

    def pixels(self, *, skip: bool) -> Iterator[tuple[str, Images]]:
        """Read the images one after the other: name and pixels `(H, W, bands)`.

        A damaged file shows only now. It is left out if `skip` is true; if not, the rest is read so that
        all of them are named, and none is yielded any more.

        Raises:
            DataError: at the end, if a file is damaged, unless `skip` is true.
        """
        for image in self.images:
            try:
                bands = image_files.read_bands(image.header)
            except UnreadableImageError as error:
                self.refused.append(error)
                continue
            if skip or not self.refused:
                self.read.append(image)
                yield image.name, bands
        self.refuse(skip=skip)

    def notes(self) -> list[str]:
        """Return what has to be said of files that are not in the album as they are on disk."""
        notes = []
        if self.refused:
            each = grouped([(str(error.path), error.reason) for error in self.refused], None)
            notes.append(f"skipped {counted(len(self.refused), 'image')}: {each}")
        if self.left_aside:
            notes.append(f"left aside: {grouped(self.left_aside)}")
        if turned := self.num_turned:
            are = counted(turned, "image is", "images are")
            notes.append(f"{are} turned upright, as EXIF says")
        if facts := self.not_kept:
            words = [counted(count, fact, PLURALS[fact]) for fact, count in sorted(facts.items())]
            notes.append(f"not kept: {', '.join(words)}")
        names = [image.path.name for image in self.read]
        if strange := sum(name != without_surrogates(name) for name in names):
            are = counted(strange, "name is", "names are")
            notes.append(f"{are} not UTF-8: bytes that are no text become question marks")
        return notes

    @property
    def num_turned(self) -> int:
        """How many images EXIF has turned."""
        return sum(image.header.orientation > 1 for image in self.read)

    @property
    def not_kept(self) -> dict[str, int]:
        """What the files say beside their pixels, and how many of them."""
        return dict(Counter(fact for image in self.read for fact in image.header.not_kept))


def nothing_left(why: list[str]) -> DataError:
    """Return the error that no image is left to compress, and why."""
    return DataError(f"no image is left to compress, and no file is written; {'; '.join(why)}")


def given_images(paths: Sequence[Path], depth: int = 8) -> GivenImages:
    """Read the headers of image files, and of the images in folders and their sub-folders.

    A folder's images are named as they are in it. Where more than one thing is given, the folder's own
    name stands in front; where two files have the same name, that of the folder they are in.

    Args:
        paths: of the files and folders.
        depth: bits of a level, 8 or 16.

    Raises:
        DataError: if there is no such file, or a folder has no images.
    """
    given = GivenImages(depth=depth)
    alike = Counter(path.name for path in paths if not_a_file(path) != FOLDER)
    for path in paths:
        if not_a_file(path) == FOLDER:
            listing = list_images(path)
            if not listing.images and not listing.unreadable:
                raise DataError(no_images(path, listing))
            prefix = f"{_name(path)}/" if len(paths) > 1 else ""
            given.refused += listing.unreadable
            given.left_aside += [(prefix + name, why) for name, why in listing.left_aside]
            _add(given, ((path / image, prefix + image) for image in listing.images))
        elif os.path.exists(path):  # noqa: PTH110 - never raises
            folder = f"{_name(path.absolute().parent)}/" if alike[path.name] > 1 else ""
            _add(given, [(path, folder + path.name)])
        else:
            raise DataError(f"there is no file {path}: give images, or a folder of images")
    return given


def _name(folder: Path) -> str:
    """Return the name of a folder, also of "."."""
    return Path(os.path.abspath(folder)).name or "images"  # noqa: PTH100 - links keep their names


def _add(given: GivenImages, files: Iterable[tuple[Path, str]]) -> None:
    for path, name in files:
        text = without_surrogates(name)
        try:
            if len(text.encode()) > MAX_FILE_NAME_BYTES:
                reason = f"its name has more than {MAX_FILE_NAME_BYTES:,} bytes, with those of its folders"
                raise UnreadableImageError(path, reason)
            given.images.append(
                GivenImage(text, image_files.read_header(path, given.depth), path.stat().st_size)
            )
        except UnreadableImageError as error:
            given.refused.append(error)
