"""`pixelrnn train`: one recipe, one run folder."""

import json
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pixelrnn import stopping
from pixelrnn.cli import console, options
from pixelrnn.errors import RecipeError

if TYPE_CHECKING:
    from pixelrnn.training.recipe_keys import Key


def train(
    recipe: Annotated[str | None, typer.Argument()] = None,
    data: options.Data = None,
    out: Path | None = None,
    settings: options.Settings = None,
    max_minutes: float | None = None,
    resume: Annotated[Path | None, typer.Option(metavar="RUN")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run")] = False,
    list_recipes: Annotated[bool, typer.Option("--list")] = False,
    explain: Annotated[bool, typer.Option("--explain")] = False,
    as_json: options.AsJson = False,
) -> None:
    """Train a model by a recipe; Ctrl-C leaves a run that --resume continues.

    Args:
        recipe: A recipe's name, such as digits-pixelcnn (--list shows all), or a .toml file.
        out: The run folder, by default runs/RECIPE.
        max_minutes: Time limit; the schedule is planned to end by then, too.
        resume: Continue a run that was stopped.
        dry_run: Take two steps, estimate the time of the whole run, and keep nothing.
        list_recipes: List the recipes that come with the package.
        explain: List all keys of the recipe with their meaning and range.
        as_json: With --explain: print JSON.
    """
    if as_json and not explain:
        raise RecipeError("--json goes with --explain")
    with stopping.listening(lambda: "stopped before anything was written"):
        from pixelrnn import training

        if list_recipes:
            console.say_lines(training.shipped_recipes())
            return
        changes, command = list(settings or []), options.command_line()
        if max_minutes is not None:
            changes.append(f"training.max_minutes={max_minutes}")
        if resume is not None:
            if recipe or out or max_minutes is not None or dry_run or explain:
                raise RecipeError(
                    "--resume goes on with a run as it was begun: give it alone, or with --data where "
                    "its images are now and --set what it computes on, or begin a new run"
                )
            run = training.resume(resume, data=data, settings=changes, command=command)
        else:
            if recipe is None:
                raise RecipeError("name a recipe (--list shows them), or give --resume RUN")
            loaded = training.load_recipe(recipe, changes, data=data)
            if explain:
                _explain(training.keys_of(loaded), as_json=as_json)
                return
            if dry_run:
                console.say_lines(training.dry_run(loaded).split("\n"))
                return
            run = training.train(loaded, out or Path("runs") / loaded.name, command=command)
    if not run.is_ours:
        return
    result = run.result()
    figures = [f"{result[f'{split}_bits_per_dim']:.4f} bits/dim on {split}"
               for split in ("train", "validation") if f"{split}_bits_per_dim" in result]  # fmt: skip
    parts = [f"{part['bits_per_dim']:.4f} on that of {part['data']}"
             for part in result.get("validation_parts", ())]  # fmt: skip
    console.say(f"{run.path}: {', '.join([*figures, *parts])}")


def _explain(keys: "Iterable[Key]", *, as_json: bool) -> None:
    """Print two lines per key: its value here as `--set` takes it, and what it is and may be."""
    if as_json:
        console.say_json(list(map(asdict, keys)))
        return
    for key in keys:
        default = "" if key.default is None else f", by default {_written(key.default)}"
        range_ = f" {key.range}" if key.range else ""
        console.say(f"{key.name} = {_written(key.value)}")
        console.say(f"    {key.meaning} ({key.type}{range_}{default})")


def _written(value: Any) -> str:
    if value is None:
        return "(not given)"
    return value if isinstance(value, str) else json.dumps(value)
