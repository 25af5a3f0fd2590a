"""What an image may be given by, beside its own earlier pixels: a label, another image, or nothing.

A class, or an image of the same size, of which some pixels may be unknown. Grey to colour is one whose
pixels are all known; small to large one of which one pixel in a square is; masked to whole one with a hole.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Generic, Self

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from pixelrnn.errors import ImageMismatchError
from pixelrnn.graph.given import GivenLevels
from pixelrnn.graph.traced import Maps
from pixelrnn.likelihoods import scale_levels
from pixelrnn.models.config import ModelConfig
from pixelrnn.models.given_images import AnyImages, as_tensor, check_images
from pixelrnn.models.torch_state import is_recorded
from pixelrnn.wording import counted

MAX_GUIDANCE = 100
IMAGES = "images to condition on"


@dataclass(frozen=True)
class Given:
    """What images are given by; a first axis of 1 stands for all images alike.

    Attributes:
        labels: class of each, int64 `(B,)`; `num_labels` stands for none.
        image: levels uint8 `(B, C, H, W)`.
        known: which pixels of it are known, bool `(B, 1, H, W)`.
    """

    labels: Tensor | None = None
    image: Tensor | None = None
    known: Tensor | None = None

    def _each(self, change: Callable[[Tensor], Tensor]) -> Self:
        parts = {name: getattr(self, name) for name in ("labels", "image", "known")}
        return replace(self, **{n: None if p is None else change(p) for n, p in parts.items()})

    def require(self, count: int, size: Sequence[int] | None = None) -> None:
        """Raise `ImageMismatchError` unless it is of so many images, or the same for all.

        Args:
            count: how many.
            size: their height and width, if that is known.
        """
        for what, part in (("labels", self.labels), (IMAGES, self.image)):
            if part is not None and len(part) not in (1, count):
                raise ImageMismatchError(
                    f"{len(part)} {what} for {counted(count, 'image')}: give one for each, or one for all"
                )
        if self.image is not None and size and tuple(size) != tuple(self.image.shape[2:]):
            raise ImageMismatchError(
                f"images of {size[0]} x {size[1]} pixels are conditioned on images of that size, not of "
                f"{self.image.shape[2]} x {self.image.shape[3]}"
            )

    def of(self, indices: Tensor) -> Self:
        """Return that of some of the images."""
        return self._each(lambda part: part if len(part) == 1 else part[indices.to(part.device)])

    def rows(self, count: int) -> Self:
        """Return that of the first so many rows of each image."""
        return self._each(lambda part: part if part.ndim == 1 else part[:, :, :count])

    def levels(self, n: int, num_labels: int) -> GivenLevels:
        """Return that of image n as the compiled loop takes it."""
        label, image, known = (
            None if part is None else part[n if len(part) > 1 else 0].cpu().numpy()
            for part in (self.labels, self.image, self.known)
        )
        return GivenLevels(
            None if label is None or int(label) == num_labels else int(label),
            None if image is None else np.ascontiguousarray(image.transpose(1, 2, 0)),
            None if known is None else known[0],
        )


@dataclass(frozen=True)
class Conditions(Generic[Maps]):
    """What goes through a network beside an image: tensors, or traced maps.

    Attributes:
        labels: number of the class of each image, int64 `(B,)`.
        image: colours scaled to [-1, 1], 0 where they are not known; and 1 where they are:
            `(B, C + 1, H, W)`.
    """

    labels: Maps | None = None
    image: Maps | None = None


def conditions(
    config: ModelConfig, given: Given, images: Tensor, dtype: torch.dtype
) -> Conditions[Tensor]:
    """Return what goes through a network beside images, `(B, C, H, W)`.

    Raises:
        ImageMismatchError: if there is more or less of it than images, or it is of another size.
    """
    batch, _, height, width = images.shape
    given.require(batch, (height, width))
    labels = image = None
    if config.num_labels:
        none = torch.full((1,), config.num_labels, device=images.device)
        labels = (none if given.labels is None else given.labels).expand(batch)
    if config.condition:
        shape = (1, config.given_channels, height, width)
        if given.image is None or given.known is None:
            values = torch.zeros(shape, device=images.device, dtype=dtype)
            known = values[:, :1]
        else:
            known = given.known.to(dtype)
            values = scale_levels(given.image, config.num_levels, dtype) * known
        image = torch.cat([values, known], dim=1).expand(batch, -1, -1, -1)
    return Conditions(labels, image)


def settled(config: ModelConfig, given: Given, images: Tensor, nats: Tensor) -> Tensor:
    """Return log-probabilities of sub-pixels `(B, C, H, W)`, those that are known being certain.

    Where a part of an image is given, its own levels there have the probability 1, and all others 0.
    """
    if not config.given_is_part or given.image is None or given.known is None:
        return nats
    certain = torch.zeros_like(nats).masked_fill(given.image != images, -torch.inf)
    return torch.where(given.known, certain, nats)


def check_given(
    config: ModelConfig,
    labels: int | npt.NDArray[np.integer] | Tensor | None,
    image: AnyImages | None,
    known: npt.NDArray[np.bool_] | Tensor | None,
    device: torch.device,
) -> Given:
    """Return what images are given by, checked against what a model takes.

    Raises:
        ImageMismatchError: if the model takes no such thing, or a number is out of range.
    """
    found = Given() if labels is None else Given(labels=_class_numbers(config, labels, device))
    if image is None:
        if known is not None:
            raise ImageMismatchError("known says which pixels of an image are known: give it, too")
        return found
    if config.condition is None:
        raise ImageMismatchError("this model takes no image to condition on")
    levels = as_tensor(image, device)
    check_images(levels, config.given_channels, config.num_levels)
    where = torch.ones_like(levels[:, :1], dtype=torch.bool)
    if known is not None:
        each = torch.as_tensor(known, device=device).bool()
        try:
            where = each.expand(where.shape)
        except RuntimeError:
            raise ImageMismatchError(
                f"which pixels are known is bool {tuple(where.shape)}, or (H, W) of all images, not "
                f"{tuple(each.shape)}"
            ) from None
    return replace(found, image=levels, known=where)


def _class_numbers(
    config: ModelConfig, labels: int | npt.NDArray[np.integer] | Tensor, device: torch.device
) -> Tensor:
    """Return labels as int64 `(B,)`, checked against the classes that a model knows."""
    if config.num_labels == 0:
        raise ImageMismatchError("this model takes no labels: use one that was trained with them")
    numbers = labels if isinstance(labels, Tensor) else np.asarray(labels)
    is_whole = (
        not (numbers.is_floating_point() or numbers.dtype == torch.bool)
        if isinstance(numbers, Tensor)
        else numbers.dtype.kind in "iu"
    )
    if not is_whole or numbers.ndim > 1 or 0 in numbers.shape:
        raise ImageMismatchError(
            "labels are the number of the class of each image, or of all of them, not "
            f"{numbers.dtype} of shape {tuple(numbers.shape)}"
        )
    classes = torch.as_tensor(numbers, device=device).long().reshape(-1)
    if not is_recorded(classes):
        lowest, highest = int(classes.min()), int(classes.max())
        if not 0 <= lowest <= highest <= config.num_labels:
            raise ImageMismatchError(
                f"this model knows the classes 0 to {config.num_labels - 1}, not {lowest} to {highest}"
            )
    return classes


def check_guidance(config: ModelConfig, guidance: float) -> None:
    """Raise `ImageMismatchError` unless a model can be guided by labels, so far."""
    if config.num_labels == 0:
        raise ImageMismatchError("only a model that was trained with labels can be guided by them")
    if not abs(guidance) <= MAX_GUIDANCE:
        raise ImageMismatchError(
            f"a guidance is a number from -{MAX_GUIDANCE} to {MAX_GUIDANCE}, not {guidance}"
        )
