"""From a validation error to one line that names the key and the nearest right one."""

import typing
from typing import Any

from pydantic import BaseModel, ValidationError

from pixelrnn.wording import choice, nearest

_LONGEST_INPUT = 80
_WANTED = {  # where pydantic speaks of Python, in the words of TOML
    "tuple_type": "input should be a list, such as [1, 2]",
    "model_type": "input should be a table of keys",
    "model_attributes_type": "input should be a table of keys",
}


def explain(error: ValidationError, model: type[BaseModel]) -> str:
    """Return the first problem of a validation error of `model` in one line.

    Example:
        >>> class Table(BaseModel, extra="forbid"):
        ...     width: int = 3
        >>> try:
        ...     Table(witdh=4)
        ... except ValidationError as error:
        ...     explain(error, Table)
        'there is no key witdh; did you mean width?'
    """
    first = error.errors()[0]
    keys, owner = _locate([str(part) for part in first["loc"]], model)
    path = ".".join(keys)
    match first["type"]:
        case "extra_forbidden":
            table = _table_with(path, model)
            near = (
                f"; did you mean {table}.{path}?"
                if table
                else nearest(keys[-1], owner.model_fields)
            )
            return f"there is no key {path}{near}"
        case "missing":
            return f"the key {path} is missing"
        case "union_tag_invalid":
            expected = first["ctx"]["expected_tags"].replace("'", "").split(", ")
            tag = first["ctx"]["tag"]
            return f"{path}.kind = {tag!r} is not known; {choice(tag, expected)}"
        case "union_tag_not_found":
            return f"the key {path}.kind is missing"
        case "value_error":
            reason = str(first["ctx"]["error"])
            return f"{path}: {reason}" if path else reason
        case kind:
            found = repr(first["input"])
            if len(found) > _LONGEST_INPUT:
                found = found[:_LONGEST_INPUT] + " ..."
            found = f"{path} = {found}" if path else found
            return f"{found} is not allowed: {_WANTED.get(kind, first['msg'].lower())}"


def _table_with(key: str, model: type[BaseModel]) -> str | None:
    """Return the table of `model` that has the key, for those who left the table out."""
    for table, field in model.model_fields.items():
        if any(key in inner.model_fields for inner in _models(field.annotation)):
            return table
    return None


def _locate(parts: list[str], model: type[BaseModel]) -> tuple[list[str], type[BaseModel]]:
    """Return the keys of a location without the tags of unions, and the class of the last table."""
    keys = []
    candidates = [model]
    owner = model
    for part in parts:
        tagged = [each for each in candidates if _tag(each) == part]
        if tagged:
            owner, candidates = tagged[0], tagged
            continue
        keys.append(part)
        owner = candidates[0] if candidates else owner
        field = owner.model_fields.get(part)
        candidates = _models(field.annotation) if field else []
    return keys, owner


def _tag(model: type[BaseModel]) -> str | None:
    kind = model.model_fields.get("kind")
    return kind.default if kind else None


def _models(annotation: Any) -> list[type[BaseModel]]:
    """Return the models that an annotation mentions: itself, or the members of a union."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for part in typing.get_args(annotation) for model in _models(part)]
