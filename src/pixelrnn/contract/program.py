"""Is a model's program the model: does it compute the same, draw what is scored, and code exactly?"""

import numpy as np
import torch
from torch import Tensor

from pixelrnn.agreement import SURPRISE_BITS, Sizes, disagreements
from pixelrnn.coding import CodingModel
from pixelrnn.coding.measuring import measure_files
from pixelrnn.contract.violation import ContractViolation, named
from pixelrnn.graph.program import Program
from pixelrnn.models import AutoregressiveModel
from pixelrnn.models.given_images import AnyImages, as_array, as_tensor
from pixelrnn.operations.oracle import UnwrittenError, parameters_of
from pixelrnn.ordering import Place
from pixelrnn.units import bits, bits_per_dim

# Of the largest parameter: rounding, and room for long sums of it.
STEPS_TOLERANCE = {torch.float64: 1e-8, torch.float32: 1e-3}
DRAWN, BINS = 48, 16
UNLIKELY = 1e-6


def program_of(model: AutoregressiveModel, images: AnyImages | None = None) -> Program:
    """Return the model's program, scaled by images if there are any.

    Raises:
        ContractViolation: if it has none.
    """
    try:
        return model.lower(images)
    except NotImplementedError as error:
        why = str(error) or f"{type(model).__name__}.trace is not written"
        raise ContractViolation(f"no program: {why}") from None


@torch.no_grad()
def check_steps(model: AutoregressiveModel, images: Tensor) -> None:
    """Check that the program gives, pixel by pixel, what `forward` gives for whole images.

    Args:
        model: the model, float32 or, as proof, float64.
        images: uint8 `(B, C, H, W)`.

    Raises:
        ContractViolation: names the first sub-pixel at which they differ.
    """
    program = program_of(model)
    parameters = model(images.to(model.device)).cpu()
    try:
        levels, num_labels = images.cpu().numpy(), model.config.num_labels
        stepped = np.stack(
            [
                parameters_of(program, image, model.given_by.levels(n, num_labels))
                for n, image in enumerate(levels)
            ]
        )
    except UnwrittenError as error:
        raise ContractViolation(f"not the same program: {error}") from None
    if stepped.shape != tuple(parameters.shape):
        raise ContractViolation(
            f"not the same program: it gives parameters {stepped.shape[1:3]}, "
            f"forward {tuple(parameters.shape[1:3])}"
        )
    apart = (torch.from_numpy(stepped) - parameters).abs().amax(dim=2)
    within = STEPS_TOLERANCE[model.dtype] * float(parameters.abs().max())
    wrong = ~(apart <= within)  # NaN is wrong, too
    if wrong.any():
        image, row, column, channel = wrong.permute(0, 2, 3, 1).nonzero()[0].tolist()
        difference = float(apart[image, channel, row, column])
        raise ContractViolation(
            f"not the same program: the parameters of {named(Place(row, column, channel))} differ from "
            f"those of forward by {difference:.3g}"
        )


@torch.no_grad()
def check_samples(model: AutoregressiveModel, height: int, width: int, seed: int = 0) -> None:
    """Check that images are drawn as often as they are likely: the levels' ranks are uniform.

    The probability of all lower levels and a random share of its own is uniform between 0 and 1, for
    every drawn sub-pixel given those before it (a chi-square test over 16 bins).

    Raises:
        ContractViolation: if it is so uneven as happens once in a million.
    """
    program_of(model)
    drawn = model.sample(DRAWN, size=(height, width), seed=seed)
    images = as_tensor(drawn, torch.device("cpu"))
    parameters = model(images.to(model.device)).cpu()
    generator = torch.Generator().manual_seed(seed)
    counts = torch.zeros(BINS, dtype=torch.float64)
    for channel in range(images.shape[1]):
        pmf = model.likelihood.log_pmf(parameters, images, channel).exp().double()
        level = images[:, channel].long()[:, None]
        own = pmf.gather(1, level)
        below = (pmf.cumsum(dim=1).gather(1, level) - own).clamp(0, 1)
        share = torch.rand(own.shape, generator=generator, dtype=torch.float64)
        counts += torch.histc(below + share * own, BINS, 0.0, 1.0)
    expected = float(counts.sum()) / BINS
    statistic = ((counts - expected) ** 2 / expected).sum()
    freedom = torch.tensor((BINS - 1) / 2, dtype=torch.float64)
    likely = float(torch.special.gammaincc(freedom, statistic / 2))
    if not likely >= UNLIKELY:
        raise ContractViolation(
            f"not drawn as scored: the levels of {int(counts.sum()):,} drawn sub-pixels would be so "
            f"uneven with a probability of {likely:.1g}"
        )


@torch.no_grad()
def check_codes(model: AutoregressiveModel, coding: CodingModel, images: Tensor) -> str:
    """Check that images come back from a file, and are as large in it as the model says.

    Args:
        model: the model in floats.
        coding: the same in integers.
        images: uint8 `(B, C, H, W)`.

    Returns:
        The sizes in words.

    Raises:
        ContractViolation: if float, integer and file sizes differ by more than rounding explains.
        CompressedFileError: if other pixels come back.
    """
    sizes = measure_files(coding, as_array(images))
    cost = -model.log_prob_map(images.to(model.device), dtype=torch.float64).cpu()
    above = (cost * bits(1.0) - SURPRISE_BITS).clamp(min=0)
    found = Sizes(
        num_images=len(images),
        dims_per_image=images[0].numel(),
        float_bits_per_dim=bits_per_dim(float(cost.sum()), images.numel()),
        integer_bits_per_dim=sizes.ideal_bits_per_dim,
        message_bits_per_dim=sizes.message_bits_per_dim,
        file_bits_per_dim=sizes.file_bits_per_dim,
        surprise_bits_per_dim=float(above.mean()),
    )
    for trouble in disagreements(found):
        raise ContractViolation(trouble)
    return (
        f"{found.float_bits_per_dim:.4f} bits/dim in floats, {found.integer_bits_per_dim:.4f} in "
        f"integers, {found.message_bits_per_dim:.4f} as messages"
    )
