"""All keys of a recipe, as its tables know them: type, range, default, meaning and value."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from pixelrnn.training.recipe import Recipe

_TYPES = {
    "integer": "integer",
    "number": "number",
    "boolean": "true or false",
    "string": "text",
    "object": "a table",
}
_OF_THE_IMAGES = tuple(
    f"model.{key}" for key in ("channels", "num_levels", "image_size", "num_labels", "label_names")
)  # unless they are given
_BOUNDS = (
    ("minimum", ">="),
    ("exclusiveMinimum", ">"),
    ("maximum", "<="),
    ("exclusiveMaximum", "<"),
)


@dataclass(frozen=True)
class Key:
    """One key of a recipe.

    Attributes:
        name: with its tables, as `--set` takes it: "optimizer.learning_rate".
        type: such as "integer", or the words that it may be.
        range: such as ">= 1", or "".
        default: None if it has none; then it must be given or is worked out from the images.
        meaning: in a few words.
        value: in this recipe; None if it is left to the default, and that is none.
    """

    name: str
    type: str
    range: str
    default: Any
    meaning: str
    value: Any


def keys_of(recipe: Recipe) -> list[Key]:
    """Return the keys of a recipe in their order.

    Example:
        >>> from pixelrnn.training import load_recipe
        >>> keys = {key.name: key for key in keys_of(load_recipe("digits-pixelcnn"))}
        >>> keys["training.batch_size"].type, keys["training.batch_size"].range
        ('integer', '>= 1')
        >>> keys["optimizer.name"].type
        'adam, adamw, muon, rmsprop'
    """
    return list(_keys(recipe, "", ()))


def _keys(table: BaseModel, prefix: str, kinds: tuple[str, ...]) -> Iterator[Key]:
    """Yield the keys of a table; `kinds` are those it may be of, if there are several."""
    properties = type(table).model_json_schema(mode="validation")["properties"]
    for name in type(table).model_fields:
        about, value = properties[name], getattr(table, name)
        if isinstance(value, BaseModel):
            choices = about.get("discriminator", {}).get("mapping", {})
            yield from _keys(value, f"{prefix}{name}.", tuple(choices))
            continue
        named = name == "kind" and kinds
        if prefix + name in _OF_THE_IMAGES and name not in table.model_fields_set:
            value = None
        yield Key(
            name=prefix + name,
            type=", ".join(kinds) if named else _type(about),
            range=_range(about),
            default=None if named else about.get("default"),
            meaning=about.get("description", "which one" if named else ""),
            value=json.loads(json.dumps(value)),
        )


def _type(about: dict[str, Any]) -> str:
    """Return a type in words from its JSON schema."""
    words = about.get("enum") or ([about["const"]] if "const" in about else [])
    if words:
        return ", ".join(map(str, words))
    if about.get("type") == "array":
        if "prefixItems" in about:
            return f"[{', '.join(map(_type, about['prefixItems']))}]"
        return f"list of {_type(about['items'])}"
    if "anyOf" in about:
        return " or ".join(_type(each) for each in about["anyOf"] if each.get("type") != "null")
    return _TYPES[about.get("type", "object")]  # another table is but referred to


def _range(about: dict[str, Any]) -> str:
    parts = [f"{sign} {about[key]:g}" for key, sign in _BOUNDS if key in about]
    inner = [*about.get("anyOf", ()), *about.get("prefixItems", ())]
    inner += [about["items"]] if "items" in about else []
    return ", ".join(dict.fromkeys(filter(None, [", ".join(parts), *map(_range, inner)])))
