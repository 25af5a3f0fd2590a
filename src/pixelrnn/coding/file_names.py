"""File names for the images of an album: wherever it is unpacked, all come out, and none elsewhere.

Names in a file come from anybody, and from any system. Folders are kept; what would lead out of the output
folder is dropped; what Windows or macOS cannot write, or cannot tell apart, is changed, on all systems
alike.
"""

import itertools
import re
import unicodedata
from array import array
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import PurePosixPath

import numpy as np
import numpy.typing as npt

from pixelrnn.lazy import LazySequence

Hashes = npt.NDArray[np.int64]

SUFFIX = ".png"
MAX_PART_BYTES = 200  # file systems allow 255, and a few are added
MAX_FOLDERS = 32  # one in the other; the innermost are kept
FORBIDDEN = re.compile(r'[<>:"|?*]')
# Windows takes these for devices, whatever follows the first point.
DEVICES = re.compile(r"(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9\u00b9\u00b2\u00b3])", re.I)


class FileNames(LazySequence[str]):
    """A PNG file name for each image, with "/" after each folder; all are different.

    They are made on demand. A few bytes are kept per image, however long its name is.

    Args:
        names: of the images, from anybody.

    Example:
        >>> list(FileNames(["2024/cat.jpg", "2024/cat.png", "../con.png", "", "a:b"]))
        ['2024/cat.png', '2024/cat-2.png', 'con_.png', '3.png', 'a_b.png']
    """

    def __init__(self, names: Sequence[str]) -> None:
        self._names = names
        self._digits = len(str(max(len(names) - 1, 0)))
        self._copies = np.ones(len(names), np.int32)
        wanted = np.empty(len(names), np.int64)
        folders = array("q")
        last = ""
        for n, name in enumerate(names):
            stem = self._stem(n, name)
            wanted[n] = hash(_key(stem + SUFFIX))
            folder = stem.rpartition("/")[0]
            if folder != last:
                folders.extend(hash(_key(each)) for each in _folders(stem))
                last = folder
        # No file may take the name of a folder.
        self._number(wanted, np.unique(np.frombuffer(folders, np.int64)))

    def __len__(self) -> int:
        return len(self._names)

    def _make(self, index: int) -> str:
        return _numbered(self._stem(index), int(self._copies[index]))

    def _stem(self, index: int, name: str | None = None) -> str:
        """Return the name of an image without suffix and number; its own name, if it is at hand."""
        name = self._names[index] if name is None else name
        return _stem(name) or f"{index:0{self._digits}}"

    def _number(self, wanted: Hashes, folders: Hashes) -> None:
        """Give a number to each image whose name an earlier one, or a folder, has."""
        firsts, place = np.unique(wanted, return_index=True)
        again = np.isin(wanted, folders)
        again |= ~np.isin(np.arange(len(wanted)), place)
        taken = np.union1d(firsts, folders)
        counts: dict[int, int] = {}
        for n in np.flatnonzero(again).tolist():
            stem, kind = self._stem(n), int(wanted[n])
            count = counts.get(kind, 1) + 1
            while _is_in(taken, hash(_key(_numbered(stem, count)))):
                count += 1
            counts[kind] = self._copies[n] = count


def _numbered(stem: str, count: int) -> str:
    return f"{stem}-{count}{SUFFIX}" if count > 1 else stem + SUFFIX


def _is_in(taken: Hashes, key: int) -> bool:
    place = bisect_left(taken, key)
    return place < len(taken) and bool(taken[place] == key)


def is_changed(name: str, file: str) -> bool:
    """Return whether a file is called otherwise than its name in the album, apart from the suffix.

    Example:
        >>> is_changed("2024/cat.jpg", "2024/cat.png"), is_changed("a:b.png", "a_b.png")
        (False, True)
    """
    return bool(name) and _without_suffix(name) + SUFFIX != file


def _stem(name: str) -> str:
    """Return a name that is safe, without its suffix; "" if nothing is left of it."""
    *folders, last = _without_suffix(name.replace("\\", "/")).split("/")
    parts = [safe for folder in folders[-MAX_FOLDERS:] if (safe := _safe(folder))]
    stem = _safe(last)
    return "/".join([*parts, stem]) if stem else ""


def _without_suffix(name: str) -> str:
    folder, slash, last = name.rpartition("/")
    return folder + slash + (PurePosixPath(last).stem if last.strip(".") else "")


@lru_cache(1 << 12)  # most folders come again and again
def _safe(part: str) -> str:
    """Return a part of a path that every file system can hold; "" if nothing is left of it."""
    part = unicodedata.normalize("NFC", part)
    if not part.isprintable():
        part = "".join(letter for letter in part if letter.isprintable())
    part = FORBIDDEN.sub("_", part).encode()[:MAX_PART_BYTES].decode(errors="ignore")
    part = part.strip().lstrip(".").rstrip(". ").strip()
    first, point, rest = part.partition(".")
    return f"{first.rstrip()}_{point}{rest}" if DEVICES.fullmatch(first.rstrip()) else part


def _folders(stem: str) -> Iterator[str]:
    parts = stem.split("/")[:-1]
    return itertools.accumulate(parts, "{}/{}".format)


def _key(path: str) -> str:
    """Return what is equal for names that some file system takes for the same."""
    if path.isascii():
        return path.lower()
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", path).casefold())
