"""What does a model see, and is it what it claims?"""

import copy
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from pixelrnn import ordering
from pixelrnn.audit.causality import CHANGES_AT_ONCE, each_changed
from pixelrnn.audit.violation import ContractViolation, named
from pixelrnn.models import AutoregressiveModel
from pixelrnn.ordering import Place

LOOKS_AHEAD = 8  # at random values of all that comes later: one might change nothing by chance


@torch.no_grad()
def measure_receptive_field(
    model: AutoregressiveModel,
    images: Tensor,
    place: Place,
    generator: torch.Generator,
    *,
    by_pixel: bool = False,
) -> npt.NDArray[np.bool_]:
    """Return which sub-pixels change the distribution at `place`, bool `(C, H, W)`.

    Every sub-pixel of every image is changed, one at a time; what moves the pmf of the sub-pixel at
    `place` for any of the images is part of the field. That includes what comes later, and must not
    be seen: it is changed all at once first, and sub-pixel by sub-pixel only where that is noticed.

    Args:
        model: the model, best in float64.
        images: uint8 `(B, C, H, W)`; more images find more of the field.
        place: whose distribution is watched.
        generator: draws the new levels.
        by_pixel: change all colours of a pixel at once, which takes a third of the time; a pixel
            is then seen whole or not at all.
    """
    _, channels, height, width = images.shape
    earlier, later = _changes(channels, height, width, place, by_pixel=by_pixel)
    field = np.zeros((channels, height, width), dtype=bool)
    ahead = torch.Generator().manual_seed(0)  # its own: a look ahead changes no other draw
    for image in images:
        rows = place.row + 1  # what is below cannot matter
        if _looks_ahead(model, image, later.flatten(), place, ahead):
            rows = height
            _see(model, image, later, place, ahead, field, rows)
        _see(model, image, earlier, place, generator, field, rows)
    return field


def field_in_float64(
    model: AutoregressiveModel, image: npt.NDArray[np.uint8], place: Place
) -> npt.NDArray[np.bool_]:
    """Return what a model is seen to depend on at `place` for one image, in float64 and by pixels.

    Args:
        model: in any precision; it stays as it is.
        image: uint8 `(C, H, W)`.
        place: whose distribution is watched.
    """
    watched = copy.deepcopy(model).double()
    images = torch.from_numpy(image[None].copy())
    generator = torch.Generator().manual_seed(0)
    return measure_receptive_field(watched, images, place, generator, by_pixel=True)


def _looks_ahead(
    model: AutoregressiveModel,
    image: Tensor,
    later: Tensor,
    place: Place,
    generator: torch.Generator,
) -> bool:
    places = later.unique().expand(LOOKS_AHEAD, -1)
    changed = image.repeat(LOOKS_AHEAD, 1, 1, 1)
    levels = torch.randint(model.config.num_levels, places.shape, generator=generator)
    changed.view(LOOKS_AHEAD, -1).scatter_(1, places, levels.to(torch.uint8))
    before = _pmf_at(model, image.expand(LOOKS_AHEAD, -1, -1, -1), place, image.shape[1])
    return bool((before != _pmf_at(model, changed, place, image.shape[1])).any())


def _see(
    model: AutoregressiveModel,
    image: Tensor,
    changes: Tensor,
    place: Place,
    generator: torch.Generator,
    field: npt.NDArray[np.bool_],
    rows: int,
) -> None:
    """Mark in `field` those of the changes that move the pmf at `place`."""
    before = torch.empty(0)
    for places in changes.split(CHANGES_AT_ONCE) if len(changes) else ():
        changed = each_changed(image, places, model.config.num_levels, generator)
        if len(before) != len(places):  # the same batch shape, as in `check_causal`
            before = _pmf_at(model, image.expand(len(places), -1, -1, -1), place, rows)
        moved = (before != _pmf_at(model, changed, place, rows)).any(dim=1)
        field.reshape(-1)[places[moved.cpu()].numpy()] = True


def _changes(
    channels: int, height: int, width: int, place: Place, *, by_pixel: bool
) -> tuple[Tensor, Tensor]:
    """Return what to change together, earlier and not earlier: flat indices `(changes, together)`."""
    order = ordering.positions(channels=channels, height=height, width=width).reshape(-1)
    here = ordering.position(place, channels=channels, width=width)
    each = torch.from_numpy(np.arange(order.size))[:, None]
    if by_pixel:
        whole = each.view(channels, -1).T
        mine = place.row * width + place.column
        others = whole[torch.arange(height * width) != mine]
        each = torch.cat([others, whole[mine][:, None].expand(-1, channels)])
    is_earlier = torch.from_numpy(order < here)[each[:, 0]]
    return each[is_earlier], each[~is_earlier]


def _pmf_at(model: AutoregressiveModel, images: Tensor, place: Place, rows: int) -> Tensor:
    """Return the log pmf `(B, levels)` of the sub-pixel at `place`, of the first `rows` rows."""
    parameters = model(images[:, :, :rows].contiguous())
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
                f"the receptive field of {named(place)} is wrong: "
                f"{named(Place(row, column, channel))} is {trouble}"
            )
