"""`.npy` streams: the header, and bytes; a header is never believed, and nothing is ever unpickled."""

import io
import warnings
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from pixelrnn.errors import DataError
from pixelrnn.wording import first_line

CHUNK_BYTES = 1 << 24
MAX_HEADER_BYTES = 1 << 16


def read_header(stream: IO[bytes], where: str) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Return shape, whether the first axis goes fastest, and type, as a stream says.

    Raises:
        DataError: if it is not the beginning of an array.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            header = _header_bytes(stream)
            if np.lib.format.read_magic(header) == (1, 0):
                return np.lib.format.read_array_header_1_0(header)
            return np.lib.format.read_array_header_2_0(header)
    except OSError:
        raise
    # numpy evaluates the header as a Python literal: damaged bytes can raise nearly anything there.
    except Exception as error:
        raise DataError(
            f"{where} is damaged or not an .npy array ({first_line(error)}): save it again with numpy"
        ) from error


def _header_bytes(stream: IO[bytes]) -> io.BytesIO:
    """Return magic, length and header of an array, which numpy would read whatever its length."""
    start = stream.read(8)
    length = stream.read(2 if start[6:7] == b"\x01" else 4)
    if (size := int.from_bytes(length, "little")) > MAX_HEADER_BYTES:
        raise ValueError(f"its header claims {size:,} bytes")
    return io.BytesIO(start + length + stream.read(size))


def read_exactly(stream: IO[bytes], num_bytes: int, where: str) -> npt.NDArray[np.uint8]:
    """Read `num_bytes`, in pieces: pages of the result are taken only as bytes really come."""
    try:
        flat = np.empty(num_bytes, np.uint8)
    except MemoryError as error:
        raise DataError(f"{where} holds {num_bytes:,} bytes, more than there is memory") from error
    filled = 0
    while filled < num_bytes:
        chunk = stream.read(min(CHUNK_BYTES, num_bytes - filled))
        if not chunk:
            raise DataError(f"{where} is cut short after {filled:,} of {num_bytes:,} bytes")
        flat[filled : filled + len(chunk)] = np.frombuffer(chunk, np.uint8)
        filled += len(chunk)
    stream.read(1)  # at its end a zip member checks its CRC-32
    return flat
