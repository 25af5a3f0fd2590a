"""What `training.py` measures, and what follows from it."""

from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class TrainingTiming:
    """How fast one model trains; medians.

    Attributes:
        recipe: its name.
        label: the model's name for tables.
        model_kind: the model's name in recipes.
        likelihood_kind: the likelihood's.
        parameters: of the model.
        image_shape: (channels, height, width).
        batch_size: images in an optimiser step.
        threads: of the processor, for both models.
        repeats: times that each was measured, in turn.
        images_per_second: of the model, whole training steps.
        plain_images_per_second: of the same architecture written plainly; None if not measured.
        flops_per_image: floating-point operations of weights, forward and backward.
        machine_gflops: billions of operations per second in the product of two large matrices.
        machine_threads: with how many threads.
        device: the GPU that did all of it, if it was one.
        finished: False after Ctrl-C.
    """

    recipe: str
    label: str
    model_kind: str
    likelihood_kind: str
    parameters: int
    image_shape: tuple[int, int, int]
    batch_size: int
    threads: int
    repeats: int
    images_per_second: float
    plain_images_per_second: float | None
    flops_per_image: int
    machine_gflops: float
    machine_threads: int
    device: str | None = None
    finished: bool = True

    @property
    def speed_up(self) -> float | None:
        """How many times faster the model is than the plain version."""
        if self.plain_images_per_second is None:
            return None
        return self.images_per_second / self.plain_images_per_second

    @property
    def gflops(self) -> float:
        """Billions of operations of weights that training does in a second."""
        return 1e-9 * self.flops_per_image * self.images_per_second

    @property
    def share_of_machine(self) -> float:
        """What part that is of what the machine does in a product of matrices."""
        return self.gflops / self.machine_gflops

    def as_dict(self) -> dict[str, Any]:
        """Return fields and derived figures, units in their names."""
        return asdict(self) | {
            "speed_up": self.speed_up,
            "gflops": self.gflops,
            "share_of_machine": self.share_of_machine,
        }


@dataclass(frozen=True)
class Scaling:
    """What a larger model, or larger images, cost against the recipe's own.

    Attributes:
        recipe: its name.
        label: the model's name for tables.
        change: what is larger.
        seconds_per_image_ratio: time, larger over own.
        flops_per_image_ratio: operations, larger over own.
    """

    recipe: str
    label: str
    change: str
    seconds_per_image_ratio: float
    flops_per_image_ratio: float

    @property
    def cost_of_an_operation_ratio(self) -> float:
        """Above 1, time grows faster than the work does."""
        return self.seconds_per_image_ratio / self.flops_per_image_ratio

    def as_dict(self) -> dict[str, Any]:
        """Return fields and the derived figure."""
        return asdict(self) | {"cost_of_an_operation_ratio": self.cost_of_an_operation_ratio}


@dataclass
class TrainingBenchmark:
    """What was measured of several recipes.

    Attributes:
        timings: of each recipe.
        scaling: of each recipe and change, if asked for.
        finished: False after Ctrl-C.
    """

    timings: list[TrainingTiming] = field(default_factory=list)
    scaling: list[Scaling] = field(default_factory=list)
    finished: bool = True

    def as_dict(self) -> dict[str, Any]:
        """Return all of it for JSON."""
        return {
            "timings": [timing.as_dict() for timing in self.timings],
            "scaling": [each.as_dict() for each in self.scaling],
            "finished": self.finished,
        }
