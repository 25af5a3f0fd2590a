"""Writing files so that nothing is lost: beside their place first, then renamed; and what is a file."""

import json
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from safetensors import SafetensorError

from pixelrnn.errors import OutputError


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a path to write to; on success it takes the place of `path`, on failure it is removed.

    A link stays one, and what it leads to is written; a file that was there keeps who may read it.

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
    beside = path.with_name(f".{name}.{secrets.token_hex(4)}.part")
    try:
        beside.touch()
        mode = stat.S_IMODE((path if path.is_file() else beside).stat().st_mode)
        with suppress(OSError):  # some file systems have no modes
            beside.chmod(mode)
        yield beside
        with suppress(OSError):  # some writers make private files; the user's umask decides here
            beside.chmod(mode)
        beside.replace(path)
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
        probe = path / f".{secrets.token_hex(4)}.part"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise OutputError(
            f"cannot write into the folder {path}: {error.strerror or error}; choose another one"
        ) from error
    return path


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
