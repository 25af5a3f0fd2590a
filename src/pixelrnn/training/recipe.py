"""Recipes: a TOML file says what is trained, on what, and how.

A recipe holds only what differs from the defaults below. `--set table.key=value` changes one key.
Whatever is unknown, of the wrong type or out of range is named, with the nearest right name.
"""

import hashlib
import tomllib
from collections import Counter
from collections.abc import Mapping, Sequence
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

import tomli_w
from pydantic import Field, ValidationError

from pixelrnn.data import DataSet
from pixelrnn.data.loading import EVERYWHERE, options_of, origin, require_clear, require_labels
from pixelrnn.errors import RecipeError
from pixelrnn.models import MODELS, AnyModelConfig
from pixelrnn.runs import RunFolder
from pixelrnn.runs.run_folder import runs_inside
from pixelrnn.training.image_source import absolute_source
from pixelrnn.training.recipe_errors import explain
from pixelrnn.training.tables import (
    CAME_LATER,
    MACHINE_KEYS,
    DataTable,
    OptimizerTable,
    ScheduleTable,
    Table,
    TrainingTable,
    require_made_of_images,
)
from pixelrnn.wording import joined, nearest, suggestion


class Recipe(Table):
    """One run, complete: with its data it determines the result."""

    name: str = Field("unnamed", description="of the run, by default that of the recipe's file")
    model: AnyModelConfig
    data: DataTable
    training: TrainingTable
    optimizer: OptimizerTable = Field(default_factory=OptimizerTable)
    schedule: ScheduleTable = Field(default_factory=ScheduleTable)

    def for_data(self, data: DataSet) -> "Recipe":
        """Return the recipe with the model's channels, levels and labels set to those of the images.

        Raises:
            RecipeError: if the recipe asks for other channels or levels than the images have, or for the
                best validation where there are no images for any.
        """
        if self.training.keep == "best" and not data.count("validation"):
            raise RecipeError(
                f"training.keep = best needs validation images, and {data.name} has none: leave it out"
            )
        source, options = origin(data)
        is_labelled = options.labels or self.data.labels
        require_labels(data, is_labelled)
        require_made_of_images(self.model.condition)
        wanted = {
            "channels": data.channels,
            "num_levels": data.num_levels,
            "image_size": (data.height, data.width),
            "num_labels": data.num_classes if is_labelled else 0,
            "label_names": tuple(data.class_names) if is_labelled else (),
        }
        for key, value in wanted.items():
            if key in self.model.model_fields_set and getattr(self.model, key) != value:
                hint = " (data.labels = true)" if key == "num_labels" else ""
                raise RecipeError(
                    f"model.{key} = {getattr(self.model, key)}, but the images of {data.name} have "
                    f"{value}: leave model.{key} out, it follows the data{hint}"
                )
        try:
            model = type(self.model).model_validate(self.model.model_dump() | wanted)
        except ValidationError as error:
            raise RecipeError(f"{self.name}: {explain(error, type(self.model))}") from error
        also = None if options.also is None else tuple(map(absolute_source, options.also))
        changes = {
            "model": model,
            "training": self.training.fitted(data),
            "data": DataTable(
                source=absolute_source(source),
                **options.model_dump() | {"also": also, "labels": is_labelled},
            ),
        }
        return self.model_copy(update=changes)

    def to_toml(self) -> str:
        """Return the whole recipe, defaults included, as TOML."""
        return tomli_w.dumps(self.model_dump(mode="json", exclude_none=True))

    def fingerprint(self) -> str:
        """Return the SHA-256 of all that determines the result; where the images lie does not.

        Nor do keys that came later, where they are as if they were not there: old runs go on.
        """
        values = self.model_dump(mode="json", exclude_none=True)
        values["data"]["source"] = ""
        if self.data.also is not None:
            values["data"]["also"] = [""] * len(self.data.also)
        for table, key in CAME_LATER:
            of_table = getattr(self, table)
            if getattr(of_table, key) == type(of_table).model_fields[key].default:
                values[table].pop(key, None)
        return hashlib.sha256(tomli_w.dumps(values).encode()).hexdigest()


def shipped_recipes() -> list[str]:
    """Return the names of the recipes in the package, sorted."""
    folder = resources.files("pixelrnn") / "recipes"
    names = [entry.name.removesuffix(".toml") for entry in folder.iterdir()]
    return sorted(name for name in names if not name.startswith("_"))


def suites() -> list[str]:
    """Return the suites: what comes before the model in the names of several recipes."""
    count = Counter(_suite(name) for name in shipped_recipes())
    return sorted(suite for suite in count if suite and count[suite] > 1)


def _suite(recipe: str) -> str:
    """Return the suite of a recipe of the package: what its name has before its model's kind, if any."""
    kind = _read(recipe).get("model", {}).get("kind")
    suite, found, _ = recipe.partition(f"-{kind}")
    return suite if kind in MODELS and found else ""


def suite_recipes(suite: str) -> dict[str, str]:
    """Return the recipe of each model of a suite, by what tells the models apart.

    Raises:
        RecipeError: if there is no such suite.

    Example:
        >>> suite_recipes("digits")["row-lstm"]
        'digits-row-lstm'
    """
    if suite in shipped_recipes() or suite.endswith(".toml"):
        raise RecipeError(
            f"{suite} is one recipe, not a suite: `pixelrnn train {suite}` trains it; "
            f"to compare, name a second one, or a suite, one of {', '.join(suites())}"
        )
    if suite not in suites():
        raise RecipeError(f"there is no suite {suite!r}{nearest(suite, suites())}")
    slugs = [name[len(suite) + 1 :] for name in shipped_recipes() if _suite(name) == suite]
    return {slug: f"{suite}-{slug}" for kind in MODELS for slug in slugs if slug.startswith(kind)}


