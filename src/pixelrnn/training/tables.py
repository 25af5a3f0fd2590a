"""The tables of a recipe: their keys, defaults and ranges."""

import math
from collections.abc import Iterable
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from pixelrnn.data import DataOptions, DataSet
from pixelrnn.errors import RecipeError
from pixelrnn.graph.conditions import CONDITIONS
from pixelrnn.models.config import ConditionConfig

# What a run computes on, and not what it computes: it may go on with others.
MACHINE_KEYS = (
    "accelerator",
    "devices",
    "num_nodes",
    "threads",
    "checkpoint_activations",
    "compile",
    "cuda_graph",
)
# Keys that recipes of earlier runs do not have.
CAME_LATER = (
    ("training", "keep"),
    ("model", "decorrelate"),
    ("model", "num_labels"),
    ("model", "label_names"),
    ("model", "alphabet"),
    ("model", "symbol_features"),
    ("data", "labels"),
    ("training", "checkpoint_activations"),
    ("training", "compile"),
    ("training", "cuda_graph"),
    ("data", "shrink"),
    ("training", "label_dropout"),
    ("training", "condition_dropout"),
)
# A validation reads its images forward only, training forward and backward: about three times the work.
WORK = 1 / 3
SHARE = 1 / 5  # of the time of a run that does not say how many it wants


