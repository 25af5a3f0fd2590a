"""Lossless image formats: pixels to the bytes of a file, and back.

`CODECS` are those that every comparison shows; `MORE_CODECS` are measured by the benchmark as well.
"""

import io
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import imagecodecs
import numpy as np
from PIL import Image, features

try:
    import lzma
except ImportError:  # some Pythons are built without it
    lzma = None  # type: ignore[assignment]

from pixelrnn.baselines.mosaic import Pixels


@dataclass(frozen=True)
class ImageFormat:
    """A lossless image format; pixels are `(H, W)` grey or `(H, W, 3)` red, green, blue.

    One that is a stream (`is_stream`) does not know the shape of pixels: it decodes to a row of levels.
    """

    name: str
    available: Callable[[], bool]
    encode: Callable[[Pixels, int], bytes]
    decode: Callable[[bytes], Pixels]
    note: str
    stores_grey: bool
    max_side: int
    is_stream: bool = False

    def described(self, channels: int, num_levels: int) -> str:
        """Return in words how it stores such images."""
        if channels == 1 and not self.stores_grey:
            return f"{self.note}, grey stored as equal red, green and blue"
        if channels == 1 and num_levels == 2 and self.name == "PNG":
            return f"{self.note}, 1 bit per pixel"
        return self.note


def _pillow(image: Image.Image, kind: str, **options: Any) -> bytes:
    """Return the bytes of a file that Pillow writes."""
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def _encode_png(pixels: Pixels, num_levels: int) -> bytes:
    # Two levels of grey fit in one bit per pixel; anything else would be an unfair comparison.
    binary = num_levels == 2 and pixels.ndim == 2
    image = Image.fromarray(pixels.astype(bool) if binary else pixels)
    return _pillow(image, "PNG", optimize=True, compress_level=9)


def _decode_png(data: bytes) -> Pixels:
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image, dtype=np.uint8)


# No one setting is best for all images: the higher methods lose on small ones and win on large.
# Method 6 at quality 100 is left out: it tries everything, ten times slower, for less than 0.5 %.
_WEBP_METHODS_AND_QUALITIES = ((1, 100), (4, 100), (6, 50))


def _encode_webp(pixels: Pixels, _: int) -> bytes:
    image = Image.fromarray(pixels)
    files = (
        _pillow(image, "WEBP", lossless=True, method=method, quality=quality)
        for method, quality in _WEBP_METHODS_AND_QUALITIES
    )
    return min(files, key=len)


def _decode_webp(data: bytes) -> Pixels:
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image.convert("RGB"))


def _encode_jpegxl(pixels: Pixels, _: int, *, effort: int) -> bytes:
    return bytes(imagecodecs.jpegxl_encode(pixels, lossless=True, effort=effort, numthreads=1))


# One resolution is no wavelet at all: best for drawings and tiny images. Six are usual for photographs.
_JPEG2000_RESOLUTIONS = (1, 6)


def _encode_jpeg2000(pixels: Pixels, num_levels: int) -> bytes:
    bits = (num_levels - 1).bit_length()
    options: dict[str, Any] = {
        "level": 0,
        "codecformat": "j2k",
        "reversible": True,
        "numthreads": 1,
    }
    files = (
        imagecodecs.jpeg2k_encode(pixels, resolutions=each, bitspersample=bits, **options)
        for each in _JPEG2000_RESOLUTIONS
    )
    return min(map(bytes, files), key=len)


def _encode_lzma(pixels: Pixels, _: int) -> bytes:
    """Return the smaller of two: with differences to the pixel before, which suit photographs, and without.

    A dictionary longer than the pixels would take memory and time, and save nothing.
    """
    size = max(4096, pixels.nbytes)
    main = {"id": lzma.FILTER_LZMA2, "preset": 9 | lzma.PRESET_EXTREME, "dict_size": size}
    delta = {"id": lzma.FILTER_DELTA, "dist": 1 if pixels.ndim == 2 else pixels.shape[-1]}
    files = (
        lzma.compress(pixels.tobytes(), lzma.FORMAT_XZ, lzma.CHECK_CRC32, filters=filters)
        for filters in ([main], [delta, main])
    )
    return min(files, key=len)


_JPEGXL = ImageFormat(
    name="JPEG XL",
    available=lambda: bool(imagecodecs.JPEGXL.available),
    encode=partial(_encode_jpegxl, effort=9),
    decode=lambda data: np.asarray(imagecodecs.jpegxl_decode(data)),
    note="lossless, effort 9",
    stores_grey=True,
    max_side=2**30 - 1,
)

CODECS = (
    ImageFormat(
        name="PNG",
        available=lambda: bool(features.check("zlib")),
        encode=_encode_png,
        decode=_decode_png,
        note="optimised, compression level 9",
        stores_grey=True,
        max_side=2**31 - 1,
    ),
    ImageFormat(
        name="WebP",
        available=lambda: bool(features.check("webp")),
        encode=_encode_webp,
        decode=_decode_webp,
        note="lossless, the smallest of three settings (method, quality: 1, 100; 4, 100; 6, 50)",
        stores_grey=False,
        max_side=16_383,
    ),
    _JPEGXL,
)

MORE_CODECS = (
    replace(
        _JPEGXL,
        name="JPEG XL (effort 7)",
        encode=partial(_encode_jpegxl, effort=7),
        note="lossless, effort 7, the default of its encoder",
    ),
    ImageFormat(
        name="JPEG-LS",
        available=lambda: bool(imagecodecs.JPEGLS.available),
        encode=lambda pixels, _: bytes(imagecodecs.jpegls_encode(pixels)),
        decode=lambda data: np.asarray(imagecodecs.jpegls_decode(data)),
        note="lossless; it has no colour transform",
        stores_grey=True,
        max_side=2**16 - 1,
    ),
    ImageFormat(
        name="JPEG 2000",
        available=lambda: bool(imagecodecs.JPEG2K.available),
        encode=_encode_jpeg2000,
        decode=lambda data: np.asarray(imagecodecs.jpeg2k_decode(data, numthreads=1)),
        note="lossless, bare codestream, the smaller of two settings (1 and 6 resolutions)",
        stores_grey=True,
        max_side=2**31 - 1,
    ),
    ImageFormat(
        name="LZMA",
        available=lambda: lzma is not None,
        encode=_encode_lzma,
        decode=lambda data: np.frombuffer(lzma.decompress(data), np.uint8),
        note="xz, preset 9 extreme, the smaller of two (with and without its delta filter); "
        "the shape is known",
        stores_grey=True,
        max_side=2**31 - 1,
        is_stream=True,
    ),
)
