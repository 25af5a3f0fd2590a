"""Reading what a file from elsewhere says, without letting it take more than it may.

Nothing is believed because it is written down: sizes are looked at before the bytes behind them are read.
"""

import json
import math
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from pixelrnn.errors import DataError, ModelFileError, PixelRNNError
from pixelrnn.files import not_a_file
from pixelrnn.wording import first_line, without_surrogates

# Of a safetensors file: a model of the paper has an eighth of a megabyte.
MAX_HEADER_BYTES = 1 << 21
# Photographs shrink two or three times, black and white digits ten times.
UNPACKED_BYTES, UNPACKED_RATIO = 1 << 26, 32
# What libraries raise for damaged bytes; a RuntimeError is that of recursion, too.
DAMAGED = (
    *(OSError, EOFError, ValueError, LookupError, RuntimeError),
    *(struct.error, zlib.error, tarfile.TarError, zipfile.BadZipFile),
)


def unpacked_limit(packed_bytes: int) -> int:
    """Return the bytes that a packed file of images may unpack to.

    Example:
        >>> unpacked_limit(0), unpacked_limit(10**9)
        (67108864, 32067108864)
    """
    return UNPACKED_BYTES + UNPACKED_RATIO * packed_bytes


@contextmanager
def opened(
    path: Path, remedy: str = "fetch it again", error: type[PixelRNNError] = DataError
) -> Iterator[IO[bytes]]:
    """Open a file from elsewhere to read it inside the `with`.

    Whatever its bytes make a library raise there is one line that names the file.

    Args:
        path: the file.
        remedy: what to do if it is damaged.
        error: what is raised.

    Raises:
        PixelRNNError: of the class `error`, if it is no file, cannot be read, is truncated or damaged, or
            holds more than there is memory for.

    Example:
        >>> with opened(Path("/")) as stream:
        ...     pass
        Traceback (most recent call last):
        pixelrnn.errors.DataError: / cannot be read: it is a folder
    """
    if kind := not_a_file(path):  # opening a pipe would wait for a writer
        raise error(f"{path} cannot be read: it is {kind}")
    try:
        with path.open("rb") as stream:
            yield stream
    except MemoryError as found:
        raise error(f"{path} holds more than there is memory for") from found
    except DAMAGED as found:
        if reason := getattr(found, "strerror", None):
            advice = f"; {remedy}" if isinstance(found, FileNotFoundError) else ""
            raise error(f"{path} cannot be read: {reason}{advice}") from found
        raise error(f"{path} is truncated or damaged ({first_line(found)}): {remedy}") from found


def check_safetensors(file: Path, *, most_bytes: int) -> None:
    """Look at the size of a safetensors file and of its header, before anything reads it.

    Whoever opens it then, the library, compares types, shapes and places of all tensors with the file.

    Raises:
        ModelFileError: if it is no file, too large, or no safetensors file.
    """
    with opened(file, "get it again", ModelFileError) as stream:
        size, start = file.stat().st_size, stream.read(8)
    if size > most_bytes:
        raise ModelFileError(
            f"{file} has {size:,} bytes, more than the {most_bytes:,} that are read"
        )
    header = struct.unpack("<Q", start)[0] if len(start) == 8 else 0
    if not 2 <= header <= size - 8:
        raise ModelFileError(
            f"{file} is not a safetensors file, or it is damaged or cut short; get it again"
        )
    if header > MAX_HEADER_BYTES:
        raise ModelFileError(
            f"{file} has a header of {header:,} bytes, more than the {MAX_HEADER_BYTES:,} that are read"
        )


def read_json(text: str) -> Any:
    r"""Return what a text in JSON says, with "?" for each half of a character.

    Names of files that are not UTF-8 have such halves, and nothing can show them.

    Raises:
        ValueError: if it is none, or says something twice, holds a number that is not finite, or has too
            many lists inside each other.

    Example:
        >>> read_json('{"a": [1, 2.5, null], "b": "caf\\udce9"}')
        {'a': [1, 2.5, None], 'b': 'caf?'}
    """
    try:
        value = json.loads(text, object_pairs_hook=_object)
        if not _is_finite(value):
            raise ValueError("a number that is not finite")
        if "\\u" in text:
            value = json.loads(without_surrogates(json.dumps(value, ensure_ascii=False)))
    except RecursionError as error:
        raise ValueError("it is not JSON: too many lists inside each other") from error
    except json.JSONDecodeError as error:
        raise ValueError(f"it is not JSON: {error}") from error
    return value


def printable(text: str) -> str:
    r"""Return a text from elsewhere in one line, what a terminal would obey written as an escape.

    Example:
        >>> printable("two" + chr(10) + "lines, " + chr(27) + "[31mred")
        'two\\nlines, \\x1b[31mred'
    """
    if text.isprintable():
        return text
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode()
        for letter in text
    )


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key twice in one object")
    for key, value in pairs:
        if not _is_finite(value):
            raise ValueError(f"{key}: a number that is not finite")
    return found


def _is_finite(value: Any) -> bool:
    if isinstance(value, list):
        return all(map(_is_finite, value))
    return not isinstance(value, float) or math.isfinite(value)