def load_recipe(
    source: str | Path, settings: Sequence[str] = (), *, data: str | None = None
) -> Recipe:
    """Read a recipe by its name in the package or by its path, and change some of its keys.

    Args:
        source: such as "digits-pixelcnn", or a path that ends in .toml.
        settings: changes, each "table.key=value" with the value written as in TOML.
        data: a name or path of images in place of the recipe's own.

    Raises:
        RecipeError: if there is no such recipe, or something in it is not right.

    Example:
        >>> load_recipe("digits-pixelcnn", ["training.epochs=2"]).training.epochs
        2.0
    """
    name = Path(source).stem if str(source).endswith(".toml") else str(source)
    values = _read(source)
    if data is not None:
        require_clear(data)
        values["data"] = {"source": data} | _kept(values.get("data"), data)
    for setting in settings:
        _change(values, setting)
    return recipe_from(values, where=str(source), name=name)


def recipe_of(run: RunFolder) -> Recipe:
    """Return the recipe of a run.

    Raises:
        RecipeError: if the folder does not hold a run.
    """
    if not run.recipe_file.is_file():
        inside = runs_inside(run.path)
        raise RecipeError(inside or f"{run.path} does not hold a run: there is no recipe.toml")
    return load_recipe(run.recipe_file)


def _kept(table: Any, data: str) -> dict[str, Any]:
    """Return those keys of a recipe's `[data]` that stay where it is given other images.

    Reading options belong to the images that they were for; what a model is trained on and given, to the
    recipe: which patches, black and white or grey, with labels or without.
    """
    apply = options_of(data) & {"patch_size", "random_crops", "binarisation"} | EVERYWHERE
    return {key: table[key] for key in apply if isinstance(table, dict) and key in table}


def recipe_from(values: Mapping[str, Any], *, where: str, name: str = "unnamed") -> Recipe:
    """Validate the tables of a recipe; `where` is named in the error.

    Raises:
        RecipeError: if something in it is not right.
    """
    try:
        return Recipe.model_validate({"name": name, **values})
    except ValidationError as error:
        raise RecipeError(f"{where}: {explain(error, Recipe)}") from error


def with_settings(recipe: Recipe, settings: Sequence[str]) -> Recipe:
    """Return a recipe that computes on something else, but the same.

    Args:
        recipe: as it is recorded.
        settings: changes of `tables.MACHINE_KEYS`, each "training.key=value".

    Raises:
        RecipeError: if something else is changed, or to what cannot be.

    Example:
        >>> with_settings(load_recipe("digits-pixelcnn"), ["training.devices=2"]).training.devices
        2
    """
    allowed = [f"training.{key}" for key in MACHINE_KEYS]
    tables = recipe.model_dump(exclude_unset=True)
    for setting in settings:
        key = setting.partition("=")[0].strip()
        if key not in allowed:
            raise RecipeError(
                f"a run goes on with {key} as it was begun; only {joined(allowed)} can be set anew"
            )
        _change(tables, setting)
    training = recipe_from(tables, where=recipe.name).training
    return recipe.model_copy(update={"training": training})


def _read(source: str | Path) -> dict[str, Any]:
    file: Traversable = Path(source)
    if not str(source).endswith(".toml"):
        if str(source) not in shipped_recipes():
            raise RecipeError(_no_recipe(str(source)))
        file = resources.files("pixelrnn") / "recipes" / f"{source}.toml"
    elif not file.is_file():
        raise RecipeError(f"there is no recipe file {file}")
    try:
        return tomllib.loads(file.read_bytes().decode("utf-8"))
    except OSError as error:
        raise RecipeError(f"cannot read the recipe {file}: {error.strerror or error}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise RecipeError(f"{source} is not valid TOML: {error}") from error


def _no_recipe(source: str) -> str:
    if source in suites():
        names = ", ".join(suite_recipes(source).values())
        return f"{source} is a suite: train one of {names}, or all with `pixelrnn compare {source}`"
    if "/" in source or Path(source).exists():
        return f"{source} is not a recipe: give a name (--list shows them) or a .toml file"
    meant = suggestion(source, shipped_recipes())
    return f"there is no recipe {source!r}{meant}: `pixelrnn train --list` shows those there are"


def _change(values: dict[str, Any], setting: str) -> None:
    path, equals, text = setting.partition("=")
    keys = path.strip().split(".")
    if not equals or not all(keys):
        raise RecipeError(
            f"cannot read the setting {setting!r}: write table.key=value, "
            "such as optimizer.learning_rate=1e-3"
        )
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text.strip()  # a bare word, as in data.source=digits
    *tables, key = keys
    for table in tables:
        inner = values.setdefault(table, {})
        if not isinstance(inner, dict):
            raise RecipeError(f"cannot set {path}: {table} is a value, not a table")
        values = inner
    if key == "kind" and tables[-1:] == ["likelihood"]:
        values.clear()  # its other keys belong to the kind that it was
    if key == "epochs":
        values.pop("image_presentations", None)
    if key == "image_presentations":
        values.pop("epochs", None)
    values[key] = value
