"""A run as its folder tells it: every file read and checked once, before anything is shown of it."""

import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pixelrnn.arrays import Floats
from pixelrnn.errors import ModelFileError, RecipeError
from pixelrnn.runs.arrays import EvaluationArrays, SamplesArrays
from pixelrnn.runs.metrics import MetricsRow, read_metrics
from pixelrnn.runs.reading import read_record, read_text
from pixelrnn.runs.result import Environment, Result
from pixelrnn.runs.run_folder import RunFolder

SEED_FOLDER = "seed-{}"  # in a run folder: a run of the same recipe with another seed
REMEDY = "train that run again"
# The result and the arrays come from the same sums in float64; more than this apart, from two evaluations.
TOLERANCE_BITS_PER_DIM = 1e-4


@dataclass(frozen=True)
class Run:
    """One trained model: what was asked, how it went, and what was measured.

    Attributes:
        path: the folder.
        result: what was measured.
        recipe_text: `recipe.toml` as it is.
        recipe: the same as tables.
        metrics: the measurements during training.
        environment: machine and software.
        evaluation: what was measured image by image; `None` if it was not evaluated.
        samples: samples and completions; `None` if it was not assessed.
    """

    path: Path
    result: Result
    recipe_text: str
    recipe: dict[str, Any]
    metrics: list[MetricsRow]
    environment: Environment
    evaluation: EvaluationArrays | None
    samples: SamplesArrays | None

    @property
    def seed(self) -> int | None:
        """The seed in the recipe, if it names one."""
        training = self.recipe.get("training")
        found = training.get("seed") if isinstance(training, dict) else None
        found = self.recipe.get("seed") if found is None else found
        return found if isinstance(found, int) else None

    @property
    def recipe_but_seed(self) -> str:
        """The recipe's text without seed and name, for finding runs that differ in nothing else."""
        top, bracket, tables = self.recipe_text.partition("[")
        text = re.sub(r"(?m)^name *=.*\n?", "", top) + bracket + tables
        return re.sub(r"(?m)^seed *=.*\n?", "", text)

    def curve(self, key: str) -> tuple[Floats, Floats]:
        """Return image presentations and a figure of `metrics.csv`, `(points,)`, where both are known."""
        pairs = [(row.image_presentations, getattr(row, key)) for row in self.metrics]
        x, y = np.array(pairs, dtype=np.float64).reshape(-1, 2).T
        measured = np.isfinite(x) & np.isfinite(y)
        return x[measured], y[measured]


def read_run(path: Path) -> Run:
    """Read every file of a run folder that the report shows.

    Raises:
        ModelFileError: a file is missing, damaged, of a later version, or contradicts another.
        RecipeError: `recipe.toml` is not TOML.

    Example:
        >>> read_run(Path("no-such-run"))
        Traceback (most recent call last):
        pixelrnn.errors.ModelFileError: no-such-run: no such folder; give a folder that ...
    """
    if not path.is_dir():
        raise ModelFileError(f"{path}: no such folder; give a folder that `pixelrnn train` wrote")
    folder = RunFolder(path)
    result = read_record(folder.result_file, Result, "evaluate or train that run again")
    recipe_text = read_text(folder.recipe_file, REMEDY)
    try:
        recipe = tomllib.loads(recipe_text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise RecipeError(
            f"{folder.recipe_file} is not TOML ({error}); restore it or train again"
        ) from None
    evaluation, samples = _read_arrays(folder, result)
    return Run(
        path=path,
        result=result,
        recipe_text=recipe_text,
        recipe=recipe,
        metrics=read_metrics(folder.metrics_file),
        environment=read_record(folder.environment_file, Environment, REMEDY),
        evaluation=evaluation,
        samples=samples,
    )


def _read_arrays(
    folder: RunFolder, result: Result
) -> tuple[EvaluationArrays | None, SamplesArrays | None]:
    """Read the array files of a run that was evaluated.

    Those left by an earlier evaluation say nothing about weights that were trained since.
    """
    evaluation, samples = None, None
    if result.test_bits_per_dim is None:
        return None, None
    kind = dict(zip("CHW", result.image_shape, strict=True)) | {"num_levels": result.num_levels}
    if folder.evaluation_file.is_file():
        evaluation = EvaluationArrays.read(folder.evaluation_file, N=result.num_images or 0, **kind)
        for name in ("bits_per_dim_per_image", "bits_map"):
            mean = float(getattr(evaluation, name).mean())
            if abs(mean - result.test_bits_per_dim) > TOLERANCE_BITS_PER_DIM:
                raise ModelFileError(
                    f"{folder.evaluation_file}: the mean of {name} is {mean:.4f}, but result.json says "
                    f"{result.test_bits_per_dim:.4f} bits/dim; {EvaluationArrays.remedy}"
                )
    if folder.samples_file.is_file():
        samples = SamplesArrays.read(folder.samples_file, **kind)
    return evaluation, samples


def find_run_folders(paths: Sequence[Path]) -> tuple[list[Path], list[Path]]:
    """Expand folders that contain run folders, such as those that `compare` writes.

    Args:
        paths: run folders, or folders that contain run folders (one level deep, and in each of them
            those of its other seeds).

    Returns:
        The run folders, each once, in the order given (by name inside an expanded folder), and the
        run folders inside expanded ones that are left out because they have no `result.json` yet.

    Raises:
        ModelFileError: a path is not a folder, or contains no run folder.

    Example:
        >>> find_run_folders([])
        ([], [])
    """
    found: dict[Path, Path] = {}
    unfinished: list[Path] = []
    for path in paths:
        if not path.is_dir():
            raise ModelFileError(f"{path}: no such folder; give run folders")
        inside = [path] if _looks_like_run(path) else list(_runs_in(path))
        ready = [each for each in inside if each == path or (each / "result.json").is_file()]
        if not ready:
            raise ModelFileError(
                f"{path}: no run folder, and none with a result.json inside; "
                "give folders that `pixelrnn train` or `pixelrnn compare` wrote"
            )
        for each in ready:
            found.setdefault(each.resolve(), each)
        unfinished.extend(each for each in inside if each not in ready)
    return list(found.values()), unfinished


def _runs_in(path: Path) -> list[Path]:
    children = [child for child in sorted(path.iterdir()) if _looks_like_run(child)]
    seeds = SEED_FOLDER.format("*")
    return [
        each
        for child in children
        for each in (child, *filter(_looks_like_run, sorted(child.glob(seeds))))
    ]


def _looks_like_run(path: Path) -> bool:
    return (path / "result.json").is_file() or (path / "recipe.toml").is_file()
