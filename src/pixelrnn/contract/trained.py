"""The contract on a model as it is, with the weights that it has: the checks, one after the other.

The quick ones take seconds, and are run before a figure is believed; the others go further, to the size
of the training images in float64, to what is drawn and to what is coded.
"""

import copy
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from pixelrnn.coding import CodingModel, name_model
from pixelrnn.contract.causality import check_causal, check_causal_at
from pixelrnn.contract.program import check_codes, check_samples, check_steps, program_of
from pixelrnn.contract.sums import check_batch_invariant, check_normalised, check_pmf
from pixelrnn.contract.violation import ContractViolation
from pixelrnn.data import Images
from pixelrnn.errors import NonFiniteResultError
from pixelrnn.models import AutoregressiveModel
from pixelrnn.models.given_images import as_levels, as_tensor
from pixelrnn.models.lowering import CALIBRATION_IMAGES
from pixelrnn.operations.export import export
from pixelrnn.uncertainty import evenly_spread

SIZES = ((5, 7), (7, 5))  # neither square nor of the training images
USUAL_SIZE, LARGEST_SIDE = (16, 16), 64  # pixels
PIXELS_LOOKED_AT = {True: 1 << 15, False: 1 << 20}  # quickly, or not: of all causal looks together
USUAL_PARAMETERS, FEWEST = 1 << 17, 8  # of larger models fewer positions are looked at, but some
WORLDS = ((2, 2), (1, 3), (1, 2), (1, 1))
LARGEST_WORLD = 1 << 16  # images
MOST_LEVELS = 1 << 20  # of all pixels of an image
COMPARED, CODED = 4, 64  # images
CODED_PIXELS = 1 << 16
CPU = torch.device("cpu")
OnProgress = Callable[[float], None]


@dataclass(frozen=True)
class Check:
    """One check of the contract.

    Attributes:
        name: of what must hold, in a word or two.
        run: raises `ContractViolation`, or returns what was covered; it is given a function that is called
            with the share of the check done since its last call.
    """

    name: str
    run: Callable[[OnProgress], str]


def require_kept(name: str, model: AutoregressiveModel, images: Images | None = None) -> None:
    """Run the quick checks, which take seconds, before a figure of a model is believed.

    Raises:
        ContractViolation: names the model and what it breaks.
        NonFiniteResultError: if its weights give no numbers at all.
    """
    for check in checks(model, images, quick=True):
        try:
            check.run(lambda share: None)
        except ContractViolation as violation:
            raise ContractViolation(f"{name} breaks the contract: {violation}") from violation


def checks(
    model: AutoregressiveModel,
    images: Images | None = None,
    *,
    coding: CodingModel | None = None,
    quick: bool = False,
    seed: int = 0,
) -> Iterator[Check]:
    """Yield the checks of a model with the weights that it has.

    Args:
        model: the model, float32.
        images: some that it is meant for, uint8 `(N, C, H, W)`; by default random ones.
        coding: the model in integers, where there is one; by default it is exported.
        quick: leave out what takes more than seconds.
        seed: of random images and of the levels that are tried.

    Example:
        >>> from pixelrnn.models import PixelCNNConfig, build
        >>> model = build(PixelCNNConfig(channels=1, num_levels=4, features=4, layers=1))
        >>> for check in checks(model, quick=True):
        ...     print(f"{check.name}: {check.run(lambda share: None)}")
        causal: all 35 sub-pixels of 5 x 7 and of 7 x 5, 128 of 256 of 16 x 16
        normalised: ...
    """
    contract = _Trained(model, images, coding, quick, torch.Generator().manual_seed(seed))
    contract.require_finite()
    yield Check("causal", contract.causal)
    yield Check("normalised", contract.normalised)
    yield Check("alone as in a batch", contract.batch_invariant)
    yield Check("steps as it forwards", contract.steps)
    if not quick:
        yield Check("draws what it scores", contract.samples)
        yield Check("codes exactly", contract.codes)


