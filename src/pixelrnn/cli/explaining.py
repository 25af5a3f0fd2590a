"""How `train --explain` shows the keys of a recipe."""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pixelrnn.training.recipe_keys import Key


def as_text(keys: Sequence["Key"]) -> str:
    """Return two lines a key: its value here as `--set` takes it, and what it is and may be."""
    lines = []
    for key in keys:
        default = "" if key.default is None else f", by default {_written(key.default)}"
        range_ = f" {key.range}" if key.range else ""
        lines += [
            f"{key.name} = {_written(key.value)}",
            f"    {key.meaning} ({key.type}{range_}{default})",
        ]
    return "\n".join(lines)


def _written(value: Any) -> str:
    if value is None:
        return "(not given)"
    return value if isinstance(value, str) else json.dumps(value)
