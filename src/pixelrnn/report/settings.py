"""In which settings the runs of a page differ."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pixelrnn.report import formats
from pixelrnn.report.comparison import Entry

MAX_DEPTH = 6  # of tables in tables; a recipe has three
MAX_ROWS = 100
MAX_LETTERS = 80
LEFT_OUT = ("name",)


@dataclass(frozen=True)
class SettingRow:
    """One key of the recipes, such as "training.seed", and its value in each run."""

    key: str
    values: tuple[str, ...]


def differing_settings(entries: Sequence[Entry]) -> tuple[SettingRow, ...]:
    """Return the settings that are not the same in all runs, one value an entry.

    Example:
        >>> differing_settings([])
        ()
    """
    recipes = [_flat(entry.run.recipe) for entry in entries]
    keys = dict.fromkeys(key for recipe in recipes for key in recipe)
    rows = [
        SettingRow(key, tuple(recipe.get(key, formats.MISSING) for recipe in recipes))
        for key in keys
        if key not in LEFT_OUT
    ]
    return tuple(row for row in rows if len(set(row.values)) > 1)[:MAX_ROWS]


def _flat(table: Mapping[str, Any], before: str = "", depth: int = 0) -> dict[str, str]:
    found: dict[str, str] = {}
    for key, value in table.items():
        if isinstance(value, dict) and depth < MAX_DEPTH:
            found |= _flat(value, f"{before}{key}.", depth + 1)
        else:
            text = "..." if isinstance(value, dict | list) and depth >= MAX_DEPTH else str(value)
            found[before + key] = text if len(text) <= MAX_LETTERS else f"{text[:MAX_LETTERS]}…"
    return found
