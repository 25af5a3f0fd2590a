"""The main job: train several models on the same images, and say which is better.

They are those of a suite, or of any recipes, each with one seed or several. Every model gets the same
images, the same number of image presentations (or the same minutes) and one evaluation on the test images
at the very end. Interrupted, the same call goes on where it was.
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import imagecodecs  # noqa: F401 - what codecs need is to be missed before anything is trained
from rich.console import Console

from pixelrnn import baselines, report, stopping
from pixelrnn.assessment import assess, require_contract
from pixelrnn.data import DataSet
from pixelrnn.data.loading import load_recorded as load
from pixelrnn.errors import OutputError, RecipeError, TrainingInterrupted
from pixelrnn.evaluation import require_fit
from pixelrnn.files import write_json
from pixelrnn.models import LABELS, AutoregressiveModel, store
from pixelrnn.runs import SEED_FOLDER, Baseline, RunFolder, locked_folder
from pixelrnn.runs.result import ModelFigures
from pixelrnn.training import (
    Recipe,
    default_folder,
    distinct_labels,
    recipe_of,
    recipes_for,
    say_on,
    train,
    with_seed,
)
from pixelrnn.uncertainty import count_pictures
from pixelrnn.wording import counted

GO_ON = "the same command goes on from there"


@dataclass(frozen=True)
class Comparison:
    """What `compare` found.

    Attributes:
        results: the content of `results.json`; each model's `alarms` say which figures not to believe.
        report: the page.
    """

    results: dict[str, Any]
    report: Path


@dataclass(frozen=True)
class Contestant:
    """One run of a comparison.

    Attributes:
        run: its folder.
        recipe: for the images at hand.
        label: of its model.
        first: whether it has the recipe's own seed, and not one of those after it.
    """

    run: RunFolder
    recipe: Recipe
    label: str
    first: bool

    def __str__(self) -> str:
        return self.label if self.first else f"{self.label}, seed {self.recipe.training.seed}"


def compare(
    names: str | Sequence[str],
    out: str | Path | None = None,
    *,
    seeds: int = 1,
    data: str | None = None,
    settings: Sequence[str] = (),
    equal: Literal["presentations", "minutes"] = "presentations",
    console: Console | None = None,
    command: str = "",
) -> Comparison:
    """Train, evaluate and show the models of a suite, or of several recipes.

    Args:
        names: a suite such as "digits", the recipes whose names start with it; or several recipes, by
            name or as .toml files.
        out: folder for a run folder of each model, `results.json` and `report.html`; by default
            `runs/SUITE` or `runs/NAME-vs-NAME`. A run with another seed than the recipe's is in the model's
            folder, in `seed-SEED`.
        seeds: how many times each model is trained: with the recipe's seed, and with those after it.
        data: a name or path in place of the recipes' own images.
        settings: changes to all recipes, each "table.key=value".
        equal: what the models share: image presentations, or minutes (`training.max_minutes`).
        console: where to show progress; by default standard error.
        command: what the user typed, for the record.

    Raises:
        PixelRNNError: with what to do about it: an unknown suite, recipe, key or image, recipes that are
            for different images, a folder that cannot be written to or holds other runs, a loss that is
            not finite, Ctrl-C. A ContractViolation names the model that breaks the contract; nothing is
            shown of any then, and once it is mended the same call goes on.
    """
    console = console or Console(stderr=True)
    with stopping.listening(lambda: f"stopped; {GO_ON}"):
        if seeds < 1:
            raise RecipeError(f"{counted(seeds, 'seed')} train nothing: give 1 or more")
        recipes = recipes_for(names, data, settings, equal)
        folder = default_folder(names, recipes) if out is None else Path(out)
        first = next(iter(recipes.values()))
        images = load(first.data.source, first.data.options())
        images.images("test")  # there are some
        recipes = {name: recipe.for_data(images) for name, recipe in recipes.items()}
        contestants = list(_contestants(folder, recipes, seeds))
        suite = names if isinstance(names, str) else names[0] if len(names) == 1 else None
        with locked_folder(folder, "comparing"):
            return _compare(suite, folder, contestants, images, console, command)


def _contestants(folder: Path, recipes: dict[str, Recipe], seeds: int) -> Iterator[Contestant]:
    """Yield the runs: of all models with the first seed, then with the next."""
    labels = distinct_labels(recipes)
    for number in range(seeds):
        for name, recipe in recipes.items():
            seeded = with_seed(recipe, number)
            path = folder / name
            if number:
                path /= SEED_FOLDER.format(seeded.training.seed)
            yield Contestant(RunFolder(path), seeded, labels[name], first=not number)


def _compare(
    suite: str | None,
    folder: Path,
    contestants: Sequence[Contestant],
    images: DataSet,
    console: Console,
    command: str,
) -> Comparison:
    runs = [each.run for each in contestants]
    for each in contestants:
        _require_same(each.run, each.recipe, images)
    for each in contestants:
        _train_or_go_on(each, images, console, command)
    models = [_load(run, images) for run in runs]  # all, before any figure is believed
    lines = _baselines(runs, images, console)
    for each, model in zip(contestants, models, strict=True):
        if not _is_assessed(each.run):
            say_on(console, f"{each}: evaluating {images.count('test'):,} test images")
            assess(each.run, images, lines, model=model, on_compiling=partial(say_on, console))
    # Recipes may differ in their seed alone, and are to be told apart all the same.
    labels = [] if suite else [f"{each.run.path.resolve()}={each.label}" for each in contestants]
    results = _results(contestants, images, lines, labels)
    results = {"format_version": 1, "suite": suite, "command": command, **results}
    write_json(folder / "results.json", results)
    page = report.build(
        [run.path for run in runs], folder / "report.html", command=command, labels=labels
    )
    return Comparison(results, page)


def _train_or_go_on(
    contestant: Contestant, images: DataSet, console: Console, command: str
) -> None:
    run, recipe = contestant.run, contestant.recipe
    if run.result().get("finished"):
        say_on(console, f"{contestant}: already trained in {run.path}")
        if run.recipe_file.is_file():
            run.write_recipe(
                recipe.to_toml()
            )  # an earlier version had fewer keys, and images may have moved
        return
    if str(contestant) != LABELS[recipe.model.kind]:
        say_on(console, f"{contestant}: in {run.path}")
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
    if recipe_of(run).fingerprint() != recipe.fingerprint() or not same_data:
        raise OutputError(
            f"{run.path} holds a run with other settings or images: "
            "choose another --out, or remove that folder"
        )


def _load(run: RunFolder, images: DataSet) -> AutoregressiveModel:
    """Return the model of a run, once it fits the images and keeps the contract."""
    model = store.load(run.path)
    require_fit(model, images)
    require_contract(run, model, images.images("train"))
    return model


def _is_assessed(run: RunFolder) -> bool:
    kept = (run.evaluation_file, run.samples_file)
    measured = run.result().keys() >= {"test_bits_per_dim", "baselines"}
    return measured and all(file.is_file() for file in kept)


def _baselines(runs: Sequence[RunFolder], images: DataSet, console: Console) -> list[Baseline]:
    """Return the lines to beat: those that were kept with a run, or else measured now."""
    kept = [run.result()["baselines"] for run in runs if _is_assessed(run)]
    if kept:
        return [Baseline(**line) for line in kept[0]]
    say_on(console, "measuring what PNG, WebP and JPEG XL need for the test images")
    return baselines.measure_for(images)


def _results(
    contestants: Sequence[Contestant],
    images: DataSet,
    lines: Sequence[Baseline],
    labels: Sequence[str],
) -> dict[str, Any]:
    models = []
    for each in contestants:
        result = each.run.result()
        if each.first:
            figures = {key: result.get(key) for key in ModelFigures.model_fields}
            models.append({"name": each.run.path.name, **figures, "label": each.label})
        elif found := result.get("alarms"):
            model = next(model for model in models if model["label"] == each.label)
            seed = each.recipe.training.seed
            model["alarms"] = [*(model["alarms"] or ()), *(f"seed {seed}: {one}" for one in found)]
    results = {
        "data": images.name,
        "data_notes": list(images.notes),
        "data_sha256": images.sha256("test"),
        "split": "test",
        "num_images": images.count("test"),
        "num_pictures": count_pictures(images.count("test"), images.pictures_of("test")),
        "models": models,
        "baselines": [asdict(line) for line in lines],
    }
    if len(contestants) == len(models):
        return results
    over = report.over_seeds([each.run.path for each in contestants], labels)
    firsts = [each for each in contestants if each.first]
    for model, each in zip(models, firsts, strict=True):
        model.update(over["models"][each.run.path])
    return results | {
        "num_seeds": len(contestants) // len(models),
        "differences": over["differences"],
    }
