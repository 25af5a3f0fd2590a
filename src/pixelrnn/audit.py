"""Checks of the contract: does a model peek, does it cover what it claims, do its numbers add up?

Each check asks only what any autoregressive model can answer: its parameters, its likelihood and its
claimed receptive field. A violation raises `ContractViolation`, which names the first sub-pixel at
fault. Run them in float64, where "equal" means equal and no rounding can hide behind a tolerance.
"""

import itertools
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from pixelrnn import ordering
from pixelrnn.errors import PixelRNNError
from pixelrnn.models import AutoregressiveModel
from pixelrnn.ordering import Place

NORMALISATION_TOLERANCE = 1e-12
CHANGES_AT_ONCE = 64  # images of a batch: memory, not the result


class ContractViolation(PixelRNNError):  # noqa: N818 - it reports what was found, like a test
    """A model broke the contract: it peeks, misses what it claims, or does not sum to one."""

    exit_code = 1


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
    channels, height, width = image.shape
    order = torch.from_numpy(ordering.positions(channels=channels, height=height, width=width))
    count = channels * height * width
    originals = image.expand(count, -1, -1, -1).contiguous()
    changed = _each_changed(
        image, order.flatten().argsort()[:, None], model.config.num_levels, generator
    )
    # The same batch shape twice: the same sums, in the same order, unless a changed value gets in.
    before, after = model(originals), model(changed)
    nats_before = model.likelihood.log_prob(before, originals)
    nats_after = model.likelihood.log_prob(after, changed)
    groups = before.shape[1]
    parameter_order = order if groups == channels else order[:1]
    moved = (before != after).any(dim=2)  # (positions, groups, H, W)
    steps = torch.arange(count)[:, None, None, None]
    _raise_first(moved & (parameter_order <= steps), "the parameters", channels, width)
    _raise_first((nats_before != nats_after) & (order < steps), "the score", channels, width)


def _each_changed(
    image: Tensor, flat_places: Tensor, num_levels: int, generator: torch.Generator
) -> Tensor:
    """Return copies of the image, copy n with the sub-pixels `flat_places[n]` changed."""
    count = len(flat_places)
    copies = image.repeat(count, 1, 1, 1)  # a copy even if there is but one
    steps = torch.randint(1, num_levels, (count, 1), generator=generator)
    flat = copies.view(count, image.numel())
    rows = torch.arange(count)[:, None]
    flat[rows, flat_places] = ((flat[rows, flat_places] + steps) % num_levels).to(torch.uint8)
    return copies


def _raise_first(leaks: Tensor, what: str, channels: int, width: int) -> None:
    if not leaks.any():
        return
    step, channel, row, column = leaks.nonzero()[0].tolist()
    changed = ordering.place(step, channels=channels, width=width)
    raise ContractViolation(
        f"not causal: {what} of row {row}, column {column}, colour {channel} changed with the later "
        f"sub-pixel at row {changed.row}, column {changed.column}, colour {changed.channel}"
    )


@torch.no_grad()
def measure_receptive_field(
    model: AutoregressiveModel,
    images: Tensor,
    place: Place,
    generator: torch.Generator,
    *,
    by_pixel: bool = False,
) -> npt.NDArray[np.bool_]:
    """Return which earlier sub-pixels change the distribution at `place`, bool `(C, H, W)`.

    Every earlier sub-pixel of every image is changed, one at a time; what moves the pmf of the
    sub-pixel at `place` for any of the images is part of the field.

    Args:
        model: the model, best in float64.
        images: uint8 `(B, C, H, W)`; more images find more of the field.
        place: whose distribution is watched.
        generator: draws the new levels.
        by_pixel: change all colours of a pixel at once, which takes a third of the time; a pixel
            is then seen whole or not at all.
    """
    _, channels, height, width = images.shape
    changes = _earlier_changes(channels, height, width, place, by_pixel=by_pixel)
    field = np.zeros((channels, height, width), dtype=bool)
    for image in images:
        before = torch.empty(0)
        for places in changes.split(CHANGES_AT_ONCE) if len(changes) else ():
            changed = _each_changed(image, places, model.config.num_levels, generator)
            if len(before) != len(places):  # the same batch shape, as in `check_causal`
                before = _pmf_at(model, image.expand(len(places), -1, -1, -1), place)
            moved = (before != _pmf_at(model, changed, place)).any(dim=1)
            field.reshape(-1)[places[moved.cpu()].numpy()] = True
    return field


