"""The images that `pixelrnn bench codec` measures."""

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pixelrnn.shipped import DEFAULT_MODELS, mostly

if TYPE_CHECKING:
    from pixelrnn.data import Images

DIGITS_MODEL = "digits-pixelcnn"


@dataclass(frozen=True)
class MeasuredImages:
    """Images to measure, each uint8 `(C, H, W)`, and what they are called."""

    name: str
    split: str
    images: "Sequence[Images]"
    num_levels: int
    sha256: str

    @property
    def usual_model(self) -> str:
        """The name of the model for such images."""
        from pixelrnn.data.digits import NUM_LEVELS

        is_like_digits = len(self.images[0]) == 1 and self.num_levels == NUM_LEVELS
        if is_like_digits:
            return DIGITS_MODEL
        return DEFAULT_MODELS[mostly((*image.shape[1:], len(image)) for image in self.images)]

    @property
    def largest_side(self) -> int:
        """In pixels."""
        return max(int(side) for image in self.images for side in image.shape[1:])

    @property
    def sizes(self) -> list[tuple[int, int]]:
        """Heights and widths, each once, in pixels, the smallest first."""
        return sorted({image.shape[1:] for image in self.images}, key=math.prod)


def measured_images(source: str, split: str, count: int | None) -> MeasuredImages:
    """Return the images of a split; of a folder or album of differing sizes, all of them."""
    from pixelrnn.data import load
    from pixelrnn.data.folder import SizesError

    try:
        data = load(source)
    except SizesError:
        pictures = _pictures(Path(source).expanduser(), count)
        digest = hashlib.sha256()
        for picture in pictures:
            digest.update(f"uint8 {picture.shape}\n".encode() + picture.tobytes())
        return MeasuredImages(Path(source).name, "all", pictures, 256, digest.hexdigest())
    images = list(data.images(split)[:count])
    return MeasuredImages(data.name, split, images, data.num_levels, data.sha256(split))


def _pictures(path: Path, count: int | None) -> "list[Images]":
    """Return the first images of a folder or album, each at its own size; all of colours if one is."""
    import numpy as np

    from pixelrnn.coding import Album
    from pixelrnn.data import albums, image_files, listing

    if path.is_dir():
        files = [path / name for name in listing.list_images(path).images[:count]]
        pictures = [image_files.read_pixels(image_files.read_header(file)) for file in files]
    else:
        with Album(path) as album:
            headers = albums.headers(path, album)[:count]
            pictures = list(map(albums.reader(album), headers))
    channels = max(map(len, pictures))
    return [np.broadcast_to(picture, (channels, *picture.shape[1:])) for picture in pictures]
