"""What `pixelrnn bench train --out` wrote: how fast training was, and on what."""

from pathlib import Path
from typing import Literal

from pydantic import Field, PositiveFloat, PositiveInt

from pixelrnn.runs.reading import Record, read_record

KIND = "training benchmark"
REMEDY = "give a file that `pixelrnn bench train SUITE --out FILE.json` wrote"


class SpeedTiming(Record):
    """How fast one model trained, and what that is of what the machine could do."""

    recipe: str = Field(description="its name")
    label: str = Field(description="of the model, as shown in tables")
    image_shape: tuple[PositiveInt, PositiveInt, PositiveInt] = Field(
        description="channels, height, width"
    )
    batch_size: PositiveInt = Field(description="images in a step")
    device: str | None = Field(None, description="the GPU that it trained on, if it was one")
    threads: PositiveInt = Field(
        description="of the processor that it trained on, if there was no GPU"
    )
    images_per_second: PositiveFloat = Field(description="of whole training steps")
    speed_up: PositiveFloat | None = Field(
        None, description="against the same network as it is usually written"
    )
    flops_per_image: PositiveInt = Field(description="of its weights, forward and backward")
    machine_gflops: PositiveFloat = Field(description="of a large matrix product, in float32")
    machine_threads: PositiveInt = Field(description="that this product ran on")
    share_of_machine: PositiveFloat = Field(description="operations per second over these")


class Machine(Record):
    """What it was measured on."""

    processor: str


class TrainingSpeed(Record):
    """A training benchmark, at least one model in it, in the order in which they were measured."""

    format_version: Literal[1]
    kind: Literal["training benchmark"]
    environment: Machine
    timings: tuple[SpeedTiming, ...] = Field(min_length=1)


def read_training_speed(path: Path) -> TrainingSpeed:
    """Read a training benchmark.

    Raises:
        ModelFileError: the file is missing, damaged, of a later version, or something else.

    Example:
        >>> read_training_speed(Path("none.json"))
        Traceback (most recent call last):
        pixelrnn.errors.ModelFileError: none.json cannot be read: No such file or directory; ...
    """
    return read_record(path, TrainingSpeed, REMEDY)
