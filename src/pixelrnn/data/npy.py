"""`.npy` streams of images or labels; a header is never believed, and nothing is ever unpickled."""

import io
import math
import warnings
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from pixelrnn.arrays import Images
from pixelrnn.data.splits import Labels
from pixelrnn.errors import DataError
from pixelrnn.wording import first_line

WANTED = "uint8 (N, H, W) for grey or (N, H, W, 3) for RGB"
MAX_HEADER_BYTES = 1 << 16

Header = tuple[tuple[int, ...], bool, np.dtype[Any]]


def read_images(stream: IO[bytes], num_bytes: int, where: str) -> Images:
    """Return the images `(N, C, H, W)` of one `.npy` stream that is `num_bytes` long.

    Raises:
        DataError: if it is damaged, or holds anything but uint8 images.
    """
    header = _read_header(stream, where)
    shape, _, dtype = header
    _check_header(shape, dtype, where)
    expected_bytes = math.prod(shape)
    body_bytes = num_bytes - stream.tell()
    if expected_bytes != body_bytes:
        problem = "is cut short" if expected_bytes > body_bytes else "has bytes left over"
        raise DataError(
            f"{where} {problem}: its header announces {expected_bytes:,} bytes of images and "
            f"{body_bytes:,} follow; save it again"
        )
    array = _read_body(stream, header)
    if array.ndim == 3:
        array = array[..., np.newaxis]
    return np.ascontiguousarray(array.transpose(0, 3, 1, 2))


def read_labels(stream: IO[bytes], count: int, split: str, where: str) -> Labels | None:
    """Return the labels `(N,)` of one `.npy` stream; `None` if they are not whole numbers from 0.

    Raises:
        DataError: if there are not as many labels as images.
    """
    try:
        header = _read_header(stream, where)
    except DataError:
        return None
    shape, _, dtype = header
    if dtype.kind not in "iu" or len(shape) not in (1, 2) or shape[1:] not in ((), (1,)):
        return None
    if shape[0] != count:
        raise DataError(
            f"{where} holds {shape[0]:,} labels for {count:,} images of {split}: save them again, or leave "
            "the labels out"
        )
    labels = _read_body(stream, header).astype(np.int64).reshape(-1)
    return labels if labels.min(initial=0) >= 0 else None


def _read_header(stream: IO[bytes], where: str) -> Header:
    """Return shape, whether the first axis goes fastest, and type, as a stream says."""
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


def _read_body(stream: IO[bytes], header: Header) -> npt.NDArray[Any]:
    """Return the array behind a header whose claims were checked."""
    shape, is_fortran, dtype = header
    content = stream.read(math.prod(shape) * dtype.itemsize)
    stream.read(1)  # at its end a zip member checks its CRC-32
    return np.frombuffer(content, dtype).reshape(shape, order="F" if is_fortran else "C")


def _check_header(shape: tuple[int, ...], dtype: np.dtype[Any], where: str) -> None:
    found = f"{where} holds {dtype} {shape}, but must hold {WANTED}"
    if dtype.hasobject:
        raise DataError(f"{found}: Python objects are not read; stack the images into one array")
    require_images(shape, dtype, found, "save")
    if len(shape) == 4 and shape[3] not in (1, 3):
        hint = f"{shape[3]} channels are neither 1 nor 3"
        if shape[1] in (1, 3):
            hint = "put the channels last, with x.transpose(0, 2, 3, 1)"
        elif shape[3] in (2, 4):
            hint = "drop the alpha channel, if it is opaque, with x[..., :-1]"
        raise DataError(f"{found}: {hint}")


def require_images(shape: tuple[int, ...], dtype: np.dtype[Any], found: str, verb: str) -> None:
    """Raise a DataError unless arrays of this shape and type may hold images, wherever their channels are.

    Args:
        shape: as a header says.
        dtype: likewise.
        found: the error's beginning: what there is, and what must be.
        verb: how images are handed over, "save" or "give".
    """
    if dtype.kind == "f":
        raise DataError(
            f"{found}: if its values are 0 ... 1, {verb} (x * 255).round().astype('uint8')"
        )
    if dtype != np.uint8:
        raise DataError(f"{found}: convert with x.astype('uint8') if every value is 0 ... 255")
    if len(shape) not in (3, 4):
        raise DataError(f"{found}: a single image needs a first axis, x[None]")
    if any(type(side) is not int for side in shape):  # to Python, True is a number
        raise DataError(f"{found}: its shape is damaged; save it again")
    if min(shape) < 1:
        raise DataError(f"{found}: there are no pixels in it")
