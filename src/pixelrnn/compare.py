"""The main job: train the models of a suite on the same images, and say which is better.

Every model gets the same images, the same number of image presentations (or the same minutes) and
one evaluation on the test images at the very end. Interrupted, the same call goes on where it was.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

from rich.console import Console

from pixelrnn import baselines, report, stopping
from pixelrnn.assessment import FILE_KEYS, SAMPLES_FILE, assess, require_contract
from pixelrnn.baselines import Baseline
from pixelrnn.data import DataSet
from pixelrnn.data.loading import load_recorded as load
from pixelrnn.errors import OutputError, RecipeError, TrainingInterrupted
from pixelrnn.files import write_json
from pixelrnn.models import store
from pixelrnn.training import Recipe, RunFolder, load_recipe, say_on, suite_recipes, train
from pixelrnn.training.run_folder import locked_folder
from pixelrnn.uncertainty import count_pictures

RESULT_KEYS = (
    "label",
    "parameters",
    "test_bits_per_dim",
    "test_bits_per_dim_standard_error",
    "test_nats_per_image",
    "test_bits_per_dim_by_channel",
    "validation_bits_per_dim",
    "train_bits_per_dim",
    "image_presentations",
    "images_per_second",
    "minutes",
    "peak_memory_mb",
    "seconds_per_sample",
    "hidden_half_bits_per_dim",
    *FILE_KEYS,
    "alarms",
)
GO_ON = "the same command goes on from there"
LONGER_THAN_ANY_TIME = 10**12  # image presentations: the minutes end the run


@dataclass(frozen=True)
class Comparison:
    """What `compare` found.

    Attributes:
        results: the content of `results.json`; each model's `alarms` say which figures not to believe.
        report: the page.
    """

    results: dict[str, Any]
    report: Path


def compare(
    suite: str,
    out: str | Path,
    *,
    data: str | None = None,
    settings: Sequence[str] = (),
    equal: Literal["presentations", "minutes"] = "presentations",
    console: Console | None = None,
    command: str = "",
) -> Comparison:
    """Train, evaluate and show the models of a suite.

    Args:
        suite: such as "digits": the recipes whose names start with it.
        out: folder for a run folder a model, `results.json` and `report.html`.
        data: a name or path in place of the suite's own images.
        settings: changes to all recipes, each "table.key=value".
        equal: what the models share: image presentations, or minutes (`training.max_minutes`).
        console: where to show progress; by default standard error.
        command: what the user typed, for the record.

    Raises:
        PixelRNNError: with what to do about it: an unknown suite, key or image, a folder that
            cannot be written to or holds other runs, a loss that is not finite, Ctrl-C. A
            ContractViolation names the model that breaks the contract; nothing is shown of any then,
            and once it is mended the same call goes on.
    """
    folder, console = Path(out), console or Console(stderr=True)
    with stopping.listening(lambda: f"stopped; {GO_ON}"):
        recipes = suite_recipes_for(suite, data, settings, equal)
        first = next(iter(recipes.values()))
        images = load(first.data.source, first.data.options())
        images.images("test")  # there are some
        recipes = {slug: recipe.for_data(images) for slug, recipe in recipes.items()}
        with locked_folder(folder, "comparing"):
            return _compare(suite, folder, recipes, images, console, command)


def _compare(
    suite: str,
    folder: Path,
    recipes: dict[str, Recipe],
    images: DataSet,
    console: Console,
    command: str,
) -> Comparison:
    runs = [RunFolder(folder / slug) for slug in recipes]
    for run, recipe in zip(runs, recipes.values(), strict=True):
        _require_same(run, recipe, images)
    for run, recipe in zip(runs, recipes.values(), strict=True):
        _train_or_go_on(run, recipe, images, console, command)
    for run in runs:  # all, before any figure is believed
        require_contract(run, store.load(run.path), images.images("train"))
    lines = _baselines(runs, images, console)
    for run in runs:
        if not _is_assessed(run):
            say_on(
                console, f"{run.result()['label']}: evaluating {images.count('test'):,} test images"
            )
            assess(run, images, lines, on_compiling=partial(say_on, console))
    results = _results(suite, runs, images, lines, command)
    write_json(folder / "results.json", results)
    page = report.build([run.path for run in runs], folder / "report.html", command=command)
    return Comparison(results, page)


def suite_recipes_for(
    suite: str,
    data: str | None,
    settings: Sequence[str],
    equal: Literal["presentations", "minutes"] = "presentations",
) -> dict[str, Recipe]:
    """Return the recipes of a suite by model, with the user's changes; see `compare`."""
    recipes = {
        slug: load_recipe(name, settings, data=data) for slug, name in suite_recipes(suite).items()
    }
    if equal == "minutes":
        return {slug: _for_minutes(recipe) for slug, recipe in recipes.items()}
    return recipes


