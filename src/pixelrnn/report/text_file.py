"""Reading text files and records: no more than such a file can rightly hold, and of a known version."""

import json
from pathlib import Path
from typing import Any

import pydantic

from pixelrnn.errors import ModelFileError
from pixelrnn.wording import without_surrogates

FORMAT_VERSION = 1
MAX_TEXT_BYTES = 1 << 20  # of a file of settings or results: a few thousand are usual


def read_text(
    path: Path, max_bytes: int = MAX_TEXT_BYTES, remedy: str = "train that run again"
) -> str:
    """Read a text file of at most `max_bytes`.

    Raises:
        ModelFileError: it is missing, is no file, not UTF-8, or too long; `remedy` says what to do.

    Example:
        >>> read_text(Path("none/result.json"))
        Traceback (most recent call last):
        pixelrnn.errors.ModelFileError: none/result.json cannot be read (No such file ...); ...
    """
    try:
        if path.exists() and not path.is_file():
            raise ModelFileError(f"{path} cannot be read (it is not a file); {remedy}")
        with path.open("rb") as file:
            content = file.read(max_bytes + 1)
        if len(content) > max_bytes:
            raise ModelFileError(
                f"{path} has more than {max_bytes:,} bytes, which no run writes; {remedy}"
            )
        return content.decode("utf-8")
    except OSError as error:
        reason = error.strerror or error
        raise ModelFileError(f"{path} cannot be read ({reason}); {remedy}") from None
    except UnicodeDecodeError:
        raise ModelFileError(f"{path} cannot be read (it is not UTF-8); {remedy}") from None


class Record(pydantic.BaseModel):
    """A JSON object of a file; keys that the report does not show are ignored."""

    model_config = pydantic.ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)


def require_version(path: Path, content: Any) -> None:
    """Raise `ModelFileError` for an object of a version that came later."""
    version = content.get("format_version") if isinstance(content, dict) else None
    if isinstance(version, int) and version > FORMAT_VERSION:
        raise ModelFileError(
            f"{path} has format version {version}, this pixelrnn reads up to {FORMAT_VERSION}; "
            "upgrade pixelrnn"
        )


def first_problem(error: pydantic.ValidationError) -> str:
    """Return where in a record something is wrong, and what."""
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"]) or "the whole file"
    return f"{where}: {first['msg']}"


def parse_json(text: str) -> Any:
    r"""Return JSON content with "?" for each half of a character, which no page can hold.

    Names of files that are not UTF-8 have such halves.

    Raises:
        ValueError: it is not JSON, too deep, or has a number of thousands of digits.

    Example:
        >>> parse_json('{"a": ["caf\\udce9"]}')
        {'a': ['caf?']}
    """
    try:
        return json.loads(without_surrogates(json.dumps(json.loads(text), ensure_ascii=False)))
    except RecursionError as error:
        raise ValueError("it is too deep") from error
