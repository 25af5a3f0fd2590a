"""The forms in which published sets lie in folders, and finding them: each form is one entry of `LAYOUTS`.

Looked at are a folder, its sub-folders, and a folder `raw` in each of these: `MNIST/raw` and
`cifar-10-batches-py` below one root are how torchvision keeps them.
"""

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from pixelrnn.data import cifar, mnist
from pixelrnn.data.cifar_versions import VERSIONS, Version
from pixelrnn.data.dataset import DataSet
from pixelrnn.data.listing import list_images
from pixelrnn.data.options import DataOptions
from pixelrnn.errors import DataError
from pixelrnn.wording import joined


@dataclass(frozen=True)
class Layout:
    """One form in which a set lies in a folder.

    Attributes:
        name: of the set in the catalogue.
        title: what it is, in words.
        is_in: whether a folder that holds these names has files of this form, all of them or not.
        missing: which of them are missing, for given options.
        trouble: what is not as it was published, for given options; "" if all is.
        load: reads it.
        archive: the file that it is packed into, if there is one; `path` may be that.
        options: the options that apply to it.
    """

    name: str
    title: str
    is_in: Callable[[Path, Iterable[str]], bool]
    missing: Callable[[Path, DataOptions], list[str]]
    trouble: Callable[[Path, DataOptions], str]
    load: Callable[[Path, DataOptions], DataSet]
    archive: str = ""
    options: frozenset[str] = frozenset({"num_levels"})


@dataclass(frozen=True)
class Found:
    """A set in a place: a folder, or an archive."""

    layout: Layout
    path: Path

    def has_all(self, options: DataOptions) -> bool:
        """Return whether no file is missing; files that nobody may look for are."""
        try:
            return not self.layout.missing(self.path, options)
        except OSError:
            return False

    def trouble(self, options: DataOptions) -> str:
        """Return what is not as it was published, or cannot be read; "" if all is."""
        try:
            return self.layout.trouble(self.path, options)
        except (DataError, OSError) as error:
            return str(error)

    def load(self, options: DataOptions) -> DataSet:
        """Return its images.

        Raises:
            DataError: if they cannot be read.
        """
        try:
            return self.layout.load(self.path, options)
        except OSError as error:
            reason = error.strerror or error
            raise DataError(f"{error.filename or self.path} cannot be read: {reason}") from error


def _cifar(version: Version) -> Layout:
    return Layout(
        name=version.name,
        title=f"{version.title}, {version.form} version",
        is_in=partial(cifar.is_cifar, version=version),
        missing=lambda path, _: cifar.missing_files(path, version),
        trouble=lambda path, _: cifar.cifar_trouble(path, version),
        load=partial(cifar.load_cifar, version=version),
        archive=version.archive,
    )


LAYOUTS = (
    Layout(
        name="mnist",
        title="idx or .amat files as of MNIST",
        is_in=mnist.is_mnist,
        missing=mnist.missing_files,
        trouble=mnist.mnist_trouble,
        load=mnist.load_mnist,
        options=frozenset({"num_levels", "binarisation"}),
    ),
    *map(_cifar, VERSIONS),
)


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
        unpacked += [Found(layout, place) for layout in LAYOUTS if layout.is_in(place, names)]
        archives += [
            Found(layout, place / layout.archive) for layout in LAYOUTS if layout.archive in names
        ]
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
    places = [f"{each.path} ({each.layout.title})" for each in found]
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
        if layout.is_in(file.parent, [file.name]):
            options = DataOptions(binarisation="fixed" if file.suffix == ".amat" else "none")
            missing = layout.missing(file.parent, options)
            lacks = f", which has no {joined(missing)}" if missing else ""
            return f"{file.absolute().parent}{lacks}"
    return ""


def folders_in(folder: Path) -> list[Path]:
    """Return the sub-folders of a folder, by name, without hidden ones; none if it cannot be read."""
    return _contents(folder)[1]


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
    """Return the names in a folder, and its sub-folders; nothing of one that cannot be read."""
    try:
        with os.scandir(folder) as entries:
            found = {entry.name: entry.is_dir() for entry in entries}
    except OSError:
        return frozenset(), []
    folders = (name for name, is_folder in found.items() if is_folder and name[0] != ".")
    return frozenset(found), [folder / name for name in sorted(folders)]
