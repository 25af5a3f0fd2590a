"""Do a model's numbers add up: over the levels, over all images, and in any batch?"""

import math

import torch
from torch import Tensor

from pixelrnn.contract.violation import ContractViolation
from pixelrnn.models import AutoregressiveModel
from pixelrnn.models.given_images import as_levels

NORMALISATION_TOLERANCE = 1e-12
IMAGES_AT_ONCE = 4096


@torch.no_grad()
def check_pmf(model: AutoregressiveModel, images: Tensor) -> None:
    """Check that the levels of every sub-pixel sum to one, to 1e-12.

    Raises:
        ContractViolation: gives the largest deviation.
    """
    images = images.to(model.device)
    parameters = model(images)
    for channel in range(images.shape[1]):
        total = model.likelihood.log_pmf(parameters, images, channel).exp().sum(dim=1)
        worst = float((total - 1).abs().max())
        if not worst <= NORMALISATION_TOLERANCE:
            raise ContractViolation(
                f"not normalised: the levels of colour {channel} sum to one only within {worst:.3g}"
            )


@torch.no_grad()
def check_normalised(model: AutoregressiveModel, height: int, width: int) -> None:
    """Check that the probabilities of *all* images of a small world sum to one.

    The world has `num_levels ** (C * height * width)` images: keep it below a million or so.

    Raises:
        ContractViolation: gives the sum.
    """
    shape = (model.config.channels, height, width)
    levels = [torch.arange(model.config.num_levels)] * math.prod(shape)
    images = as_levels(torch.cartesian_prod(*levels), model.config.num_levels).view(-1, *shape)
    parts = (some.to(model.device) for some in images.split(IMAGES_AT_ONCE))
    total = sum(float(model.log_prob(some).exp().sum()) for some in parts)
    if not abs(total - 1) <= NORMALISATION_TOLERANCE * 100:
        raise ContractViolation(f"not normalised: all images together have probability {total!r}")


@torch.no_grad()
def check_batch_invariant(model: AutoregressiveModel, images: Tensor) -> None:
    """Check that an image scores the same alone as in a batch: nothing is normalised over images.

    Call it in training mode: in evaluation mode batch normalisation would not show.

    Raises:
        ContractViolation: gives the largest difference in nats.
    """
    images = images.to(model.device)
    together = model.log_prob(images)
    alone = torch.cat(
        [model.of_images(torch.tensor([n])).log_prob(image[None]) for n, image in enumerate(images)]
    )
    worst = float((together - alone).abs().max())
    if not worst <= 1e-9 * float(together.abs().max()):
        raise ContractViolation(f"an image scores differently in a batch, by {worst:.3g} nats")
