"""The records of a run: its clock, its curves, and what a person sees while it goes on."""

import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any

from pixelrnn.training import validations
from pixelrnn.training.good_weights import GoodWeights
from pixelrnn.training.job import Job
from pixelrnn.training.progress import TrainingProgress
from pixelrnn.training.tensorboard import TensorBoardCurves
from pixelrnn.units import bits

if TYPE_CHECKING:
    from pixelrnn.training.loop import Trainee

ROWS_PER_VALIDATION = 4
FORECAST_SECONDS = 10.0  # of training, after which the speed is known well enough


class Records:
    """Keeps and shows the figures of a run; only the first of its processes writes.

    Args:
        job: the run.

    Attributes:
        metrics: the rows of `metrics.csv`.
    """

    def __init__(self, job: Job) -> None:
        self._job, self._training = job, job.recipe.training
        self._display = TrainingProgress(job.label, job.presentations(job.total_steps), job.console)
        self._curves = TensorBoardCurves(job.run.path / "tensorboard", job.say)
        self._seconds_before, self._started = 0.0, time.monotonic()
        self._validations = validations.Spent()
        self._nats_sum, self._nats_count, self._rows = 0.0, 0, 0
        self._forecast_due = True
        self.metrics: list[dict[str, Any]] = []

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Show progress inside the `with`."""
        with self._display, closing(self._curves):
            yield

    @property
    def seconds(self) -> float:
        """Seconds spent on the run so far, over all its parts."""
        return self._seconds_before + time.monotonic() - self._started

    @property
    def training_seconds(self) -> float:
        """Seconds spent so far on training alone, without validation."""
        return self.seconds - self._validations.seconds

    @property
    def complete(self) -> bool:
        """Whether the last step of the run is recorded."""
        return self._rows >= self._training.validations * ROWS_PER_VALIDATION

    def progress(self, step: int, seconds: float) -> float:
        """Return how much of the run is done, from 0 to 1: by steps, or by minutes if those end first."""
        done = step / self._job.total_steps
        if (limit := self._training.max_minutes) is not None:
            done = max(done, seconds / (60 * limit))
        return min(done, 1.0)

    def add(self, nats: float) -> None:
        """Count the loss of a step."""
        self._nats_sum += nats
        self._nats_count += 1

    def is_due(self, progress: float) -> bool:
        """Return whether a row is to be recorded."""
        return self._row(progress) > self._rows

    def record(self, trainee: "Trainee", weights: GoodWeights, progress: float) -> None:
        """Record a row, with a validation if one is due.

        Raises:
            NonFiniteLossError: if the validation is not finite.
            Stop: if a signal came while validating.
        """
        step, row = trainee.steps, self._row(progress)
        validate = row // ROWS_PER_VALIDATION > self._rows // ROWS_PER_VALIDATION
        validate = progress >= 1 or (validate and self._is_affordable(step))
        validation = self._validate(trainee, weights) if validate else None
        presentations = self._job.presentations(step)
        values = {
            "step": step,
            "image_presentations": presentations,
            "minutes": self.seconds / 60,
            "learning_rate": trainee.optimizer.param_groups[0]["lr"],
            "train_bits_per_dim": bits(self._nats_sum / self._nats_count),
            "validation_bits_per_dim": validation,
            "images_per_second": presentations / self.training_seconds,
        }
        self._nats_sum, self._nats_count, self._rows = 0.0, 0, row
        self.metrics.append(values)
        if self._job.processes.is_first:
            self._job.run.append_metrics(values)
            self._curves.add(step, values)

    def _row(self, progress: float) -> int:
        return int(progress * self._training.validations * ROWS_PER_VALIDATION)

    def _validate(self, trainee: "Trainee", weights: GoodWeights) -> float | None:
        if not self._job.data.count("validation"):
            return None
        started = time.monotonic()
        result = weights.validate(trainee.steps)
        presentations = self._job.presentations(trainee.steps)
        self._display.validated(result, presentations, self.seconds / 60)
        trainee.rate.observe(result)
        self._validations.add(time.monotonic() - started)
        return result

    def _is_affordable(self, step: int) -> bool:
        one_more = self._seconds_a_validation(self.training_seconds / step)
        fits = self._validations.leaves_enough(self._training, self.seconds, one_more)
        return bool(self._job.processes.share(fits)[0][0])

    def _seconds_a_validation(self, seconds_a_step: float) -> float:
        seconds_an_image = seconds_a_step / self._training.batch_size
        return self._validations.seconds_each(self._job.data.count("validation"), seconds_an_image)

    def show(self, step: int, progress: float) -> None:
        """Show how far the run is, and once, soon after the start, how far it will come and when."""
        if self._nats_count:
            self._display.update(
                progress,
                bits(self._nats_sum / self._nats_count),
                self._job.presentations(step) / self.training_seconds,
                self.seconds / 60,
            )
        if self._forecast_due and time.monotonic() - self._started >= FORECAST_SECONDS:
            self._forecast_due = False
            self._forecast(step)

    def _forecast(self, step: int) -> None:
        seconds_a_step, limit = self.training_seconds / step, self._training.max_minutes
        steps, seconds = validations.plan(
            self._job.total_steps - step,
            max(0, self._training.validations - self._rows // ROWS_PER_VALIDATION),
            seconds_a_step,
            self._seconds_a_validation(seconds_a_step),
            None if limit is None else max(0.0, 60 * limit - self.seconds),
        )
        presentations = self._job.presentations(step + steps)
        self._display.forecast(presentations, seconds, 1 / seconds_a_step)

    def state_dict(self) -> dict[str, Any]:
        """Return what `load_state_dict` needs to go on."""
        return {
            "seconds": self.seconds,
            "validation_seconds": self._validations.seconds,
            "num_validations": self._validations.count,
            "rows": self._rows,
            "nats_sum": self._nats_sum,
            "nats_count": self._nats_count,
            "metrics": self.metrics,
        }

    def load_state_dict(self, state: Mapping[str, Any], step: int) -> None:
        """Go on from a saved state after a step; rows of later steps, which a crash undid, are dropped."""
        self._seconds_before, self._started = state["seconds"], time.monotonic()
        count = state.get("num_validations", 0)
        self._validations = validations.Spent(state["validation_seconds"], count)
        self._rows = state["rows"]
        self._nats_sum, self._nats_count = state["nats_sum"], state["nats_count"]
        metrics = state.get("metrics")  # those of early versions have none
        self.metrics = self._job.run.read_metrics(step) if metrics is None else metrics
        if self._job.processes.is_first:
            self._job.run.write_metrics(self.metrics)
