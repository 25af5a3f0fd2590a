"""`pixelrnn train`: one recipe, one run folder."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from pixelrnn import stopping
from pixelrnn.cli import explaining
from pixelrnn.cli.console import say, say_json, say_lines
from pixelrnn.cli.options import Data, Settings, command_line
from pixelrnn.errors import RecipeError


def train(
    recipe: Annotated[
        str | None,
        typer.Argument(
            help="A recipe's name, such as digits-pixelcnn (--list shows all), or a .toml file.",
            show_default=False,
        ),
    ] = None,
    data: Data = None,
    out: Annotated[
        Path | None, typer.Option(help="The run folder.", show_default="runs/RECIPE")
    ] = None,
    settings: Settings = None,
    max_minutes: Annotated[
        float | None,
        typer.Option(help="End by then, with the schedule planned to end too.", show_default=False),
    ] = None,
    resume: Annotated[
        Path | None,
        typer.Option(metavar="RUN", help="Go on with a run that was stopped.", show_default=False),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Take two steps, say what all would take, keep none.")
    ] = False,
    list_recipes: Annotated[
        bool, typer.Option("--list", help="List the recipes that come with the package.")
    ] = False,
    explain: Annotated[
        bool,
        typer.Option("--explain", help="List all keys of the recipe, what they mean and may be."),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="With --explain: print JSON.")] = False,
) -> None:
    """Train a model by a recipe; Ctrl-C leaves a run that --resume takes up again."""
    if as_json and not explain:
        raise RecipeError("--json goes with --explain")
    with stopping.listening(lambda: "stopped before anything was written"):
        from pixelrnn import training

        if list_recipes:
            say_lines(training.shipped_recipes())
            return
        changes = list(settings or [])
        if max_minutes is not None:
            changes.append(f"training.max_minutes={max_minutes}")
        if resume is not None:
            if recipe or out or max_minutes is not None or dry_run or explain:
                raise RecipeError(
                    "--resume goes on with a run as it was begun: give it alone, or with --data where "
                    "its images are now and --set what it computes on, or begin a new run"
                )
            run = training.resume(resume, data=data, settings=changes, command=command_line())
        else:
            if recipe is None:
                raise RecipeError("name a recipe (--list shows them), or give --resume RUN")
            loaded = training.load_recipe(recipe, changes, data=data)
            if explain:
                keys = training.keys_of(loaded)
                if as_json:
                    say_json([asdict(key) for key in keys])
                else:
                    say_lines(explaining.as_text(keys).split("\n"))
                return
            if dry_run:
                say_lines(training.dry_run(loaded).split("\n"))
                return
            run = training.train(loaded, out or Path("runs") / loaded.name, command=command_line())
    if not run.is_ours:
        return
    result = run.result()
    figures = [f"{result[f'{split}_bits_per_dim']:.4f} bits/dim on {split}"
               for split in ("train", "validation") if f"{split}_bits_per_dim" in result]  # fmt: skip
    parts = [f"{part['bits_per_dim']:.4f} on that of {part['data']}"
             for part in result.get("validation_parts", ())]  # fmt: skip
    say(f"{run.path}: {', '.join([*figures, *parts])}")
