"""Array files: `.npy` and `.npz` of uint8 images `(N, H, W)` or `(N, H, W, C)`.

A file's header is never believed: shape and type are checked, and the size they imply is compared
with that of the file, before any memory is taken for the images. Nothing is ever unpickled.
"""

import math
import warnings
import zipfile
import zlib
from pathlib import Path
from typing import IO, Any

import numpy as np

from pixelrnn.data.dataset import (
    SPLITS,
    VALIDATION_RULE,
    WHOLE_RULE,
    DataSet,
    Images,
    carve_all,
    carve_validation,
)
from pixelrnn.errors import DataError

WANTED = "uint8 (N, H, W) for grey or (N, H, W, 3) for RGB"
# Deflate cannot shrink anything more than 1,032 times; a member that claims more is lying.
DEFLATE_LIMIT = 1032
CHUNK_BYTES = 1 << 24


def load_arrays(path: Path, num_levels: int = 256) -> DataSet:
    """Return the images of a `.npy` or `.npz` file.

    A `.npy` is split by index; a `.npz` holds one such array, or arrays named train, test and, if
    wanted, validation.

    Raises:
        DataError: if the file is damaged, holds anything but uint8 images, or a value that is not
            below `num_levels`.
    """
    try:
        if path.suffix.lower() == ".npz":
            parts, rule = _split_members(path, _read_npz(path))
        else:
            with path.open("rb") as stream:
                parts = carve_all(_read_array(stream, path.stat().st_size, str(path)))
            rule = WHOLE_RULE
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}") from error
    train, validation, test = parts
    return DataSet(
        name=path.name,
        num_levels=num_levels,
        train=train,
        validation=validation,
        test=test,
        source=str(path),
        licence="the owner's",
        notes=(),
        split_rule=rule,
    )


def _split_members(
    path: Path, arrays: dict[str, Images]
) -> tuple[tuple[Images, Images, Images], str]:
    if len(arrays) == 1:
        return carve_all(next(iter(arrays.values()))), WHOLE_RULE
    names = set(arrays)
    if not {"train", "test"} <= names <= set(SPLITS):
        raise DataError(
            f"{path} holds arrays named {', '.join(sorted(names))}: give it one array of images, "
            "or arrays named train, test and, if wanted, validation"
        )
    shapes = {name: array.shape[1:] for name, array in arrays.items()}
    if len(set(shapes.values())) > 1:
        raise DataError(f"{path} has images of more than one shape (C, H, W): {shapes}")
    if "validation" in arrays:
        return (arrays["train"], arrays["validation"], arrays["test"]), "as in the file"
    train, validation = carve_validation(arrays["train"])
    return (train, validation, arrays["test"]), f"test: as in the file; {VALIDATION_RULE}"


def _read_npz(path: Path) -> dict[str, Images]:
    arrays = {}
    try:
        with zipfile.ZipFile(path) as archive:
            for member in archive.infolist():
                name = member.filename.removesuffix(".npy")
                if name in arrays:
                    raise DataError(f"{path} has two arrays named {name}: save it again")
                _check_member(member, path)
                with archive.open(member) as stream:
                    arrays[name] = _read_array(stream, member.file_size, f"{path} ({name})")
    except (
        zipfile.BadZipFile,
        zlib.error,
        EOFError,
        NotImplementedError,
        RuntimeError,
        ValueError,
        LookupError,
    ) as error:
        raise DataError(f"{path} is not a whole .npz file ({error}); save it again") from error
    if not arrays:
        raise DataError(f"{path} holds no arrays: it must hold {WANTED}")
    return arrays


def _check_member(member: zipfile.ZipInfo, path: Path) -> None:
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise DataError(f"{path}: {member.filename} is packed in a way that numpy does not write")
    ratio = DEFLATE_LIMIT if member.compress_type == zipfile.ZIP_DEFLATED else 1
    if member.file_size > member.compress_size * ratio + CHUNK_BYTES // 1024:
        raise DataError(
            f"{path}: {member.filename} claims to unpack to {member.file_size:,} bytes from "
            f"{member.compress_size:,}, which cannot be: the file is damaged"
        )


def _read_array(stream: IO[bytes], num_bytes: int, where: str) -> Images:
    """Return the images `(N, C, H, W)` of one `.npy` stream that is `num_bytes` long."""
    shape, fortran_order, dtype = _read_header(stream, where)
    _check_header(shape, dtype, where)
    expected_bytes = math.prod(shape)
    body_bytes = num_bytes - stream.tell()
    if expected_bytes != body_bytes:
        trouble = "is cut short" if expected_bytes > body_bytes else "has bytes left over"
        raise DataError(
            f"{where} {trouble}: its header announces {expected_bytes:,} bytes of images and "
            f"{body_bytes:,} follow; save it again"
        )
    flat = _read_exactly(stream, expected_bytes, where)
    array = flat.reshape(shape[::-1]).T if fortran_order else flat.reshape(shape)
    if array.ndim == 3:
        array = array[..., np.newaxis]
    return np.ascontiguousarray(array.transpose(0, 3, 1, 2))


def _read_header(stream: IO[bytes], where: str) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            version = np.lib.format.read_magic(stream)
            if version == (1, 0):
                return np.lib.format.read_array_header_1_0(stream)
            return np.lib.format.read_array_header_2_0(stream)
    except OSError:
        raise
    # numpy evaluates the header as a Python literal: damaged bytes can raise nearly anything there.
    except Exception as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DataError(
            f"{where} is damaged or not an .npy array ({reason}): it must hold {WANTED}"
        ) from error


def _check_header(shape: tuple[int, ...], dtype: np.dtype[Any], where: str) -> None:
    found = f"{where} holds {dtype} {shape}, but must hold {WANTED}"
    if dtype.hasobject:
        raise DataError(f"{found}: Python objects are not read; stack the images into one array")
    if dtype.kind == "f":
        raise DataError(
            f"{found}: if its values are 0 ... 1, save (x * 255).round().astype('uint8')"
        )
    if dtype != np.uint8:
        raise DataError(f"{found}: convert with x.astype('uint8') if every value is 0 ... 255")
    if len(shape) == 4 and shape[3] not in (1, 3):
        hint = f"{shape[3]} channels are neither 1 nor 3"
        if shape[1] in (1, 3):
            hint = "put the channels last, with x.transpose(0, 2, 3, 1)"
        elif shape[3] in (2, 4):
            hint = "drop the alpha channel, if it is opaque, with x[..., :-1]"
        raise DataError(f"{found}: {hint}")
    if len(shape) not in (3, 4):
        raise DataError(f"{found}: a single image needs a first axis, x[None]")
    if min(shape) < 1:
        raise DataError(f"{found}: there are no pixels in it")


def _read_exactly(stream: IO[bytes], num_bytes: int, where: str) -> Images:
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