def _for_minutes(recipe: Recipe) -> Recipe:
    if recipe.training.max_minutes is None:
        raise RecipeError(
            "--equal minutes needs to know how many: add --set training.max_minutes=10"
        )
    endless = {"epochs": None, "image_presentations": LONGER_THAN_ANY_TIME}
    return recipe.model_copy(update={"training": recipe.training.model_copy(update=endless)})


def _train_or_go_on(
    run: RunFolder, recipe: Recipe, images: DataSet, console: Console, command: str
) -> None:
    if run.result().get("finished"):
        text = f"{run.result()['label']}: already trained in {run.path}"
        say_on(console, text)
        return
    try:
        begun = run.recipe_file.is_file()
        train(recipe, run.path, data=images, resume=begun, console=console, command=command)
    except TrainingInterrupted as error:
        done = str(error).partition(";")[0]
        raise TrainingInterrupted(f"{done}; {GO_ON}", error.signal_number) from error


def _require_same(run: RunFolder, recipe: Recipe, images: DataSet) -> None:
    """Raise `OutputError` if the folder holds a run that these settings and images do not continue."""
    if not run.recipe_file.is_file():
        return
    same_data = run.result().get("data_sha256", {}).get("train") in (None, images.sha256("train"))
    if run.recipe().fingerprint() != recipe.fingerprint() or not same_data:
        raise OutputError(
            f"{run.path} holds a run with other settings or images: "
            "choose another --out, or remove that folder"
        )


def _is_assessed(run: RunFolder) -> bool:
    kept = (run.evaluation_file, run.path / SAMPLES_FILE)
    return "test_bits_per_dim" in run.result() and all(file.is_file() for file in kept)


def _baselines(runs: Sequence[RunFolder], images: DataSet, console: Console) -> list[Baseline]:
    """Return the lines to beat: those that were kept with a run, or else measured now."""
    kept = [run.result()["baselines"] for run in runs if _is_assessed(run)]
    if kept:
        return [Baseline(**line) for line in kept[0]]
    say_on(console, "measuring what PNG, WebP and JPEG XL need for the test images")
    return baselines.measure(
        images.images("train"),
        images.images("test"),
        images.num_levels,
        pictures=images.pictures_of("test"),
    )


def _results(
    suite: str,
    runs: Sequence[RunFolder],
    images: DataSet,
    lines: Sequence[Baseline],
    command: str,
) -> dict[str, Any]:
    models = []
    for run in runs:
        result = run.result()
        models.append({"name": run.path.name, **{key: result.get(key) for key in RESULT_KEYS}})
    return {
        "format_version": 1,
        "suite": suite,
        "command": command,
        "data": images.name,
        "data_notes": list(images.notes),
        "data_sha256": images.sha256("test"),
        "split": "test",
        "num_images": images.count("test"),
        "num_pictures": count_pictures(images.count("test"), images.pictures_of("test")),
        "models": models,
        "baselines": [asdict(line) for line in lines],
    }
