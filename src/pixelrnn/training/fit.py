"""`train`: from a recipe and images to a run folder with a trained model."""

from collections.abc import Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import torch
from rich.console import Console

from pixelrnn import stopping
from pixelrnn.compiling import make_layers_ready
from pixelrnn.data import SPLITS, DataSet
from pixelrnn.data.in_memory import as_data_set
from pixelrnn.data.loading import load_recorded as load
from pixelrnn.data.mixture import parts_of
from pixelrnn.errors import RecipeError
from pixelrnn.evaluation import Evaluation, evaluate
from pixelrnn.models import LABELS, AutoregressiveModel, build
from pixelrnn.models.torch_state import usual_torch
from pixelrnn.runs import RunFolder
from pixelrnn.training.averaging import MovingAverage
from pixelrnn.training.batches import Batches
from pixelrnn.training.environment import environment
from pixelrnn.training.good_weights import GoodWeights
from pixelrnn.training.image_source import require_there
from pixelrnn.training.loop import make_trainer, no_subnormals, quiet, run_loop, threads
from pixelrnn.training.memory import peak_memory_mb, reset_peak_memory
from pixelrnn.training.module import TrainingModule
from pixelrnn.training.progress import TrainingProgress, say_on
from pixelrnn.training.recipe import Recipe, recipe_of
from pixelrnn.training.recorder import Recorder
from pixelrnn.training.tables import TrainingTable
from pixelrnn.training.tensorboard import Curves
from pixelrnn.uncertainty import count_pictures, evenly_spread, standard_error

TRAIN_IMAGES_EVALUATED = 1000


def train(
    recipe: Recipe,
    out: str | Path,
    *,
    data: Any = None,
    resume: bool = False,
    console: Console | None = None,
    command: str = "",
) -> RunFolder:
    """Train a model and leave everything about it in a run folder.

    Args:
        recipe: what to train; with `resume`, that of the folder.
        out: the run folder.
        data: the images, if they are in memory already: a `DataSet`, an array `(N, H, W)`, `(N, C, H, W)`
            or `(N, H, W, C)`, or a data set of torch; by default those that the recipe names.
        resume: go on with the run in `out`, bit for bit as if it had not been stopped (with
            `max_minutes` the learning rate depends on the clock, and so does the result).
        console: where to show progress; by default standard error.
        command: what the user typed, for the record.

    Returns:
        The run folder, with the averaged weights, the last or the best as `training.keep` asks, and
        their figures for train and validation.

    Raises:
        RecipeError: if the recipe does not fit the images.
        DataError: if the images cannot be read, or are none.
        OutputError: if the folder cannot be written to, or holds another run.
        NonFiniteLossError: if the loss is no longer finite; the last good weights are kept.
        NonFiniteResultError: if the figures at the end are not finite.
        InUseError: if another process is at work in the folder.
        TrainingInterrupted: after Ctrl-C, or a signal of `stopping.SIGNALS`; the run can be resumed.
    """
    if not isinstance(recipe, Recipe):
        raise RecipeError(
            f"train takes a recipe, not {type(recipe).__name__}: give load_recipe({str(recipe)!r})"
        )
    run, console = RunFolder(Path(out)), console or Console(stderr=True)
    with (
        stopping.listening(lambda: _stopped(run)) as signals,
        threads(recipe.training.threads),
        usual_torch(),
        no_subnormals(),
    ):
        if data is None:
            data = load(recipe.data.source, recipe.data.options())
        images = as_data_set(data)
        return _train(recipe.for_data(images), run, images, resume, console, command, signals)


def _stopped(run: RunFolder) -> str:
    """Return what is said after a signal between the steps, where nothing is left to be saved."""
    if run.recipe_file.is_file():
        when = "between two steps" if run.checkpoint_file.is_file() else "before the first step"
        return f"stopped {when}; {run.how_to_go_on()}"
    return "stopped before anything was written; the same command begins again"


def _train(
    recipe: Recipe,
    run: RunFolder,
    data: DataSet,
    resume: bool,
    console: Console,
    command: str,
    signals: stopping.Stopping,
) -> RunFolder:
    images = data.images("train")
    model = initial_model(recipe)
    total_steps = recipe.training.total_steps(len(images))
    presentations = total_steps * recipe.training.batch_size
    label = LABELS[recipe.model.kind]
    say = partial(say_on, console)
    display = TrainingProgress(label, presentations, console)
    average = MovingAverage(recipe.training.ema_decay)
    curves = Curves(run.path / "tensorboard", say)
    weights = GoodWeights(run, recipe, data, average, signals)
    recorder = Recorder(run, recipe, data, weights, display, curves, total_steps, signals)
    trainer = make_trainer(recipe.training, run, total_steps, [average, recorder], say)
    with run.locked("training"):
        _begin_or_go_on(run, recipe, data, resume=resume)
        began = run.result().get("command", command)  # not the one that resumed it
        run.update_result(**_described(recipe, data), command=began, finished=False)
        say(
            f"{label}: {model.num_parameters():,} parameters, {presentations:,} image presentations "
            f"of {len(images):,} images from {data.name}",
        )
        make_layers_ready(recipe.model, say)
        reset_peak_memory()
        batches = draw_batches(
            recipe.training, data, total_steps,
            rank=trainer.global_rank, processes=trainer.world_size,
        )  # fmt: skip
        with display, quiet(), signals.noted(), closing(curves):
            run_loop(trainer, TrainingModule(model, recipe), batches, run, signals)
        recorder.finish(trainer)
        steps = trainer.global_step
        trained = weights.result()
        measured = _measured(trained, data)
        run.update_result(
            **measured,
            **weights.save_result(),
            parameters=trained.num_parameters(),
            image_presentations=steps * recipe.training.batch_size,
            images_per_second=steps * recipe.training.batch_size / recorder.training_seconds,
            minutes=recorder.seconds / 60,
            peak_memory_mb=peak_memory_mb(),
            finished=True,
        )
    return run


