"""The contract that every autoregressive model keeps; `contract/` checks it.

    p(image) = prod over positions n of   p(x_n | x_0, ..., x_{n-1})        (paper, equation 1)

with the order of `ordering.py`: raster order, red -> green -> blue inside a pixel.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import final

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from pixelrnn.arrays import Floats, Images
from pixelrnn.coding import load_program
from pixelrnn.graph.guidance import guide
from pixelrnn.graph.program import Program
from pixelrnn.graph.reach import receptive_field
from pixelrnn.graph.traced import Traced
from pixelrnn.layers.matrices import Matrices
from pixelrnn.likelihoods import Likelihood, scale_levels
from pixelrnn.models.conditional import Conditional
from pixelrnn.models.config import ModelConfig
from pixelrnn.models.given import Conditions, check_guidance
from pixelrnn.models.given_images import AnyImages, as_tensor, check_images
from pixelrnn.models.lowering import largest_results, lower_by_stand_ins, write_down
from pixelrnn.models.symbols import SYMBOLS
from pixelrnn.models.torch_state import usual_torch
from pixelrnn.operations.export import export
from pixelrnn.ordering import Place
from pixelrnn.stepper.asked import check_temperature
from pixelrnn.stepper.coder import Coder
from pixelrnn.stepper.drawing import sample


class AutoregressiveModel(Conditional, ABC):
    """A model that gives every image an exact probability, one sub-pixel after the other.

    Any image size works with the same weights. Images to score are tensors, on the device of the weights,
    or arrays of numpy; there may be none, and then the result is empty.

    `torch.export.export(model, (images,), strict=False)` gives what `forward` does as a graph, for images
    of that height and width; the number of images may be left open. The LSTMs' graphs grow with the size.

    Attributes:
        config: the frozen configuration.
        likelihood: how parameters become probabilities.
        symbols: of a model of symbols, its `SymbolTables`.
        calibration: how large the results of operations become on the training images; see `calibrate`.
        shipped_as: the name of a model that comes with the package, and has integers of its own.
    """

    config: ModelConfig
    likelihood: Likelihood
    calibration: Floats | None = None
    shipped_as: str | None = None

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
        """Whether the inputs have, beside the colours, a feature that is 1 on pixels and 0 outside."""
        return False

    @final
    def inputs(self, images: Tensor) -> Tensor:
        """Return what comes into the network, and the border feature if it is read, `(B, F, H, W)`.

        It is the colours scaled to [-1, 1]; or, of symbols, what they are looked up as.
        """
        if self.config.has_symbols:
            values: Tensor = self.get_submodule(SYMBOLS)(images)
        else:
            values = scale_levels(images, self.config.num_levels, self.dtype)
        if self.reads_border:
            values = torch.cat([values, torch.ones_like(values[:, :1])], dim=1)
        if torch.is_autocast_enabled(
            values.device.type
        ):  # what matrix units of half precision want
            values = values.contiguous(memory_format=torch.channels_last)
        return values

    @abstractmethod
    def trace(self, image: Traced, given: Conditions[Traced]) -> Traced:
        """Write the network down, as operations on one pixel.

        Args:
            image: what comes into the network of a pixel, see `inputs`.
            given: what the image is given by, where the configuration says that it may be.

        Returns:
            The likelihood's parameters of all groups, side by side.
        """

    @final
    @usual_torch()
    @torch.no_grad()
    def lower(self, images: AnyImages | None = None) -> Program:
        """Return the network as a program of operations on one pixel.

        Args:
            images: uint8 `(N, C, H, W)`: 128 of them, evenly spread, say how large the results of the
                operations become, which is what integers are scaled by. Without any, what `calibrate`
                found is taken, where it was called.

        Raises:
            NotImplementedError: if `trace` is not written, or does what only tensors can.
            ExportError: if a result is not finite.
        """
        program = write_down(self)
        largest = self.calibration if images is None else largest_results(self, images)
        if largest is not None and len(largest) == len(program.largest()):
            program.set_largest(largest)
        return program

    @final
    def calibrate(self, images: AnyImages) -> None:
        """Remember how large results become on images (see `lower`): `store.save` keeps it."""
        self.calibration = self.lower(images).largest()

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
        return self.as_given(images, self.likelihood.log_prob(parameters.to(dtype), images))

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
        guidance: float = 0.0,
        indices: Sequence[int] | None = None,
        threads: int | None = None,
        on_progress: Callable[[int], None] | None = None,
    ) -> Images:
        """Sample images, uint8 `(count, C, H, W)`, exactly, pixel by pixel.

        What a file of the image would be decoded from are random bits: the images have the distribution
        by which the model's integer program codes, on every machine the same. Image i depends on (seed, i)
        and the model alone: not on the number of images, the threads, or the order of the work.

        Args:
            count: how many images.
            size: (height, width) in pixels; by default that of the training images.
            seed: 0 to 2^63 - 1.
            temperature: 1 for the model's own distribution; sharper below, flatter above.
            guidance: how much further than its label takes it an image is led from those of no class; see
                `coder`.
            indices: which images of the seed's endless row of them; by default 0 ... count - 1.
            threads: images sampled at the same time; by default one for each usable core.
            on_progress: called with the pixels done since its last call, from any thread.

        Raises:
            ImageMismatchError: if size, count or temperature is not positive, no size is known, or
                the images would need too much memory.
            ExportError: if the weights are too large for integers.
        """
        self.given_by.require(count)
        return sample(
            self.coder(temperature, guidance), count, size or self.config.image_size,
            given=[self.given_by.levels(n, self.config.num_labels) for n in range(count)],
            seed=seed, indices=indices, threads=threads, on_progress=on_progress,
        )  # fmt: skip

    @final
    def coder(self, temperature: float = 1.0, guidance: float = 0.0) -> Coder:
        """Return the network in integers, ready to sample.

        Its scales are those that `calibrate` found; where it was not called, those of images that the model
        sampled itself. A model that comes with the package has its integers with it.

        Args:
            temperature: of the distribution: 1 for the model's own.
            guidance: w in log q(x) = (1 + w) log p(x | label) - w log p(x) + constant, of each sub-pixel;
                for models with labels. See `graph/guidance.py`.

        Raises:
            ImageMismatchError: if the temperature is not positive, or the model cannot be guided.
            ExportError: if the weights are too large for integers.
        """
        check_temperature(temperature)
        if guidance:
            check_guidance(self.config, guidance)
        if temperature == 1 and not guidance and self.shipped_as:
            return Coder(load_program(self.shipped_as).program)
        program = self.lower()
        if np.isnan(program.largest()).any():
            program = lower_by_stand_ins(self)
        self.likelihood.set_temperature(program, temperature)
        if guidance:
            guide(program, guidance)
        return Coder(export(program))

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
