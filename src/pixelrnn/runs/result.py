"""The schemas of `result.json` and `environment.json`: what was measured of a run, and on what."""

from typing import Annotated, Any, Literal, Self

import pydantic
from pydantic import Field

from pixelrnn.arrays import MAX_LEVELS
from pixelrnn.runs.reading import Record

Count = Annotated[int, Field(ge=0, lt=2**63)]
PositiveCount = Annotated[int, Field(gt=0, lt=2**63)]
Channels = Annotated[int, Field(gt=0, le=64)]
Side = Annotated[int, Field(gt=0, le=1 << 16)]
MAX_BASELINES = 200  # more cannot be drawn


@pydantic.dataclasses.dataclass(frozen=True, config=pydantic.ConfigDict(allow_inf_nan=False))
class Baseline:
    """A line to beat, measured on the same test images.

    Attributes:
        name: as shown in tables: "uniform", "histogram", "PNG", "PNG, one picture", ...
        test_bits_per_dim: bits for each sub-pixel of the test images; `None` if it was not measured.
        note: in words, how it was measured.
        standard_error: of `test_bits_per_dim` over the test images, clustered by picture; `None` where
            it is not a mean over images.
    """

    name: str
    test_bits_per_dim: float | None = None
    note: str = ""
    standard_error: float | None = None


class SplitCounts(Record):
    """How many images each split has."""

    train: Count
    validation: Count
    test: Count


class DataHashes(Record):
    """SHA-256, in hexadecimal, of the shape and bytes of each split."""

    train: str
    validation: str
    test: str


class ValidationRecord(Record):
    """What a validation found during training, and when."""

    image_presentations: Count
    validation_bits_per_dim: float


class MixturePart(Record):
    """Validation figures on one of the data sets of a mixture."""

    data: str
    bits_per_dim: float
    standard_error: float | None
    num_images: Count
    num_pictures: Count


class FileFigures(Record):
    """What the first test images cost as a real file; all `None` where they were not compressed."""

    file_num_images: PositiveCount | None = Field(None, description="first test images in the file")
    float_bits_per_dim: float | None = Field(None, description="of these, by the model in floats")
    integer_bits_per_dim: float | None = Field(None, description="of these, by its integers")
    message_bits_per_dim: float | None = Field(None, description="of the coded messages")
    file_bits_per_dim: float | None = Field(None, description="of the whole file")
    file_bytes: PositiveCount | None = Field(None, description="of the whole file")
    surprise_bits_per_dim: float | None = Field(
        None, description="of the floats, what lies above 12 bits at single sub-pixels"
    )
    seconds_per_image_compressing: float | None = Field(None, description="on all cores")


class ModelFigures(FileFigures):
    """What a comparison says of a model; `test_*` is `None` until it was evaluated on the test split."""

    label: str = Field(description="of the model, as shown in tables")
    parameters: Count = Field(description="of the model")
    test_bits_per_dim: float | None = Field(None, description="on the test images")
    test_bits_per_dim_standard_error: float | None = Field(
        None, description="over images, clustered by picture; none of one picture"
    )
    test_nats_per_image: float | None = Field(None, description="mean over the test images")
    test_bits_per_dim_by_channel: tuple[float, ...] = Field((), description="given those before")
    validation_bits_per_dim: float | None = Field(None, description="on the validation images")
    train_bits_per_dim: float | None = Field(None, description="on training images, evenly spread")
    kept: Literal["last", "best"] = Field("last", description="whose weights the result is of")
    last: ValidationRecord | None = Field(None, description="the last validation")
    best: ValidationRecord | None = Field(None, description="the best validation")
    image_presentations: Count = Field(description="training images shown")
    images_per_second: float | None = Field(None, description="of training")
    minutes: float | None = Field(None, description="of the whole run")
    peak_memory_mb: float | None = Field(None, description="while training")
    seconds_per_sample: float | None = Field(None, description="on all cores, over their number")
    hidden_half_bits_per_dim: float | None = Field(
        None, description="of the lower halves of the test images, given the upper ones"
    )
    alarms: tuple[str, ...] = Field((), description="which figures cannot be true together")


class Result(ModelFigures):
    """What `result.json` says."""

    format_version: int = Field(description="of this schema")
    name: str = Field(description="of the recipe")
    data: str = Field(description="name of the data set")
    data_options: dict[str, Any] = Field({}, description="how the images were read")
    data_sha256: DataHashes = Field(description="of the images of each split")
    labels_sha256: DataHashes | None = Field(
        None, description="of their classes, of a model that was shown them"
    )
    data_num_images: SplitCounts | None = Field(None, description="images of each split")
    recipe_sha256: str | None = Field(None, description="of what decides on the weights")
    image_shape: tuple[Channels, Side, Side] = Field(description="channels, height, width")
    num_levels: int = Field(ge=2, le=MAX_LEVELS, description="values of a sub-pixel")
    ema: bool = Field(False, description="the weights are averaged")
    command: str | None = Field(None, description="what began the run, as typed")
    finished: bool = Field(True, description="training went to its end")
    train_bits_per_dim_standard_error: float | None = Field(None, description="over images")
    train_num_images: Count | None = Field(None, description="measured")
    train_num_pictures: Count | None = Field(None, description="that they are of")
    validation_bits_per_dim_standard_error: float | None = Field(None, description="over images")
    validation_num_images: Count | None = Field(None, description="measured")
    validation_num_pictures: Count | None = Field(None, description="that they are of")
    validation_parts: tuple[MixturePart, ...] = Field((), description="by data set, of a mixture")
    split: str = Field("test", description="that was evaluated")
    num_images: PositiveCount | None = Field(None, description="evaluated")
    num_pictures: PositiveCount | None = Field(None, description="that they are of")
    images_per_second_evaluating: float | None = Field(None, description="of the evaluation")
    baselines: tuple[Baseline, ...] = Field(
        (), max_length=MAX_BASELINES, description="the lines to beat"
    )

    @pydantic.model_validator(mode="after")
    def _evaluated_whole(self) -> Self:
        if self.test_bits_per_dim is None:
            return self
        if self.num_images is None or self.test_nats_per_image is None:
            raise ValueError("test_bits_per_dim needs num_images and test_nats_per_image beside it")
        if self.test_bits_per_dim_by_channel and (
            len(self.test_bits_per_dim_by_channel) != self.image_shape[0]
        ):
            raise ValueError("test_bits_per_dim_by_channel needs one number for each channel")
        beside = (self.file_num_images, self.file_bytes, self.float_bits_per_dim,
                  self.integer_bits_per_dim, self.message_bits_per_dim)  # fmt: skip
        if self.file_bits_per_dim is not None and None in beside:
            raise ValueError("file_bits_per_dim needs the other figures of the file beside it")
        return self


class Environment(Record):
    """What `environment.json` says about the machine and the software of a run."""

    python: str | None = Field(None, description="version")
    platform: str | None = Field(None, description="operating system and architecture")
    processor: str | None = Field(None, description="its name")
    cores: int | None = Field(None, description="of the processor")
    threads: int | None = Field(None, description="that torch used")
    device: str | None = Field(None, description="the GPU's name, or cpu")
    packages: dict[str, str] = Field({}, description="versions")
    git_commit: str | None = Field(None, description="of the code; not recorded by later versions")
    started: str | None = Field(None, description="date and time in UTC")
