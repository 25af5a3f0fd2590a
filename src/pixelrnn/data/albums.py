"""Albums as data: the images of a compressed file, in the order of the file, split by index."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from pixelrnn.arrays import Images
from pixelrnn.data.dataset import DataSet
from pixelrnn.data.folder import assemble
from pixelrnn.data.image_files import ImageHeader, without_alpha
from pixelrnn.data.options import DataOptions
from pixelrnn.errors import DataError

if TYPE_CHECKING:
    from pixelrnn.coding import Album

FORMAT = "PXR"


@dataclass(frozen=True)
class _Stored(ImageHeader):
    """An image of an album; `number` says which."""

    number: int = 0


def load_album(path: Path, options: DataOptions) -> DataSet:
    """Return the images of an album, with as many levels as its model has.

    They have one size, or are cut into patches, as those of a folder; see `load_folder`.

    Raises:
        CompressedFileError: if the file is damaged, or of a model that is not here.
        DataError: if there are no images, or they do not fit together.
    """
    from pixelrnn.coding import Album  # noqa: PLC0415 - only those who read albums wait for numba

    with Album(path) as album:
        return assemble(
            path,
            {"train": headers(path, album)},
            "in the order of the file, ",
            options,
            read=reader(album),
            num_levels=album.model.program.num_levels,
        )


def headers(path: Path, album: "Album") -> list[ImageHeader]:
    """Return what is known of each image of an album, which is at `path`."""
    if not len(album):
        raise DataError(f"{path} holds no images: compress some into it")
    return [
        _Stored(
            path=path / (entry.name or f"image {number}"),
            format=FORMAT,
            channels=1 if entry.bands < 3 else 3,
            size=(entry.height, entry.width),
            has_alpha=entry.bands in (2, 4),
            conversion="opaque alpha dropped" if entry.bands in (2, 4) else "",
            number=number,
        )
        for number, entry in enumerate(album.entries)
    ]


def reader(album: "Album") -> Callable[[ImageHeader], Images]:
    """Return what reads an image; at the first call all are decoded, on all cores."""
    pictures = cache(lambda: list(album.in_turn()))

    def read(header: ImageHeader) -> Images:
        assert isinstance(header, _Stored)
        return without_alpha(pictures()[header.number], header)

    return read
