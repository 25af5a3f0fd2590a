"""`train`: from a recipe and images to a run folder with a trained model."""

from collections.abc import Sequence
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric
from rich.console import Console

from pixelrnn import stopping
from pixelrnn.compiling import make_layers_ready
from pixelrnn.data import SPLITS, DataSet
from pixelrnn.data.in_memory import as_data_set
from pixelrnn.data.loading import load_recorded as load
from pixelrnn.errors import ModelFileError, PixelRNNError, RecipeError
from pixelrnn.models import AutoregressiveModel, build
from pixelrnn.models.torch_state import usual_torch
from pixelrnn.runs import RunFolder, locked_folder
from pixelrnn.training import checkpoint
from pixelrnn.training.devices import make_fabric, reset_peak_memory, threads, tuned
from pixelrnn.training.environment import environment
from pixelrnn.training.image_source import require_there
from pixelrnn.training.job import Job
from pixelrnn.training.loop import Loop, Trainee
from pixelrnn.training.progress import say_on
from pixelrnn.training.recipe import Recipe, recipe_of, with_settings
from pixelrnn.training.result import conclude, describe
from pixelrnn.training.together import Processes


def train(
    recipe: Recipe,
    out: str | Path,
    *,
    data: Any = None,
    resume: bool = False,
    settings: Sequence[str] = (),
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
        settings: changes of what is computed on (`tables.MACHINE_KEYS`), for now and not for the record.
        console: where to show progress; by default standard error.
        command: what the user typed, for the record.

    Returns:
        The run folder, with the averaged weights, the last or the best as `training.keep` asks, and
        their figures for train and validation. Where several processes were started, as by torchrun,
        the first one of them writes it.

    Raises:
        RecipeError: if the recipe does not fit the images.
        DataError: if the images cannot be read, or are none.
        OutputError: if the folder cannot be written to, or holds another run.
        NonFiniteLossError: if the loss is no longer finite; the last good weights are kept.
        NonFiniteResultError: if the figures at the end are not finite.
        InUseError: if another process is at work in the folder.
        ProcessLostError: if one of several processes that train together is gone.
        TrainingInterrupted: after Ctrl-C, or a signal of `stopping.SIGNALS`; the run can be resumed.
    """
    if not isinstance(recipe, Recipe):
        raise RecipeError(
            f"train takes a recipe, not {type(recipe).__name__}: give load_recipe({str(recipe)!r})"
        )
    run, console = RunFolder(Path(out)), console or Console(stderr=True)
    with stopping.listening(lambda: _stopped(run)) as signals, usual_torch(), tuned():
        if data is None:
            data = load(recipe.data.source, recipe.data.options())
        images = as_data_set(data)
        recipe = recipe.for_data(images)
        here = with_settings(recipe, settings)
        fabric = make_fabric(here.training, partial(say_on, console))
        processes = Processes(fabric, run, here)
        run.is_ours = processes.is_first
        console = console if run.is_ours else Console(quiet=True)
        job = Job(run, recipe, images, processes, signals, console)
        with threads(here.training.threads, here.training.devices):
            _train(job, fabric, resume, command)
    return run


def _stopped(run: RunFolder) -> str:
    """Return what is said after a signal between the steps, where nothing is left to be saved."""
    if run.recipe_file.is_file():
        when = "between two steps" if run.checkpoint_file.is_file() else "before the first step"
        return f"stopped {when}; {run.how_to_go_on()}"
    return "stopped before anything was written; the same command begins again"


def _train(job: Job, fabric: Fabric, resume: bool, command: str) -> None:
    recipe, is_first = job.recipe, job.processes.is_first
    model = initial_model(recipe)
    with locked_folder(job.run.path, "training") if is_first else nullcontext():
        saved = _begin_or_go_on(job, resume, command) if is_first else None
        job.say(
            f"{job.label}: {model.num_parameters():,} parameters, "
            f"{job.presentations(job.total_steps):,} image presentations "
            f"of {job.data.count('train'):,} images from {job.data.name}"
        )
        if fabric.device.type == "cpu":
            make_layers_ready(recipe.model, job.say)
        reset_peak_memory()
        with job.signals.noted(), job.processes.at_work():
            loop = Loop(job, Trainee(model, recipe, fabric, job.processes.average))
            if (saved := fabric.broadcast(saved)) is not None:
                _go_on(loop, saved, job.run)
            with loop.records.display:
                loop.run()
        if is_first:
            job.run.update_result(**conclude(job, loop))


def _begin_or_go_on(job: Job, resume: bool, command: str) -> dict[str, Any] | None:
    """Write what a run begins with; return the state that it goes on from, if there is one."""
    run, recipe = job.run, job.recipe
    if resume:
        _require_unfinished(run)
        _require_the_same(run, recipe, job.data)
        run.write_recipe(recipe.to_toml())  # the images may lie elsewhere now
    else:
        run.start(recipe.to_toml(), environment())
    began = run.result().get("command", command)  # not the one that resumed it
    run.update_result(**describe(recipe, job.data), command=began, finished=False)
    return checkpoint.read(run.checkpoint_file, job.say) if run.checkpoint_file.exists() else None


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
    for key, what, sha256 in (
        ("data_sha256", "images", data.sha256),
        ("labels_sha256", "labels", data.labels_sha256),
    ):
        hashes = began.get(key)
        if hashes and any(hashes.get(split) != sha256(split) for split in SPLITS):
            raise RecipeError(
                f"the {what} of {data.name} are not those that the run in {run.path} began with: "
                "put them back, or begin a new run"
            )


def _go_on(loop: Loop, saved: dict[str, Any], run: RunFolder) -> None:
    """Take up the state of a checkpoint.

    Raises:
        ModelFileError: if it is of another model.
        RecipeError: if it is of another recipe.
    """
    try:
        loop.load_state_dict(saved)
    except PixelRNNError:
        raise
    except Exception as error:  # whatever a state that does not fit makes of itself
        reason = " ".join(str(error).split())[:300]
        raise ModelFileError(
            f"{run.checkpoint_file} does not fit {run.recipe_file} ({type(error).__name__}: {reason}): "
            "it is damaged, or of another run; remove it to begin the run anew with --resume"
        ) from error


def resume(
    out: str | Path,
    *,
    data: Any = None,
    settings: Sequence[str] = (),
    console: Console | None = None,
    command: str = "",
) -> RunFolder:
    """Go on with the run in a folder until its recipe is done; see `train`.

    Args:
        out: the run folder.
        data: where the run's images are now, if they were moved; or the images, which must be given again
            if they were in memory when it began.
        settings: what is computed on now, such as "training.devices=2"; see `train`.
        console: where to show progress; by default standard error.
        command: what the user typed, for the record.

    Raises:
        RecipeError: if there is no run in the folder, or it is finished, or the images are others.
        DataError: if the images are not where they were.
    """
    run = RunFolder(Path(out))
    recipe = recipe_of(run)
    with_settings(recipe, settings)  # refused before anything else is looked at
    _require_unfinished(run)
    if isinstance(data, str):
        moved = recipe.data.model_copy(update={"source": data})
        recipe, data = recipe.model_copy(update={"data": moved}), None
    elif data is None:
        for source in (recipe.data.source, *(recipe.data.also or ())):
            require_there(source, run.path)
    return train(
        recipe, out, data=data, resume=True, settings=settings, console=console, command=command
    )
