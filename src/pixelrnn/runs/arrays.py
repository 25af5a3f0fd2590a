"""The schemas of `evaluation.npz` and `samples.npz`: what was measured on the test images, and sampled."""

from typing import Annotated, ClassVar, NamedTuple, Self

import numpy as np
import pydantic
from pydantic import Field

from pixelrnn.arrays import Flags, Floats, Images, Integers
from pixelrnn.ordering import Place
from pixelrnn.runs.array_file import ArrayFile, Axes


class Examples(NamedTuple):
    """Some test images: `(K, C, H, W)`, their bits/dim `(K,)` and their indices in the split `(K,)`."""

    images: Images
    bits_per_dim: Floats
    indices: Integers


class EvaluationArrays(ArrayFile):
    """`evaluation.npz`: N test images `(C, H, W)`, image by image and sub-pixel by sub-pixel."""

    remedy: ClassVar[str] = "evaluate that run again"

    bits_per_dim_per_image: Annotated[Floats, Axes("N", np.float64)] = Field(
        description="bits/dim of each image"
    )
    pictures: Annotated[Integers | None, Axes("N", np.int64)] = Field(
        None, description="which picture each image was cut from; not recorded by earlier versions"
    )
    bits_map: Annotated[Floats, Axes("C H W", np.float64)] = Field(
        description="mean bits of each sub-pixel"
    )
    receptive_field: Annotated[Flags | None, Axes("C H W", np.bool_)] = Field(
        None, description="what one sub-pixel was measured to depend on; only of an assessed run"
    )
    receptive_field_at: Annotated[Integers | None, Axes("3", np.int64)] = Field(
        None, description="row, column and channel of that sub-pixel"
    )
    easiest_images: Annotated[Images, Axes("E C H W", np.uint8)] = Field(
        description="the images with the lowest bits/dim, the lowest first"
    )
    easiest_bits_per_dim: Annotated[Floats, Axes("E", np.float64)] = Field(description="of these")
    easiest_indices: Annotated[Integers, Axes("E", np.int64)] = Field(
        description="their places in the test split"
    )
    hardest_images: Annotated[Images, Axes("K C H W", np.uint8)] = Field(
        description="the images with the highest bits/dim, the highest first"
    )
    hardest_bits_per_dim: Annotated[Floats, Axes("K", np.float64)] = Field(description="of these")
    hardest_indices: Annotated[Integers, Axes("K", np.int64)] = Field(
        description="their places in the test split"
    )

    @pydantic.model_validator(mode="after")
    def _field_inside(self) -> Self:
        if (self.receptive_field is None) != (self.receptive_field_at is None):
            raise ValueError("receptive_field and receptive_field_at belong together")
        if self.receptive_field is not None:
            row, column, channel = self.place
            channels, height, width = self.receptive_field.shape
            if not (0 <= row < height and 0 <= column < width and 0 <= channel < channels):
                raise ValueError("receptive_field_at lies outside the image")
        return self

    @property
    def place(self) -> Place:
        """The sub-pixel whose receptive field was measured."""
        assert self.receptive_field_at is not None
        return Place(*(int(value) for value in self.receptive_field_at))

    @property
    def easiest(self) -> Examples:
        """The images with the lowest bits/dim."""
        return Examples(self.easiest_images, self.easiest_bits_per_dim, self.easiest_indices)

    @property
    def hardest(self) -> Examples:
        """The images with the highest bits/dim."""
        return Examples(self.hardest_images, self.hardest_bits_per_dim, self.hardest_indices)


class SamplesArrays(ArrayFile):
    """`samples.npz`: samples, and completions of test images, with the same seed for every model."""

    remedy: ClassVar[str] = "assess that run again"

    seed: Annotated[Integers, Axes("", np.int64)] = Field(description="the same for every model")
    samples: Annotated[Images, Axes("S C H W", np.uint8)] = Field(description="images sampled")
    known: Annotated[Flags, Axes("H W", np.bool_)] = Field(
        description="what was given of the completed images"
    )
    completed_images: Annotated[Images, Axes("M C H W", np.uint8)] = Field(
        description="test images, whole"
    )
    completed_indices: Annotated[Integers, Axes("M", np.int64)] = Field(
        description="their places in the test split"
    )
    completions: Annotated[Images, Axes("M K C H W", np.uint8)] = Field(
        description="several of each of them"
    )
    hidden_bits_per_dim: Annotated[Floats, Axes("M", np.float64)] = Field(
        description="what the hidden part of each costs"
    )
