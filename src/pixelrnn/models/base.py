"""The contract that every autoregressive model keeps; `audit/` checks it.

    p(image) = prod over positions n of   p(x_n | x_0, ..., x_{n-1})        (paper, equation 1)

with the order of `ordering.py`: raster order, red -> green -> blue inside a pixel.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Annotated, final

import numpy as np
import numpy.typing as npt
import torch
from pydantic import BaseModel, ConfigDict, Field, field_validator
from torch import Tensor, nn

from pixelrnn.errors import ImageMismatchError
from pixelrnn.graph.program import Program
from pixelrnn.graph.reach import receptive_field
from pixelrnn.graph.simplify import simplify
from pixelrnn.graph.traced import Traced
from pixelrnn.layers.masks import feature_groups
from pixelrnn.layers.matrices import Matrices
from pixelrnn.likelihoods import AnyLikelihoodConfig, Likelihood, LogisticMixtureConfig
from pixelrnn.models.given_images import AnyImages, as_tensor, check_images
from pixelrnn.models.torch_state import usual_torch
from pixelrnn.ordering import Place
from pixelrnn.stepper.runner import Images, Runner

MAX_SIDE = 65536  # pixels
MAX_PIXELS_DRAWN = 1 << 26  # at once, over all images

Side = Annotated[int, Field(ge=1, le=MAX_SIDE)]


class ModelConfig(BaseModel):
    """What every model is told; with the weights it rebuilds the model, nothing else needed."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    kind: str = ""
    channels: int = Field(default=3, description="colours of a pixel: 1 (grey) or 3 (RGB)")
    num_levels: int = Field(default=256, ge=2, le=256, description="levels of a sub-pixel")
    likelihood: AnyLikelihoodConfig = Field(default_factory=LogisticMixtureConfig)
    image_size: tuple[Side, Side] | None = Field(
        default=None,
        strict=False,
        description="(height, width) of the training images: the default size of samples",
    )

    def fewest_parameters(self) -> int:
        """Return a lower bound of the parameters, cheap to compute: no model is built."""
        return 0

    @field_validator("channels")
    @classmethod
    def _grey_or_colour(cls, channels: int) -> int:
        if channels not in (1, 3):
            raise ValueError("an image has 1 channel (grey) or 3 (RGB)")
        return channels


