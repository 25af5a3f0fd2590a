"""Where a named set is: in the folder that PIXELRNN_DATA names, among the user's caches, or to be fetched.

Only files that are known to be the published ones are called by the name of a set.
"""

from collections.abc import Iterator
from pathlib import Path

from pixelrnn.data.dataset import DataSet
from pixelrnn.data.download import (
    FOLDER_VARIABLE,
    RemoteFile,
    cache_folder,
    fetch_file,
    named_folder,
)
from pixelrnn.data.layouts import Found, find, folders_in
from pixelrnn.data.options import DataOptions
from pixelrnn.errors import DataError


def locate(name: str, options: DataOptions) -> Found | None:
    """Return where the official files of a named set are on this machine; `None` if they are not."""
    return next((found for found, trouble in _candidates(name, options) if not trouble), None)


def load_located(name: str, options: DataOptions, files: tuple[RemoteFile, ...]) -> DataSet:
    """Return a named set, downloading its files where they are not on this machine.

    Raises:
        DataError: if PIXELRNN_DATA has files that are called so and are not the published ones.
        DownloadError: if it must be downloaded and cannot be.
    """
    found = locate(name, options)
    if found is None:
        fetch(name, options, files)
        found = locate(name, options)
    assert found is not None
    return found.load(options)


def fetch(name: str, options: DataOptions, files: tuple[RemoteFile, ...]) -> list[Path]:
    """Download the files of a set that is not here; return their paths.

    Raises:
        DataError: if PIXELRNN_DATA has files that are called so and are not the published ones.
        DownloadError: if one cannot be had.
    """
    folder = named_folder()
    for found, trouble in _candidates(name, options):
        if folder and found.path.is_relative_to(folder):
            raise DataError(
                f"{found.path}, in the folder that {FOLDER_VARIABLE} names, is not the official {name}: "
                f"{trouble}; use it as it is with --data {found.path}, or take it out of there"
            )
    return [fetch_file(remote) for remote in files]


def _candidates(name: str, options: DataOptions) -> Iterator[tuple[Found, str]]:
    """Yield the complete sets of a name, and what is not as it was published about each."""
    seen = set()
    for place in _folders():
        for found in find(place):
            if found.layout.name != name or (found.layout, found.path) in seen:
                continue
            seen.add((found.layout, found.path))
            if found.has_all(options):
                yield found, found.trouble(options)


def _folders() -> Iterator[Path]:
    if folder := named_folder():
        yield folder
        yield from folders_in(folder)
    yield cache_folder()
