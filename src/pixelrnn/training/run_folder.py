"""The run folder: everything that is known about one run, in files that people can read."""

import csv
import datetime
import json
import math
import os
import platform
import shlex
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from typing import Any

import torch

from pixelrnn import __version__, locks
from pixelrnn.errors import OutputError, RecipeError
from pixelrnn.files import make_folder, replacing, write_json
from pixelrnn.training.image_source import require_utf8
from pixelrnn.training.recipe import Recipe, load_recipe

LOCK_FILE = ".lock"
METRICS = (
    "step",
    "image_presentations",
    "minutes",
    "learning_rate",
    "train_bits_per_dim",
    "validation_bits_per_dim",
    "images_per_second",
)
_MAY_BE_EMPTY = ("validation_bits_per_dim",)
_RESULT_TYPES = {"finished": bool, "data_sha256": dict, "recipe_sha256": str}
_PACKAGES = (
    "torch",
    "lightning-fabric",
    "numpy",
    "pillow",
    "imagecodecs",
    "scikit-learn",
    "scikit-image",
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

    @contextmanager
    def locked(self, doing: str) -> Iterator[None]:
        """Keep the folder to this process inside the `with`, creating it if it is not there.

        Args:
            doing: what is done in it, for those who are refused, such as "training".

        Raises:
            InUseError: if another process is at work in it; the message says which.
            OutputError: if it cannot be written to.
        """
        with locked_folder(self.path, doing):
            yield

    def start(self, recipe: Recipe) -> None:
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
        write_json(self.environment_file, environment())
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

    def write_recipe(self, recipe: Recipe) -> None:
        """Write `recipe.toml`."""
        with replacing(self.recipe_file) as beside:
            beside.write_text(recipe.to_toml(), encoding="utf-8")

    def recipe(self) -> Recipe:
        """Return the recipe of the run.

        Raises:
            RecipeError: if the folder does not hold a run.
        """
        if not self.recipe_file.is_file():
            raise RecipeError(f"{self.path} does not hold a run: there is no recipe.toml")
        return load_recipe(self.recipe_file)

    def result(self) -> dict[str, Any]:
        """Return what was measured so far, or an empty dictionary."""
        if not self.result_file.is_file():
            return {}
        try:
            result = json.loads(self.result_file.read_text(encoding="utf-8"))
            if not isinstance(result, dict):
                raise ValueError("no table")
            for key, kind in _RESULT_TYPES.items():
                if not isinstance(result.get(key, kind()), kind):
                    raise ValueError(f"{key} is not what it was")
        except (ValueError, RecursionError) as error:
            raise RecipeError(
                f"{self.result_file} is damaged: remove it, and go on with --resume {self.path}"
            ) from error
        except OSError as error:
            raise RecipeError(f"cannot read {self.result_file}: {error.strerror}") from error
        return result

    def update_result(self, **values: Any) -> None:
        """Add measured values to `result.json`."""
        write_json(self.result_file, {"format_version": 1, **self.result(), **values})

    def read_metrics(self, last_step: float = math.inf) -> list[dict[str, str]]:
        """Return the rows of `metrics.csv` that are whole: a kill may leave half of the last one.

        Args:
            last_step: leave out what comes later.
        """
        if not self.metrics_file.is_file():
            return []
        try:
            text = self.metrics_file.read_text(encoding="utf-8", errors="replace")
        except OSError as error:
            raise RecipeError(f"cannot read {self.metrics_file}: {error.strerror}") from error
        rows: list[dict[str, str]] = []
        for line in text.splitlines(keepends=True)[1:]:
            values = line.rstrip("\r\n").split(",")
            row = dict(zip(METRICS, values, strict=False))
            after = int(rows[-1]["step"]) if rows else 0
            if line.endswith("\n") and len(values) == len(METRICS) and _is_whole(row, after):
                rows.append(row)
        return [row for row in rows if int(row["step"]) <= last_step]

    def write_metrics(self, rows: Iterable[dict[str, Any]]) -> None:
        """Write `metrics.csv` anew."""
        with (
            replacing(self.metrics_file) as beside,
            beside.open("w", newline="", encoding="utf-8") as file,
        ):
            writer = csv.DictWriter(file, METRICS)
            writer.writeheader()
            writer.writerows(rows)

    def append_metrics(self, row: dict[str, Any]) -> None:
        """Add a row to `metrics.csv`."""
        try:
            with self.metrics_file.open("a", newline="", encoding="utf-8") as file:
                csv.DictWriter(file, METRICS).writerow(row)
        except OSError as error:
            reason = error.strerror or error
            raise OutputError(f"cannot write {self.metrics_file}: {reason}") from error


@contextmanager
def locked_folder(folder: Path, doing: str) -> Iterator[None]:
    """Keep a folder to this process inside the `with`; see `RunFolder.locked`."""
    require_utf8(folder, "the folder")
    make_folder(folder)
    try:
        with locks.held(folder / LOCK_FILE, doing):
            yield
    except PermissionError as error:
        raise OutputError(f"cannot write into the folder {folder}: {error.strerror}") from error


def _is_whole(row: dict[str, str], after: int) -> bool:
    """Return whether a row holds numbers alone, of a step later than `after`."""
    try:
        numbers = [float(value) for key, value in row.items() if value or key not in _MAY_BE_EMPTY]
        return all(map(math.isfinite, numbers)) and int(row["step"]) > after
    except ValueError:
        return False


def environment() -> dict[str, Any]:
    """Return what may influence a result: versions, processor, threads, time."""
    versions = {name: metadata.version(name) for name in _PACKAGES}
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "device": torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu",
        "packages": {"pixelrnn": __version__, **versions},
        "started": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    }


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
