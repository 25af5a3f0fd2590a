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

    @property
    def host(self) -> str:
        """The server that has it."""
        return urlsplit(self.url).netloc

    def is_here(self) -> bool:
        """Return whether the file is in its place and is the one that was published."""
        path = self.path
        has_size = path.is_file() and path.stat().st_size == self.num_bytes
        return has_size and self.is_published(path)

    def is_published(self, path: Path) -> bool:
        """Return whether a file has the checksum that was published."""
        algorithm, digest = self.checksum.split(":")
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, algorithm).hexdigest() == digest


class _WrongContentError(Exception):
    """What came is not the file; the message says why."""


class _BrokenOffError(Exception):
    """Less came than the file has; the rest may come the next time."""


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
    except (OSError, HTTPError, _WrongContentError, _BrokenOffError) as error:
        raise DownloadError(
            f"{remote.name} could not be downloaded: {_reason(error, remote)}. Download {remote.url} "
            f"({remote.num_bytes / 1e6:.1f} MB) by other means, put it at {remote.path} "
            f"({remote.checksum.replace(':', ' ')}; another folder: set {FOLDER_VARIABLE}), and try again"
        ) from error
    return remote.path


def _retrieve(remote: RemoteFile) -> None:
    """Download a file, going on where it broke off as long as something comes, and put it in its place."""
    import requests  # noqa: PLC0415
    from urllib3.exceptions import HTTPError  # noqa: PLC0415

    part = remote.path.with_name(remote.name + ".part")
    is_resumed, attempts = part.exists(), ATTEMPTS
    while True:
        start = part.stat().st_size if part.exists() else 0
        try:
            if start != remote.num_bytes:
                _append(remote, part, start)
            if remote.is_published(part):
                break
            raise _WrongContentError(
                f"what {remote.host} sent has another checksum than was published"
            )
        except _WrongContentError:
            part.unlink(missing_ok=True)
            if not is_resumed:
                raise
            is_resumed = False  # it was the beginning of another file: once more, from zero
        except (requests.ConnectionError, HTTPError, _BrokenOffError):
            attempts -= 1
            if not attempts or not part.exists() or part.stat().st_size <= start:
                raise
    sync(part)
    part.replace(remote.path)


def _append(remote: RemoteFile, part: Path, start: int) -> None:
    import requests  # noqa: PLC0415

    if start > remote.num_bytes:
        raise _WrongContentError("what was downloaded before is not part of the file")
    # "identity": a server that calls .gz a transfer encoding must not have it unpacked on the way.
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={start}-"} if start else {})
    timeout = (CONNECT_SECONDS, READ_SECONDS)
    position = start
    with requests.get(remote.url, headers=headers, stream=True, timeout=timeout) as response:
        if response.status_code != requests.codes.requested_range_not_satisfiable:
            response.raise_for_status()
            resumes = response.headers.get("Content-Range", "").startswith(f"bytes {start}-")
            if response.status_code != requests.codes.partial_content or not resumes:
                position = 0
            with part.open("ab" if position else "wb") as stream:
                for chunk in _received(response, remote, position):
                    position += len(chunk)
                    if position > remote.num_bytes:
                        raise _WrongContentError(
                            f"the server sent more than {remote.num_bytes:,} bytes"
                        )
                    stream.write(chunk)
    if position < remote.num_bytes:
        raise _BrokenOffError(f"the server sent {position:,} of {remote.num_bytes:,} bytes")


def _received(response: "requests.Response", remote: RemoteFile, start: int) -> Iterator[bytes]:
    from rich.console import Console  # noqa: PLC0415
    from rich.progress import DownloadColumn, Progress, TransferSpeedColumn  # noqa: PLC0415

    console = Console(stderr=True)
    columns = (*Progress.get_default_columns(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task(remote.name, total=remote.num_bytes, completed=start)
        # The raw bytes, not `iter_content`: see "identity".
        for chunk in response.raw.stream(CHUNK_BYTES, decode_content=False):
            yield chunk
            bar.advance(task, len(chunk))


def _reason(error: Exception, remote: RemoteFile) -> str:
    import requests  # noqa: PLC0415
    from urllib3.exceptions import HTTPError  # noqa: PLC0415

    match error:
        case requests.HTTPError(response=requests.Response() as response):
            return f"{remote.host} answers {response.status_code} {response.reason}"
        case requests.Timeout():
            return f"{remote.host} does not answer"
        case requests.RequestException() | HTTPError():
            return f"no connection to {remote.host}, or it broke"
        case OSError():
            return f"{error.filename or remote.path} cannot be written: {error.strerror or error}"
    return str(error)
