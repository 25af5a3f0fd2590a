"""In which settings the runs of a page differ."""

from collections.abc import Mapping, Sequence
from typing import Any

from pixelrnn.report.compared import ComparedModel
from pixelrnn.report.formats import MISSING

MAX_DEPTH = 6  # of tables in tables; a recipe has three
MAX_ROWS = 100
MAX_LETTERS = 80


def differing_settings(models: Sequence[ComparedModel]) -> dict[str, list[str]]:
    """Return the settings that are not the same in all recipes, such as "training.seed": one value each.

    Example:
        >>> differing_settings([])
        {}
    """
    recipes = [_flat(model.run.recipe) for model in models]
    keys = dict.fromkeys(key for recipe in recipes for key in recipe if key != "name")
    rows = {key: [recipe.get(key, MISSING) for recipe in recipes] for key in keys}
    differing = [(key, values) for key, values in rows.items() if len(set(values)) > 1]
    return dict(differing[:MAX_ROWS])


def _flat(table: Mapping[str, Any], before: str = "", depth: int = 0) -> dict[str, str]:
    found: dict[str, str] = {}
    for key, value in table.items():
        if isinstance(value, dict) and depth < MAX_DEPTH:
            found |= _flat(value, f"{before}{key}.", depth + 1)
        else:
            text = "..." if isinstance(value, dict | list) and depth >= MAX_DEPTH else str(value)
            found[before + key] = text if len(text) <= MAX_LETTERS else f"{text[:MAX_LETTERS]}…"
    return found
