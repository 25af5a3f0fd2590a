"""What an image file says beside its pixels: bits of a sample, which way is up, what is not kept.

Pillow reads 16 bits as 8 without a word in several formats, so bits are looked up in the file.
"""

import struct
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL import Image

TIFF_BITS_PER_SAMPLE, TIFF_COLOUR_MAP = 258, 320
ORIENTATION = 0x112
# Of EXIF: description, maker, model, date, artist, copyright, and the tables of the camera and the place.
SAYS_SOMETHING = frozenset({0x10E, 0x10F, 0x110, 0x132, 0x13B, 0x8298, 0x8769, 0x8825})
SRGB = (b"sRGB", "sRGB".encode("utf-16-be"))
AVIF_HEADER_BYTES = 1 << 16


def bit_depth(image: "Image.Image", path: Path) -> int:
    """Return the bits of a sample in the file."""
    if image.format == "PNG":
        with path.open("rb") as stream:
            return stream.read(25)[24]  # signature, length, "IHDR", width, height, bit depth
    if image.format == "AVIF":
        return _avif_depth(path)
    if image.format == "TIFF":
        return _tiff_depth(image)
    if image.format == "PPM":
        return highest_level(image).bit_length()
    depth = image.info.get("bit_depth", 8)  # what plug-ins say of files with more
    return 1 if image.mode == "1" else int(depth)


def _tiff_depth(image: "Image.Image") -> int:
    tags: dict[int, tuple[int, ...]] = getattr(image, "tag_v2", {})
    # Colour maps have 16 bits: those made from 8 repeat the byte, or leave the lower one zero.
    if any(value % 257 and value % 256 for value in tags.get(TIFF_COLOUR_MAP, ())):
        return 16
    return max(tags.get(TIFF_BITS_PER_SAMPLE, (1,)))


def highest_level(image: "Image.Image") -> int:
    """Return which level of a PGM or PPM file is white; a header may give any."""
    if image.mode == "1":
        return 1
    arguments = image.tile[0].args  # type: ignore[attr-defined]
    if isinstance(arguments, tuple):
        return int(arguments[1])
    return 255 if arguments in ("L", "RGB") else (1 << 16) - 1


def _avif_depth(path: Path) -> int:
    with path.open("rb") as stream:
        start = stream.read(AVIF_HEADER_BYTES)
    place = start.find(b"av1C")
    if place < 0 or place + 7 > len(start):
        return 16  # where it is not found, it cannot be promised
    flags = start[place + 6]
    return 12 if flags & 0x20 else 10 if flags & 0x40 else 8


def metadata(image: "Image.Image", path: Path) -> tuple[int, tuple[str, ...]]:
    """Return what the file says that is not among its pixels.

    Returns:
        How the pixels are to be turned, 1 to 8 as in EXIF, where 1 is upright; and what is not kept, in
        words that can be counted.
    """
    not_kept, exif = [], _exif(image, path)
    profile = image.info.get("icc_profile")
    if profile and not any(name in profile for name in SRGB):
        not_kept.append("colour profile")
    if SAYS_SOMETHING & set(exif):
        not_kept.append("set of EXIF data")
    turn = exif.get(ORIENTATION)
    return turn if isinstance(turn, int) and 1 <= turn <= 8 else 1, tuple(not_kept)


def _exif(image: "Image.Image", path: Path) -> dict[int, object]:
    from PIL import Image  # noqa: PLC0415 - only those who read images wait for Pillow

    try:
        if image.format == "PNG" and not _has_late_exif(path):
            return dict(Image.Image.getexif(image))  # PNG's own would decode all pixels first
        return dict(image.getexif())
    except Exception:  # damaged EXIF raises nearly anything, and spoils no pixel
        return {}


def _has_late_exif(path: Path) -> bool:
    """Return whether a PNG file has its EXIF data after its pixels."""
    with path.open("rb") as stream:
        stream.seek(8)
        after_pixels = False
        while len(start := stream.read(8)) == 8:
            length, name = struct.unpack(">I4s", start)
            if name == b"eXIf":
                return after_pixels
            after_pixels |= name == b"IDAT"
            stream.seek(length + 4, 1)
    return False
