"""How many validations a run should have: what they cost of its time."""

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
