"""Does a model peek at what it has yet to predict?"""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from pixelrnn import ordering
from pixelrnn.contract.violation import ContractViolation, named
from pixelrnn.models import AutoregressiveModel

CHANGES_AT_ONCE = 64  # images of a batch: memory, not the result
PARAMETERS_AT_ONCE = 1 << 22  # of the likelihood, of a batch: 32 MB in float64


@torch.no_grad()
def check_causal(model: AutoregressiveModel, image: Tensor, generator: torch.Generator) -> None:
    """Check that changing one sub-pixel leaves everything at or before it bit for bit as it was.

    Every sub-pixel is changed in turn, to a random other level. The parameters of each position not
    after it, and the log-probability of each before it, must be `torch.equal`.

    Args:
        model: the model, best in float64.
        image: uint8 `(C, H, W)`.
        generator: draws the new levels.

    Raises:
        ContractViolation: names the changed sub-pixel and one that moved though it comes earlier.
    """
    _check_from(0, model, image, generator)


@torch.no_grad()
def check_causal_at(
    model: AutoregressiveModel,
    image: Tensor,
    steps: Tensor,
    generator: torch.Generator,
    on_progress: Callable[[int], None] | None = None,
) -> None:
    """Check that nothing at or before some positions hangs on what comes at or after them.

    For each of them *all* sub-pixels from there on are changed at once, so that one look of the model
    stands for all of them. What is found is then sought sub-pixel by sub-pixel, to be named.

    Args:
        model: the model, best in float64.
        image: uint8 `(C, H, W)`.
        steps: positions in the order, int64 `(n,)`.
        generator: draws the new levels.
        on_progress: called with the positions done since its last call.

    Raises:
        ContractViolation: names a sub-pixel that moved and the later one that it hangs on.
    """
    order = torch.from_numpy(_order(image))
    likelihood = model.likelihood
    numbers = likelihood.groups * (likelihood.head_maps + likelihood.prediction_maps)
    at_once = PARAMETERS_AT_ONCE // (numbers * image[0].numel())
    for some in steps.split(min(CHANGES_AT_ONCE, max(1, at_once))):
        levels = model.config.num_levels
        shifts = torch.randint(1, levels, (len(some), *image.shape), generator=generator)
        later = order >= some[:, None, None, None]
        changed = torch.where(later, (image + shifts) % levels, image).to(image.dtype)
        try:
            _compare(model, image, changed, some)
        except ContractViolation:
            _check_from(int(some[0]), model, image, generator, CHANGES_AT_ONCE // 4)
            raise
        if on_progress:
            on_progress(len(some))


def _check_from(
    first: int,
    model: AutoregressiveModel,
    image: Tensor,
    generator: torch.Generator,
    at_once: int = CHANGES_AT_ONCE,
) -> None:
    """Change the sub-pixels from position `first` on one by one, to name the one that is peeked at."""
    places = torch.from_numpy(_order(image)).flatten().argsort()[:, None]
    for steps in torch.arange(first, image.numel()).split(at_once):
        changed = each_changed(image, places[steps], model.config.num_levels, generator)
        _compare(model, image, changed, steps)


def _order(image: Tensor) -> np.ndarray:
    channels, height, width = image.shape
    return ordering.positions(channels=channels, height=height, width=width)


def each_changed(
    image: Tensor, flat_places: Tensor, num_levels: int, generator: torch.Generator
) -> Tensor:
    """Return copies of the image, copy n with the sub-pixels `flat_places[n]` changed."""
    count = len(flat_places)
    copies = image.repeat(count, 1, 1, 1)  # a copy even if there is but one
    steps = torch.randint(1, num_levels, (count, 1), generator=generator)
    flat = copies.view(count, image.numel())
    rows = torch.arange(count)[:, None]
    flat[rows, flat_places] = ((flat[rows, flat_places] + steps) % num_levels).to(flat.dtype)
    return copies


def _computed(model: AutoregressiveModel, images: Tensor) -> tuple[Tensor, Tensor]:
    """Return parameters and scores of images, computed where the weights are."""
    there = images.to(model.device)
    parameters = model(there)
    return parameters.cpu(), model.likelihood.log_prob(parameters, there).cpu()


def _compare(model: AutoregressiveModel, image: Tensor, changed: Tensor, steps: Tensor) -> None:
    """Raise if, of copy n, anything moved that is not after position `steps[n]`."""
    channels, _, width = image.shape
    order = torch.from_numpy(_order(image))
    originals = image.expand(len(changed), -1, -1, -1).contiguous()
    # The same batch shape twice: the same sums, in the same order, unless a changed value gets in.
    before, nats_before = _computed(model, originals)
    after, nats_after = _computed(model, changed)
    parameter_order = order if before.shape[1] == channels else order[:1]
    moved = (before != after).any(dim=2)  # (positions, groups, H, W)
    bounds = steps[:, None, None, None]
    for what, leaks in (
        ("the parameters", moved & (parameter_order <= bounds)),
        ("the score", (nats_before != nats_after) & (order < bounds)),
    ):
        if leaks.any():
            number, channel, row, column = leaks.nonzero()[0].tolist()
            here = ordering.Place(row, column, channel)
            later = ordering.place(int(steps[number]), channels=channels, width=width)
            seen = "the later sub-pixel" if later != here else "its own value"
            raise ContractViolation(
                f"not causal: {what} of {named(here)} changed with {seen} at {named(later)}"
            )
