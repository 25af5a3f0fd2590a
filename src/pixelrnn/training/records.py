"""The records of a run: its clock, its curves, and what a person sees while it goes on."""

import time
from collections.abc import Mapping
from math import inf
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from pixelrnn.training.good_weights import GoodWeights
from pixelrnn.training.job import Job
from pixelrnn.training.progress import TrainingProgress
from pixelrnn.training.tables import SHARE, WORK
from pixelrnn.training.tensorboard import TensorBoardCurves
from pixelrnn.units import bits

if TYPE_CHECKING:
    from pixelrnn.training.loop import Trainee

ROWS_PER_VALIDATION = 4
FORECAST_SECONDS = 10.0  # of training, after which the speed is known well enough


class Tally(BaseModel):
    """What a run has counted so far, as its checkpoint holds it; early versions had fewer fields."""

    seconds: float
    validation_seconds: float
    num_validations: int = 0
    rows: int
    nats_sum: float
    nats_count: int
    metrics: list[dict[str, Any]] | None = None


class Records:
    """Keeps and shows the figures of a run; only the first of its processes writes.

    Args:
        job: the run.

    Attributes:
        metrics: the rows of `metrics.csv`.
        display: shows progress inside its `with`.
    """

    def __init__(self, job: Job) -> None:
        self._job, self._training = job, job.recipe.training
        self.display = TrainingProgress(job.label, job.presentations(job.total_steps), job.console)
        self._curves = TensorBoardCurves(job.run.path / "tensorboard", job.say)
        self._tally = Tally(seconds=0, validation_seconds=0, rows=0, nats_sum=0, nats_count=0)
        self.metrics: list[dict[str, Any]] = []
        self._started = time.monotonic()
        self._forecast_due = True

    @property
    def seconds(self) -> float:
        """Seconds spent on the run so far, over all its parts."""
        return self._tally.seconds + time.monotonic() - self._started

    @property
    def training_seconds(self) -> float:
        """Seconds spent so far on training alone, without validation."""
        return self.seconds - self._tally.validation_seconds

    @property
    def complete(self) -> bool:
        """Whether the last step of the run is recorded."""
        return self._tally.rows >= self._training.validations * ROWS_PER_VALIDATION

    def progress(self, step: int, seconds: float) -> float:
        """Return how much of the run is done, from 0 to 1: by steps, or by minutes if those end first."""
        done = step / self._job.total_steps
        return min(1.0, max(done, seconds / (60 * (self._training.max_minutes or inf))))

    def add(self, nats: float) -> None:
        """Count the loss of a step."""
        self._tally.nats_sum += nats
        self._tally.nats_count += 1

    def is_due(self, progress: float) -> bool:
        """Return whether a row is to be recorded."""
        return self._row(progress) > self._tally.rows

    def record(self, trainee: "Trainee", weights: GoodWeights, progress: float) -> None:
        """Record a row, with a validation if one is due.

        Raises:
            NonFiniteLossError: if the validation is not finite.
            Stop: if a signal came while validating.
        """
        step, row = trainee.steps, self._row(progress)
        due = row // ROWS_PER_VALIDATION > self._tally.rows // ROWS_PER_VALIDATION
        validate = progress >= 1 or (due and self._is_affordable(step))
        validation = self._validate(step, weights) if validate else None
        presentations = self._job.presentations(step)
        values = {
            "step": step,
            "image_presentations": presentations,
            "minutes": self.seconds / 60,
            "learning_rate": trainee.optimizer.param_groups[0]["lr"],
            "train_bits_per_dim": self._train_bits_per_dim(),
            "validation_bits_per_dim": validation,
            "images_per_second": presentations / self.training_seconds,
        }
        self._tally.nats_sum, self._tally.nats_count, self._tally.rows = 0.0, 0, row
        self.metrics.append(values)
        if self._job.processes.is_first:
            self._job.run.append_metrics(values)
            self._curves.add(step, values)

    def _row(self, progress: float) -> int:
        return int(progress * self._training.validations * ROWS_PER_VALIDATION)

    def _train_bits_per_dim(self) -> float:
        return bits(self._tally.nats_sum / self._tally.nats_count)

    def _validate(self, step: int, weights: GoodWeights) -> float | None:
        if not self._job.data.count("validation"):
            return None
        started = time.monotonic()
        result = weights.validate(step)
        self.display.validated(result, self._job.presentations(step), self.seconds / 60)
        self._tally.validation_seconds += time.monotonic() - started
        self._tally.num_validations += 1
        return result

    def _is_affordable(self, step: int) -> bool:
        """Return whether one more validation leaves enough of a limited time to training.

        Only a run that the clock ends, and that does not say how many it wants, leaves any out.
        """
        one_more = self._tally.validation_seconds + self._seconds_a_validation(step)
        fits = (
            self._training.max_minutes is None
            or "validations" in self._training.model_fields_set
            or one_more <= SHARE * self.seconds
        )
        return bool(self._job.processes.share(fits)[0][0])

    def _seconds_a_validation(self, step: int) -> float:
        """Return how long a validation took, or what one should take before there was any."""
        if self._tally.num_validations:
            return self._tally.validation_seconds / self._tally.num_validations
        seconds_an_image = self.training_seconds / self._job.presentations(step)
        return WORK * self._job.data.count("validation") * seconds_an_image

    def show(self, step: int, progress: float) -> None:
        """Show how far the run is, and once, soon after the start, how far it will come and when."""
        if self._tally.nats_count:
            self.display.show(
                progress,
                self._train_bits_per_dim(),
                self._job.presentations(step) / self.training_seconds,
                self.seconds / 60,
            )
        if self._forecast_due and time.monotonic() - self._started >= FORECAST_SECONDS:
            self._forecast_due = False
            self._forecast(step)

    def _forecast(self, step: int) -> None:
        seconds_a_step, steps = self.training_seconds / step, self._job.total_steps - step
        validations = self._training.validations - self._tally.rows // ROWS_PER_VALIDATION
        seconds = steps * seconds_a_step + max(0, validations) * self._seconds_a_validation(step)
        limit = max(0.0, 60 * (self._training.max_minutes or inf) - self.seconds)
        share = min(1.0, limit / seconds) if seconds else 1.0
        presentations = self._job.presentations(step + int(steps * share))
        self.display.forecast(presentations, seconds * share, 1 / seconds_a_step)

    def state_dict(self) -> dict[str, Any]:
        """Return what `load_state_dict` needs to go on."""
        return vars(self._tally) | {"seconds": self.seconds, "metrics": self.metrics}

    def load_state_dict(self, state: Mapping[str, Any], step: int) -> None:
        """Go on from a saved state after a step; rows of later steps, which a crash undid, are dropped."""
        self._tally, self._started = Tally.model_validate(state), time.monotonic()
        metrics = self._tally.metrics
        self.metrics = self._job.run.read_metrics(step) if metrics is None else metrics
        if self._job.processes.is_first:
            self._job.run.write_metrics(self.metrics)
