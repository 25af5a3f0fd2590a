"""Fetching published files: resumed where they stopped, checked, and kept in one folder.

The folder is that of the user's caches, or the one that the environment variable PIXELRNN_DATA
names.
"""

import hashlib
import logging
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from pixelrnn.errors import DownloadError

if TYPE_CHECKING:
    import requests

FOLDER_VARIABLE = "PIXELRNN_DATA"
CHUNK_BYTES = 1 << 16
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
        algorithm, digest = self.checksum.split(":")
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, algorithm).hexdigest() == digest


class _BadDownloadError(Exception):
    """What came cannot be the file; the message says why."""


def download_folder() -> Path:
    """Return the folder of downloads: PIXELRNN_DATA, or `pixelrnn` among the user's caches."""
    if named := os.environ.get(FOLDER_VARIABLE):
        return Path(named).expanduser()
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
    import pooch  # noqa: PLC0415
    from urllib3.exceptions import HTTPError  # noqa: PLC0415

    pooch.get_logger().setLevel(logging.WARNING)
    resumed = _part_path(remote).exists()
    try:
        try:
            return _retrieve(remote)
        except (ValueError, _BadDownloadError):
            # What was resumed may have been the beginning of another file: once more, from zero.
            if not resumed:
                raise
            _part_path(remote).unlink(missing_ok=True)
            return _retrieve(remote)
    except (OSError, HTTPError, ValueError, _BadDownloadError) as error:
        raise DownloadError(f"{_reason(error, remote)}. {by_hand(remote)}") from error


def by_hand(remote: RemoteFile) -> str:
    """Return how to get a file without this program, in one line."""
    return (
        f"Download {remote.url} ({remote.num_bytes / 1e6:.1f} MB) by other means, put it at "
        f"{remote.path} ({remote.checksum.replace(':', ' ')}; another folder: set "
        f"{FOLDER_VARIABLE}), and try again"
    )


def _retrieve(remote: RemoteFile) -> Path:
    import pooch  # noqa: PLC0415

    def download(url: str, output_file: str, _: Any) -> None:
        part = _part_path(remote)
        _download(url, part, remote.num_bytes)
        part.replace(output_file)

    path = pooch.retrieve(
        url=remote.url,
        known_hash=remote.checksum,
        fname=remote.name,
        path=download_folder(),
        downloader=download,
    )
    return Path(path)


def _part_path(remote: RemoteFile) -> Path:
    return remote.path.with_name(remote.name + ".part")


def _download(url: str, part: Path, num_bytes: int) -> None:
    """Append to `part` what it lacks of the file at `url`, which has `num_bytes`."""
    import requests  # noqa: PLC0415

    start = part.stat().st_size if part.exists() else 0
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
        raise _BadDownloadError(f"the server sent {position:,} of {num_bytes:,} bytes")


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
    elif isinstance(error, ValueError):
        reason = f"what {host} sent has another checksum than was published"
    else:
        reason = str(error)
    return f"{remote.name} could not be downloaded: {reason}"
