"""How much packed files from elsewhere may unpack to."""

# Photographs shrink two or three times, black and white digits ten times.
UNPACKED_BYTES, UNPACKED_RATIO = 1 << 26, 32


def unpacked_limit(packed_bytes: int) -> int:
    """Return the bytes that a packed file of images may unpack to.

    Example:
        >>> unpacked_limit(0), unpacked_limit(10**9)
        (67108864, 32067108864)
    """
    return UNPACKED_BYTES + UNPACKED_RATIO * packed_bytes
