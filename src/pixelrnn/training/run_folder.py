"""The run folder: everything that is known about one run, in files that people can read."""

import csv
import datetime
import json
import os
import platform
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path
from typing import Any

import torch

from pixelrnn import __version__
from pixelrnn.errors import OutputError, RecipeError
from pixelrnn.files import make_folder, replacing, write_json
from pixelrnn.training.recipe import Recipe, load_recipe

METRICS = (
    "step",
    "image_presentations",
    "minutes",
    "learning_rate",
    "train_bits_per_dim",
    "validation_bits_per_dim",
    "images_per_second",
)
_PACKAGES = ("torch", "lightning", "numpy", "pillow", "imagecodecs", "scikit-learn", "scikit-image")


class RunFolder:
    """The files of one run.

    Args:
        path: the folder; it need not exist yet.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.recipe_file = path / "recipe.toml"
        self.metrics_file = path / "metrics.csv"
        self.result_file = path / "result.json"
        self.evaluation_file = path / "evaluation.npz"
        self.environment_file = path / "environment.json"
        self.checkpoint_file = path / "checkpoint" / "last.safetensors"

    def start(self, recipe: Recipe) -> None:
        """Create the folder for a new run.

        Raises:
            OutputError: if it cannot be written to, or holds another run.
        """
        make_folder(self.path)
        if self.recipe_file.exists():
            raise OutputError(
                f"{self.path} already holds a run: go on with --resume {self.path}, "
                "or choose another --out"
            )
        make_folder(self.checkpoint_file.parent)
        write_json(self.environment_file, environment())
        self.write_metrics([])
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
            result: dict[str, Any] = json.loads(self.result_file.read_text(encoding="utf-8"))
        except ValueError as error:
            raise RecipeError(f"{self.result_file} is damaged; remove it and resume") from error
        return result

    def update_result(self, **values: Any) -> None:
        """Add measured values to `result.json`."""
        write_json(self.result_file, {"format_version": 1, **self.result(), **values})

    def read_metrics(self) -> list[dict[str, str]]:
        """Return the rows of `metrics.csv`."""
        if not self.metrics_file.is_file():
            return []
        with self.metrics_file.open(newline="", encoding="utf-8") as file:
            return list(csv.DictReader(file))

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
