"""Lossless image formats: pixels to the bytes of a file, and back.

Of each image there is a file, and one of a picture that shows all of them. Every file is decoded again and
compared.
"""

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, features

from pixelrnn import deep_images
from pixelrnn.arrays import PICTURE_CHANNELS, Images
from pixelrnn.baselines.mosaic import as_colour, as_pictures, one_picture

PNG_BIT_DEPTH = 24  # its place in a file


class UnfitFormatError(Exception):
    """A format that images cannot be stored in without loss; the message says why."""


@dataclass(frozen=True)
class ImageFormat:
    """A lossless image format; pixels are `(H, W)` grey or `(H, W, 3)` red, green, blue.

    Attributes:
        name: as shown in tables.
        available: whether it is in the installed libraries.
        encode: pixels and how many levels they may have to the bytes of a file.
        decode: and back.
        note: its settings, in words.
        stores_grey: False if grey must be stored as equal red, green and blue.
        stores_16_bits: False if levels of a byte are all that it stores.
        max_side: pixels.
    """

    name: str
    available: Callable[[], bool]
    encode: Callable[[Images, int], bytes]
    decode: Callable[[bytes], Images]
    note: str
    stores_grey: bool = True
    stores_16_bits: bool = True
    max_side: int = 2**31 - 1

    def described(self, channels: int, num_levels: int) -> str:
        """Return in words how it stores such images."""
        if channels == 1 and not self.stores_grey:
            return f"{self.note}, grey stored as equal red, green and blue"
        if channels == 1 and num_levels == 2 and self.name == "PNG":
            return f"{self.note}, 1 bit per pixel"
        return self.note

    def trouble(self, channels: int, num_levels: int) -> str:
        """Return why no images of so many channels and levels can be stored in it; "" if they can.

        Example:
            >>> FORMATS[0].trouble(5, 256), FORMATS[0].trouble(3, 256)
            ('it stores grey and RGB images alone', '')
        """
        if channels not in PICTURE_CHANNELS:
            return "it stores grey and RGB images alone"
        if num_levels > 1 << 8 and not self.stores_16_bits:
            return "it stores levels of a byte alone"
        return ""

    def pictures(self, images: Sequence[Images]) -> list[Images]:
        """Return images, each `(C, H, W)`, as the format takes them.

        Raises:
            UnfitFormatError: if it is not installed, or cannot store such images.
        """
        if not self.available():
            raise UnfitFormatError("the installed Pillow or imagecodecs has none")
        if max(max(image.shape[1:]) for image in images) > self.max_side:
            raise UnfitFormatError("the images are too large for it")
        if trouble := self.trouble(len(images[0]), 1 << 8 * images[0].itemsize):
            raise UnfitFormatError(trouble)
        pictures = [as_pictures(image[np.newaxis]) for image in images]
        return [(each if self.stores_grey else as_colour(each))[0] for each in pictures]

    def all_in_one(self, pictures: Sequence[Images]) -> Images | None:
        """Return one picture of all, or None if it would be too large, or they differ in size."""
        if len({picture.shape for picture in pictures}) > 1:
            return None
        mosaic = one_picture(np.stack(pictures))
        return None if mosaic is None or max(mosaic.shape[:2]) > self.max_side else mosaic

    def checked_file(self, pixels: Images, num_levels: int) -> bytes:
        """Return the bytes of a file; raises `UnfitFormatError` if it holds other pixels."""
        data = self.encode(pixels, num_levels)
        if not self.holds(data, pixels):
            raise UnfitFormatError("it decodes to other pixels, so it is not lossless")
        return data

    def holds(self, data: bytes, pixels: Images) -> bool:
        """Return whether a file holds exactly these pixels."""
        return np.array_equal(self.decode(data), pixels)


def _encode_png(pixels: Images, num_levels: int) -> bytes:
    if pixels.dtype == np.uint16:
        return deep_images.encode_png(pixels.reshape(*pixels.shape[:2], -1))
    # Two levels of grey fit in one bit per pixel; anything else would be an unfair comparison.
    binary = num_levels == 2 and pixels.ndim == 2
    image = Image.fromarray(pixels.astype(bool) if binary else pixels)
    file = io.BytesIO()
    image.save(file, "PNG", optimize=True, compress_level=9)
    return file.getvalue()


def _decode_png(data: bytes) -> Images:
    if data[PNG_BIT_DEPTH] < deep_images.BITS:
        return _decode(data)
    pixels = deep_images.decode(data, "PNG")
    return pixels[..., 0] if pixels.shape[2] == 1 else pixels


def _decode(data: bytes) -> Images:
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image, dtype=np.uint8)


# No one setting is best for all images: the higher methods lose on small ones and win on large.
# Method 6 at quality 100 is left out: it tries everything, ten times slower, for less than 0.5 %.
_WEBP_METHODS_AND_QUALITIES = ((1, 100), (4, 100), (6, 50))


def _encode_webp(pixels: Images, num_levels: int) -> bytes:
    del num_levels
    image = Image.fromarray(pixels)
    files = []
    for method, quality in _WEBP_METHODS_AND_QUALITIES:
        file = io.BytesIO()
        image.save(file, "WEBP", lossless=True, method=method, quality=quality)
        files.append(file.getvalue())
    return min(files, key=len)


def encode_jpegxl(pixels: Images, num_levels: int, *, effort: int = 9) -> bytes:
    """Return a lossless JPEG XL file; `effort` is 1 to 9."""
    import imagecodecs  # noqa: PLC0415 - the other formats do without it

    del num_levels
    return bytes(imagecodecs.jpegxl_encode(pixels, lossless=True, effort=effort, numthreads=1))


def _decode_jpegxl(data: bytes) -> Images:
    import imagecodecs  # noqa: PLC0415

    return np.asarray(imagecodecs.jpegxl_decode(data))


def _has_jpegxl() -> bool:
    import imagecodecs  # noqa: PLC0415

    return bool(imagecodecs.JPEGXL.available)


FORMATS = (
    ImageFormat(
        name="PNG",
        available=lambda: bool(features.check("zlib")),
        encode=_encode_png,
        decode=_decode_png,
        note="optimised, compression level 9",
    ),
    ImageFormat(
        name="WebP",
        available=lambda: bool(features.check("webp")),
        encode=_encode_webp,
        decode=_decode,
        note="lossless, the smallest of three settings (method, quality: 1, 100; 4, 100; 6, 50)",
        stores_grey=False,
        stores_16_bits=False,
        max_side=16_383,
    ),
    ImageFormat(
        name="JPEG XL",
        available=_has_jpegxl,
        encode=encode_jpegxl,
        decode=_decode_jpegxl,
        note="lossless, effort 9",
        max_side=2**30 - 1,
    ),
)
