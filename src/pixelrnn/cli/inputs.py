"""The images that verbs are given with --data, or that a run names in its recipe."""

import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pixelrnn.errors import RecipeError
from pixelrnn.wording import suggestion

if TYPE_CHECKING:
    from pixelrnn.data import DataOptions, DataSet
    from pixelrnn.models import AutoregressiveModel
    from pixelrnn.models.config import ModelConfig


def images_for(
    model: Path,
    data: str | None = None,
    settings: Sequence[str] = (),
    *,
    num_levels: int | None = None,
) -> "DataSet":
    """Return the images for a model.

    Args:
        model: a run's folder or its weights; or another file of weights.
        data: what the user named; by default those that the run was trained on. They are read as the run
            reads its own if they are its own, or if its own are elsewhere now.
        settings: changes of how they are read, such as "data.patch_size=32".
        num_levels: of files that do not say how many they have, if nothing else is said of them.

    Raises:
        RecipeError: if no images are named, the recipe is damaged, or a setting is wrong.
        DataError: if the images cannot be read.
    """
    from pixelrnn.data.catalogue import CATALOGUE
    from pixelrnn.data.loading import existing_path, load_recorded, require_clear

    table = recorded(model)
    own = table.get("source")
    if data is None:
        if own is None:
            raise RecipeError(
                f"{model} does not say which images it is for: give --data NAME-or-PATH"
            )
        from pixelrnn.training.image_source import require_there

        require_there(own, _folder(model))
    elif data != own:
        require_clear(data)
        is_moved = own is not None and own not in CATALOGUE and existing_path(own) is None
        in_file = {"num_levels": num_levels} if num_levels and existing_path(data) else {}
        table = {**(table if is_moved else in_file), "source": data}
    return load_recorded(table.pop("source"), data_options(table, settings))


def model_and_images(
    model: Path, data: str | None = None, settings: Sequence[str] = (), *, device: str = "cpu"
) -> "tuple[AutoregressiveModel, DataSet]":
    """Return a model, and images that fit it; as `images_for` besides.

    Raises:
        ModelFileError: if it cannot be read.
        ImageMismatchError: if they do not fit.
    """
    from pixelrnn.evaluation import require_fit
    from pixelrnn.models import store

    loaded = store.load(model, device=device)
    images = images_for(model, data, settings, num_levels=levels_in_files(loaded.config))
    require_fit(loaded, images)
    return loaded, images


def levels_in_files(config: "ModelConfig") -> int | None:
    """Return how many levels the images in files have that are given to a model; `None` if they say.

    A file does not say how many symbols there are, nor of 16 bits how many of its levels.
    """
    return config.num_levels if config.has_symbols or config.num_levels > 1 << 8 else None


def recorded(model: Path) -> dict[str, Any]:
    """Return the `[data]` table of a run's recipe; nothing where there is no recipe."""
    recipe = _folder(model) / "recipe.toml"
    if not recipe.is_file():
        return {}
    try:
        table = tomllib.loads(recipe.read_text(encoding="utf-8"))["data"]
        data_options({key: value for key, value in table.items() if key != "source"})
        return {"source": str(table["source"]), **table}
    except (OSError, ValueError, TypeError, AttributeError, KeyError, RecipeError) as error:
        reason = " ".join(str(error).split())
        raise RecipeError(f"{recipe} is damaged ({reason}); restore it") from error


def _folder(model: Path) -> Path:
    return model.parent if model.is_file() else model


def data_options(values: Mapping[str, Any], settings: Sequence[str] = ()) -> "DataOptions":
    """Return options of how images are read, after changes such as "data.patch_size=32"."""
    import pydantic

    from pixelrnn.data import DataOptions

    changed = {**values, **dict(map(_setting, settings))}
    try:
        return DataOptions(**changed)
    except pydantic.ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"]))
        if first["type"] != "extra_forbidden":
            raise RecipeError(f"--set data.{key}: {first['msg']}") from error
        meant = suggestion(key, DataOptions.model_fields, "data.")
        known = ", ".join(f"data.{name}" for name in DataOptions.model_fields)
        raise RecipeError(f"there is no option data.{key}{meant}: there are {known}") from error


def _setting(setting: str) -> tuple[str, Any]:
    key, equals, text = setting.partition("=")
    if not equals:
        raise RecipeError(f"--set {setting}: write it as KEY=VALUE, such as data.patch_size=32")
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text
    return key.strip().removeprefix("data."), value
