"""The typed reading of what `pixelrnn bench train --out` wrote: how fast training was, and on what."""

from pathlib import Path
from typing import Literal

import pydantic

from pixelrnn.errors import ModelFileError
from pixelrnn.report.text_file import Record, first_problem, parse_json, read_text, require_version
from pixelrnn.wording import first_line

KIND = "training benchmark"
REMEDY = "give a file that `pixelrnn bench train SUITE --out FILE.json` wrote"


class SpeedTiming(Record):
    """How fast one model trained, and what that is of what the machine could do."""

    recipe: str
    label: str
    image_shape: tuple[pydantic.PositiveInt, pydantic.PositiveInt, pydantic.PositiveInt]
    batch_size: pydantic.PositiveInt
    threads: pydantic.PositiveInt
    images_per_second: pydantic.PositiveFloat
    speed_up: pydantic.PositiveFloat | None = None
    flops_per_image: pydantic.PositiveInt
    machine_gflops: pydantic.PositiveFloat
    machine_threads: pydantic.PositiveInt
    share_of_machine: pydantic.PositiveFloat


class Machine(Record):
    """What it was measured on."""

    processor: str


class TrainingSpeed(Record):
    """A training benchmark, at least one model in it."""

    format_version: Literal[1]
    kind: Literal["training benchmark"]
    environment: Machine
    timings: tuple[SpeedTiming, ...] = pydantic.Field(min_length=1)


def read_training_speed(path: Path) -> TrainingSpeed:
    """Read a training benchmark.

    Raises:
        ModelFileError: the file is missing, damaged, of a later version, or something else.

    Example:
        >>> read_training_speed(Path("none.json"))
        Traceback (most recent call last):
        pixelrnn.errors.ModelFileError: none.json cannot be read (No such file or directory); ...
    """
    text = read_text(path, remedy=REMEDY)
    try:
        content = parse_json(text)
    except ValueError as error:
        raise _error(path, f"is not JSON ({first_line(error)})") from None
    if not isinstance(content, dict) or content.get("kind") != KIND:
        raise _error(path, "holds no training benchmark")
    require_version(path, content)
    try:
        return TrainingSpeed.model_validate(content)
    except pydantic.ValidationError as error:
        raise _error(path, f"is damaged ({first_problem(error)})") from None


def _error(path: Path, trouble: str) -> ModelFileError:
    return ModelFileError(f"{path} {trouble}; {REMEDY}")
