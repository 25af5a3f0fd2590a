"""What `compare` compares: the recipes of a suite, or several recipes, on the same images."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from pixelrnn.errors import RecipeError
from pixelrnn.models import LABELS
from pixelrnn.training.image_source import absolute_source
from pixelrnn.training.recipe import Recipe, load_recipe, suite_recipes, suites
from pixelrnn.training.tables import DataTable
from pixelrnn.wording import joined

LONGER_THAN_ANY_TIME = 10**12  # image presentations: the minutes end the run
BETWEEN = "-vs-"
RESERVED = ("results.json", "report.html")  # what lies beside the run folders


def recipes_for(
    names: str | Sequence[str],
    data: str | None,
    settings: Sequence[str],
    equal: Literal["presentations", "minutes"] = "presentations",
) -> dict[str, Recipe]:
    """Return the recipes to compare, with the user's changes, by the names of their run folders.

    Args:
        names: a suite, whose folders are called by model; or recipes, names or .toml files, whose folders
            are called by recipe.
        data: a name or path in place of the recipes' own images.
        settings: changes to all recipes, each "table.key=value".
        equal: what the models share: image presentations, or minutes (`training.max_minutes`).

    Raises:
        RecipeError: if there is no such suite or recipe, one is named twice, two have the same name, or
            they are for different images.

    Example:
        >>> list(recipes_for(["digits-pixelcnn", "digits-row-lstm"], None, []))
        ['digits-pixelcnn', 'digits-row-lstm']
    """
    names = [names] if isinstance(names, str) else list(names)
    if len(names) == 1:
        files = suite_recipes(names[0])
        recipes = {kind: load_recipe(name, settings, data=data) for kind, name in files.items()}
    else:
        recipes = _several(names, data, settings)
    if equal == "minutes":
        return {name: _for_minutes(recipe) for name, recipe in recipes.items()}
    return recipes


def default_folder(names: str | Sequence[str], recipes: Mapping[str, Recipe]) -> Path:
    """Return where a comparison goes: `runs/SUITE`, or `runs/NAME-vs-NAME` of several recipes."""
    if isinstance(names, str) or len(names) == 1:
        return Path("runs") / (names if isinstance(names, str) else names[0])
    return Path("runs") / BETWEEN.join(recipes)


def distinct_labels(recipes: Mapping[str, Recipe]) -> dict[str, str]:
    """Return what each model is called: by its kind, and where two are of one, also by its recipe.

    Example:
        >>> names = ["digits-pixelcnn", "cifar10-45k-pixelcnn", "digits-row-lstm"]
        >>> list(distinct_labels(recipes_for(names, "digits", [])).values())
        ['PixelCNN (digits-pixelcnn)', 'PixelCNN (cifar10-45k-pixelcnn)', 'Row LSTM']
    """
    kinds = [recipe.model.kind for recipe in recipes.values()]
    return {
        name: LABELS[kind] + (f" ({name})" if kinds.count(kind) > 1 else "")
        for kind, name in zip(kinds, recipes, strict=True)
    }


def with_seed(recipe: Recipe, number: int) -> Recipe:
    """Return a recipe with the seed that is `number` after its own.

    Raises:
        RecipeError: if there is none.
    """
    seed = recipe.training.seed + number
    if seed >= 2**63:
        raise RecipeError(
            f"training.seed = {recipe.training.seed} leaves no room for the seeds after it"
        )
    return recipe.model_copy(update={"training": recipe.training.model_copy(update={"seed": seed})})


def _several(names: Sequence[str], data: str | None, settings: Sequence[str]) -> dict[str, Recipe]:
    _require_recipes(names)
    called: dict[str, str] = {}  # by what they would be called where "A" is "a"
    recipes: dict[str, Recipe] = {}
    for name in names:
        recipe = load_recipe(name, settings, data=data)
        _require_folder_name(recipe.name, name)
        if other := called.get(recipe.name.casefold()):
            raise RecipeError(
                f"{other} and {name} are both called {recipe.name}: rename one file, or write another "
                'name = "..." at its top'
            )
        called[recipe.name.casefold()] = name
        recipes[recipe.name] = recipe
    _require_same_images(recipes)
    return recipes


def _require_recipes(names: Sequence[str]) -> None:
    """Raise `RecipeError` if one of several names is a suite, or is there twice."""
    if not names:
        raise RecipeError(f"name a suite, one of {', '.join(suites())}, or several recipes")
    seen: set[Path | str] = set()
    for name in names:
        if name in suites():
            raise RecipeError(
                f"{name} is a suite: compare it alone, or name recipes, such as those in it, "
                f"{joined(list(suite_recipes(name).values()))}"
            )
        same = Path(name).resolve() if name.endswith(".toml") else name
        if same in seen:
            raise RecipeError(
                f"{name} is named twice: to train a recipe several times, say --seeds 2"
            )
        seen.add(same)


def _require_folder_name(called: str, given: str) -> None:
    if (
        not called
        or called.startswith(".")
        or any(sign in called for sign in "/\\")
        or not called.isprintable()
        or called.casefold() in RESERVED
    ):
        raise RecipeError(
            f"{given!r} is called {called!r}, which cannot be the name of a run folder: "
            'write name = "..." at its top'
        )


def _require_same_images(recipes: Mapping[str, Recipe]) -> None:
    (first, one), *others = recipes.items()
    for name, recipe in others:
        if _images(recipe.data) != _images(one.data):
            raise RecipeError(
                f"{first} is for {_images(one.data)} and {name} for {_images(recipe.data)}: say with "
                "--data on which images to compare them"
            )


def _images(data: DataTable) -> str:
    """Return which images a recipe is for, and how they are read, in words."""
    options = data.options().model_dump(exclude_defaults=True)
    how = ", ".join(f"{key} = {value}" for key, value in options.items())
    return absolute_source(data.source) + (f" ({how})" if how else "")


def _for_minutes(recipe: Recipe) -> Recipe:
    if recipe.training.max_minutes is None:
        raise RecipeError(
            "--equal minutes needs to know how many: add --set training.max_minutes=10"
        )
    endless = {"epochs": None, "image_presentations": LONGER_THAN_ANY_TIME}
    return recipe.model_copy(update={"training": recipe.training.model_copy(update=endless)})
