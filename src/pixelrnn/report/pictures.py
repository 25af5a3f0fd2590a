"""Small images as data URLs, at their own size: the page enlarges them."""

import base64
import io
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

from pixelrnn import pictures


@dataclass(frozen=True)
class SheetPicture:
    """Several images in one picture: its data URL, its size in pixels, and what it shows."""

    url: str
    width: int
    height: int
    alt: str


def data_url(image: npt.NDArray[np.uint8], num_levels: int) -> str:
    """Return one image as a PNG in a data URL.

    Args:
        image: uint8 `(C, H, W)`, values below `num_levels`; levels are spread over 0..255. With
            other than one or three channels the first is shown.
        num_levels: how many values a sub-pixel has, 2..256.

    Example:
        >>> data_url(np.zeros((1, 2, 2), dtype=np.uint8), 17)[:22]
        'data:image/png;base64,'
    """
    shown = pictures.shades(num_levels)[image if len(image) == 3 else image[:1]]
    return _png_url(pictures.picture(shown.transpose(1, 2, 0)))


def sheet_picture(
    images: npt.NDArray[np.uint8],
    num_levels: int,
    *,
    columns: int,
    alt: str,
    known: npt.NDArray[np.bool_] | None = None,
) -> SheetPicture:
    """Return images in rows as one picture, with nothing between them but the page.

    Args:
        images: uint8 `(N, C, H, W)`, values below `num_levels`.
        num_levels: how many values a sub-pixel has.
        columns: images in a row.
        alt: what the picture shows.
        known: bool, broadcast to `(N, H, W)`: what is not known is a checkerboard.
    """
    images = images if images.shape[1] == 3 else images[:, :1]
    pixels = pictures.sheet(images, num_levels, columns=columns, known=known, scale=1)
    opaque = np.ones((len(images), 1, *images.shape[2:]), np.uint8)
    alpha = pictures.sheet(opaque, 2, columns=columns, scale=1, paper=0)
    shown = pictures.picture(pixels)
    shown.putalpha(pictures.picture(alpha))
    return SheetPicture(_png_url(shown), shown.width, shown.height, alt)


def _png_url(image: Image.Image) -> str:
    buffer = io.BytesIO()
    image.save(buffer, format="PNG", optimize=True)
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}"
