"""Images of 16 bits: PNG and TIFF, grey and RGB, as arrays and back. Pillow would make 8 bits of some.

`imagecodecs` is imported where it is used: of all images only these need it.
"""

import numpy as np

from pixelrnn.arrays import Images

BITS = 16
FORMATS = ("PNG", "TIFF")
# What Pillow calls the modes in which it opens such files; RGB it would reduce to 8 bits.
CHANNELS = {"I;16": 1, "I;16B": 1, "I;16L": 1, "I": 1, "RGB": 3}


def decode(data: bytes, image_format: str) -> Images:
    """Return the pixels of a file, `(H, W, C)`.

    Raises:
        RuntimeError: if they are damaged, from the library.
        ValueError: likewise.
    """
    import imagecodecs  # noqa: PLC0415

    read = imagecodecs.png_decode if image_format == "PNG" else imagecodecs.tiff_decode
    pixels = np.asarray(read(data))
    return np.ascontiguousarray(pixels.reshape(*pixels.shape[:2], -1))


def encode_png(pixels: Images) -> bytes:
    """Return pixels, uint16 `(H, W, C)` of 1 or 3 channels, as a PNG file.

    Example:
        >>> pixels = np.arange(6, dtype=np.uint16).reshape(1, 2, 3) * 13000
        >>> bool((decode(encode_png(pixels), "PNG") == pixels).all())
        True
    """
    import imagecodecs  # noqa: PLC0415

    shown = pixels[..., 0] if pixels.shape[2] == 1 else pixels
    return bytes(imagecodecs.png_encode(np.ascontiguousarray(shown), level=9))
