"""Lossless image formats: pixels to the bytes of a file, and back."""

import io
from collections.abc import Callable
from dataclasses import dataclass

import imagecodecs
import numpy as np
from PIL import Image, features

from pixelrnn.baselines.base import Pixels


@dataclass(frozen=True)
class Codec:
    """A lossless image format; pixels are `(H, W)` grey or `(H, W, 3)` red, green, blue."""

    name: str
    available: Callable[[], bool]
    encode: Callable[[Pixels, int], bytes]
    decode: Callable[[bytes], Pixels]
    note: str
    stores_grey: bool
    max_side: int


def _encode_png(pixels: Pixels, num_levels: int) -> bytes:
    # Two levels of grey fit in one bit a pixel; anything else would be an unfair comparison.
    binary = num_levels == 2 and pixels.ndim == 2
    image = Image.fromarray(pixels.astype(bool) if binary else pixels)
    file = io.BytesIO()
    image.save(file, "PNG", optimize=True, compress_level=9)
    return file.getvalue()


def _decode_png(data: bytes) -> Pixels:
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image, dtype=np.uint8)


# No one setting is best for all images: the higher methods lose on small ones and win on large.
# Method 6 at quality 100 is left out: it tries everything, ten times slower, for less than 0.5 %.
_WEBP_METHODS_AND_QUALITIES = ((1, 100), (4, 100), (6, 50))


def _encode_webp(pixels: Pixels, num_levels: int) -> bytes:
    del num_levels
    image = Image.fromarray(pixels)
    files = []
    for method, quality in _WEBP_METHODS_AND_QUALITIES:
        file = io.BytesIO()
        image.save(file, "WEBP", lossless=True, method=method, quality=quality)
        files.append(file.getvalue())
    return min(files, key=len)


def _decode_webp(data: bytes) -> Pixels:
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image.convert("RGB"))


def _encode_jpegxl(pixels: Pixels, num_levels: int) -> bytes:
    del num_levels
    return bytes(imagecodecs.jpegxl_encode(pixels, lossless=True, effort=9, numthreads=1))


def _decode_jpegxl(data: bytes) -> Pixels:
    return np.asarray(imagecodecs.jpegxl_decode(data))


CODECS = (
    Codec(
        name="PNG",
        available=lambda: bool(features.check("zlib")),
        encode=_encode_png,
        decode=_decode_png,
        note="optimised, compression level 9",
        stores_grey=True,
        max_side=2**31 - 1,
    ),
    Codec(
        name="WebP",
        available=lambda: bool(features.check("webp")),
        encode=_encode_webp,
        decode=_decode_webp,
        note="lossless, the smallest of three settings (method, quality: 1, 100; 4, 100; 6, 50)",
        stores_grey=False,
        max_side=16_383,
    ),
    Codec(
        name="JPEG XL",
        available=lambda: bool(imagecodecs.JPEGXL.available),
        encode=_encode_jpegxl,
        decode=_decode_jpegxl,
        note="lossless, effort 9",
        stores_grey=True,
        max_side=2**30 - 1,
    ),
)
