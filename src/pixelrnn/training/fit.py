"""`train`: from a recipe and images to a run folder with a trained model."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import lightning
import numpy as np
import torch
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch.loggers import TensorBoardLogger
from rich.console import Console

from pixelrnn.compiling import make_layers_ready
from pixelrnn.data import SPLITS, DataSet
from pixelrnn.data.dataset import Images
from pixelrnn.data.in_memory import as_data_set
from pixelrnn.data.loading import load_recorded as load
from pixelrnn.errors import RecipeError
from pixelrnn.evaluation import evaluate
from pixelrnn.models import LABELS, AutoregressiveModel, build, store
from pixelrnn.models.torch_state import usual_torch
from pixelrnn.processes import usable_cores
from pixelrnn.training.averaging import MovingAverage
from pixelrnn.training.batches import Batches
from pixelrnn.training.checkpoint import SafetensorsCheckpointIO
from pixelrnn.training.memory import peak_memory_mb, reset_peak_memory
from pixelrnn.training.module import TrainingModule
from pixelrnn.training.progress import TrainingProgress
from pixelrnn.training.recipe import Recipe, TrainingTable
from pixelrnn.training.recorder import Recorder
from pixelrnn.training.run_folder import RunFolder

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
        The run folder, with the averaged weights and the figures for train and validation.

    Raises:
        RecipeError: if the recipe does not fit the images.
        DataError: if the images cannot be read, or are none.
        OutputError: if the folder cannot be written to, or holds another run.
        NonFiniteLossError: if the loss is no longer finite; the last good weights are kept.
        TrainingInterrupted: after Ctrl-C; the run can be resumed.
    """
    with _threads(recipe.training.threads), usual_torch():
        if data is None:
            data = load(recipe.data.source, recipe.data.options())
        return _train(
            recipe,
            RunFolder(Path(out)),
            as_data_set(data),
            resume,
            console or Console(stderr=True),
            command,
        )


def _train(
    recipe: Recipe,
    run: RunFolder,
    data: DataSet,
    resume: bool,
    console: Console,
    command: str,
) -> RunFolder:
    recipe = recipe.for_data(data)
    images = data.images("train")
    model = initial_model(recipe)
    total_steps = recipe.training.total_steps(len(images))
    presentations = total_steps * recipe.training.batch_size
    label = LABELS[recipe.model.kind]
    display = TrainingProgress(label, presentations, console)
    average = MovingAverage(recipe.training.ema_decay)
    recorder = Recorder(run, recipe, data, average, display, total_steps)
    trainer = _trainer(recipe.training, run, total_steps, [average, recorder])
    if resume:
        _require_same_images(run, data)
    else:
        run.start(recipe)
    began = run.result().get("command", command)  # not the one that resumed it
    run.update_result(**_described(recipe, data), command=began, finished=False)
    console.print(
        f"{label}: {model.num_parameters():,} parameters, {presentations:,} image presentations "
        f"of {len(images):,} images from {data.name}",
        highlight=False,
        markup=False,
        soft_wrap=True,
    )
    make_layers_ready(recipe.model, lambda line: console.print(line, highlight=False))
    reset_peak_memory()
    with display, _quiet():
        batches = draw_batches(
            recipe.training, images, total_steps,
            rank=trainer.global_rank, processes=trainer.world_size,
        )  # fmt: skip
        checkpoint = run.checkpoint_file if run.checkpoint_file.is_file() else None
        trainer.fit(TrainingModule(model, recipe), batches, ckpt_path=checkpoint)
    steps = trainer.global_step
    trained = average.model.cpu().eval()
    store.save(trained, run.path)
    run.update_result(
        **_measured(trained, data),
        parameters=trained.num_parameters(),
        image_presentations=steps * recipe.training.batch_size,
        images_per_second=steps * recipe.training.batch_size / recorder.training_seconds,
        minutes=recorder.seconds / 60,
        peak_memory_mb=peak_memory_mb(),
        finished=True,
    )
    return run


