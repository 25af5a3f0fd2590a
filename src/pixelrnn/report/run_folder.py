"""The typed reading of a run folder: every file checked once, here, before anything is drawn."""

import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar

import pydantic

from pixelrnn.errors import ModelFileError, RecipeError
from pixelrnn.report.evaluation_file import Evaluation, read_evaluation
from pixelrnn.report.metrics_file import Metrics, read_metrics
from pixelrnn.report.samples_file import Samples, read_samples
from pixelrnn.report.text_file import Record, first_problem, parse_json, read_text, require_version

SEED_FOLDER = "seed-{}"  # in a run folder: a run of the same recipe with another seed
Count = Annotated[int, pydantic.Field(ge=0, lt=2**63)]
PositiveCount = Annotated[int, pydantic.Field(gt=0, lt=2**63)]
Channels = Annotated[int, pydantic.Field(gt=0, le=64)]
Side = Annotated[int, pydantic.Field(gt=0, le=1 << 16)]


class Baseline(Record):
    """A line to beat, measured on the same test images; `None` where it could not be measured."""

    name: str
    test_bits_per_dim: float | None = None
    note: str = ""
    standard_error: float | None = None


class SplitCounts(Record):
    """How many images each split has."""

    train: Count
    validation: Count
    test: Count


class DataHashes(Record):
    """SHA-256, in hexadecimal, of the shape and bytes of each split."""

    train: str
    validation: str
    test: str


class Validation(Record):
    """What a validation found during training, and when."""

    image_presentations: Count
    validation_bits_per_dim: float


class Result(Record):
    """What `result.json` says; `test_*` is `None` until the run was evaluated on the test split."""

    format_version: int
    name: str
    label: str
    data: str
    split: str = "test"
    num_images: PositiveCount | None = None
    num_pictures: PositiveCount | None = None
    data_sha256: DataHashes
    data_num_images: SplitCounts | None = None
    kept: Literal["last", "best"] = "last"
    last: Validation | None = None
    best: Validation | None = None
    image_shape: tuple[Channels, Side, Side]
    num_levels: int = pydantic.Field(ge=2, le=256)
    ema: bool = False
    parameters: Count
    image_presentations: Count
    images_per_second: float | None = None
    minutes: float | None = None
    peak_memory_mb: float | None = None
    finished: bool = True
    train_bits_per_dim: float | None = None
    train_num_images: Count | None = None
    validation_bits_per_dim: float | None = None
    validation_num_images: Count | None = None
    test_bits_per_dim: float | None = None
    test_bits_per_dim_standard_error: float | None = None
    test_nats_per_image: float | None = None
    test_bits_per_dim_by_channel: tuple[float, ...] = ()
    hidden_half_bits_per_dim: float | None = None
    seconds_per_sample: float | None = None
    file_num_images: PositiveCount | None = None
    float_bits_per_dim: float | None = None
    integer_bits_per_dim: float | None = None
    message_bits_per_dim: float | None = None
    file_bits_per_dim: float | None = None
    surprise_bits_per_dim: float | None = None
    file_bytes: PositiveCount | None = None
    command: str | None = None
    baselines: tuple[Baseline, ...] = pydantic.Field(default=(), max_length=200)

    @pydantic.model_validator(mode="after")
    def _evaluated_whole(self) -> Self:
        if self.test_bits_per_dim is None:
            return self
        if self.num_images is None or self.test_nats_per_image is None:
            raise ValueError("test_bits_per_dim needs num_images and test_nats_per_image beside it")
        if self.test_bits_per_dim_by_channel and (
            len(self.test_bits_per_dim_by_channel) != self.image_shape[0]
        ):
            raise ValueError("test_bits_per_dim_by_channel needs one number for each channel")
        beside = (self.file_num_images, self.file_bytes, self.float_bits_per_dim,
                  self.integer_bits_per_dim, self.message_bits_per_dim)  # fmt: skip
        if self.file_bits_per_dim is not None and None in beside:
            raise ValueError("file_bits_per_dim needs the other figures of the file beside it")
        return self


