"""Fetching published files: resumed where they stopped, checked, and kept in one folder.

The folder is the one that the environment variable PIXELRNN_DATA names, or else that of the user's caches.
"""

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from pixelrnn import locks
from pixelrnn.errors import DownloadError
from pixelrnn.files import sync

if TYPE_CHECKING:
    import requests

FOLDER_VARIABLE = "PIXELRNN_DATA"
CHUNK_BYTES = 1 << 16
ATTEMPTS = 5
CONNECT_SECONDS, READ_SECONDS = 10, 60


@dataclass(frozen=True)
class RemoteFile:
    """A published file.

    Attributes:
        name: the file's name in the folder of downloads.
        url: where it is published.
        checksum: "md5:..." or "sha256:...", as published.
        num_bytes: its size.
    """

    name: str
    url: str
    checksum: str
    num_bytes: int

    @property
    def path(self) -> Path:
        """Where the file is, or would be."""
        return download_folder() / self.name

    def is_here(self) -> bool:
        """Return whether the file is in its place and is the one that was published."""
        path = self.path
        if not path.is_file() or path.stat().st_size != self.num_bytes:
            return False
        return self.is_published(path)

    def is_published(self, path: Path) -> bool:
        """Return whether a file has the checksum that was published."""
        algorithm, digest = self.checksum.split(":")
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, algorithm).hexdigest() == digest


class _BadDownloadError(Exception):
    """What came cannot be the file; the message says why."""


class _BrokenOffError(_BadDownloadError):
    """Less came than the file has."""


def download_folder() -> Path:
    """Return the folder of downloads: PIXELRNN_DATA, or `pixelrnn` among the user's caches."""
    return named_folder() or cache_folder()


def named_folder() -> Path | None:
    """Return the folder that PIXELRNN_DATA names, if it names one."""
    named = os.environ.get(FOLDER_VARIABLE)
    return Path(named).expanduser() if named else None


def cache_folder() -> Path:
    """Return `pixelrnn` among the user's caches."""
    import pooch  # noqa: PLC0415 - takes a while

    return Path(pooch.os_cache("pixelrnn"))


def fetch_file(remote: RemoteFile) -> Path:
    """Return the path of a published file, downloading it if it is not here yet.

    An interrupted download is resumed by the next one. A file of another checksum is never kept.

    Raises:
        DownloadError: if it cannot be had; the message says how to get it by hand.
    """
    if remote.is_here():
        return remote.path
    from urllib3.exceptions import HTTPError  # noqa: PLC0415

    try:
        remote.path.parent.mkdir(parents=True, exist_ok=True)
        lock = remote.path.with_name(f".{remote.name}.lock")
        with locks.held(lock, "downloading", place=remote.path, wait=True):
            if not remote.is_here():  # whoever held the lock may have fetched it
                _retrieve(remote)
    except (OSError, HTTPError, _BadDownloadError) as error:
        raise DownloadError(f"{_reason(error, remote)}. {by_hand(remote)}") from error
    return remote.path


def by_hand(remote: RemoteFile) -> str:
    """Return how to get a file without this program, in one line."""
    return (
        f"Download {remote.url} ({remote.num_bytes / 1e6:.1f} MB) by other means, put it at "
        f"{remote.path} ({remote.checksum.replace(':', ' ')}; another folder: set "
        f"{FOLDER_VARIABLE}), and try again"
    )


def _retrieve(remote: RemoteFile) -> None:
    """Download a file, going on from what is there, and put it in its place."""
    part = _part_path(remote)
    resumed = part.exists()
    try:
        _download_whole(remote, part)
    except _BrokenOffError:
        raise
    except _BadDownloadError:
        # What was resumed may have been the beginning of another file: once more, from zero.
        if not resumed:
            raise
        part.unlink(missing_ok=True)
        _download_whole(remote, part)
    sync(part)
    part.replace(remote.path)


