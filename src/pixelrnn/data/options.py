"""The options of a data set: the keys of a recipe's `[data]` table besides `source`."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from pixelrnn.arrays import MAX_LEVELS
from pixelrnn.graph.conditions import MAX_FACTOR, MIN_FACTOR

Side = Annotated[int, Field(strict=True, ge=1, le=65536)]
Binarisation = Literal["none", "threshold", "sampled", "fixed"]


class DataOptions(BaseModel):
    """How images are read; every option has a default that leaves them as they are.

    Raises:
        pydantic.ValidationError: for an unknown key, a wrong type or a value out of range.

    Example:
        >>> DataOptions(patch_size=32).patch_size
        32
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    size: tuple[Side, Side] | None = Field(
        default=None,
        description="(height, width) in pixels that every image must have; "
        "by default that of a folder's first image",
    )
    patch_size: Side | None = Field(
        default=None,
        description="cut each image of a folder, or of photos, into squares of this side",
    )
    random_crops: bool | None = Field(
        default=None,
        description="cut training patches at random places, anew in each epoch, and not on a grid; "
        "patches of the other splits stay on the grid",
    )
    also: tuple[str, ...] | None = Field(
        default=None,
        min_length=1,
        description="further images, names or paths, mixed in split by split; they have the size, the "
        "channels and the levels of the others, and are read with those options that apply to them",
    )
    labels: bool = Field(
        default=False,
        description="whether a model is given the class of each image, which the images must have",
    )
    shrink: Annotated[int, Field(strict=True)] | None = Field(
        default=None,
        ge=MIN_FACTOR,
        le=MAX_FACTOR,
        description="keep the top left pixel of each square of this side, of whole images or of patches: "
        "the small images of a model of several scales",
    )
    binarisation: Binarisation = Field(
        default="none",
        description="mnist, and folders with such files: none (256 levels), threshold (1 where "
        "grey > 0.5), sampled (each pixel drawn once with its grey level as probability, the "
        "same set for ever), or fixed (Larochelle's published files)",
    )
    num_levels: Annotated[int, Field(strict=True)] | None = Field(
        default=None,
        ge=2,
        le=MAX_LEVELS,
        description="values are 0 ... num_levels - 1; by default the set's own: 256 for files, 17 for "
        "digits, of uint16 the power of two that holds them; more than 256 read 16-bit images",
    )