class Environment(Record):
    """What `environment.json` says about the machine and the software of a run."""

    python: str | None = None
    platform: str | None = None
    processor: str | None = None
    threads: int | None = None
    packages: dict[str, str] = pydantic.Field(default_factory=dict)
    git_commit: str | None = None
    started: str | None = None


@dataclass(frozen=True)
class RunFolder:
    """One trained model: what was asked, how it went, and what was measured."""

    path: Path
    result: Result
    recipe_text: str
    recipe: dict[str, Any]
    metrics: Metrics
    environment: Environment
    evaluation: Evaluation | None
    samples: Samples | None

    @property
    def test_bits_per_dim(self) -> float | None:
        """Bits per dimension on the test split; `None` if the run was not evaluated."""
        return self.result.test_bits_per_dim

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


def read_run_folder(path: Path) -> RunFolder:
    """Read every file of a run folder that the report shows.

    Raises:
        ModelFileError: a file is missing, damaged, of a later version, or contradicts another.
        RecipeError: `recipe.toml` is not TOML.

    Example:
        >>> read_run_folder(Path("no-such-run"))
        Traceback (most recent call last):
        pixelrnn.errors.ModelFileError: no-such-run: no such folder; give a folder that ...
    """
    if not path.is_dir():
        raise ModelFileError(f"{path}: no such folder; give a folder that `pixelrnn train` wrote")
    result = _read_json(path / "result.json", Result)
    recipe_text = read_text(path / "recipe.toml")
    evaluation, samples = None, None
    kind: dict[str, Any] = {"image_shape": result.image_shape, "num_levels": result.num_levels}
    # Files left by an earlier evaluation say nothing about weights that were trained since.
    if result.test_bits_per_dim is not None:
        if (path / "evaluation.npz").is_file():
            evaluation = read_evaluation(
                path / "evaluation.npz",
                num_images=result.num_images or 0,
                bits_per_dim=result.test_bits_per_dim,
                **kind,
            )
        if (path / "samples.npz").is_file():
            samples = read_samples(path / "samples.npz", **kind)
    return RunFolder(
        path=path,
        result=result,
        recipe_text=recipe_text,
        recipe=_parse_recipe(path / "recipe.toml", recipe_text),
        metrics=read_metrics(path / "metrics.csv"),
        environment=_read_json(path / "environment.json", Environment),
        evaluation=evaluation,
        samples=samples,
    )


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
        if _looks_like_run(path):
            found.setdefault(path.resolve(), path)
            continue
        inside = [
            each
            for child in sorted(path.iterdir())
            if _looks_like_run(child)
            for each in (
                child,
                *filter(_looks_like_run, sorted(child.glob(SEED_FOLDER.format("*")))),
            )
        ]
        ready = [child for child in inside if (child / "result.json").is_file()]
        if not ready:
            raise ModelFileError(
                f"{path}: no run folder, and none with a result.json inside; "
                "give folders that `pixelrnn train` or `pixelrnn compare` wrote"
            )
        for child in ready:
            found.setdefault(child.resolve(), child)
        unfinished.extend(child for child in inside if child not in ready)
    return list(found.values()), unfinished


def _looks_like_run(path: Path) -> bool:
    return (path / "result.json").is_file() or (path / "recipe.toml").is_file()


_R = TypeVar("_R", bound=Record)


def _read_json(path: Path, kind: type[_R]) -> _R:
    text = read_text(path)
    try:
        content = parse_json(text)
    except ValueError as error:
        raise ModelFileError(f"{path} is not JSON ({error}); train that run again") from None
    require_version(path, content)
    try:
        return kind.model_validate(content)
    except pydantic.ValidationError as error:
        raise ModelFileError(
            f"{path}: {first_problem(error)}; evaluate or train that run again"
        ) from None


def _parse_recipe(path: Path, text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise RecipeError(f"{path} is not TOML ({error}); restore it or train again") from None
