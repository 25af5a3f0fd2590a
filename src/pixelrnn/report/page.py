"""The page: run folders read, grouped and laid out by the template, written in one piece."""

import shlex
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from markupsafe import Markup

from pixelrnn.errors import ModelFileError, OutputError
from pixelrnn.files import FOLDER, not_a_file, replacing
from pixelrnn.report.benchmark import TrainingSpeed, read_training_speed
from pixelrnn.report.charts import STYLE
from pixelrnn.report.compared import ComparedModel
from pixelrnn.report.comparison import Group, group_by_data
from pixelrnn.report.figures import write_figures
from pixelrnn.report.formats import MISSING
from pixelrnn.report.templates import environment
from pixelrnn.runs import Run, read_run
from pixelrnn.wording import without_surrogates

MAX_DEPTH = 6  # of tables in tables; a recipe has three
MAX_ROWS = 100
MAX_LETTERS = 80


def build(
    run_folders: Sequence[Path],
    out: Path,
    *,
    title: str | None = None,
    command: str | None = None,
    benchmark: Path | None = None,
    labels: Sequence[str] = (),
    figures: Path | None = None,
    force: bool = False,
) -> Path:
    """Write one self-contained HTML page about some run folders.

    Args:
        run_folders: folders that `pixelrnn train` or `compare` wrote.
        out: the file to write; folders above it are made. It appears whole or not at all.
        title: the page's heading; by default the number of models and the data.
        command: the command that repeats it all; by default those in the runs' `result.json`.
        labels: what the page calls the runs, see `naming.given_labels`; by default it finds names.
            Runs that differ in their seed alone are one model, unless they are called differently.
        figures: a folder for the figures as SVG, PNG and CSV, and for the results in LaTeX.
        force: write figures into a folder that is not empty.
        benchmark: a file that `pixelrnn bench train --out` wrote, shown too; nothing else is read.

    Returns:
        The path written.

    Raises:
        ModelFileError: no run folder is given, or one or the benchmark is incomplete or damaged.
        RecipeError: a run's `recipe.toml` is not TOML.
        OutputError: `out` or `figures` cannot be written, or that folder is not empty.

    Example:
        >>> build([], Path("report.html"))
        Traceback (most recent call last):
        pixelrnn.errors.ModelFileError: no run folders; give at least one that ...
    """
    if not run_folders:
        raise ModelFileError(
            "no run folders; give at least one that `pixelrnn train` or `compare` wrote"
        )
    speed = None if benchmark is None else read_training_speed(benchmark)
    groups = group_by_data([read_run(Path(path)) for path in run_folders], labels)
    page = _page(groups, title, command, speed)
    if figures is not None:
        write_figures(groups, figures, force=force)
    write_page(out, page)
    return out


def _page(
    groups: Sequence[Group], title: str | None, command: str | None, speed: TrainingSpeed | None
) -> str:
    models = sorted((each for group in groups for each in group.models), key=lambda m: m.colour)
    commands = [command] if command else [_command(run) for each in models for run in each.runs]
    return (
        environment()
        .get_template("page.html.jinja")
        .render(
            title=title or _title(groups),
            style=Markup(STYLE),
            groups=groups,
            models=models,
            commands=list(dict.fromkeys(filter(None, commands))),
            speed=speed,
            settings=differing_settings(models),
            one_environment=len({m.run.environment.model_dump_json() for m in models}) == 1,
        )
    )


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


def _title(groups: Sequence[Group]) -> str:
    if len(groups) > 1:
        return f"{sum(len(group.models) for group in groups)} runs on different data"
    (group,) = groups
    count = len(group.models)
    what = group.models[0].name if count == 1 else f"{count} models"
    return f"{what} on {group.first.result.data}"


def _command(run: Run) -> str | None:
    """Return what began a run, as typed; of one that a resuming overwrote, what would begin it anew."""
    command = run.result.command
    if command and " --resume" in command:
        return shlex.join(["pixelrnn", "train", str(run.path / "recipe.toml")])
    return command


def write_page(out: Path, page: str) -> None:
    """Write a page in one piece; folders above it are made.

    Raises:
        OutputError: if it cannot be written.
    """
    if not_a_file(out) == FOLDER:
        raise OutputError(f"{out} is a folder; give the name of a file, such as report.html")
    with suppress(OSError):  # what cannot be made is named when the file is written
        out.parent.mkdir(parents=True, exist_ok=True)
    try:
        with replacing(out) as beside:
            # The command may name files that are not UTF-8.
            beside.write_text(without_surrogates(page), encoding="utf-8", newline="\n")
    except OutputError as error:
        raise OutputError(f"{error}; choose another --out") from None