def initial_model(recipe: Recipe) -> AutoregressiveModel:
    """Return the model with weights drawn from the recipe's seed; the global generator is left alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.training.seed)
        return build(recipe.model)


def _trainer(
    training: TrainingTable,
    run: RunFolder,
    total_steps: int,
    callbacks: list[lightning.pytorch.Callback],
) -> lightning.Trainer:
    """Return Lightning's loop for a run; nothing is written yet.

    Raises:
        RecipeError: if this machine has not the devices that the recipe asks for.
    """
    try:
        with _quiet():
            return lightning.Trainer(
                accelerator=training.accelerator,
                devices=training.devices,
                num_nodes=training.num_nodes,
                precision=_precision(training),
                max_epochs=-1,
                max_steps=total_steps,
                accumulate_grad_batches=training.accumulate,
                gradient_clip_val=training.gradient_clip or None,
                logger=TensorBoardLogger(run.path, name="tensorboard", version=""),
                callbacks=callbacks,
                plugins=[SafetensorsCheckpointIO()],
                enable_checkpointing=False,
                enable_progress_bar=False,
                enable_model_summary=False,
                limit_val_batches=0,
                num_sanity_val_steps=0,
                use_distributed_sampler=False,
            )
    except (MisconfigurationException, RuntimeError, ValueError) as error:
        raise RecipeError(
            f"training.accelerator = {training.accelerator}, devices = {training.devices}, "
            f"precision = {training.precision} does not work on this machine: {error}"
        ) from error


def _require_same_images(run: RunFolder, data: DataSet) -> None:
    """Refuse to go on with other images: the result would be of neither."""
    began = run.result().get("data_sha256")
    if began and any(began[split] != data.sha256(split) for split in SPLITS):
        raise RecipeError(
            f"the images of {data.name} are not those that the run in {run.path} began with: "
            "put them back, or begin a new run"
        )


def draw_batches(
    training: TrainingTable, images: Images, num_steps: int, *, rank: int = 0, processes: int = 1
) -> Batches:
    """Return the batches of a run of `num_steps` steps, or the share of one process."""
    return Batches(
        images,
        batch_size=training.batch_size,
        num_steps=num_steps,
        seed=training.seed,
        parts=training.accumulate,
        rank=rank,
        processes=processes,
        flips=training.horizontal_flips,
    )


def _precision(training: TrainingTable) -> Any:
    if training.precision != "auto":
        return training.precision
    on_gpu = training.accelerator in ("auto", "gpu") and torch.cuda.is_available()
    return "bf16-mixed" if on_gpu and torch.cuda.is_bf16_supported() else "32-true"


@contextmanager
def _threads(count: int | None) -> Iterator[None]:
    """Use so many threads inside the `with`, or torch's number, if so many cores may be used."""
    before = torch.get_num_threads()
    torch.set_num_threads(count or min(before, usable_cores()))
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence what Lightning says about things that are so on purpose."""
    loggers = [logging.getLogger(name) for name in ("lightning.pytorch", "lightning.fabric")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def _described(recipe: Recipe, data: DataSet) -> dict[str, Any]:
    """Return what `result.json` says of a run before anything is measured."""
    return {
        "name": recipe.name,
        "label": LABELS[recipe.model.kind],
        "data": data.name,
        "data_options": recipe.data.options().model_dump(mode="json", exclude_defaults=True),
        "data_sha256": {split: data.sha256(split) for split in SPLITS},
        "data_num_images": {split: data.count(split) for split in SPLITS},
        "image_shape": [data.channels, data.height, data.width],
        "num_levels": data.num_levels,
        "ema": recipe.training.ema_decay > 0,
    }


def _measured(model: AutoregressiveModel, data: DataSet) -> dict[str, Any]:
    """Return bits/dim on the validation images, and on training images evenly spread."""
    count = min(TRAIN_IMAGES_EVALUATED, data.count("train"))
    spread = np.linspace(0, data.count("train") - 1, count).astype(int)
    measured = _figures(model, data, "train", spread)
    if data.count("validation"):
        measured |= _figures(model, data, "validation", slice(None))
    return measured


def _figures(model: AutoregressiveModel, data: DataSet, split: str, chosen: Any) -> dict[str, Any]:
    pictures = data.pictures_of(split)
    found = evaluate(
        model, data.images(split)[chosen], pictures=None if pictures is None else pictures[chosen]
    )
    return {
        f"{split}_bits_per_dim": found.bits_per_dim,
        f"{split}_bits_per_dim_standard_error": found.standard_error,
        f"{split}_num_images": found.num_images,
        f"{split}_num_pictures": found.num_pictures,
    }


def resume(
    out: str | Path, *, data: Any = None, console: Console | None = None, command: str = ""
) -> RunFolder:
    """Go on with the run in a folder until its recipe is done; see `train`.

    The images must be given again if they were in memory when it began.

    Raises:
        RecipeError: if there is no run in the folder, or it is finished.
    """
    run = RunFolder(Path(out))
    recipe = run.recipe()
    if run.result().get("finished"):
        raise RecipeError(f"the run in {out} is finished; train a new one with --out")
    return train(recipe, out, data=data, resume=True, console=console, command=command)