def _download_all(url: str, part: Path, num_bytes: int) -> None:
    """Download, and go on where a connection broke, as long as something comes each time."""
    import requests  # noqa: PLC0415
    from urllib3.exceptions import HTTPError  # noqa: PLC0415

    broken: Exception | None = None
    for _ in range(ATTEMPTS):
        before = _size(part)
        try:
            return _download(url, part, num_bytes)
        except (requests.ConnectionError, HTTPError, _BrokenOffError) as error:
            broken = error
        except _BadDownloadError as error:
            raise broken or error from error
        if _size(part) <= before:
            break
    assert broken is not None
    raise broken


def _download_whole(remote: RemoteFile, part: Path) -> None:
    """Download a file to `part`, which is removed if it is another one."""
    _download_all(remote.url, part, remote.num_bytes)
    if not remote.is_published(part):
        part.unlink()
        host = urlsplit(remote.url).netloc
        raise _BadDownloadError(f"what {host} sent has another checksum than was published")


def _size(part: Path) -> int:
    return part.stat().st_size if part.exists() else 0


def _part_path(remote: RemoteFile) -> Path:
    return remote.path.with_name(remote.name + ".part")


def _download(url: str, part: Path, num_bytes: int) -> None:
    """Append to `part` what it lacks of the file at `url`, which has `num_bytes`."""
    import requests  # noqa: PLC0415

    start = _size(part)
    if start == num_bytes:
        return
    # "identity": a server that calls .gz a transfer encoding must not have it unpacked on the way.
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={start}-"} if start else {})
    with requests.get(
        url, headers=headers, stream=True, timeout=(CONNECT_SECONDS, READ_SECONDS)
    ) as response:
        if response.status_code == requests.codes.requested_range_not_satisfiable:
            raise _BadDownloadError("what was downloaded before is not part of the file")
        response.raise_for_status()
        resumes = response.headers.get("Content-Range", "").startswith(f"bytes {start}-")
        if response.status_code != requests.codes.partial_content or not resumes:
            start = 0
        _write(response, part, start, num_bytes)


def _write(response: "requests.Response", part: Path, start: int, num_bytes: int) -> None:
    position = start
    with part.open("ab" if start else "wb") as stream:
        for chunk in _with_progress(response, part.stem, start, num_bytes):
            position += len(chunk)
            if position > num_bytes:
                raise _BadDownloadError(f"the server sent more than {num_bytes:,} bytes")
            stream.write(chunk)
    if position < num_bytes:
        raise _BrokenOffError(f"the server sent {position:,} of {num_bytes:,} bytes")


def _with_progress(
    response: "requests.Response", name: str, start: int, num_bytes: int
) -> Iterator[bytes]:
    from rich import progress  # noqa: PLC0415
    from rich.console import Console  # noqa: PLC0415

    console = Console(stderr=True)
    columns = (
        progress.TextColumn("{task.description}"),
        progress.BarColumn(),
        progress.DownloadColumn(),
        progress.TransferSpeedColumn(),
        progress.TimeRemainingColumn(),
    )
    with progress.Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task(name, total=num_bytes, completed=start)
        # The raw bytes, not `iter_content`: see "identity".
        for chunk in response.raw.stream(CHUNK_BYTES, decode_content=False):
            yield chunk
            bar.advance(task, len(chunk))


def _reason(error: Exception, remote: RemoteFile) -> str:
    import requests  # noqa: PLC0415
    from urllib3.exceptions import HTTPError  # noqa: PLC0415

    host = urlsplit(remote.url).netloc
    if isinstance(error, requests.HTTPError) and error.response is not None:
        reason = f"{host} answers {error.response.status_code} {error.response.reason}"
    elif isinstance(error, requests.Timeout):
        reason = f"{host} does not answer"
    elif isinstance(error, (requests.RequestException, HTTPError)):
        reason = f"no connection to {host}, or it broke"
    elif isinstance(error, OSError):
        reason = f"{error.filename or remote.path} cannot be written: {error.strerror or error}"
    else:
        reason = str(error)
    return f"{remote.name} could not be downloaded: {reason}"
