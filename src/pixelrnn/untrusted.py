"""Reading what a file from elsewhere says, without letting it take more than it may.

Nothing is believed because it is written down: sizes are looked at before the bytes behind them are read.
"""

import json
import math
import struct
import zipfile
from pathlib import Path
from typing import IO, Any

from pixelrnn.errors import ModelFileError
from pixelrnn.wording import as_ascii, without_surrogates

# Of a safetensors file: a model of the paper has an eighth of a megabyte.
MAX_HEADER_BYTES = 1 << 21
# Photographs shrink two or three times, black and white digits ten times.
UNPACKED_BYTES, UNPACKED_RATIO = 1 << 26, 32
DEFLATE_LIMIT = 1032  # deflate cannot shrink anything more than so many times
# Of the records that end a zip archive; the second, and what leads to it, of one of more than 4 GB.
END_BYTES, ZIP64_BYTES = 22, 56 + 20


def unpacked_limit(packed_bytes: int) -> int:
    """Return the bytes that a packed file of images may unpack to.

    Example:
        >>> unpacked_limit(0), unpacked_limit(10**9)
        (67108864, 32067108864)
    """
    return UNPACKED_BYTES + UNPACKED_RATIO * packed_bytes


def most_unpacked(member: zipfile.ZipInfo) -> int:
    """Return the bytes that a member of a zip file can unpack to; more is a lie.

    Raises:
        ValueError: if it is packed in a way that numpy does not write.
    """
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise ValueError(
            f"{as_ascii(member.filename)} is packed in a way that numpy does not write"
        )
    is_deflated = member.compress_type == zipfile.ZIP_DEFLATED
    return member.compress_size * (DEFLATE_LIMIT if is_deflated else 1)


def check_safetensors(file: Path, *, most_bytes: int) -> None:
    """Look at the size of a safetensors file and of its header, before anything reads it.

    Whoever opens it then, the library, compares types, shapes and places of all tensors with the file.

    Raises:
        ModelFileError: if it is no file, too large, or no safetensors file.
    """
    try:
        if file.exists() and not file.is_file():
            raise ModelFileError(f"{file} is no file that can be read twice: give a regular file")
        size = file.stat().st_size
        with file.open("rb") as stream:
            start = stream.read(8)
    except OSError as error:
        raise ModelFileError(f"{file} cannot be read: {error.strerror or error}") from error
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


def directory_bytes(file: IO[bytes]) -> int:
    """Return how long the list of members is that `zipfile` will read, and keep, of an archive.

    Args:
        file: open for reading bytes; where it stands afterwards means nothing.

    Raises:
        zipfile.BadZipFile: if there is no such list.
    """
    size = file.seek(0, 2)
    file.seek(max(0, size - END_BYTES - (1 << 16)))  # a comment of 2^16 bytes may follow
    tail = file.read()
    at = tail.rfind(b"PK\5\6")
    if not 0 <= at <= len(tail) - END_BYTES:
        raise zipfile.BadZipFile("it is not a whole .npz file")
    record = tail[max(0, at - ZIP64_BYTES) : at]
    if record[:4] == b"PK\6\6":  # of more than 4 GB: the sizes are here
        return int.from_bytes(record[40:48], "little")
    return int.from_bytes(tail[at + 12 : at + 16], "little")


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
