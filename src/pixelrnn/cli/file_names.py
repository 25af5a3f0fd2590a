"""File names for the images of an album: wherever it is unpacked, all come out, and none elsewhere.

Names in a file come from anybody, and from any system. Folders are kept; what would lead out of the output
folder is dropped; what Windows or macOS cannot write, or cannot tell apart, is changed, on all systems
alike.
"""

import re
import unicodedata
from collections.abc import Iterator
from pathlib import PurePosixPath

SUFFIX = ".png"
MAX_PART_BYTES = 200  # file systems allow 255, and a few are added
MAX_FOLDERS = 32  # one in the other; the innermost are kept
FORBIDDEN = re.compile(r'[<>:"|?*]')
# Windows takes these for devices, whatever follows the first point.
DEVICES = re.compile(r"(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9\u00b9\u00b2\u00b3])", re.I)


def file_names(names: list[str]) -> list[str]:
    """Return a PNG file name for each image, with "/" after each folder; all are different.

    Example:
        >>> file_names(["2024/cat.jpg", "2024/cat.png", "../con.png", "", "a:b"])
        ['2024/cat.png', '2024/cat-2.png', 'con_.png', '3.png', 'a_b.png']
    """
    digits = len(str(max(len(names) - 1, 0)))
    stems = [_stem(name) or f"{n:0{digits}}" for n, name in enumerate(names)]
    # No file may take the name of a folder.
    taken = {_key(f"{folder}") for stem in stems for folder in _folders(stem)}
    counts: dict[str, int] = {}
    result = []
    for stem in stems:
        candidate, again = stem + SUFFIX, counts.get(_key(stem), 1)
        while _key(candidate) in taken:
            again += 1
            candidate = f"{stem}-{again}{SUFFIX}"
        counts[_key(stem)] = again
        taken.add(_key(candidate))
        result.append(candidate)
    return result


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


def _safe(part: str) -> str:
    """Return a part of a path that every file system can hold; "" if nothing is left of it."""
    part = unicodedata.normalize("NFC", part)
    part = "".join(letter for letter in part if letter.isprintable())
    part = FORBIDDEN.sub("_", part).encode()[:MAX_PART_BYTES].decode(errors="ignore")
    part = part.strip().lstrip(".").rstrip(". ").strip()
    first, point, rest = part.partition(".")
    return f"{first.rstrip()}_{point}{rest}" if DEVICES.fullmatch(first.rstrip()) else part


def _folders(stem: str) -> Iterator[str]:
    place = stem.find("/")
    while place >= 0:
        yield stem[:place]
        place = stem.find("/", place + 1)


def _key(path: str) -> str:
    """Return what is equal for names that some file system takes for the same."""
    if path.isascii():
        return path.lower()
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", path).casefold())
