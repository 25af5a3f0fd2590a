"""One image file: what its header says, and its pixels, with nothing lost on the way.

Some files can be read as 8-bit grey or RGB without changing a pixel (1-bit, palettes, alpha that is
opaque everywhere); the change is named, so that it can be recorded. Others cannot (16-bit, CMYK,
alpha, animations): they are refused, even where Pillow would quietly reduce them. Where EXIF says how a
camera was held, the pixels are turned upright. Files of 16 bits are read where such are wanted.
"""

import contextlib
import importlib
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pixelrnn import deep_images
from pixelrnn.arrays import MAX_PIXELS, Images
from pixelrnn.data.image_facts import bit_depth, highest_level, metadata
from pixelrnn.errors import DataError
from pixelrnn.files import not_a_file
from pixelrnn.wording import first_line

if TYPE_CHECKING:
    from PIL import Image

FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "TIFF", "GIF", "PPM")
_READ = ".png .apng .jpg .jpeg .jpe .jfif .webp .bmp .dib .tif .tiff .gif .ppm .pgm .pbm .pnm"
SUFFIXES = frozenset(_READ.split())
# Read where Pillow, or a plug-in that is installed, does: the format, the plug-in's module and its package.
PLUG_INS = {
    ".avif": ("AVIF", "", "a newer Pillow"),
    **dict.fromkeys((".heic", ".heif", ".hif"), ("HEIF", "pillow_heif", "pillow-heif")),
    ".jxl": ("JXL", "pillow_jxl", "pillow-jxl-plugin"),
}
# Files that are pictures to their owner: leaving them out without a word would be a surprise.
_UNREAD = (
    ".arw .cr2 .cr3 .dng .nef .orf .pef .raf .raw .rw2 .exr .hdr .ico .j2k .jp2 .jpx .jxr .pcx .pfm .psb "
    ".psd .qoi .sgi .svg .tga .xcf"
)
OTHER_IMAGES = frozenset([*PLUG_INS, *_UNREAD.split()])
CHANNELS = {"1": 1, "L": 1, "LA": 1, "P": 3, "RGB": 3, "RGBA": 3}
REFUSED_MODES = {
    "LAB": "CIE Lab",
    "F": "floating point",
    "I": "32-bit",
    "RGBX": "RGB with a fourth channel",
    "RGBa": "RGB with premultiplied alpha",
    "La": "grey with premultiplied alpha",
}


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
        size: (height, width) in pixels, upright.
        has_alpha: whether its pixels must be looked at to see that nothing is transparent.
        conversion: what reading it as 8-bit grey or RGB changes, in words, or "".
        orientation: how its pixels are to be turned, as in EXIF; 1 is upright.
        not_kept: what it says beside its pixels, such as "colour profile".
        depth: bits of a level as it is read, 8 or 16.
    """

    path: Path
    format: str
    channels: int
    size: tuple[int, int]
    has_alpha: bool
    conversion: str
    orientation: int = 1
    not_kept: tuple[str, ...] = ()
    depth: int = 8


def depth_of(num_levels: int) -> int:
    """Return the bits of a level of the image files that hold so many levels."""
    return deep_images.BITS if num_levels > 1 << 8 else 8


def read_header(path: Path, depth: int = 8) -> ImageHeader:
    """Read the header of an image file.

    Args:
        path: the file.
        depth: bits of a level that are wanted, 8 or 16.

    Raises:
        UnreadableImageError: if it is not an image, or one that grey or RGB of such levels cannot hold.
    """
    if depth == deep_images.BITS:
        return _read_deep_header(path)
    with _opened(path) as image:
        _refuse_animation(image, path)
        depth = bit_depth(image, path)
        if depth > 8 or image.mode.startswith("I;"):
            raise UnreadableImageError(path, f"{depth if depth > 8 else 16}-bit")
        if image.mode not in CHANNELS:
            raise UnreadableImageError(path, REFUSED_MODES.get(image.mode, image.mode))
        has_alpha = image.mode in ("LA", "RGBA") or "transparency" in image.info
        turn, not_kept = metadata(image, path)
        size = (image.height, image.width)
        return ImageHeader(
            path=path,
            format=image.format or "?",
            channels=CHANNELS[image.mode],
            size=size[::-1] if turn >= 5 and not _turns_itself(image) else size,
            has_alpha=has_alpha,
            conversion=_conversion(image, depth, has_alpha=has_alpha),
            orientation=turn,
            not_kept=not_kept,
        )


def _read_deep_header(path: Path) -> ImageHeader:
    with _opened(path) as image:
        _refuse_animation(image, path)
        depth = bit_depth(image, path)
        if depth != deep_images.BITS or image.format not in deep_images.FORMATS:
            raise UnreadableImageError(path, f"{depth}-bit {image.format}, not 16-bit PNG or TIFF")
        turn, not_kept = metadata(image, path)
        name, size = image.format, (image.height, image.width)
        if turn != 1:
            raise UnreadableImageError(path, "16-bit, and turned by EXIF")
        if image.mode not in deep_images.CHANNELS:
            raise UnreadableImageError(path, REFUSED_MODES.get(image.mode, image.mode))
        channels = deep_images.CHANNELS[image.mode]
    return ImageHeader(path, name, channels, size, False, "", 1, not_kept, deep_images.BITS)


def read_pixels(header: ImageHeader) -> Images:
    """Read the pixels of an image file: uint8, or uint16 of 16 bits, `(C, H, W)`.

    Raises:
        UnreadableImageError: if the file is truncated or damaged, or a pixel is transparent.
    """
    return without_alpha(read_bands(header), header)


def without_alpha(bands: Images, header: ImageHeader) -> Images:
    """Return all bands of an image but alpha, `(C, H, W)`.

    Args:
        bands: uint8 `(H, W, 1 to 4)`.
        header: of the image.

    Raises:
        UnreadableImageError: if a pixel is transparent.
    """
    if header.has_alpha and bands[..., -1].min() < 255:
        raise UnreadableImageError(header.path, "alpha that is not opaque")
    return bands[..., : header.channels].transpose(2, 0, 1)


def read_bands(header: ImageHeader) -> Images:
    """Read the pixels of an image file with all their bands, alpha too: `(H, W, 1 to 4)`.

    The bands are grey; grey and alpha; red, green, blue; or these and alpha.

    Raises:
        UnreadableImageError: if the file is truncated or damaged.
    """
    if header.depth == deep_images.BITS:
        return _read_deep_bands(header)
    mode = ("L" if header.channels == 1 else "RGB") + ("A" if header.has_alpha else "")
    with _opened(header.path) as image:
        image.load()
        upright = _upright(image, header.orientation)
        if (upright.height, upright.width) != header.size:
            raise UnreadableImageError(header.path, "not the image that it was a moment ago")
        pixels = np.array(upright.convert(mode), np.uint8)
    return pixels.reshape(*header.size, len(mode))


def _read_deep_bands(header: ImageHeader) -> Images:
    try:
        pixels = deep_images.decode(header.path.read_bytes(), header.format)
    except OSError as error:
        raise UnreadableImageError(header.path, f"cannot be read: {error.strerror}") from error
    except (RuntimeError, ValueError) as error:
        raise UnreadableImageError(
            header.path, f"truncated or damaged: {first_line(error)}"
        ) from error
    if pixels.shape != (*header.size, header.channels) or pixels.dtype != np.uint16:
        raise UnreadableImageError(header.path, f"{pixels.dtype} {pixels.shape} in it, not read")
    return pixels


def _upright(image: "Image.Image", orientation: int) -> "Image.Image":
    from PIL.Image import Transpose  # noqa: PLC0415

    turns = (
        *(Transpose.FLIP_LEFT_RIGHT, Transpose.ROTATE_180, Transpose.FLIP_TOP_BOTTOM),
        *(Transpose.TRANSPOSE, Transpose.ROTATE_270, Transpose.TRANSVERSE, Transpose.ROTATE_90),
    )
    is_turned = orientation == 1 or _turns_itself(image)
    return image if is_turned else image.transpose(turns[orientation - 2])


def _turns_itself(image: "Image.Image") -> bool:
    return image.format == "TIFF"  # Pillow turns these when it reads their pixels


@contextlib.contextmanager
def _opened(path: Path) -> Iterator["Image.Image"]:
    from PIL import Image, UnidentifiedImageError  # noqa: PLC0415 - only those who read images wait for Pillow

    if reason := not_a_file(path) or _unread_kind(path):
        raise UnreadableImageError(path, reason)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            formats = FORMATS + _plug_in_formats(path)
            # By its stream: a TIFF file that Pillow maps by its name would not be turned.
            with path.open("rb") as stream, Image.open(stream, formats=formats) as image:
                if image.width * image.height > MAX_PIXELS:
                    raise UnreadableImageError(path, f"more than {MAX_PIXELS:,} pixels")
                yield image
    except UnreadableImageError:
        raise
    except Image.DecompressionBombError as error:
        raise UnreadableImageError(path, f"more than {MAX_PIXELS:,} pixels") from error
    except UnidentifiedImageError as error:
        raise UnreadableImageError(path, "not an image, or damaged") from error
    # Decoders meet damaged bytes with errors of every kind.
    except Exception as error:
        if isinstance(error, OSError) and error.errno:
            raise UnreadableImageError(path, f"cannot be read: {error.strerror}") from error
        raise UnreadableImageError(path, f"truncated or damaged: {first_line(error)}") from error


def _plug_in_formats(path: Path) -> tuple[str, ...]:
    """Return the format of a file that a plug-in reads, if it is installed."""
    from PIL import Image  # noqa: PLC0415

    if path.suffix.lower() not in PLUG_INS:
        return ()
    image_format, module, _ = PLUG_INS[path.suffix.lower()]
    Image.init()
    if module and image_format not in Image.OPEN:
        with contextlib.suppress(ImportError):
            plug_in = importlib.import_module(module)
            getattr(plug_in, "register_heif_opener", lambda: None)()
    return (image_format,) if image_format in Image.OPEN else ()


def _unread_kind(path: Path) -> str:
    """Return why files with this suffix are not read, or ""; what is in them is not looked at."""
    suffix = path.suffix.lower()
    if suffix not in OTHER_IMAGES or _plug_in_formats(path):
        return ""
    kind = suffix[1:].upper()
    if suffix in PLUG_INS:
        return f"{kind}, which is read with {PLUG_INS[suffix][2]} installed"
    return f"{kind}, which is not read"


def _refuse_animation(image: "Image.Image", path: Path) -> None:
    # A camera's JPEG may carry a preview as a second frame: the first is the picture.
    if image.format in ("JPEG", "MPO"):
        return
    num_frames = getattr(image, "n_frames", 1)
    if num_frames > 1:
        what = "pages" if image.format == "TIFF" else "animation frames"
        raise UnreadableImageError(path, f"{num_frames} {what}")


def _conversion(image: "Image.Image", depth: int, *, has_alpha: bool) -> str:
    mode = image.mode
    if image.format == "PPM" and mode != "1" and highest_level(image) < 255:
        return f"0 ... {highest_level(image)} to 0 ... 255"
    if mode == "P":
        return "palette to RGB"
    if has_alpha:
        return "opaque alpha dropped"
    if mode == "1":
        return "1-bit to grey 0 and 255"
    if depth < 8:
        return f"{depth}-bit grey to 0 ... 255"
    return ""
