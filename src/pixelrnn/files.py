"""Writing files so that nothing is lost: beside their place first, then renamed; and what is a file."""

import errno
import hashlib
import json
import os
import platform
import re
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from safetensors import SafetensorError

from pixelrnn import locks
from pixelrnn.errors import OutputError, RecipeError

_PART = re.compile(r"\..*\.(?P<host>[0-9a-f]{4})[0-9a-f]{8}\.part")
_CANNOT_SYNC = (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EROFS)
_swept: set[Path] = set()


@contextmanager
def replacing(path: Path, *, durable: bool = True) -> Iterator[Path]:
    """Yield a path to write to; on success it takes the place of `path`, on failure it is removed.

    A link stays one, and what it leads to is written; a file that was there keeps who may read it. What
    was written is on the disk before it takes the place. What a process that was killed left beside other
    files is removed at the first write into their folder.

    Args:
        path: the file.
        durable: wait until the disk has it; not needed of one of many files that can be made again.

    Raises:
        OutputError: if the file cannot be written, for example on a full disk.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> with replacing(folder / "a.txt") as beside:
        ...     _ = beside.write_text("done")
        >>> [file.name for file in folder.iterdir()]
        ['a.txt']
    """
    given, path = path, Path(os.path.realpath(path)) if os.path.islink(path) else path  # noqa: PTH114
    # Shortened, since file systems allow names of 255 bytes, which the name itself may have.
    name = path.name.encode(errors="surrogateescape")[:200].decode(errors="ignore")
    beside = path.with_name(_part_name(name))
    try:
        with _marked(beside):
            mode = stat.S_IMODE((path if path.is_file() else beside).stat().st_mode)
            with suppress(OSError):  # some file systems have no modes
                beside.chmod(mode)
            yield beside
            with suppress(
                OSError
            ):  # some writers make private files; the user's umask decides here
                beside.chmod(mode)
            if durable:
                sync(beside)
            beside.replace(path)
        if durable:
            _sync_folder(path.parent)
    except (OSError, SafetensorError) as error:  # safetensors hides a full disk in its own
        reason = getattr(error, "strerror", None) or error
        raise OutputError(f"cannot write {given}: {reason}") from error
    finally:
        with suppress(OSError):  # it may not exist, in a place that cannot
            beside.unlink()


def write_json(path: Path, value: Any) -> None:
    """Write a JSON file in one step; raises `OutputError` if it cannot be written."""
    with replacing(path) as beside:
        beside.write_text(json.dumps(value, indent=1) + "\n", encoding="utf-8")


def make_folder(path: Path) -> Path:
    """Create a folder if it is not there, check that it can be written to, and return it.

    Raises:
        OutputError: if there is a file of that name, or no permission.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
        probe = path / _part_name("")
        with _marked(probe):
            pass
        probe.unlink()
    except OSError as error:
        raise OutputError(
            f"cannot write into the folder {path}: {error.strerror or error}; choose another one"
        ) from error
    return path


def require_utf8(path: str | Path, what: str) -> None:
    """Raise `RecipeError` if a path has bytes that are not UTF-8, in which a run's files are written."""
    try:
        str(path).encode()
    except UnicodeEncodeError as error:
        raise RecipeError(
            f"the path of {what}, {str(path)!a}, is not valid UTF-8: rename it, or give a link to it"
        ) from error


FOLDER, LINK_TO_NOTHING = "a folder", "a link to nothing"
KINDS_OF_FILES = {
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFDIR: FOLDER,
}


def not_a_file(path: str | Path) -> str:
    """Return what a path is where that is no file: "a pipe", "a link to nothing"; or "".

    It is asked before a path is opened, since opening a pipe waits for a writer, perhaps for ever.

    Example:
        >>> not_a_file("/"), not_a_file("no such name")
        ('a folder', '')
    """
    try:
        kind = stat.S_IFMT(Path(path).stat().st_mode)
    except (OSError, ValueError):  # whoever opens it says why that cannot be
        return LINK_TO_NOTHING if os.path.islink(path) else ""  # noqa: PTH114 - never raises
    return "" if kind == stat.S_IFREG else KINDS_OF_FILES.get(kind, "no file")


def _host() -> str:
    return hashlib.sha256(platform.node().encode()).hexdigest()[:4]


def _part_name(name: str) -> str:
    return f".{name}.{_host()}{secrets.token_hex(4)}.part"


@contextmanager
def _marked(part: Path) -> Iterator[None]:
    """Create a file that nobody else takes for that of a dead process, for it is locked."""
    _sweep(part.parent)
    with _created(part) as stream:
        if os.name == "nt":  # which renames no file that is open
            stream.close()
        yield


def _created(part: Path) -> IO[bytes]:
    while True:
        stream = part.open("xb")
        with suppress(locks.NoLocksError):
            locks.lock(stream, wait=True)
        if locks.is_still(stream, part):
            return stream
        stream.close()  # it was taken for a dead process's before it could be locked


def _sweep(folder: Path) -> None:
    """Remove what dead processes of this machine left in a folder, once a process and folder.

    Whether one is dead is known from the lock on its file, which the system gives back.
    """
    folder = folder.absolute()
    if folder in _swept:
        return
    _swept.add(folder)
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            match = _PART.fullmatch(entry.name)
            if match and match["host"] == _host() and entry.is_file(follow_symlinks=False):
                _remove_unless_locked(Path(entry.path))


def _remove_unless_locked(part: Path) -> None:
    with suppress(OSError), part.open("r+b") as stream:
        if locks.lock(stream):
            if os.name == "nt":
                stream.close()
            part.unlink()


def sync(path: Path) -> None:
    """Wait until a file is on the disk; a disk that is full may say so only now."""
    with path.open("r+b") as stream:
        try:
            os.fsync(stream.fileno())
        except OSError as error:
            if error.errno not in _CANNOT_SYNC:
                raise


def _sync_folder(folder: Path) -> None:
    """Wait until a renaming is on the disk, where folders can be opened."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
