"""The training loop: what a run does, step by step.

After each optimiser step, always in this order: the moving average, the metrics, validation, the
checkpoint. A checkpoint therefore holds a finished step, and a run that goes on from it does the same as
one that was never stopped. Where several processes train together, all are in this loop, each with its
part of the images; gradients are averaged, and what depends on the clock or on a signal is agreed upon.
"""

import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from pixelrnn.errors import NonFiniteLossError, RecipeError, TrainingInterrupted
from pixelrnn.models import AutoregressiveModel
from pixelrnn.stopping import Stop
from pixelrnn.training import checkpoint
from pixelrnn.training.batches import Batch, draw_batches
from pixelrnn.training.blocks import checkpoint_activations, compile_blocks
from pixelrnn.training.good_weights import GoodWeights
from pixelrnn.training.job import Job
from pixelrnn.training.optimizers import MovingAverage, make_optimizer
from pixelrnn.training.recipe import Recipe
from pixelrnn.training.records import Records
from pixelrnn.training.replay import Replay
from pixelrnn.wording import first_line

Average = Callable[[Sequence[Tensor], float], float]


class Trainee:
    """A model in training, with its optimiser, learning rate and averaged weights.

    Args:
        model: the model.
        recipe: how it is trained.
        fabric: the devices, launched.
        average: gives all processes the mean of their gradients and losses.

    Attributes:
        model: the model, on its device.
        average: the moving average of its weights.
        optimizer: steps the weights.
        steps: optimiser steps taken.
    """

    def __init__(
        self,
        model: AutoregressiveModel,
        recipe: Recipe,
        fabric: Fabric,
        average: Average = lambda _, loss: loss,
    ) -> None:
        self._recipe, self._fabric, self._average = recipe, fabric, average
        self.model = model.to(fabric.device)
        self.optimizer = make_optimizer(recipe.optimizer, model)
        self._weights = list(self.model.parameters())  # walking over the modules takes a while
        self.average = MovingAverage(self.model, recipe.training.ema_decay)
        if recipe.training.compile and fabric.device.type == "cuda":
            compile_blocks(self.model)
        if recipe.training.checkpoint_activations:
            checkpoint_activations(self.model)
        self._replays = recipe.training.cuda_graph and fabric.device.type == "cuda"
        self._replay: Replay | None = None
        self.steps = 0

    def step(
        self, parts: Sequence[Batch], progress: float = 0.0, validations: Iterable[float] = ()
    ) -> float:
        """Take one optimiser step, and return its loss, over all processes.

        Args:
            parts: what this process is shown, in batches of equal size.
            progress: how much of the run is done, from 0 to 1.
            validations: the results so far, in bits/dim.

        Raises:
            NonFiniteLossError: if loss or gradient are not finite; the weights are still good.
        """
        factor = self._recipe.schedule.rate_factor(self.steps, progress, validations)
        for group in self.optimizer.param_groups:
            group["lr"] = self._recipe.optimizer.learning_rate * factor
        total = float(self._set_gradients([self._fabric.to_device(batch) for batch in parts]))
        gradients = [weight.grad for weight in self._weights if weight.grad is not None]
        mean = self._average(gradients, total)
        limit = self._recipe.training.gradient_clip or float("inf")
        norm = nn.utils.clip_grad_norm_(self._weights, limit)
        self._require_finite(loss=mean, gradient=float(norm))
        self.optimizer.step()
        self.average.update()
        self.steps += 1
        return mean

    def _set_gradients(self, parts: Sequence[Batch]) -> Tensor:
        """Set the gradients of a step's parts, and return its loss: from here, or replayed on a GPU.

        Raises:
            RecipeError: if a model of the user's own does what cannot be recorded.
        """
        if not self._replays:
            return self._run(parts)
        if self._replay is None:
            try:
                self._replay = Replay(self._run, self._weights, parts)
            except torch.OutOfMemoryError:
                raise
            except RuntimeError as error:
                raise RecipeError(
                    f"the passes of a step cannot be recorded on this GPU ({first_line(error)}): "
                    "train with --set training.cuda_graph=false"
                ) from error
        return self._replay(parts)

    def _run(self, parts: Sequence[Batch]) -> Tensor:
        self.optimizer.zero_grad()
        total = torch.zeros((), device=self._fabric.device)
        for batch in parts:
            with self._fabric.autocast():
                loss = self.loss(batch) / len(parts)
            loss.backward()
            total += loss.detach()
        return total

    def loss(self, batch: Batch) -> Tensor:
        """Return what is made small: nats per sub-pixel."""
        model, (images, labels, given, known) = self.model, batch
        if labels is not None or given is not None:
            model = model.given(labels, image=given, known=known)
        return model.nats(images) / images.numel()

    def _require_finite(self, **values: float) -> None:
        for what, value in values.items():
            if not math.isfinite(value):
                raise NonFiniteLossError(
                    f"the {what} became {value} at step {self.steps}: lower optimizer.learning_rate "
                    f"(now {self._recipe.optimizer.learning_rate:g}) or training.gradient_clip"
                )

    def state_dict(self) -> dict[str, Any]:
        """Return what `load_state_dict` needs to go on."""
        return {
            "steps": self.steps,
            "model": self.model.state_dict(),
            "average": self.average.model.state_dict(),
            "num_averaged": self.average.count,
            "optimizer": self.optimizer.state_dict(),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a saved state."""
        self.steps, self.average.count = state["steps"], state["num_averaged"]
        self.model.load_state_dict(state["model"])
        self.average.model.load_state_dict(state["average"])
        self.optimizer.load_state_dict(state["optimizer"])


class Now(NamedTuple):
    """What all processes agree upon after a step: progress (0 to 1), what is due, a signal or 0."""

    progress: float
    save: bool
    signal: int


class Loop:
    """The steps of a run, and what comes between them.

    Args:
        job: the run.
        trainee: the model.

    Attributes:
        trainee: as given.
        records: metrics, display and clock.
        weights: those that are kept.
    """

    def __init__(self, job: Job, trainee: Trainee) -> None:
        self._job, self.trainee = job, trainee
        self.weights, self.records = GoodWeights(job, trainee.average), Records(job)
        processes, training = job.processes, job.recipe.training
        self._batches = draw_batches(
            training,
            job.data,
            processes.rank,
            processes.count,
            model=job.recipe.model,
        )
        self._saved_at = time.monotonic()
        self._unrecorded = False  # a signal came before the last step's record was done

    def run(self) -> None:
        """Take the steps that are left.

        Raises:
            NonFiniteLossError: if the loss is no longer finite; the last good weights are kept.
            TrainingInterrupted: after a signal; everything is saved.
        """
        try:
            now = self._agree()
            if self._unrecorded:
                self._end_step(now)
            self._end_if_stopped(now.signal)
            while not self.records.complete:
                parts = self._batches.of_step(self.trainee.steps)
                validations = (found.bits_per_dim for found in self.weights.validations)
                self.records.add(self.trainee.step(parts, now.progress, validations))
                now = self._agree()
                self._end_step(now)
        except NonFiniteLossError as error:
            if not self._job.processes.is_first:
                raise
            where = self.weights.say_where(self.trainee.steps)
            raise NonFiniteLossError(f"{error}. {where}") from error
        except Stop as error:  # Ctrl-C once too often to finish the step
            line = f"stopped at once, after what was saved last; {self._job.run.how_to_go_on()}"
            raise TrainingInterrupted(line, error.args[0]) from error

    def _agree(self) -> Now:
        """Return how things are by the clock of the first process; a signal counts wherever it came."""
        everyones = self._job.processes.share(
            self.records.seconds,
            time.monotonic() - self._saved_at,
            self._job.signals.number or 0,
        )
        seconds, since_saved, _ = everyones[0]
        return Now(
            self.records.progress(self.trainee.steps, seconds),
            since_saved >= self._job.recipe.training.checkpoint_seconds,
            int(max(signal for *_, signal in everyones)),
        )

    def _end_step(self, now: Now) -> None:
        steps, signal = self.trainee.steps, now.signal
        if self.records.is_due(now.progress):
            self._unrecorded = True
            try:
                self.records.record(self.trainee, self.weights, now.progress)
                self._unrecorded = False
            except Stop:  # while validating: that is done first when the run goes on
                pass
            signal = self._agree().signal
        self.records.show(steps, now.progress)
        if now.save or signal or self.records.complete:
            self._save()
        self._end_if_stopped(signal)

    def _end_if_stopped(self, signal: int) -> None:
        if signal:
            step = f"step {self.trainee.steps:,} of {self._job.total_steps:,}"
            raise TrainingInterrupted(f"stopped at {step}; {self._job.run.how_to_go_on()}", signal)

    def _save(self) -> None:
        if self._job.processes.is_first:
            self.weights.save_unvalidated()
            checkpoint.write(self._job.run.checkpoint_file, self.state_dict())
        self._saved_at = time.monotonic()

    def state_dict(self) -> dict[str, Any]:
        """Return all that a run needs to go on."""
        return {
            **self.trainee.state_dict(),
            "records": self.records.state_dict(),
            "best": self.weights.state_dict(),
            "unrecorded": self._unrecorded,
            "recipe_sha256": self._job.recipe.fingerprint(),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a saved state.

        Raises:
            RecipeError: if it is of another recipe.
        """
        if state["recipe_sha256"] not in (None, self._job.recipe.fingerprint()):
            raise self._job.run.has_another_recipe()
        self._unrecorded = state["unrecorded"]
        self.weights.load_state_dict(state["best"])
        self.trainee.load_state_dict(state)
        self.records.load_state_dict(state["records"], self.trainee.steps)
        self.weights.recall(self.records.metrics)
