"""One process at a time: a lock on a file, which the system gives back however its holder ends.

The system keeps the lock, not the file: after a crash, a kill or a power cut it is free, whatever is
written in the file, which only says who holds it. Where the file system knows no locks, a second file
that may exist once takes their place; its holder is then looked for among the processes.
"""

import datetime
import errno
import json
import os
import platform
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from pixelrnn.errors import InUseError
from pixelrnn.wording import as_ascii

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]
    import msvcrt

_WAIT_SECONDS = 0.05
MAX_LETTERS = 100  # of what a file says of its holder
_FAR = 1 << 40  # of Windows, where a locked byte cannot be read: beyond all that is
_TAKEN = (errno.EAGAIN, errno.EACCES, errno.EWOULDBLOCK, errno.EDEADLK)
_BOOT = Path("/proc/sys/kernel/random/boot_id")


class NoLocksError(OSError):
    """The file system knows no locks."""


@contextmanager
def held(
    file: Path, doing: str, *, place: Path | None = None, wait: bool = False
) -> Iterator[None]:
    """Hold the lock that is `file` inside the `with`; the file is removed afterwards.

    Args:
        file: the lock; its folder exists.
        doing: what the holder does, for those who are refused, such as "training".
        place: what is locked, for the message; by default the file's folder.
        wait: wait until it is free, instead of raising.

    Raises:
        InUseError: if another process, or another part of this one, holds it.
        OSError: if the file cannot be written.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> with held(folder / ".lock", "training"):
        ...     try:
        ...         with held(folder / ".lock", "training"):
        ...             pass
        ...     except InUseError:
        ...         print("refused")
        refused
        >>> list(folder.iterdir())
        []
    """
    process = os.getpid()
    stream, owned = _take(file, place or file.parent, doing, wait=wait)
    _held.add(stream)
    try:
        yield
    finally:
        if os.getpid() == process:  # a forked process has not taken it
            _held.discard(stream)
            for each in filter(None, (owned, file)):
                with suppress(OSError):
                    each.unlink()
            stream.close()
            with suppress(OSError):  # Windows removes no file that is open
                file.unlink() if fcntl is None else None


def lock(stream: IO[Any], *, wait: bool = False) -> bool:
    """Lock an open file until it is closed; return whether it could be had.

    Raises:
        NoLocksError: if the file system knows no locks.
    """
    try:
        if fcntl is None:
            _lock_on_windows(stream)
        else:
            fcntl.flock(stream, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except OSError as error:
        if error.errno not in _TAKEN:
            raise NoLocksError(error.errno, error.strerror) from error
        if fcntl is None and wait:
            time.sleep(_WAIT_SECONDS)
            return lock(stream, wait=wait)
        return False
    return True


def is_still(stream: IO[Any], file: Path) -> bool:
    """Return whether an open file is the one of that name, or another took its place."""
    try:
        return os.path.samestat(os.fstat(stream.fileno()), file.stat())
    except OSError:
        return False


def _lock_on_windows(stream: IO[Any]) -> None:
    place = stream.tell()
    stream.seek(_FAR)
    try:
        msvcrt.locking(stream.fileno(), msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]
    finally:
        stream.seek(place)


def _take(file: Path, place: Path, doing: str, *, wait: bool) -> tuple[IO[bytes], Path | None]:
    """Return the open file that holds the lock, and the file that stands for it without locks."""
    while True:
        stream = file.open("a+b")
        owned = None
        try:
            taken = lock(stream, wait=wait)
        except NoLocksError:
            owned = file.with_name(f"{file.name}.owner")
            taken = _create(owned, doing)
        if taken and (owned or is_still(stream, file)):
            stream.truncate(0)
            stream.write(_about_this_process(doing))
            stream.flush()
            return stream, owned
        stream.close()
        if taken:
            continue  # its last holder removed it meanwhile
        if not wait:
            raise InUseError(_refusal(owned or file, place, unsure=owned is not None))
        time.sleep(_WAIT_SECONDS)


def _about_this_process(doing: str) -> bytes:
    about = {
        "pid": os.getpid(),
        "host": platform.node(),
        "since": datetime.datetime.now().astimezone().isoformat(timespec="seconds"),
        "doing": doing,
        "started": _started(os.getpid()),
        "boot": _boot(),
    }
    return json.dumps(about).encode() + b"\n"


def _refusal(file: Path, place: Path, *, unsure: bool) -> str:
    holder: dict[str, Any] = {}
    for _ in range(10):  # it may be about to say who it is
        holder = _read(file)
        if holder:
            break
        time.sleep(_WAIT_SECONDS)
    who = "another process"
    if holder:
        who = f"process {holder['pid']} on {holder['host']} ({holder['doing']} since {holder['since']})"
    advice = f"; if it is there no more, remove {file}" if unsure else ""
    return f"{place} is in use by {who}: wait until it is done, or stop it{advice}"


def _read(file: Path) -> dict[str, Any]:
    """Return what a file says of its holder; nothing if it is empty or damaged."""
    try:
        found = json.loads(file.read_bytes()[:10_000])
        texts = {key: as_ascii(str(found[key]), MAX_LETTERS) for key in ("host", "doing", "since")}
        return {**found, "pid": int(found["pid"]), **texts}
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return {}


def _create(owned: Path, doing: str) -> bool:
    """Create a file that may exist once; a dead process's is taken away first."""
    beside = owned.with_name(f"{owned.name}.{secrets.token_hex(4)}")
    for _ in range(2):
        try:
            with owned.open("xb") as stream:
                stream.write(_about_this_process(doing))
        except FileExistsError:
            judged = _read(owned)
            if not _is_dead(judged):
                return False
            with suppress(OSError):
                owned.rename(beside)  # of several who judged it, one takes it away
                fresh = _read(beside) != judged
                if fresh:
                    beside.rename(owned)
                    return False
                beside.unlink()
        else:
            return True
    return False


def _is_dead(holder: dict[str, Any]) -> bool:
    """Return whether a holder of this machine is surely gone; of another one nobody knows."""
    if holder.get("host") != as_ascii(platform.node(), MAX_LETTERS):
        return False
    if holder.get("boot") != _boot():
        return True
    started = _started(holder["pid"])
    return started is None or started != holder.get("started")


def _started(process: int) -> str | None:
    """Return when a process started, in the system's own words; None if there is none.

    With it, a number that was given to another process is not taken for the old one.
    """
    if Path("/proc/self/stat").is_file():
        try:
            text = Path(f"/proc/{process}/stat").read_text(encoding="utf-8", errors="replace")
        except OSError:
            return None
        return text.rpartition(")")[2].split()[19]
    try:
        if os.name != "nt":  # where signal 0 would end it
            os.kill(process, 0)
    except ProcessLookupError:
        return None
    except OSError:
        pass
    return "unknown"


def _boot() -> str:
    try:
        return _BOOT.read_text(encoding="utf-8").strip()
    except OSError:
        return "unknown"


_held: set[IO[bytes]] = set()


def _let_go() -> None:
    """In a forked process: it holds no lock, and must not keep one beyond its parent's end."""
    for stream in _held:
        with suppress(OSError):
            stream.close()
    _held.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_let_go)
