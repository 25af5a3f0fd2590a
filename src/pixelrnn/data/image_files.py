"""One image file: what its header says, and its pixels, with nothing lost on the way.

Some files can be read as 8-bit grey or RGB without changing a pixel (1-bit, palettes, alpha that is
opaque everywhere); the change is named, so that it can be recorded. Others cannot (16-bit, CMYK,
alpha, animations): they are refused, even where Pillow would quietly reduce them.
"""

import contextlib
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pixelrnn.data.dataset import Images
from pixelrnn.errors import DataError

if TYPE_CHECKING:
    from PIL import Image

FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "TIFF", "GIF")
CHANNELS = {"1": 1, "L": 1, "LA": 1, "P": 3, "RGB": 3, "RGBA": 3}
REFUSED_MODES = {
    "CMYK": "CMYK",
    "YCbCr": "YCbCr",
    "LAB": "CIE Lab",
    "F": "floating point",
    "I": "32-bit",
    "RGBX": "RGB with a fourth channel",
    "RGBa": "RGB with premultiplied alpha",
    "La": "grey with premultiplied alpha",
}
TIFF_BITS_PER_SAMPLE, TIFF_COLOUR_MAP = 258, 320


class UnreadableImageError(DataError):
    """An image file that is damaged, or that would lose something; `reason` fits in brackets."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = path
        self.reason = reason


@dataclass(frozen=True)
class ImageHeader:
    """What is known of an image file before its pixels are read.

    Attributes:
        path: the file.
        format: Pillow's name of it, such as "PNG".
        channels: 1 for grey, 3 for colour.
        size: (height, width) in pixels.
        has_alpha: whether its pixels must be looked at to see that nothing is transparent.
        conversion: what reading it as 8-bit grey or RGB changes, in words, or "".
    """

    path: Path
    format: str
    channels: int
    size: tuple[int, int]
    has_alpha: bool
    conversion: str


def read_header(path: Path) -> ImageHeader:
    """Read the header of an image file.

    Raises:
        UnreadableImageError: if it is not an image, or one that 8-bit grey or RGB cannot hold.
    """
    with _opened(path) as image:
        _refuse_animation(image, path)
        depth = _bit_depth(image, path)
        if depth > 8 or image.mode.startswith("I;"):
            raise UnreadableImageError(path, f"{max(depth, 16)}-bit")
        if image.mode not in CHANNELS:
            raise UnreadableImageError(path, REFUSED_MODES.get(image.mode, f"mode {image.mode}"))
        has_alpha = image.mode in ("LA", "RGBA") or "transparency" in image.info
        return ImageHeader(
            path=path,
            format=image.format or "?",
            channels=CHANNELS[image.mode],
            size=(image.height, image.width),
            has_alpha=has_alpha,
            conversion=_conversion(image.mode, depth, has_alpha=has_alpha),
        )


def read_pixels(header: ImageHeader) -> Images:
    """Read the pixels of an image file: uint8 `(C, H, W)`.

    Raises:
        UnreadableImageError: if the file is truncated or damaged, or a pixel is transparent.
    """
    with _opened(header.path) as image:
        image.load()
        if header.has_alpha and image.convert("RGBA").getchannel("A").getextrema() != (255, 255):
            raise UnreadableImageError(header.path, "alpha that is not opaque")
        pixels = np.array(image.convert("L" if header.channels == 1 else "RGB"), np.uint8)
    return pixels.reshape(*header.size, header.channels).transpose(2, 0, 1)


def read_bands(header: ImageHeader) -> Images:
    """Read the pixels of an image file with all their bands, alpha too: uint8 `(H, W, 1 to 4)`.

    The bands are grey; grey and alpha; red, green, blue; or these and alpha.

    Raises:
        UnreadableImageError: if the file is truncated or damaged.
    """
    mode = "L" if header.channels == 1 else "RGB"
    if header.has_alpha:
        mode += "A"
    with _opened(header.path) as image:
        image.load()
        if (image.height, image.width) != header.size:
            raise UnreadableImageError(header.path, "not the image that it was a moment ago")
        pixels = np.array(image.convert(mode), np.uint8)
    return pixels.reshape(*header.size, len(mode))


@contextlib.contextmanager
def _opened(path: Path) -> Iterator["Image.Image"]:
    from PIL import Image, UnidentifiedImageError  # noqa: PLC0415 - only those who read images wait for Pillow

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path, formats=FORMATS) as image:
                yield image
    except UnreadableImageError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        limit = Image.MAX_IMAGE_PIXELS or 0
        raise UnreadableImageError(path, f"more than {limit:,} pixels") from error
    except UnidentifiedImageError as error:
        raise UnreadableImageError(path, "not an image, or damaged") from error
    # Decoders meet damaged bytes with errors of every kind.
    except Exception as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UnreadableImageError(path, f"truncated or damaged: {reason}") from error


def _refuse_animation(image: "Image.Image", path: Path) -> None:
    # A camera's JPEG may carry a preview as a second frame: the first is the picture.
    if image.format in ("JPEG", "MPO"):
        return
    num_frames = getattr(image, "n_frames", 1)
    if num_frames > 1:
        what = "pages" if image.format == "TIFF" else "animation frames"
        raise UnreadableImageError(path, f"{num_frames} {what}")


def _bit_depth(image: "Image.Image", path: Path) -> int:
    """Return the bits of a sample in the file: Pillow reads 48-bit RGB as 24-bit without a word."""
    if image.format == "PNG":
        with path.open("rb") as stream:
            return stream.read(25)[24]  # signature, length, "IHDR", width, height, bit depth
    if image.format == "TIFF":
        tags: dict[int, tuple[int, ...]] = getattr(image, "tag_v2", {})
        # Colour maps have 16 bits: those made from 8 repeat the byte, or leave the lower one zero.
        if any(value % 257 and value % 256 for value in tags.get(TIFF_COLOUR_MAP, ())):
            return 16
        return max(tags.get(TIFF_BITS_PER_SAMPLE, (1,)))
    return 1 if image.mode == "1" else 8


def _conversion(mode: str, depth: int, *, has_alpha: bool) -> str:
    if mode == "P":
        return "palette to RGB"
    if has_alpha:
        return "opaque alpha dropped"
    if mode == "1":
        return "1-bit to grey 0 and 255"
    if depth < 8:
        return f"{depth}-bit grey to 0 ... 255"
    return ""