def _begin_or_go_on(run: RunFolder, recipe: Recipe, data: DataSet, *, resume: bool) -> None:
    if not resume:
        run.start(recipe, environment())
        return
    _require_unfinished(run)
    _require_the_same(run, recipe, data)
    run.write_recipe(recipe)  # the images may lie elsewhere now


def _require_unfinished(run: RunFolder) -> None:
    if run.result().get("finished"):
        raise RecipeError(f"the run in {run.path} is finished; train a new one with --out")


def initial_model(recipe: Recipe) -> AutoregressiveModel:
    """Return the model with weights drawn from the recipe's seed; the global generator is left alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.training.seed)
        return build(recipe.model)


def _require_the_same(run: RunFolder, recipe: Recipe, data: DataSet) -> None:
    """Refuse to go on with another recipe or other images: the result would be of neither."""
    began = run.result()
    if began.get("recipe_sha256", recipe.fingerprint()) != recipe.fingerprint():
        raise run.has_another_recipe()
    hashes = began.get("data_sha256")
    if hashes and any(hashes.get(split) != data.sha256(split) for split in SPLITS):
        raise RecipeError(
            f"the images of {data.name} are not those that the run in {run.path} began with: "
            "put them back, or begin a new run"
        )


def draw_batches(
    training: TrainingTable, data: DataSet, num_steps: int, *, rank: int = 0, processes: int = 1
) -> Batches:
    """Return the batches of a run of `num_steps` steps, or the share of one process."""
    return Batches(
        data.images("train"),
        batch_size=training.batch_size,
        num_steps=num_steps,
        seed=training.seed,
        parts=training.accumulate,
        rank=rank,
        processes=processes,
        flips=training.horizontal_flips,
        uncut=data.uncut,
    )


def _described(recipe: Recipe, data: DataSet) -> dict[str, Any]:
    """Return what `result.json` says of a run before anything is measured."""
    return {
        "name": recipe.name,
        "label": LABELS[recipe.model.kind],
        "data": data.name,
        "data_options": recipe.data.options().model_dump(mode="json", exclude_defaults=True),
        "data_sha256": {split: data.sha256(split) for split in SPLITS},
        "data_num_images": {split: data.count(split) for split in SPLITS},
        "recipe_sha256": recipe.fingerprint(),
        "image_shape": [data.channels, data.height, data.width],
        "num_levels": data.num_levels,
        "ema": recipe.training.ema_decay > 0,
    }


def _measured(model: AutoregressiveModel, data: DataSet) -> dict[str, Any]:
    """Return bits/dim on the validation images, and on training images evenly spread."""
    spread = evenly_spread(data.count("train"), TRAIN_IMAGES_EVALUATED)
    measured = _figures(_evaluated(model, data, "train", spread), "train")
    if data.count("validation"):
        found = _evaluated(model, data, "validation", slice(None))
        measured |= _figures(found, "validation")
        if data.parts:
            measured["validation_parts"] = _parts(found, parts_of(data, "validation"))
    return measured


def _evaluated(model: AutoregressiveModel, data: DataSet, split: str, chosen: Any) -> Evaluation:
    pictures = data.pictures_of(split)
    return evaluate(
        model, data.images(split)[chosen], pictures=None if pictures is None else pictures[chosen]
    )


def _figures(found: Evaluation, split: str) -> dict[str, Any]:
    return {
        f"{split}_bits_per_dim": found.bits_per_dim,
        f"{split}_bits_per_dim_standard_error": found.standard_error,
        f"{split}_num_images": found.num_images,
        f"{split}_num_pictures": found.num_pictures,
    }


def _parts(found: Evaluation, parts: Sequence[tuple[str, slice]]) -> list[dict[str, Any]]:
    """Return what is said of each set of a mixture by itself."""
    figures = []
    for name, part in parts:
        values = found.bits_per_dim_per_image[part]
        pictures = None if found.pictures is None else found.pictures[part]
        figures.append(
            {
                "data": name,
                "bits_per_dim": float(values.mean()),
                "standard_error": standard_error(values, pictures),
                "num_images": len(values),
                "num_pictures": count_pictures(len(values), pictures),
            }
        )
    return figures


def resume(
    out: str | Path,
    *,
    data: Any = None,
    console: Console | None = None,
    command: str = "",
) -> RunFolder:
    """Go on with the run in a folder until its recipe is done; see `train`.

    Args:
        out: the run folder.
        data: where the run's images are now, if they were moved; or the images, which must be given again
            if they were in memory when it began.
        console: where to show progress; by default standard error.
        command: what the user typed, for the record.

    Raises:
        RecipeError: if there is no run in the folder, or it is finished, or the images are others.
        DataError: if the images are not where they were.
    """
    run = RunFolder(Path(out))
    recipe = recipe_of(run)
    _require_unfinished(run)
    if isinstance(data, str):
        moved = recipe.data.model_copy(update={"source": data})
        recipe, data = recipe.model_copy(update={"data": moved}), None
    elif data is None:
        for source in (recipe.data.source, *(recipe.data.also or ())):
            require_there(source, run.path)
    return train(recipe, out, data=data, resume=True, console=console, command=command)
