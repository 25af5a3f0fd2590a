"""`load`: from a name or a path to a data set."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple
from weakref import WeakKeyDictionary

from pixelrnn.data.albums import load_album
from pixelrnn.data.arrays import load_arrays
from pixelrnn.data.catalogue import CATALOGUE
from pixelrnn.data.cifar import load_cifar
from pixelrnn.data.dataset import DataSet
from pixelrnn.data.digits import load_digits
from pixelrnn.data.finding import find_one, folder_of_part, load_official
from pixelrnn.data.folder import load_folder
from pixelrnn.data.in_memory import IN_MEMORY
from pixelrnn.data.mixture import mixed
from pixelrnn.data.options import DataOptions
from pixelrnn.data.photos import load_photos
from pixelrnn.data.shrinking import shrunk
from pixelrnn.errors import DataError
from pixelrnn.files import FOLDER, not_a_file
from pixelrnn.shipped import require_one_meaning
from pixelrnn.wording import suggestion

LEVELS = frozenset({"num_levels"})
OF_PICTURES = frozenset({"num_levels", "size", "patch_size", "random_crops"})
INSTALLED = {"digits": load_digits, "photos": load_photos}
EVERYWHERE = frozenset(["labels", "shrink"])  # options that apply to whatever has what they ask for
# The kinds of files that are read: by their suffix, the options that apply, and what reads them.
FILES: dict[str, tuple[frozenset[str], Callable[[Path, DataOptions], DataSet]]] = {
    ".pxr": (OF_PICTURES, load_album),
    ".npy": (LEVELS, load_arrays),
    ".npz": (LEVELS, load_arrays),
    ".tar.gz": (LEVELS, load_cifar),
    ".tgz": (LEVELS, load_cifar),
}
KINDS = (
    "a folder of images, an album (.pxr), an .npy or .npz file, a CIFAR archive (.tar.gz) or its folder, "
    "or a folder with MNIST's files"
)
_ORIGINS: WeakKeyDictionary[DataSet, tuple[str, DataOptions]] = WeakKeyDictionary()


class _Reader(NamedTuple):
    """What reads some images, and the options that apply to them."""

    options: frozenset[str]
    load: Callable[[DataOptions], DataSet]


def load(source: str | Path, options: DataOptions = DataOptions()) -> DataSet:  # noqa: B008
    """Return the images that `source` names, in splits that are always the same.

    Args:
        source: a name of the catalogue (`pixelrnn data list`), which is downloaded if it is not
            on this machine (`PIXELRNN_DATA` names a folder where it is looked for); or the path of a
            folder of images, of an album (`.pxr`), of an `.npy` or `.npz` file of uint8 images `(N, H, W)`
            or `(N, H, W, C)`, of a CIFAR-10 or CIFAR-100 archive, binary or Python version, of the folder
            that it unpacks to, or of one with MNIST's idx or `.amat` files; or of a folder above one of
            those, as torchvision's roots are. A folder called like a named set is written `./digits`, or
            given as a `Path`; `digits` alone is then refused.
        options: how to read it.

    Raises:
        DataError: if there is no such thing, if it is damaged or cannot be read without losing
            something, or if an option does not apply to it.
        CompressedFileError: if it is an album that is damaged, or of a model that is not here.
        DownloadError: if it must be downloaded and cannot be.

    Example:
        >>> data = load("photos", DataOptions(patch_size=16))
        >>> data.name, data.images("test").shape
        ('photos (16x16 patches)', (6225, 3, 16, 16))
    """
    for each in (source, *(options.also or ())):
        require_clear(each)
    return load_recorded(source, options)


def require_clear(source: str | Path) -> None:
    """Raise a DataError if what a user wrote names a set and is a path here too."""
    if _is_name(source):
        require_one_meaning(str(source), "a set of images", DataError)


def load_recorded(source: str | Path, options: DataOptions) -> DataSet:
    """Return the images that a recipe names: there a name is a name, whatever is here; see `load`.

    Raises:
        DataError: also if they were in memory.
    """
    data = (_load_mixed if options.also else _load)(source, options)
    require_labels(data, options.labels)
    if options.shrink:
        data = shrunk(data, options.shrink)
    _ORIGINS[data] = str(source), options
    return data


def require_labels(data: DataSet, is_wanted: bool) -> None:
    """Raise a DataError if labels are wanted, and there are none."""
    if is_wanted and not data.num_classes:
        raise DataError(f"{data.without_labels()}: leave data.labels out, or give other images")


def origin(data: DataSet) -> tuple[str, DataOptions]:
    """Return by which source and options a data set was loaded, `IN_MEMORY` if it was not."""
    return _ORIGINS.get(data, (IN_MEMORY, DataOptions()))


def options_of(source: str | Path) -> frozenset[str]:
    """Return the names of the options that images can be read with, whether they are there or not.

    Raises:
        DataError: if what is there is not read.

    Example:
        >>> sorted(options_of("photos"))
        ['num_levels', 'patch_size', 'random_crops']
    """
    is_there = _is_name(source) or existing_path(source) is not None
    return _reader(source).options if is_there else LEVELS


def existing_path(source: str | Path) -> Path | None:
    """Return the path of what a source leads to; None if there is nothing."""
    try:
        path = Path(source).expanduser()
        return path if path.exists() else None
    except (OSError, RuntimeError):  # a name that is too long, the home of no user
        return None


def check_options(options: DataOptions, allowed: frozenset[str], source: str) -> None:
    """Raise a DataError if an option other than those `allowed` is set: it would do nothing."""
    defaults = DataOptions()
    for name in DataOptions.model_fields:
        if name not in allowed | EVERYWHERE and getattr(options, name) != getattr(defaults, name):
            raise DataError(
                f"data.{name} does not apply to {source}: leave it out (what applies: "
                f"{', '.join(f'data.{each}' for each in sorted(allowed))})"
            )


def nothing_called(name: str) -> str:
    """Return the message about a set that does not exist, with the nearest name that does."""
    known = f"{', '.join(CATALOGUE)} (`pixelrnn data list`)"
    return f"there is no {name}{suggestion(name, CATALOGUE)}: give one of {known}"


def _load(source: str | Path, options: DataOptions) -> DataSet:
    reader = _reader(source)
    check_options(options, reader.options, str(source))
    return reader.load(options)


def _load_mixed(source: str | Path, options: DataOptions) -> DataSet:
    """Return several sets as one, each read with those of the options that apply to it."""
    sources = (source, *(options.also or ()))
    options = options.model_copy(update={"also": None})
    if len({_place(each) for each in sources}) < len(sources):
        raise DataError("data.also names a set twice, or the one that is there already")
    applying = {str(each): options_of(each) for each in sources}
    check_options(options, frozenset().union(*applying.values()), " + ".join(applying))
    return mixed(
        [
            _load(each, DataOptions(**options.model_dump(include=set(applying[str(each)]))))
            for each in sources
        ]
    )


def _place(source: str | Path) -> Path | str:
    """Return what is the same for all spellings of a source."""
    path = None if _is_name(source) else existing_path(source)
    return path.resolve() if path else str(source)


def _is_name(source: str | Path) -> bool:
    return isinstance(source, str) and source in CATALOGUE


def _reader(source: str | Path) -> _Reader:
    """Return what reads a source, by its name or by what is there.

    Raises:
        DataError: if there is nothing, or nothing that is read.
    """
    if source == IN_MEMORY:
        raise DataError(
            "these images were in memory, and no file has them: give them again with data=, or others "
            "with --data NAME-or-PATH"
        )
    if _is_name(source):
        name = str(source)
        load_named = INSTALLED.get(name, partial(load_official, name))
        return _Reader(CATALOGUE[name].options, load_named)
    path = existing_path(source)
    if path is None:
        raise DataError(f"{nothing_called(str(source))}, or {KINDS}")
    if (kind := not_a_file(path)) == FOLDER:
        found = find_one(path)
        if found is None:
            return _Reader(OF_PICTURES, partial(load_folder, path))
        return _Reader(CATALOGUE[found.layout.name].options, found.load)
    if kind:
        raise DataError(f"{path} is {kind}: give {KINDS}")
    return _file_reader(path)


def _file_reader(path: Path) -> _Reader:
    for suffix, (allowed, read) in FILES.items():
        if path.name.lower().endswith(suffix):
            return _Reader(allowed, partial(read, path))
    if folder := folder_of_part(path):
        raise DataError(
            f"{path} is one of several files that make a set: give their folder, {folder}"
        )
    raise DataError(f"{path} is not a kind of file that is read: give {KINDS}")
