"""The typed reading of what `pixelrnn bench train --out` wrote: how fast training was, and on what."""

from pathlib import Path
from typing import Literal

import pydantic

from pixelrnn.errors import ModelFileError
from pixelrnn.report.text_file import parse_json, read_text
from pixelrnn.wording import first_line

FORMAT_VERSION = 1
KIND = "training benchmark"
REMEDY = "give a file that `pixelrnn bench train SUITE --out FILE.json` wrote"


class _Record(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)


class SpeedTiming(_Record):
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


class Machine(_Record):
    """What it was measured on."""

    processor: str


class TrainingSpeed(_Record):
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
    version = content.get("format_version")
    if isinstance(version, int) and version > FORMAT_VERSION:
        raise ModelFileError(
            f"{path} has format version {version}, this pixelrnn reads up to {FORMAT_VERSION}; "
            "upgrade pixelrnn"
        )
    try:
        return TrainingSpeed.model_validate(content)
    except pydantic.ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise _error(path, f"is damaged ({where}: {first['msg']})") from None


def _error(path: Path, trouble: str) -> ModelFileError:
    return ModelFileError(f"{path} {trouble}; {REMEDY}")
