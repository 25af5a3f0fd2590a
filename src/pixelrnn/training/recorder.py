"""What happens between the steps of a run: the learning rate, validation, metrics and checkpoints.

After each optimiser step, always in this order: the moving average (its own callback, before this
one), the metrics, validation, the checkpoint. A checkpoint therefore holds a finished step, and a run
that goes on from it does the same as one that was never stopped.
"""

import time
from typing import Any

import lightning
import torch
from lightning.pytorch import callbacks
from lightning.pytorch.utilities.types import STEP_OUTPUT

from pixelrnn.data import DataSet
from pixelrnn.errors import NonFiniteLossError, TrainingInterrupted
from pixelrnn.runs import RunFolder
from pixelrnn.stopping import Stop, Stopping
from pixelrnn.training import validations
from pixelrnn.training.good_weights import GoodWeights
from pixelrnn.training.progress import TrainingProgress
from pixelrnn.training.recipe import Recipe
from pixelrnn.training.schedule import LearningRate
from pixelrnn.training.tensorboard import Curves
from pixelrnn.units import bits

ROWS_PER_VALIDATION = 4
FORECAST_SECONDS = 10.0  # of training, after which the speed is known well enough


class Recorder(callbacks.Callback):
    """Runs the schedule of a run and keeps its records.

    Args:
        run: where the records go.
        recipe: what is trained, for the data at hand.
        data: for its validation images, if there are any.
        weights: the averaged ones, validated and kept if they are good.
        display: shows progress.
        curves: the figures for TensorBoard.
        total_steps: optimiser steps of the whole run.
        stopping: the signals that ask the run to end.
    """

    def __init__(
        self,
        run: RunFolder,
        recipe: Recipe,
        data: DataSet,
        weights: GoodWeights,
        display: TrainingProgress,
        curves: Curves,
        total_steps: int,
        stopping: Stopping,
    ) -> None:
        self._run, self._recipe, self._data = run, recipe, data
        self._display, self._curves, self._total_steps = display, curves, total_steps
        self._weights, self._stopping = weights, stopping
        self._rate = LearningRate(recipe.schedule)
        self._seconds_before, self._started = 0.0, time.monotonic()
        self._validations = validations.Spent()
        self._saved_at = time.monotonic()
        self._nats_sum, self._nats_count, self._rows = 0.0, 0, 0
        self._forecast_due, self._taken_up = True, False
        self._metrics: list[dict[str, Any]] | None = []
        self._unrecorded = False  # a signal came before the last step's record was done

    @property
    def seconds(self) -> float:
        """Seconds spent on the run so far, over all its parts."""
        return self._seconds_before + time.monotonic() - self._started

    @property
    def training_seconds(self) -> float:
        """Seconds spent so far on training alone, without validation."""
        return self.seconds - self._validations.seconds

    def on_train_start(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule
    ) -> None:
        """Start the clock, and take up the records where the checkpoint left them."""
        self._started = self._saved_at = time.monotonic()
        self._stopping.listen()  # the loop took some of the signals
        self._take_up(trainer)
        if self._unrecorded:
            self._end_step(trainer, trainer.global_step)
        self._end_if_stopped(trainer.global_step)

    def _take_up(self, trainer: lightning.Trainer) -> None:
        """Drop records of steps that a crash undid."""
        self._taken_up = True
        if trainer.is_global_zero:
            if self._metrics is None:  # a checkpoint of an earlier version
                self._metrics = self._run.read_metrics(trainer.global_step)
            self._run.write_metrics(self._metrics)
            self._weights.recall(self._metrics)

    def finish(self, trainer: lightning.Trainer) -> None:
        """Do what is left after the last step, if a run went on that had no more to do."""
        if not self._taken_up:
            self._take_up(trainer)
            if self._unrecorded:
                self._record_if_due(trainer, trainer.global_step, 1.0)

    def on_train_batch_start(
        self,
        trainer: lightning.Trainer,
        pl_module: lightning.LightningModule,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Set the learning rate of this step."""
        step = trainer.global_step
        factor = self._rate.factor(step, self._progress(trainer, step))
        for group in trainer.optimizers[0].param_groups:
            group["lr"] = self._recipe.optimizer.learning_rate * factor

    def _progress(self, trainer: lightning.Trainer, step: int) -> float:
        """Return how much of the run is done, from 0 to 1: by steps, or by minutes if those end first."""
        done = step / self._total_steps
        if (limit := self._recipe.training.max_minutes) is not None:
            done = max(done, self.seconds / (60 * limit))
            done = float(trainer.strategy.broadcast(done))  # one clock for all processes
        return min(done, 1.0)

    def on_train_batch_end(
        self,
        trainer: lightning.Trainer,
        pl_module: lightning.LightningModule,
        outputs: STEP_OUTPUT,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Record the step; validate and save when due; stop when the time is up or on a signal.

        Raises:
            TrainingInterrupted: after Ctrl-C or a termination signal; everything is saved.
        """
        self._nats_sum += float(outputs["loss"])  # type: ignore[index]
        self._nats_count += 1
        if (batch_idx + 1) % trainer.accumulate_grad_batches:
            return
        self._end_step(trainer, trainer.global_step)

    def _end_step(self, trainer: lightning.Trainer, step: int) -> None:
        progress = self._progress(trainer, step)
        self._unrecorded = True
        try:
            self._record_if_due(trainer, step, progress)
            self._unrecorded = False
        except Stop:  # while validating: that is done first when the run goes on
            pass
        self._show(trainer, step, progress)
        self._forecast(trainer, step)
        due = time.monotonic() - self._saved_at >= self._recipe.training.checkpoint_seconds
        due = bool(trainer.strategy.broadcast(due))
        if due or progress >= 1 or self._stopping.number is not None:
            self._save(trainer)
        self._end_if_stopped(step)
        if progress >= 1:
            trainer.should_stop = True

    def _end_if_stopped(self, step: int) -> None:
        if self._stopping.number is not None:
            line = f"stopped at step {step:,} of {self._total_steps:,}; {self._run.how_to_go_on()}"
            raise TrainingInterrupted(line, self._stopping.number)

    def _record_if_due(self, trainer: lightning.Trainer, step: int, progress: float) -> None:
        row = int(progress * self._recipe.training.validations * ROWS_PER_VALIDATION)
        if (row > self._rows or progress >= 1) and self._nats_count:
            validate = row // ROWS_PER_VALIDATION > self._rows // ROWS_PER_VALIDATION
            validate = progress >= 1 or (validate and self._is_affordable(trainer, step))
            self._record(trainer, step, validate=validate)
            self._rows = row

    def _record(self, trainer: lightning.Trainer, step: int, *, validate: bool) -> None:
        validation = self._validate(trainer, step) if validate else None
        presentations = step * self._recipe.training.batch_size
        values = {
            "step": step,
            "image_presentations": presentations,
            "minutes": self.seconds / 60,
            "learning_rate": trainer.optimizers[0].param_groups[0]["lr"],
            "train_bits_per_dim": bits(self._nats_sum / self._nats_count),
            "validation_bits_per_dim": validation,
            "images_per_second": presentations / self.training_seconds,
        }
        self._nats_sum, self._nats_count = 0.0, 0
        if trainer.is_global_zero:
            self._run.append_metrics(values)
            if self._metrics is not None:
                self._metrics.append(values)
            self._curves.add(step, values)

    def _validate(self, trainer: lightning.Trainer, step: int) -> float | None:
        if not self._data.count("validation"):
            return None
        started = time.monotonic()
        result = 0.0
        if trainer.is_global_zero:
            result = self._weights.validate(step, alone=trainer.world_size == 1)
            presentations = step * self._recipe.training.batch_size
            self._display.validated(result, presentations, self.seconds / 60)
        result = float(trainer.strategy.broadcast(result))
        self._rate.observe(result)
        self._validations.add(time.monotonic() - started)
        return result

    def _show(self, trainer: lightning.Trainer, step: int, progress: float) -> None:
        if trainer.is_global_zero and self._nats_count:
            presentations = step * self._recipe.training.batch_size
            self._display.update(
                progress,
                bits(self._nats_sum / self._nats_count),
                presentations / self.training_seconds,
                self.seconds / 60,
            )

    def _forecast(self, trainer: lightning.Trainer, step: int) -> None:
        """Say once, soon after the start, how far the run will come, and when it will end."""
        training = self._recipe.training
        if not self._forecast_due or time.monotonic() - self._started < FORECAST_SECONDS:
            return
        self._forecast_due = False
        seconds_a_step, limit = self.training_seconds / step, training.max_minutes
        steps, seconds = validations.plan(
            self._total_steps - step,
            max(0, training.validations - self._rows // ROWS_PER_VALIDATION),
            seconds_a_step,
            self._seconds_a_validation(seconds_a_step),
            None if limit is None else max(0.0, 60 * limit - self.seconds),
        )
        if trainer.is_global_zero:
            self._display.forecast(
                (step + steps) * training.batch_size, seconds, 1 / seconds_a_step
            )

    def _is_affordable(self, trainer: lightning.Trainer, step: int) -> bool:
        one_more = self._seconds_a_validation(self.training_seconds / step)
        fits = self._validations.leaves_enough(self._recipe.training, self.seconds, one_more)
        return bool(trainer.strategy.broadcast(fits))

    def _seconds_a_validation(self, seconds_a_step: float) -> float:
        seconds_an_image = seconds_a_step / self._recipe.training.batch_size
        return self._validations.seconds_each(self._data.count("validation"), seconds_an_image)

    def _save(self, trainer: lightning.Trainer) -> None:
        if trainer.is_global_zero:
            self._weights.save_unvalidated()
        trainer.save_checkpoint(self._run.checkpoint_file)
        self._saved_at = time.monotonic()

    def on_exception(
        self,
        trainer: lightning.Trainer,
        pl_module: lightning.LightningModule,
        exception: BaseException,
    ) -> None:
        """Say where the last good weights are when the loss is no longer finite."""
        if isinstance(exception, NonFiniteLossError) and trainer.is_global_zero:
            where = self._weights.say_where(trainer.global_step)
            exception.args = (f"{exception}. {where}",)

    def state_dict(self) -> dict[str, Any]:
        """Return what a resumed run needs besides weights, average and optimiser."""
        return {
            "seconds": self.seconds,
            "validation_seconds": self._validations.seconds,
            "num_validations": self._validations.count,
            "rows": self._rows,
            "nats_sum": self._nats_sum,
            "nats_count": self._nats_count,
            "learning_rate": self._rate.state_dict(),
            "random_state": torch.get_rng_state(),
            "metrics": self._metrics,
            "unrecorded": self._unrecorded,
            "best": self._weights.state_dict(),
            "recipe_sha256": self._recipe.fingerprint(),
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from a saved state.

        Raises:
            RecipeError: if it is of another recipe.
        """
        ours = self._recipe.fingerprint()
        if state_dict.get("recipe_sha256", ours) != ours:
            raise self._run.has_another_recipe()
        self._metrics = state_dict.get("metrics")
        self._unrecorded = state_dict.get("unrecorded", False)
        self._weights.load_state_dict(state_dict.get("best", {}))
        self._seconds_before = state_dict["seconds"]
        count = state_dict.get("num_validations", 0)
        self._validations = validations.Spent(state_dict["validation_seconds"], count)
        self._rows = state_dict["rows"]
        self._nats_sum, self._nats_count = state_dict["nats_sum"], state_dict["nats_count"]
        self._rate.load_state_dict(state_dict["learning_rate"])
        torch.set_rng_state(state_dict["random_state"])