class Table(BaseModel):
    """A table of a recipe: frozen, and strict about its keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class StrictTable(Table):
    """A table in which true is no number, and "2" is none either."""

    model_config = ConfigDict(strict=True)


class DataTable(DataOptions):
    """Which images, and how they are read."""

    source: str = Field(description="a name from `pixelrnn data list`, or a path")

    def options(self) -> DataOptions:
        """Return the reading options alone."""
        return DataOptions(**self.model_dump(exclude={"source"}))


class TrainingTable(StrictTable):
    """How long, in what portions, and from which seed."""

    epochs: float | None = Field(
        default=None, gt=0, le=10**6, description="passes over the training images"
    )
    image_presentations: int | None = Field(
        default=None, ge=1, le=10**15, description="instead of epochs"
    )
    batch_size: int = Field(default=16, ge=1, description="images in an optimiser step")
    accumulate: int = Field(
        default=1, ge=1, description="parts that a batch is computed in: less memory, same result"
    )
    max_minutes: float | None = Field(
        default=None, gt=0, description="end by then; the schedule is planned to end with it"
    )
    horizontal_flips: bool = Field(default=False, description="show mirror images half the time")
    gradient_clip: float = Field(
        default=1.0, ge=0, description="maximum gradient norm; 0 disables clipping"
    )
    label_dropout: float = Field(
        default=0.1,
        ge=0,
        le=1,
        description="share of images whose class is not told, where a model is given classes: it is then "
        "one of images of no class, too",
    )
    condition_dropout: float = Field(
        default=0.1,
        ge=0,
        le=1,
        description="share of images that are given by nothing, where a model is given images: it then "
        "knows images of both kinds, and with 0 those that are given something alone",
    )
    ema_decay: float = Field(
        default=0.999, ge=0, lt=1, description="decay of the averaged weights; 0 disables averaging"
    )
    validations: int = Field(
        default=40,
        ge=1,
        description="evaluations on the validation images; unless given, fewer on short runs, so that "
        "they take a fifth of the time at most",
    )
    keep: Literal["last", "best"] = Field(
        default="last",
        description="whose weights are the result: the last, or those of the best validation; the others "
        "are kept beside them",
    )
    checkpoint_seconds: float = Field(default=30.0, ge=0, description="work a crash may lose")
    seed: int = Field(default=0, ge=0, lt=2**63, description="of weights, order and flips")
    accelerator: Literal["auto", "cpu", "gpu", "mps"] = Field("auto", description="what computes")
    threads: int | None = Field(
        default=None, ge=1, le=1024, description="of the processor; by default torch's choice"
    )
    devices: int = Field(default=1, ge=1, description="processes, on as many devices, a node")
    num_nodes: int = Field(default=1, ge=1, description="machines of a cluster")
    precision: Literal["auto", "32-true", "bf16-mixed"] = Field(
        default="auto",
        description="bf16-mixed where the machine has units for it, else 32-true; auto: on GPUs only",
    )

    checkpoint_activations: bool = Field(
        default=False,
        description="keep the inputs of blocks alone, and run each again in the backward pass: less memory",
    )
    compile: bool = Field(
        default=False,
        description="torch.compile the blocks, on a GPU; elsewhere it changes nothing",
    )
    cuda_graph: bool = Field(
        default=True,
        description="record a step's passes once and replay them, on a GPU; elsewhere it changes nothing",
    )

    @model_validator(mode="after")
    def _one_length(self) -> Self:
        if (self.epochs is None) == (self.image_presentations is None):
            raise ValueError("give either training.epochs or training.image_presentations")
        if self.batch_size % (self.accumulate * self.devices * self.num_nodes):
            raise ValueError(
                "training.batch_size must be a multiple of accumulate x devices x num_nodes"
            )
        return self

    def fitted(self, data: DataSet) -> Self:
        """Return the table with few enough validations for these images, unless it says how many."""
        presentations = self.total_steps(data.count("train")) * self.batch_size
        number = affordable(self.validations, presentations, data.count("validation"))
        if "validations" in self.model_fields_set or number == self.validations:
            return self
        return self.model_copy(update={"validations": number})

    def total_steps(self, num_images: int) -> int:
        """Return the optimiser steps of the whole run, the last batch always full."""
        presentations = self.image_presentations or (self.epochs or 0) * num_images
        return max(1, -int(-presentations // self.batch_size))


class OptimizerTable(StrictTable):
    """The optimiser."""

    name: Literal["adam", "adamw", "muon", "rmsprop"] = Field("adam", description="which one")
    learning_rate: float = Field(default=1e-3, gt=0, description="of a step, before the schedule")
    weight_decay: float = Field(default=0.0, ge=0, description="pull of weights to zero")
    beta2: float = Field(default=0.999, ge=0, lt=1, description="adam's second moment, muon's too")


class ScheduleTable(StrictTable):
    """How the learning rate changes."""

    kind: Literal["constant", "cosine", "plateau"] = Field("constant", description="its course")
    warmup_steps: int = Field(default=0, ge=0, description="steps of linear rise from zero")
    factor: float = Field(default=0.5, gt=0, lt=1, description="plateau: multiply by this")
    patience: int = Field(default=2, ge=0, description="plateau: validations without improvement")

    def rate_factor(self, step: int, progress: float, validations: Iterable[float] = ()) -> float:
        """Return the factor by which the optimiser's learning rate is multiplied.

        Args:
            step: the optimiser step, from 0.
            progress: how much of the run is done, from 0 to 1.
            validations: the results so far, in bits/dim.

        Example:
            >>> table = ScheduleTable(kind="cosine", warmup_steps=10)
            >>> table.rate_factor(4, progress=0.0), round(table.rate_factor(500, progress=0.5), 3)
            (0.5, 0.5)
        """
        warmup = min(1.0, (step + 1) / self.warmup_steps) if self.warmup_steps else 1.0
        match self.kind:
            case "constant":
                return warmup
            case "cosine":
                return warmup * 0.5 * (1 + math.cos(math.pi * min(progress, 1.0)))
            case "plateau":
                return warmup * self._after_plateaus(validations)

    def _after_plateaus(self, validations: Iterable[float]) -> float:
        factor, best, without_improvement = 1.0, math.inf, 0
        for result in validations:
            without_improvement = 0 if result < best else without_improvement + 1
            best = min(best, result)
            if without_improvement > self.patience:
                factor, without_improvement = factor * self.factor, 0
        return factor


def require_made_of_images(condition: ConditionConfig | None) -> None:
    """Raise `RecipeError` if images are given by others that only their user has."""
    if condition and not condition.build().is_made:
        made = ", ".join(kind for kind, condition in CONDITIONS.items() if condition.is_made)
        raise RecipeError(
            "a recipe trains with what is made of its images: give model.condition.kind, one of "
            f"{made}, or leave model.condition out"
        )


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
