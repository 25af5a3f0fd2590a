"""The tables of a recipe: their keys, defaults and ranges."""

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from pixelrnn.data import DataOptions

# What a run computes on, and not what it computes: it may go on with others.
MACHINE_KEYS = ("accelerator", "devices", "num_nodes", "threads")


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

    @model_validator(mode="after")
    def _one_length(self) -> Self:
        if (self.epochs is None) == (self.image_presentations is None):
            raise ValueError("give either training.epochs or training.image_presentations")
        if self.batch_size % (self.accumulate * self.devices * self.num_nodes):
            raise ValueError(
                "training.batch_size must be a multiple of accumulate x devices x num_nodes"
            )
        return self

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
