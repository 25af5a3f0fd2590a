"""What files from elsewhere may take: how much they unpack to, and that they are files at all."""

from pathlib import Path

from pixelrnn.errors import DataError

# Photographs shrink two or three times, black and white digits ten times.
UNPACKED_BYTES, UNPACKED_RATIO = 1 << 26, 32


def unpacked_limit(packed_bytes: int) -> int:
    """Return the bytes that a packed file of images may unpack to.

    Example:
        >>> unpacked_limit(0), unpacked_limit(10**9)
        (67108864, 32067108864)
    """
    return UNPACKED_BYTES + UNPACKED_RATIO * packed_bytes


def require_regular(path: Path) -> None:
    """Raise `DataError` for a pipe, a device or a folder, which reading could wait for without end."""
    if not path.is_file():
        raise DataError(f"{path} is not a regular file: give a file or a folder of images")
