"""What does a model see, and is it what it claims?"""

import copy
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from pixelrnn import ordering
from pixelrnn.arrays import Flags, Images
from pixelrnn.contract.causality import CHANGES_AT_ONCE, each_changed
from pixelrnn.contract.violation import ContractViolation, named
from pixelrnn.models import AutoregressiveModel
from pixelrnn.models.given_images import as_tensor
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
) -> Flags:
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
        watched = _Watched(model, image, place)
        rows = place.row + 1  # what is below cannot matter
        if watched.looks_ahead(later.unique(), ahead):
            rows = height
            watched.see(later, field, rows, ahead)
        watched.see(earlier, field, rows, generator)
    return field


def field_in_float64(model: AutoregressiveModel, image: Images, place: Place) -> Flags:
    """Return what a model is seen to depend on at `place` for one image, in float64 and by pixels.

    Args:
        model: in any precision; it stays as it is.
        image: uint8 `(C, H, W)`.
        place: whose distribution is watched.
    """
    watched = copy.deepcopy(model).double()
    images = as_tensor(image[None], torch.device("cpu"))
    generator = torch.Generator().manual_seed(0)
    return measure_receptive_field(watched, images, place, generator, by_pixel=True)


@dataclass(frozen=True)
class _Watched:
    """The distribution of one sub-pixel of an image."""

    model: AutoregressiveModel
    image: Tensor
    place: Place

    def looks_ahead(self, later: Tensor, generator: torch.Generator) -> bool:
        """Return whether it moves when all that comes later is changed at once."""
        places = later.expand(LOOKS_AHEAD, -1)
        changed = self.image.repeat(LOOKS_AHEAD, 1, 1, 1)
        levels = torch.randint(self.model.config.num_levels, places.shape, generator=generator)
        changed.view(LOOKS_AHEAD, -1).scatter_(1, places, levels.to(changed.dtype))
        rows = self.image.shape[1]
        return bool((self.usual(LOOKS_AHEAD, rows) != self.pmf(changed, rows)).any())

    def see(self, changes: Tensor, field: Flags, rows: int, generator: torch.Generator) -> None:
        """Mark in `field` those of the changes that move it."""
        before = torch.empty(0)
        for places in changes.split(CHANGES_AT_ONCE) if len(changes) else ():
            changed = each_changed(self.image, places, self.model.config.num_levels, generator)
            if len(before) != len(places):  # the same batch shape, as in `check_causal`
                before = self.usual(len(places), rows)
            moved = (before != self.pmf(changed, rows)).any(dim=1)
            field.reshape(-1)[places[moved.cpu()].numpy()] = True

    def usual(self, count: int, rows: int) -> Tensor:
        """Return it `count` times over, before any change."""
        return self.pmf(self.image.expand(count, -1, -1, -1), rows)

    def pmf(self, images: Tensor, rows: int) -> Tensor:
        """Return it for images of which the first `rows` rows are looked at: log pmf `(B, levels)`."""
        parameters = self.model.of_rows(rows)(images[:, :, :rows].contiguous())
        row, column = (slice(at, at + 1) for at in self.place[:2])
        pmf = self.model.likelihood.log_pmf(
            parameters[..., row, column], images[..., row, column], self.place.channel
        )
        return pmf[:, :, 0, 0]


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
