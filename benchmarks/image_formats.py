"""Further lossless formats that the codec benchmark measures beside those of the package."""

import dataclasses
from collections.abc import Sequence
from functools import partial

import imagecodecs
import numpy as np

try:
    import lzma
except ImportError:  # some Pythons are built without it
    lzma = None  # type: ignore[assignment]

from pixelrnn.arrays import Images
from pixelrnn.baselines.formats import FORMATS, ImageFormat, encode_jpegxl


class Stream(ImageFormat):
    """A stream of levels, which does not know the shape of pixels: it decodes to a row."""

    def all_in_one(self, pictures: Sequence[Images]) -> Images:
        """Return all pixels below one another: sizes do not matter."""
        rest = pictures[0].shape[2:]
        return np.concatenate([each.reshape(-1, 1, *rest) for each in pictures])

    def holds(self, data: bytes, pixels: Images) -> bool:
        """Return whether a stream holds exactly these levels."""
        return np.array_equal(self.decode(data), pixels.ravel())


def _encode_jpegls(pixels: Images, num_levels: int) -> bytes:
    del num_levels
    return bytes(imagecodecs.jpegls_encode(pixels))


def _decode_jpegls(data: bytes) -> Images:
    return np.asarray(imagecodecs.jpegls_decode(data))


# One resolution is no wavelet at all: best for drawings and tiny images. Six are usual for photographs.
_JPEG2000_RESOLUTIONS = (1, 6)


def _encode_jpeg2000(pixels: Images, num_levels: int) -> bytes:
    bits = (num_levels - 1).bit_length()
    files = (
        imagecodecs.jpeg2k_encode(
            pixels,
            level=0,
            codecformat="j2k",
            reversible=True,
            resolutions=resolutions,
            bitspersample=bits,
            numthreads=1,
        )
        for resolutions in _JPEG2000_RESOLUTIONS
    )
    return min(map(bytes, files), key=len)


def _decode_jpeg2000(data: bytes) -> Images:
    return np.asarray(imagecodecs.jpeg2k_decode(data, numthreads=1))


def _encode_lzma(pixels: Images, num_levels: int) -> bytes:
    """Return the smaller of two: with differences to the pixel before, which suit photographs, and without.

    A dictionary longer than the pixels would take memory and time, and save nothing.
    """
    del num_levels
    main = {
        "id": lzma.FILTER_LZMA2,
        "preset": 9 | lzma.PRESET_EXTREME,
        "dict_size": max(4096, pixels.nbytes),
    }
    delta = {"id": lzma.FILTER_DELTA, "dist": 1 if pixels.ndim == 2 else pixels.shape[-1]}
    data = pixels.tobytes()
    files = (
        lzma.compress(data, format=lzma.FORMAT_XZ, check=lzma.CHECK_CRC32, filters=filters)
        for filters in ([main], [delta, main])
    )
    return min(files, key=len)


def _decode_lzma(data: bytes) -> Images:
    return np.frombuffer(lzma.decompress(data), np.uint8)


ALL_FORMATS = (
    *FORMATS,
    dataclasses.replace(
        next(each for each in FORMATS if each.name == "JPEG XL"),
        name="JPEG XL (effort 7)",
        encode=partial(encode_jpegxl, effort=7),
        note="lossless, effort 7, its encoder's default",
    ),
    ImageFormat(
        name="JPEG-LS",
        available=lambda: bool(imagecodecs.JPEGLS.available),
        encode=_encode_jpegls,
        decode=_decode_jpegls,
        note="lossless; it has no colour transform",
        max_side=2**16 - 1,
    ),
    ImageFormat(
        name="JPEG 2000",
        available=lambda: bool(imagecodecs.JPEG2K.available),
        encode=_encode_jpeg2000,
        decode=_decode_jpeg2000,
        note="lossless, bare codestream, the smaller of two settings (1 and 6 resolutions)",
    ),
    Stream(
        name="LZMA",
        available=lambda: lzma is not None,
        encode=_encode_lzma,
        decode=_decode_lzma,
        note="xz, preset 9 extreme, the smaller of two (with and without its delta filter); "
        "the shape is known",
    ),
)
