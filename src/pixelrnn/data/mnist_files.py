"""The forms of MNIST's files: idx, as it and its relatives are published, and the text of `.amat`.

An idx file, packed with gzip or not, is two zeros, the type (8: bytes) and the number of axes; their
lengths, each in four bytes; then the bytes. What a header claims is compared with the size of the file
before memory is taken. An `.amat` file has binarised images as text, one a line.
"""

import gzip
import hashlib
import math
import struct
from pathlib import Path
from typing import IO

import numpy as np
import numpy.typing as npt

from pixelrnn.arrays import Images
from pixelrnn.errors import DataError
from pixelrnn.untrusted import opened, unpacked_limit

GZIP = b"\x1f\x8b"
MAX_IDX_BYTES = 1 << 30  # the largest relative of MNIST, EMNIST by class, has 0.55 GB of images
SIDE = 28
MAX_AMAT_BYTES = 1 << 28  # the largest published file has 78.4 MB
HOLDS = {3: "images", 1: "labels"}  # by the number of axes


def read_idx(path: Path, num_axes: int) -> tuple[npt.NDArray[np.uint8], str]:
    """Return the array in an idx file, and the MD5 of the unpacked contents, in hexadecimal digits.

    Args:
        path: the file; whether it is packed is seen from its first bytes, whatever it is called.
        num_axes: 3 for images `(N, H, W)`, 1 for labels `(N,)`.

    Raises:
        DataError: if it is truncated, damaged, holds anything else, or claims more than a file of its
            size can hold.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp(), "labels")
        >>> _ = path.write_bytes(bytes([0, 0, 8, 1, 0, 0, 0, 2, 7, 9]))
        >>> read_idx(path, num_axes=1)[0].tolist()
        [7, 9]
    """
    with opened(path) as stored:
        is_packed = stored.read(2) == GZIP
        stored.seek(0)
        size = path.stat().st_size
        if not is_packed:
            return _read(stored, path, num_axes, size)
        with gzip.GzipFile(fileobj=stored) as unpacked:
            return _read(unpacked, path, num_axes, unpacked_limit(size))


def _read(
    stream: IO[bytes] | gzip.GzipFile, path: Path, num_axes: int, limit: int
) -> tuple[npt.NDArray[np.uint8], str]:
    what = HOLDS[num_axes]
    header = stream.read(4 + 4 * num_axes)
    if header[:4] != bytes([0, 0, 8, num_axes]) or len(header) < 4 + 4 * num_axes:
        raise DataError(f"{path} is not an idx file of {what}: fetch it again")
    shape = struct.unpack(f">{num_axes}I", header[4:])
    num_bytes = math.prod(shape)
    if num_bytes > min(limit, MAX_IDX_BYTES):
        raise DataError(
            f"{path} claims {what} of shape {shape}, which is more than a file of its size holds: fetch "
            "it again"
        )
    content = stream.read(num_bytes + 1)
    if len(content) != num_bytes or not content:
        raise DataError(
            f"{path} does not hold the {num_bytes:,} bytes of {what} that it claims: fetch it again"
        )
    digest = hashlib.md5(header, usedforsecurity=False)
    digest.update(content)
    return np.frombuffer(content, np.uint8).reshape(shape), digest.hexdigest()


def read_amat(path: Path) -> Images:
    """Return the images `(N, 1, 28, 28)` of a text file of zeros and ones, one image a line.

    Raises:
        DataError: if it holds anything else, or not a whole number of images.
    """
    with opened(path) as stream:
        if path.stat().st_size > MAX_AMAT_BYTES:
            raise DataError(f"{path} is larger than any file of binarised MNIST")
        text = np.frombuffer(stream.read(), np.uint8)
    digits = text[(text == ord("0")) | (text == ord("1"))]
    num_spaces = int(np.isin(text, np.frombuffer(b" \r\n\t", np.uint8)).sum())
    if not digits.size or digits.size % (SIDE * SIDE) or digits.size + num_spaces != text.size:
        raise DataError(f"{path} is not a whole number of binary 28x28 images: fetch it again")
    images: Images = (digits == ord("1")).astype(np.uint8)
    return images.reshape(-1, 1, SIDE, SIDE)
