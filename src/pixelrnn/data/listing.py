"""The images of a folder and its sub-folders: which files are read, in which order, and what is left aside.

Hidden files (those that macOS puts beside others, too), links to nothing, pipes, sockets, devices and files
that are no images by their suffix are left aside, and named. Files that are images to their owner are
listed even where nothing here can read them: whoever reads them then says so.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from pixelrnn.data.image_files import OTHER_IMAGES, SUFFIXES, UnreadableImageError
from pixelrnn.errors import DataError
from pixelrnn.files import FOLDER, not_a_file

NUM_NAMED = 3  # of those alike that a line names; the others are counted


@dataclass
class Listing:
    """What is in a folder.

    Attributes:
        images: files that are images by their suffix, as paths from the folder with "/" between the parts;
            in natural order: numbers in names by their value, a folder's images together.
        left_aside: names of what is not read, and why.
        unreadable: sub-folders that cannot be looked into.
    """

    images: list[str] = field(default_factory=list)
    left_aside: list[tuple[str, str]] = field(default_factory=list)
    unreadable: list[UnreadableImageError] = field(default_factory=list)


def list_images(folder: Path) -> Listing:
    """List the images of a folder and all its sub-folders; each folder once, whatever leads to it.

    Nothing is opened.

    Raises:
        DataError: if the folder itself cannot be read.
    """
    listing = Listing()
    seen: set[tuple[int, int]] = set()
    folders = [(folder, "")]
    links: list[tuple[Path, str]] = []
    while folders or links:
        place, prefix = (folders or links).pop()  # what a link leads to is known by its own name
        try:
            about = place.stat()
            children = sorted(place.iterdir())
        except OSError as error:
            if not prefix:
                raise DataError(f"{folder} cannot be read: {error.strerror or error}") from error
            reason = f"a folder that cannot be read: {error.strerror or error}"
            listing.unreadable.append(UnreadableImageError(place, reason))
            continue
        if (about.st_dev, about.st_ino) in seen:
            listing.left_aside.append((prefix[:-1], "a link to a folder that is read already"))
            continue
        seen.add((about.st_dev, about.st_ino))
        for child in children:
            name = prefix + child.name
            why_not = _why_not(child)
            if why_not == FOLDER:
                (links if child.is_symlink() else folders).append((child, f"{name}/"))
            elif why_not:
                listing.left_aside.append((name, why_not))
            else:
                listing.images.append(name)
        if not children and _is_image(place) and prefix:
            listing.left_aside.append((prefix[:-1], "an empty folder"))
    listing.images.sort(key=natural)
    listing.left_aside.sort(key=lambda aside: natural(aside[0]))
    return listing


def _why_not(path: Path) -> str:
    """Return why a path is not a file to read, or ""."""
    if path.name.startswith("."):
        return "hidden"
    kind = not_a_file(path)
    return kind or ("" if _is_image(path) else "not an image")


def _is_image(path: Path) -> bool:
    return path.suffix.lower() in SUFFIXES | OTHER_IMAGES


def natural(name: str) -> tuple[list[list[tuple[int, int, str]]], str]:
    """Return what sorts names as people do.

    Example:
        >>> sorted(["10.png", "9.png", "B.png", "a.png"], key=natural)
        ['9.png', '10.png', 'a.png', 'B.png']
    """
    parts = [re.findall(r"[0-9]+|[^0-9]+", part.casefold()) for part in name.split("/")]
    keys = [
        [(0, int(run), "") if run[0] in "0123456789" else (1, 0, run) for run in part]
        for part in parts
    ]
    return keys, name


def grouped(named: Iterable[tuple[str, str]], most: int | None = NUM_NAMED) -> str:
    """Return names and reasons in words, names of one reason together, and no more than `most` of them.

    Example:
        >>> grouped([("a", "hidden"), ("b", "16-bit"), ("c", "hidden")], most=1)
        'a and 1 more (hidden); b (16-bit)'
    """
    reasons: dict[str, list[str]] = {}
    for name, reason in named:
        reasons.setdefault(reason, []).append(name)
    return "; ".join(f"{some(names, most)} ({reason})" for reason, names in reasons.items())


def some(names: list[str], most: int | None = NUM_NAMED) -> str:
    """Return the first names, and how many more there are.

    Example:
        >>> some(["a", "b", "c"], most=2)
        'a, b and 1 more'
    """
    more = 0 if most is None else len(names) - most
    return ", ".join(names[:most]) + (f" and {more} more" if more > 0 else "")
