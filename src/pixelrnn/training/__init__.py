"""Training: a recipe becomes a run, and the run leaves a folder that says all about it."""

from pixelrnn.runs import RunFolder
from pixelrnn.training.contestants import (
    default_folder,
    distinct_labels,
    recipes_for,
    with_seed,
)
from pixelrnn.training.dry_runs import dry_run, estimate
from pixelrnn.training.fit import resume, train
from pixelrnn.training.progress import say_on
from pixelrnn.training.recipe import (
    Recipe,
    load_recipe,
    recipe_of,
    shipped_recipes,
    suite_recipes,
    suites,
)
from pixelrnn.training.recipe_keys import keys_of

__all__ = [
    "Recipe",
    "RunFolder",
    "default_folder",
    "distinct_labels",
    "dry_run",
    "estimate",
    "keys_of",
    "load_recipe",
    "recipe_of",
    "recipes_for",
    "resume",
    "say_on",
    "shipped_recipes",
    "suite_recipes",
    "suites",
    "train",
    "with_seed",
]
