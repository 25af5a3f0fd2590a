"""The run folder: everything that is known about one run, in files that people can read."""

import csv
import json
import math
import shlex
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pydantic

from pixelrnn import locks
from pixelrnn.errors import ModelFileError, OutputError, RecipeError
from pixelrnn.files import make_folder, replacing, require_utf8, write_json
from pixelrnn.runs.metrics import COLUMNS, read_metrics
from pixelrnn.runs.reading import FORMAT_VERSION, first_problem, read_content
from pixelrnn.runs.result import Result
from pixelrnn.untrusted import read_json
from pixelrnn.wording import counted

LOCK_FILE = ".lock"


def runs_inside(path: Path) -> str:
    """Say which run folders a folder holds, in place of being one; nothing if it holds none."""
    runs = sorted(each.parent for each in path.glob("*/model.safetensors"))
    if not runs:
        return ""
    return f"{path} holds {counted(len(runs), 'run folder')}: give one of " + ", ".join(
        map(str, runs)
    )


class RunFolder:
    """The files of one run.

    Args:
        path: the folder; it need not exist yet.

    Attributes:
        is_ours: whether no other process, the first of those that train together, writes the results.
    """

    def __init__(self, path: Path) -> None:
        self.path, self.is_ours = path, True
        self.recipe_file = path / "recipe.toml"
        self.metrics_file = path / "metrics.csv"
        self.result_file = path / "result.json"
        self.evaluation_file = path / "evaluation.npz"
        self.samples_file = path / "samples.npz"
        self.integer_file = path / "integer.safetensors"
        self.environment_file = path / "environment.json"
        self.checkpoint_file = path / "checkpoint" / "last.safetensors"

    def __repr__(self) -> str:
        return f"RunFolder({str(self.path)!r})"

    @classmethod
    def of(cls, model: Path) -> "RunFolder":
        """Return the run whose weights a path names: its folder, or a file of weights in it.

        Example:
            >>> RunFolder.of(Path("runs/mine"))
            RunFolder('runs/mine')
        """
        return cls(model.parent if model.is_file() else model)

    def start(self, recipe: str, environment: dict[str, Any]) -> None:
        """Write what a new run begins with, the recipe last: without it there is no run.

        Raises:
            OutputError: if the folder cannot be written to, or holds another run.
        """
        if self.recipe_file.exists():
            raise OutputError(
                f"{self.path} already holds a run: go on with --resume {self.path}, "
                "or choose another --out"
            )
        make_folder(self.checkpoint_file.parent)
        write_json(self.environment_file, environment)
        self.write_metrics([])
        self.write_recipe(recipe)

    def how_to_go_on(self) -> str:
        """Return the command that goes on with the run, in words."""
        return f"go on with: pixelrnn train --resume {shlex.quote(str(self.path))}"

    def has_another_recipe(self) -> RecipeError:
        """Return what is raised where the recipe was changed, or damaged, after the run began."""
        return RecipeError(
            f"{self.recipe_file} is not the recipe that the run began with: put it back, or begin a "
            "new run with it"
        )

    def write_recipe(self, recipe: str) -> None:
        """Write `recipe.toml`."""
        with replacing(self.recipe_file) as beside:
            beside.write_text(recipe, encoding="utf-8")

    def result(self) -> dict[str, Any]:
        """Return what was measured so far, by the keys of `Result`; at first nothing.

        Raises:
            RecipeError: if the file is damaged.
        """
        if not self.result_file.exists():
            return {}
        remedy = f"remove it, and go on with --resume {self.path}"
        try:
            content = read_content(self.result_file, remedy)
        except ModelFileError as error:
            raise RecipeError(str(error)) from None
        if problem := _problem(content):
            raise RecipeError(f"{self.result_file} is damaged ({problem}): {remedy}")
        found: dict[str, Any] = content
        return found

    def update_result(self, **values: Any) -> None:
        """Add measured values to `result.json`; what is no field of `Result` is refused.

        Raises:
            OutputError: if it cannot be written.
        """
        content = {"format_version": FORMAT_VERSION, **self.result(), **values}
        content = read_json(json.dumps(content))  # as it will be read
        unknown = sorted(values.keys() - Result.model_fields.keys())
        if problem := f"unknown keys {unknown}" if unknown else _problem(content):
            raise ValueError(f"{self.result_file} cannot hold this: {problem}")
        write_json(self.result_file, content)

    def read_metrics(self, last_step: float = math.inf) -> list[dict[str, Any]]:
        """Return the rows of `metrics.csv`, if there is one; see `metrics.read_metrics`.

        Args:
            last_step: leave out what comes later.
        """
        if not self.metrics_file.is_file():
            return []
        rows = read_metrics(self.metrics_file)
        return [row.model_dump() for row in rows if (row.step or 0) <= last_step]

    def write_metrics(self, rows: Iterable[dict[str, Any]]) -> None:
        """Write `metrics.csv` anew."""
        with (
            replacing(self.metrics_file) as beside,
            beside.open("w", newline="", encoding="utf-8") as file,
        ):
            writer = csv.DictWriter(file, COLUMNS)
            writer.writeheader()
            writer.writerows(rows)

    def append_metrics(self, row: dict[str, Any]) -> None:
        """Add a row to `metrics.csv`."""
        try:
            with self.metrics_file.open("a", newline="", encoding="utf-8") as file:
                csv.DictWriter(file, COLUMNS).writerow(row)
        except OSError as error:
            reason = error.strerror or error
            raise OutputError(f"cannot write {self.metrics_file}: {reason}") from error


@contextmanager
def locked_folder(folder: Path, doing: str) -> Iterator[None]:
    """Keep a folder to this process inside the `with`, creating it if it is not there.

    Args:
        folder: of a run, or of several.
        doing: what is done in it, for those who are refused, such as "training".

    Raises:
        InUseError: if another process is at work in it; the message says which.
        OutputError: if it cannot be written to.
    """
    require_utf8(folder, "the folder")
    make_folder(folder)
    try:
        with locks.held(folder / LOCK_FILE, doing):
            yield
    except PermissionError as error:
        raise OutputError(f"cannot write into the folder {folder}: {error.strerror}") from error


def _problem(content: Any) -> str:
    """Return what is wrong with what `result.json` says so far; "" if nothing is."""
    try:
        Result.model_validate(content)
    except pydantic.ValidationError as error:
        return first_problem(error, partial=True)
    return ""