@dataclass
class _Trained:
    """A model, in float32 and in float64, and the images that it is looked at with."""

    model: AutoregressiveModel
    images: Images | None
    coding: CodingModel | None
    quick: bool
    generator: torch.Generator

    def __post_init__(self) -> None:
        self.model = copy.deepcopy(self.model).cpu()
        self.exact = copy.deepcopy(self.model).double()
        if self.images is not None:
            some = self.images[evenly_spread(len(self.images), CALIBRATION_IMAGES)]
            self.images = np.ascontiguousarray(some[..., :LARGEST_SIDE, :LARGEST_SIDE])

    def random(self, count: int, height: int, width: int) -> Tensor:
        """Return images, uint8 `(count, C, height, width)`, every level equally likely."""
        config = self.model.config
        shape = (count, config.channels, height, width)
        levels = torch.randint(config.num_levels, shape, generator=self.generator)
        return as_levels(levels, config.num_levels)

    @property
    def given(self) -> Tensor:
        """A few images of the training size: real ones, or else random ones."""
        if self.images is not None:
            return as_tensor(self.images[:COMPARED], CPU)
        height, width = self.model.config.image_size or USUAL_SIZE
        return self.random(COMPARED, min(height, LARGEST_SIDE), min(width, LARGEST_SIDE))

    @torch.no_grad()
    def require_finite(self) -> None:
        """Raise `NonFiniteResultError` where there is no number to be checked."""
        if not torch.isfinite(self.model.log_prob(self.given)).all():
            raise NonFiniteResultError(
                "the model's cost of an image is not finite, which is no result: its weights are of no "
                "use; train it anew with a lower optimizer.learning_rate"
            )

    def causal(self, on_progress: OnProgress) -> str:
        for height, width in SIZES:
            (image,) = self.random(1, height, width)
            check_causal(self.exact, image, self.generator)
        image = self.given[0]
        steps = self._positions(image)
        check_causal_at(
            self.exact, image, steps, self.generator, lambda done: on_progress(done / len(steps))
        )
        channels, height, width = image.shape
        (first, second), small = SIZES, channels * SIZES[0][0] * SIZES[0][1]
        return (
            f"all {small} sub-pixels of {_by(first)} and of {_by(second)}, {len(steps):,} of "
            f"{image.numel():,} of {_by((height, width))}"
        )

    def _positions(self, image: Tensor) -> Tensor:
        """Return which positions of an image are looked at: the first, the last, others by chance."""
        height, width = image.shape[1:]
        share = min(1.0, USUAL_PARAMETERS / self.model.num_parameters())
        most = max(FEWEST, int(PIXELS_LOOKED_AT[self.quick] * share) // (height * width))
        if image.numel() <= most:
            return torch.arange(image.numel())
        ends = torch.tensor([0, image.numel() - 1])
        others = torch.randperm(image.numel() - 2, generator=self.generator)[: most - 2] + 1
        return torch.cat([ends, others]).sort().values

    def normalised(self, on_progress: OnProgress) -> str:
        for size in SIZES:
            check_pmf(self.exact, self.random(2 if self._side > max(size) else 1, *size))
            on_progress(1 / (len(SIZES) + 1))
        covered = f"the levels of every sub-pixel of {_by(SIZES[0])} and of {_by(SIZES[1])}"
        if self.quick:
            return covered
        image = self.given[:1, :, : self._side, : self._side]
        check_pmf(self.exact, image)
        covered += f" and of {_by(image.shape[2:])}"
        levels, channels = self.model.config.num_levels, self.model.config.channels
        for height, width in WORLDS:
            count = levels ** (channels * height * width)
            if count <= LARGEST_WORLD:
                check_normalised(self.exact, height, width)
                return f"{covered}; all {count:,} images of {_by((height, width))} together"
        return f"{covered}; even the images of 1 x 1 are too many to be listed"

    @property
    def _side(self) -> int:
        """The side of an image all levels of whose pixels can be looked at."""
        return max(1, math.isqrt(MOST_LEVELS // self.model.config.num_levels))

    def batch_invariant(self, on_progress: OnProgress) -> str:
        images = self.given
        check_batch_invariant(self.exact.train(), images)
        self.exact.eval()
        return f"{len(images)} images of {_by(images.shape[2:])}"

    def steps(self, on_progress: OnProgress) -> str:
        model, precision = (self.model, "float32") if self.quick else (self.exact, "float64")
        images = [self.random(2, *size) for size in SIZES] + [self.given]
        for some in images:
            check_steps(model, some)
            on_progress(1 / len(images))
        sizes = ", ".join(_by(some.shape[2:]) for some in images)
        return f"every sub-pixel of {sum(map(len, images))} images of {sizes} in {precision}"

    def samples(self, on_progress: OnProgress) -> str:
        check_samples(self.model, *SIZES[0])
        return f"ranks of the levels drawn, images of {_by(SIZES[0])}"

    def codes(self, on_progress: OnProgress) -> str:
        images = self._to_code()
        coding = self.coding
        if coding is None:
            seen = images if self.images is None else self.images
            coding = name_model("model", export(program_of(self.model, seen)))
        covered = check_codes(self.model, coding, images)
        return f"{len(images)} images of {_by(images.shape[2:])}, decoded again: {covered}"

    def _to_code(self) -> Tensor:
        """Return images to code: real ones, or else what the model draws."""
        height, width = self.given.shape[2:]
        count = max(1, min(CODED, CODED_PIXELS // (height * width)))
        if self.images is not None:
            return as_tensor(self.images[:count], CPU)
        return as_tensor(self.model.sample(count, size=(height, width)), CPU)


def _by(size: tuple[int, ...] | torch.Size) -> str:
    return f"{size[0]} x {size[1]}"
