"""Finding published sets: in a folder that is given, or by name among the user's folders.

Looked at are a folder, its sub-folders, and a folder `raw` in each of these: `MNIST/raw` and
`cifar-10-batches-py` below one root are how torchvision keeps them. By its name a set is looked for in
the folder that PIXELRNN_DATA names, then among the user's caches; only files that are known to be the
published ones are called by the name.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from pixelrnn.data.archives import md5_of
from pixelrnn.data.catalogue import CATALOGUE
from pixelrnn.data.cifar import VERSIONS, Version
from pixelrnn.data.dataset import DataSet
from pixelrnn.data.download import FOLDER_VARIABLE, cache_folder, fetch_file, named_folder
from pixelrnn.data.listing import list_images
from pixelrnn.data.mnist import Mnist
from pixelrnn.data.options import DataOptions
from pixelrnn.errors import DataError
from pixelrnn.wording import joined

# The forms in which published sets lie in folders: what is in one, what it lacks, and how it is read.
Layout = Mnist | Version
LAYOUTS: tuple[Layout, ...] = (Mnist(), *VERSIONS)


class Found(NamedTuple):
    """A set in a place: a folder, or an archive."""

    layout: Layout
    path: Path

    def has_all(self, options: DataOptions) -> bool:
        """Return whether no file is missing; files that nobody may look for are."""
        try:
            return self.path.is_file() or not self.layout.missing_files(self.path, options)
        except OSError:
            return False

    def mismatch(self, options: DataOptions) -> str:
        """Return what is not as it was published, or cannot be read; "" if all is."""
        try:
            if self.path.is_file() and md5_of(self.path) == self.layout.archive_md5:
                return ""
            return self.layout.read(self.path, options)[1]
        except (DataError, OSError) as error:
            return str(error)

    def load(self, options: DataOptions) -> DataSet:
        """Return its images; raises a `DataError` if they cannot be read."""
        return self.layout.read(self.path, options)[0]


def find(folder: Path) -> list[Found]:
    """Return the sets in a folder and below it: those that are unpacked, then archives.

    Example:
        >>> import tempfile
        >>> root = Path(tempfile.mkdtemp())
        >>> (root / "MNIST" / "raw").mkdir(parents=True)
        >>> _ = (root / "MNIST" / "raw" / "t10k-images-idx3-ubyte").write_bytes(b"")
        >>> [found.path.relative_to(root).as_posix() for found in find(root)]
        ['MNIST/raw']
    """
    unpacked, archives = [], []
    for place, names in _places(folder):
        for layout in LAYOUTS:
            if layout.is_present(place, names):
                unpacked.append(Found(layout, place))
            if layout.archive in names:
                archives.append(Found(layout, place / layout.archive))
    return [*unpacked, *archives]


def find_one(folder: Path) -> Found | None:
    """Return the set that a folder holds; `None` if it is one of images.

    An archive counts where nothing else is.

    Raises:
        DataError: if there are several, or images too: the message names them.
    """
    everything = find(folder)
    found = [each for each in everything if each.path.is_dir()]
    is_below = bool(everything) and everything[0].path != folder
    has_images = is_below and bool(list_images(folder).images)
    if not found and not has_images:
        found = everything
    places = [f"{each.path} ({each.layout.label})" for each in found]
    if found and has_images:
        places.append(f"the images of {folder} itself")
    if len(places) > 1:
        raise DataError(
            f"{folder} could be {' or '.join(places)}: give the path of the one that is meant, or move the "
            "others out of it"
        )
    return found[0] if found else None


def folder_of_part(file: Path) -> str:
    """Return in which folder the set of a file is, and what lacks there; "" if it is part of none."""
    for layout in LAYOUTS:
        if layout.is_present(file.parent, [file.name]):
            options = DataOptions(binarisation="fixed" if file.suffix == ".amat" else "none")
            missing = layout.missing_files(file.parent, options)
            lacks = f", which has no {joined(missing)}" if missing else ""
            return f"{file.absolute().parent}{lacks}"
    return ""


def locate(name: str, options: DataOptions) -> Found | None:
    """Return where the official files of a named set are on this machine; `None` if they are not."""
    return next((found for found, mismatch in _candidates(name, options) if not mismatch), None)


def load_official(name: str, options: DataOptions) -> DataSet:
    """Return a named set, downloading its files where they are not on this machine.

    Raises:
        DataError: if PIXELRNN_DATA has files that are called so and are not the published ones.
        DownloadError: if it must be downloaded and cannot be.
    """
    found = locate(name, options)
    if found is None:
        fetch(name, options)
        found = locate(name, options)
    assert found is not None
    return found.load(options)


def fetch(name: str, options: DataOptions) -> list[Path]:
    """Download the files of a set that is not here; return their paths.

    Raises:
        DataError: if PIXELRNN_DATA has files that are called so and are not the published ones.
        DownloadError: if one cannot be had.
    """
    folder = named_folder()
    for found, mismatch in _candidates(name, options):
        if folder and found.path.is_relative_to(folder):
            raise DataError(
                f"{found.path}, in the folder that {FOLDER_VARIABLE} names, is not the official {name}: "
                f"{mismatch}; use it as it is with --data {found.path}, or take it out of there"
            )
    return [fetch_file(remote) for remote in CATALOGUE[name].files(options)]


def _candidates(name: str, options: DataOptions) -> Iterator[tuple[Found, str]]:
    """Yield the complete sets of a name, and what is not as it was published about each."""
    folder = named_folder()
    places = [folder, *_contents(folder)[1]] if folder else []
    everything = [found for place in [*places, cache_folder()] for found in find(place)]
    for found in dict.fromkeys(everything):
        if found.layout.name == name and found.has_all(options):
            yield found, found.mismatch(options)


def _places(folder: Path) -> Iterator[tuple[Path, frozenset[str]]]:
    """Yield the places below a folder that are looked at, each once, and the names in them."""
    names, folders = _contents(folder)
    yield folder, names
    seen = {folder.resolve()}
    for place in (place for child in folders for place in (child, child / "raw")):
        if place.resolve() not in seen:
            seen.add(place.resolve())
            yield place, _contents(place)[0]


def _contents(folder: Path) -> tuple[frozenset[str], list[Path]]:
    """Return the names in a folder, and its sub-folders but hidden ones; nothing if it cannot be read."""
    try:
        with os.scandir(folder) as entries:
            found = {entry.name: entry.is_dir() for entry in entries}
    except OSError:
        return frozenset(), []
    folders = (name for name, is_folder in found.items() if is_folder and name[0] != ".")
    return frozenset(found), [folder / name for name in sorted(folders)]
