"""Levels of images as bytes: their checksum, and what is not coded; of two bytes the lower one is first."""

import zlib

import numpy as np

from pixelrnn.arrays import Images
from pixelrnn.coding.container import Entry
from pixelrnn.errors import CompressedFileError

BYTES_AT_ONCE = 1 << 20  # whose checksum is computed


def _in_order(levels: Images) -> Images:
    return np.ascontiguousarray(levels.astype(levels.dtype.newbyteorder("<"), copy=False))


def bytes_of(levels: Images) -> bytes:
    """Return levels as a file has them where they are not coded."""
    return _in_order(levels).tobytes()


def pixels_of(message: bytes, level_type: type[np.uint8 | np.uint16]) -> Images:
    """Return levels `(N,)` of such bytes."""
    return np.frombuffer(message, np.dtype(level_type).newbyteorder("<")).astype(level_type)


def crc_of(image: Images) -> int:
    """Return the CRC-32 of an image `(H, W, bands)`."""
    rows, crc = max(1, BYTES_AT_ONCE // image[0].nbytes), 0
    for first in range(0, len(image), rows):
        crc = zlib.crc32(_in_order(image[first : first + rows]).data, crc)
    return crc


def check_pixels(entry: Entry, image: Images, *, is_damaged: bool = False) -> None:
    """Raise `CompressedFileError` unless an image has the pixels that went in."""
    if is_damaged or crc_of(image) != entry.crc:
        raise CompressedFileError(
            f"{entry.name or 'an image'} is damaged: its pixels are not those that went in (CRC-32); "
            "get the file again"
        )