def _earlier_changes(
    channels: int, height: int, width: int, place: Place, *, by_pixel: bool
) -> Tensor:
    """Return which sub-pixels to change together, flat indices `(changes, together)`."""
    order = ordering.positions(channels=channels, height=height, width=width)
    here = ordering.position(place, channels=channels, width=width)
    if not by_pixel:
        return torch.from_numpy(np.flatnonzero(order.reshape(-1) < here))[:, None]
    pixels = np.arange(place.row * width + place.column)
    pixels = pixels[:, None] + np.arange(channels) * height * width
    own = np.arange(place.channel) * height * width + place.row * width + place.column
    return torch.from_numpy(np.concatenate([pixels, np.repeat(own[:, None], channels, axis=1)]))


def _pmf_at(model: AutoregressiveModel, images: Tensor, place: Place) -> Tensor:
    """Return the log pmf `(B, levels)` of the sub-pixel at `place`."""
    rows = images[:, :, : place.row + 1]  # what is below cannot matter: `check_causal`
    parameters = model(rows.contiguous())
    row, column = slice(place.row, place.row + 1), slice(place.column, place.column + 1)
    pmf = model.likelihood.log_pmf(
        parameters[..., row, column], images[..., row, column], place.channel
    )
    return pmf[:, :, 0, 0]


def check_covers(
    models: Iterable[AutoregressiveModel],
    images: Tensor,
    place: Place,
    generator: torch.Generator,
) -> None:
    """Check that the models, of one configuration, together see just what they claim at `place`.

    Args:
        models: the same architecture, differently initialised: together they must move everything.
        images: uint8 `(B, C, H, W)`.
        place: whose distribution is watched.
        generator: draws the new levels.

    Raises:
        ContractViolation: names a sub-pixel that is claimed but not seen, or seen but not claimed.
    """
    _, channels, height, width = images.shape
    claimed = np.zeros((channels, height, width), dtype=bool)
    seen = claimed.copy()
    for model in models:
        claimed |= model.receptive_field(place, height=height, width=width)
        seen |= measure_receptive_field(model, images, place, generator)
    troubles = {"claimed but never seen": claimed & ~seen, "seen but not claimed": seen & ~claimed}
    for trouble, wrong in troubles.items():
        if wrong.any():
            channel, row, column = np.argwhere(wrong)[0]
            raise ContractViolation(
                f"the receptive field of row {place.row}, column {place.column}, colour "
                f"{place.channel} is wrong: row {row}, column {column}, colour {channel} is {trouble}"
            )


@torch.no_grad()
def check_pmf(model: AutoregressiveModel, images: Tensor) -> None:
    """Check that the levels of every sub-pixel sum to one, to 1e-12.

    Raises:
        ContractViolation: gives the largest deviation.
    """
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
    levels = range(model.config.num_levels)
    worlds = itertools.product(levels, repeat=int(np.prod(shape)))
    total = 0.0
    for chunk in _batched(worlds, 4096):
        images = torch.tensor(chunk, dtype=torch.uint8).view(-1, *shape)
        total += float(model.log_prob(images).exp().sum())
    if not abs(total - 1) <= NORMALISATION_TOLERANCE * 100:
        raise ContractViolation(f"not normalised: all images together have probability {total!r}")


def _batched(items: Iterable[tuple[int, ...]], size: int) -> Iterable[list[tuple[int, ...]]]:
    iterator = iter(items)
    while batch := list(itertools.islice(iterator, size)):
        yield batch


@torch.no_grad()
def check_batch_invariant(model: AutoregressiveModel, images: Tensor) -> None:
    """Check that an image scores the same alone as in a batch: nothing is normalised over images.

    Call it in training mode: in evaluation mode batch normalisation would not show.

    Raises:
        ContractViolation: gives the largest difference in nats.
    """
    together = model.log_prob(images)
    alone = torch.cat([model.log_prob(image[None]) for image in images])
    worst = float((together - alone).abs().max())
    if not worst <= 1e-9 * float(together.abs().max()):
        raise ContractViolation(f"an image scores differently in a batch, by {worst:.3g} nats")
