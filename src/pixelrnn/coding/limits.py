"""What a file from elsewhere may take: every limit, and the reason for it, in one place.

Whatever a file says is added up before it is done, and refused above these: opening a file, or decoding one
image of it, takes at most 256 MB and, unless it holds that many pixels, a few seconds. Trained models and
albums stay far below; the largest models of the paper are a quarter of what programs may be.
"""

# Compressed files.
# For an image and the maps that decode it; 32 MB are left for the code itself.
MEMORY_BYTES = 224 << 20
MAX_INDEX_BYTES = 1 << 26  # of a file
MAX_IMAGES = 1 << 22  # of a file: some numbers are kept of each
MAX_MESSAGES = 1 << 22  # of a file, likewise
MAX_MESSAGES_OF_IMAGE = 1 << 16  # each is a piece of work, however small
MAX_LABELS = 1 << 16  # classes that a model may know
MAX_NAMES_BYTES = 1 << 26  # of all images together
FREE_NAMES_BYTES = 1 << 24  # of all names, however well they are packed ...
NAMES_BYTES_PER_BYTE = 64  # ... and more where they are not packed better than this

# Of a file with an integer program; its header has a limit in `untrusted.py`.
MAX_PROGRAM_BYTES = 1 << 26


def memory_of(levels: int, tile: int, working_bytes: int) -> int:
    """Return the bytes that decoding on one thread takes.

    Args:
        levels: bytes of the images that are decoded together.
        tile: bytes of the largest tile, of which each thread has one until it is in its image.
        working_bytes: of the maps that a message needs, see `Coder.working_bytes`; they are kept once as
            they are before the first pixel, and once for each thread.
    """
    return levels + working_bytes + (working_bytes + tile)


def threads_within(levels: int, tile: int, working_bytes: int, wanted: int) -> int:
    """Return how many messages can be decoded at the same time: at least one, at most those wanted."""
    return max(1, min(wanted, (MEMORY_BYTES - levels - working_bytes) // (working_bytes + tile)))
