"""Text files and JSON records from disk: bounded in size, of a known version, checked against a schema."""

from pathlib import Path
from typing import Any, TypeVar

import pydantic

from pixelrnn.errors import ModelFileError
from pixelrnn.untrusted import opened, read_json
from pixelrnn.wording import first_line

FORMAT_VERSION = 1
MAX_TEXT_BYTES = 1 << 20  # of a file of settings or results: a few thousand are usual


class Record(pydantic.BaseModel):
    """A JSON object of a file; keys that it does not know, of later versions, are ignored."""

    model_config = pydantic.ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)


R = TypeVar("R", bound=Record)


def read_text(path: Path, remedy: str, max_bytes: int = MAX_TEXT_BYTES) -> str:
    """Read a text file of at most `max_bytes`.

    Raises:
        ModelFileError: it is missing, not a regular file, not UTF-8, or too long; `remedy` says what to do.

    Example:
        >>> read_text(Path("none/result.json"), "train that run again")
        Traceback (most recent call last):
        pixelrnn.errors.ModelFileError: none/result.json cannot be read: No such file ...; ...
    """
    with opened(path, remedy, ModelFileError) as file:
        content = file.read(max_bytes + 1)
        if len(content) > max_bytes:
            raise ModelFileError(
                f"{path} has more than {max_bytes:,} bytes, which no run writes; {remedy}"
            )
        try:
            return content.decode()
        except UnicodeDecodeError:
            raise ValueError("it is not UTF-8") from None


def read_content(path: Path, remedy: str) -> Any:
    """Return the content of a JSON file of this version or an earlier one.

    Raises:
        ModelFileError: it cannot be read, is not JSON, or is of a later version.
    """
    text = read_text(path, remedy)
    try:
        content = read_json(text)
    except ValueError as error:
        raise ModelFileError(f"{path}: {first_line(error)}; {remedy}") from None
    version = content.get("format_version") if isinstance(content, dict) else None
    if isinstance(version, int) and version > FORMAT_VERSION:
        raise ModelFileError(
            f"{path} has format version {version}, this pixelrnn reads up to {FORMAT_VERSION}; "
            "upgrade pixelrnn"
        )
    return content


def read_record(path: Path, kind: type[R], remedy: str) -> R:
    """Read a JSON file that holds a record of this kind.

    Raises:
        ModelFileError: it cannot be read, or a field is missing or wrong; the message names the field.
    """
    content = read_content(path, remedy)
    try:
        return kind.model_validate(content)
    except pydantic.ValidationError as error:
        raise ModelFileError(f"{path}: {first_problem(error)}; {remedy}") from None


def first_problem(error: pydantic.ValidationError, *, partial: bool = False) -> str:
    """Return which field of a record is wrong, and how; "" if there is none.

    Args:
        error: of a record that was checked.
        partial: fields of the record itself may be missing.
    """
    for each in error.errors():
        if not (partial and each["type"] == "missing" and len(each["loc"]) == 1):
            where = ".".join(str(part) for part in each["loc"]) or "the whole file"
            return f"{where}: {each['msg']}"
    return ""
