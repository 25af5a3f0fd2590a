"""Writing files so that nothing is lost: beside their place first, then renamed."""

import json
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from safetensors import SafetensorError

from pixelrnn.errors import OutputError


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a path to write to; on success it takes the place of `path`, on failure it is removed.

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
    # Shortened, since file systems allow names of 255 bytes, which the name itself may have.
    name = path.name.encode(errors="surrogateescape")[:200].decode(errors="ignore")
    beside = path.with_name(f".{name}.{secrets.token_hex(4)}.part")
    try:
        beside.touch()
        mode = beside.stat().st_mode
        yield beside
        beside.chmod(mode)  # some writers make private files; the user's umask decides here
        beside.replace(path)
    except (OSError, SafetensorError) as error:  # safetensors hides a full disk in its own
        reason = getattr(error, "strerror", None) or error
        raise OutputError(f"cannot write {path}: {reason}") from error
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
