"""Lightning's loop over the steps of a run: made, run, and what it raises put into words."""

import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import lightning
import torch
from lightning.fabric.utilities.exceptions import MisconfigurationException

from pixelrnn.errors import ModelFileError, PixelRNNError, RecipeError, TrainingInterrupted
from pixelrnn.kernels.threads import end as end_workers
from pixelrnn.processes import usable_cores
from pixelrnn.runs import RunFolder
from pixelrnn.stopping import Stopping
from pixelrnn.training.batches import Batches
from pixelrnn.training.checkpoint import SafetensorsCheckpointIO
from pixelrnn.training.module import TrainingModule
from pixelrnn.training.tables import TrainingTable


def make_trainer(
    training: TrainingTable,
    run: RunFolder,
    total_steps: int,
    callbacks: list[lightning.pytorch.Callback],
    say: Callable[[str], None],
) -> lightning.Trainer:
    """Return Lightning's loop for a run; nothing is written yet.

    Raises:
        RecipeError: if this machine has not the devices that the recipe asks for.
    """
    try:
        with quiet():
            return lightning.Trainer(
                accelerator=training.accelerator,
                devices=training.devices,
                num_nodes=training.num_nodes,
                precision=_precision(training, say),
                max_epochs=-1,
                max_steps=total_steps,
                accumulate_grad_batches=training.accumulate,
                gradient_clip_val=training.gradient_clip or None,
                logger=False,
                callbacks=callbacks,
                plugins=[SafetensorsCheckpointIO(say)],
                default_root_dir=run.path,
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


def run_loop(
    trainer: lightning.Trainer,
    module: TrainingModule,
    batches: Batches,
    run: RunFolder,
    signals: Stopping,
) -> None:
    """Run Lightning's loop, from the checkpoint if there is one.

    Raises:
        ModelFileError: if the checkpoint is damaged, or of another model.
        TrainingInterrupted: if a signal ended the loop.
    """
    checkpoint = run.checkpoint_file if run.checkpoint_file.exists() else None
    try:
        trainer.fit(module, batches, ckpt_path=checkpoint)
    except PixelRNNError:
        raise
    except SystemExit as error:  # what the loop makes of Ctrl-C
        if signals.number is None:
            raise
        raise TrainingInterrupted(
            f"stopped at once, after what was saved last; {run.how_to_go_on()}", signals.number
        ) from error
    except Exception as error:
        if checkpoint is None or trainer.training:
            raise
        reason = " ".join(str(error).split())[:300]
        raise ModelFileError(
            f"{checkpoint} does not fit {run.recipe_file} ({type(error).__name__}: {reason}): it is "
            "damaged, or of another run; remove it to begin the run anew with --resume"
        ) from error


def _precision(training: TrainingTable, say: Callable[[str], None]) -> Any:
    if training.precision == "32-true":
        return training.precision
    if training.accelerator in ("auto", "gpu") and torch.cuda.is_available():
        has_units = torch.cuda.is_bf16_supported()
    else:
        has_units = training.precision == "bf16-mixed" and _processor_has_matrix_units()
    if training.precision == "bf16-mixed" and not has_units:
        say("this machine has no units for half precision: training in single precision, 32-true")
    return "bf16-mixed" if has_units else "32-true"


def _processor_has_matrix_units() -> bool:
    """Return whether products in half precision are what the processor is fastest at (AMX)."""
    ask = getattr(torch.cpu, "_is_amx_tile_supported", None)
    return bool(ask and ask())


@contextmanager
def threads(count: int | None) -> Iterator[None]:
    """Use so many threads inside the `with`, or torch's number, if so many cores may be used."""
    before = torch.get_num_threads()
    torch.set_num_threads(count or min(before, usable_cores()))
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def no_subnormals() -> Iterator[None]:
    """Let arithmetic give zero for numbers below the normal ones, in all threads inside the `with`.

    Decay takes the weights of dead features among them, with which a processor is several times as slow.
    """
    smallest = torch.tensor(torch.finfo(torch.float32).tiny)
    before = bool(smallest / 2 == 0)
    _set_flushing(True)
    try:
        yield
    finally:
        _set_flushing(before)


def _set_flushing(on: bool) -> None:
    """Set it for this thread and those that it starts: compiled loops have to start theirs anew."""
    torch.set_flush_denormal(on)
    end_workers()


@contextmanager
def quiet() -> Iterator[None]:
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
