"""What validations cost of a run: how many there should be, and how they put off its end."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pixelrnn.data import DataSet
    from pixelrnn.training.tables import TrainingTable

# A validation reads its images forward only, training forward and backward: about three times the work.
WORK = 1 / 3
SHARE = 1 / 5  # of the time of a run that does not say how many it wants


def affordable(wanted: int, presentations: int, num_images: int) -> int:
    """Return how many validations a run should have so that they take a fifth of its time at most.

    It depends on numbers of images alone, so that a run is the same however fast the machine is.

    Args:
        wanted: no more than these.
        presentations: training images shown in the whole run.
        num_images: validation images.

    Example:
        >>> affordable(40, presentations=100_000, num_images=150)
        40
        >>> affordable(40, presentations=2_000, num_images=150)
        10
    """
    if not num_images:
        return wanted
    most = SHARE / (1 - SHARE) * presentations / (WORK * num_images)
    return max(1, min(wanted, int(most + 1e-9)))


def fitted(training: "TrainingTable", data: "DataSet") -> "TrainingTable":
    """Return the table with few enough validations for these images, unless it says how many."""
    if "validations" in training.model_fields_set:
        return training
    presentations = training.total_steps(data.count("train")) * training.batch_size
    number = affordable(training.validations, presentations, data.count("validation"))
    if number == training.validations:
        return training
    return training.model_copy(update={"validations": number})


@dataclass
class Spent:
    """What the validations of a run took so far.

    Attributes:
        seconds: of all of them.
        count: how many there were.
    """

    seconds: float = 0.0
    count: int = 0

    def add(self, seconds: float) -> None:
        """Count one more."""
        self.seconds, self.count = self.seconds + seconds, self.count + 1

    def seconds_each(self, num_images: int, seconds_an_image: float) -> float:
        """Return how long a validation took, or what one should take before there was any.

        Args:
            num_images: validation images.
            seconds_an_image: of training.
        """
        return self.seconds / self.count if self.count else WORK * num_images * seconds_an_image

    def leaves_enough(self, training: "TrainingTable", run_seconds: float, one_more: float) -> bool:
        """Return whether one more, of so many seconds, leaves enough of a limited time to training.

        Only a run that the clock ends, and that does not say how many it wants, leaves any out.
        """
        if training.max_minutes is None or "validations" in training.model_fields_set:
            return True
        return self.seconds + one_more <= SHARE * run_seconds


def plan(
    steps: int,
    validations: int,
    seconds_a_step: float,
    seconds_a_validation: float,
    limit_seconds: float | None = None,
) -> tuple[int, float]:
    """Return how many of the steps that are left will be taken, and the seconds until the end.

    Args:
        steps: optimiser steps that are left.
        validations: validations that are left; they come with the steps, at equal distances.
        seconds_a_step: of training alone.
        seconds_a_validation: measured, or else estimated.
        limit_seconds: until the run is ended, wherever it is then.

    Example:
        >>> plan(100, 10, seconds_a_step=0.1, seconds_a_validation=2.0)
        (100, 30.0)
        >>> plan(100, 10, seconds_a_step=0.1, seconds_a_validation=2.0, limit_seconds=15.0)
        (50, 15.0)
    """
    seconds = steps * seconds_a_step + validations * seconds_a_validation
    if limit_seconds is None or seconds <= limit_seconds:
        return steps, seconds
    return int(steps * limit_seconds / seconds), limit_seconds