class AutoregressiveModel(nn.Module, ABC):
    """A model that gives every image an exact probability, one sub-pixel after the other.

    Any image size works with the same weights. Images to score are tensors, on the device of the weights,
    or arrays of numpy; there may be none, and then the result is empty.

    `torch.export.export(model, (images,), strict=False)` gives what `forward` does as a graph, for images
    of that height and width; the number of images may be left open. The LSTMs' graphs grow with the size.

    Attributes:
        config: the frozen configuration.
        likelihood: how parameters become probabilities.
    """

    config: ModelConfig
    likelihood: Likelihood

    def __init_subclass__(cls, **options: object) -> None:
        """Refuse a class that scores or draws its own way: such figures would be no model's."""
        super().__init_subclass__(**options)
        for name in vars(cls):
            if getattr(getattr(AutoregressiveModel, name, None), "__final__", False):
                raise TypeError(
                    f"{cls.__name__} overrides {name}, which is the same for all models: what is its own "
                    "are forward and trace"
                )

    @abstractmethod
    def forward(self, images: Tensor) -> Tensor:
        """Return the likelihood's parameters at every position at once.

        Args:
            images: uint8 `(B, C, H, W)`, values below `config.num_levels`.

        Returns:
            `(B, groups, maps, H, W)` in the dtype of the weights.
        """

    @property
    def reads_border(self) -> bool:
        """Whether `trace` is given, beside the colours, a feature that is 1 on pixels and 0 outside."""
        return False

    @abstractmethod
    def trace(self, image: Traced) -> Traced:
        """Write the network down, as operations on one pixel.

        Args:
            image: the colours of a pixel, scaled to [-1, 1], and the border feature if it is read.

        Returns:
            The likelihood's parameters of all groups, side by side.
        """

    @final
    @usual_torch()
    def lower(self) -> Program:
        """Return the network as a program of operations on one pixel."""
        config, likelihood = self.config, self.likelihood
        program = Program(config.channels, config.num_levels, likelihood.groups)
        image = program.new_map(config.channels + self.reads_border)
        program.image = image.part(0, config.channels)
        program.border = image.part(config.channels, 1) if self.reads_border else None
        groups = feature_groups(config.channels, likelihood.groups).numpy()
        with torch.no_grad():
            parameters = self.trace(Traced(program, image, np.append(groups, 0)[: image.count]))
        program.likelihood = likelihood.lower(parameters.features)
        simplify(program)
        return program

    def receptive_field(self, place: Place, *, height: int, width: int) -> npt.NDArray[np.bool_]:
        """Return which sub-pixels the distribution at `place` may depend on, bool `(C, height, width)`."""
        return receptive_field(self.lower(), place, height=height, width=width)

    @final
    def log_prob_map(self, images: AnyImages, dtype: torch.dtype | None = None) -> Tensor:
        """Return the log-probability of every sub-pixel given all before it.

        Args:
            images: uint8 `(B, C, H, W)`, values below `config.num_levels`.
            dtype: precision of the likelihood; by default that of the weights.

        Returns:
            `(B, C, H, W)` nats.

        Raises:
            ImageMismatchError: if the images do not fit the model.
        """
        images = self.check_images(images)
        parameters = self(images)
        dtype = dtype or self.dtype
        if dtype == torch.float64 and parameters.device.type == "mps":  # which has none
            parameters, images = parameters.cpu(), images.cpu()
        return self.likelihood.log_prob(parameters.to(dtype), images)

    @final
    def log_prob(self, images: AnyImages) -> Tensor:
        """Return the log-probability of whole images, `(B,)` nats; see `log_prob_map`."""
        return self.log_prob_map(images).sum(dim=(1, 2, 3))

    def matrices(self) -> list[Matrices]:
        """Return the matrices of the hidden layers, for an optimiser that steps by matrices: none."""
        return []

    def nats(self, images: AnyImages) -> Tensor:
        """Return the negative log-probability of all images together: what training makes small.

        It is minus the sum of `log_prob`; a model may have a way to it that needs less memory.

        Args:
            images: uint8 `(B, C, H, W)`, values below `config.num_levels`.

        Returns:
            One number, nats.

        Raises:
            ImageMismatchError: if the images do not fit the model.
        """
        return -self.log_prob(images).sum()

    @final
    def sample(
        self,
        count: int,
        *,
        size: tuple[int, int] | None = None,
        seed: int = 0,
        temperature: float = 1.0,
        indices: Sequence[int] | None = None,
        threads: int | None = None,
        on_progress: Callable[[int], None] | None = None,
    ) -> Images:
        """Draw images, uint8 `(count, C, H, W)`, exactly, pixel by pixel in the stepper.

        Image i depends on (seed, i) and the model alone: not on the number of images, the threads,
        or the order of the work.

        Args:
            count: how many images.
            size: (height, width) in pixels; by default that of the training images.
            seed: 0 to 2^63 - 1.
            temperature: 1 for the model's own distribution; sharper below, flatter above.
            indices: which images of the seed's endless row of them; by default 0 ... count - 1.
            threads: images drawn at the same time; by default one for each usable core.
            on_progress: called with the pixels done since its last call, from any thread.

        Raises:
            ImageMismatchError: if size, count or temperature is not positive, no size is known, or
                the images would need too much memory.
        """
        height, width = checked_size(size or self.config.image_size, count)
        check_temperature(temperature)
        if count < 1:
            raise ImageMismatchError(f"at least one image must be drawn, not {count}")
        blank = np.zeros((count, self.config.channels, height, width), np.uint8)
        return (
            Runner(self.lower(), threads=threads)
            .run(
                blank,
                np.array(False),
                seed=seed,
                temperature=temperature,
                indices=indices,
                on_progress=on_progress,
            )
            .images
        )

    @final
    @property
    def dtype(self) -> torch.dtype:
        """The floating-point type of the weights."""
        return next(self.parameters()).dtype

    @final
    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return next(self.parameters()).device

    @final
    def num_parameters(self) -> int:
        """Count the parameters. Weights that a mask would zero do not exist, so all count."""
        return sum(parameter.numel() for parameter in self.parameters())

    @final
    def check_images(self, images: AnyImages) -> Tensor:
        """Return images as a tensor; raise `ImageMismatchError` unless they are what the model takes."""
        given = as_tensor(images, self.device)
        check_images(given, self.config.channels, self.config.num_levels)
        return given


def check_temperature(temperature: float) -> None:
    """Raise `ImageMismatchError` unless a temperature is positive and finite."""
    if not 0 < temperature < float("inf"):
        raise ImageMismatchError(f"a temperature is a positive number, not {temperature}")


def checked_size(size: tuple[int, int] | None, count: int) -> tuple[int, int]:
    """Return the (height, width) of images that can be drawn, `count` at once.

    Raises:
        ImageMismatchError: if there is no size, or there are too many pixels to keep.
    """
    if size is None:
        raise ImageMismatchError("this model does not say how large its images were: give a size")
    height, width = size
    if not all(1 <= side <= MAX_SIDE for side in size):
        raise ImageMismatchError(
            f"no image of {height} x {width} pixels can be drawn: a side is 1 to {MAX_SIDE}"
        )
    if count * height * width > MAX_PIXELS_DRAWN:
        raise ImageMismatchError(
            f"{count:,} x {height} x {width} pixels are more than the {MAX_PIXELS_DRAWN:,} that can be "
            "drawn at once: draw fewer, or smaller ones (--size HEIGHTxWIDTH)"
        )
    return size
