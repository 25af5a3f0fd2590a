"""What an image may be given by, beside its own earlier pixels: a label, another image, or nothing.

A class, or an image of the same size, of which some pixels may be unknown. Grey to colour is one whose
pixels are all known; small to large one of which one pixel in a square is; masked to whole one with a hole.
"""

import copy
from abc import abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Generic, Self, final

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from pixelrnn.errors import ImageMismatchError
from pixelrnn.graph.given import GivenLevels
from pixelrnn.graph.traced import Maps
from pixelrnn.likelihoods import scale_levels
from pixelrnn.models.config import ModelConfig
from pixelrnn.models.given_images import AnyImages, as_tensor, check_images
from pixelrnn.models.torch_state import is_recorded

MAX_GUIDANCE = 100


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
    labels = image = None
    if config.num_labels:
        none = torch.full((1,), config.num_labels, device=images.device)
        labels = _for_all("labels", none if given.labels is None else given.labels, batch)
    if config.condition:
        shape = (1, config.given_channels, height, width)
        if given.image is None or given.known is None:
            values = torch.zeros(shape, device=images.device, dtype=dtype)
            known = values[:, :1]
        else:
            if given.image.shape[2:] != images.shape[2:]:
                raise ImageMismatchError(
                    f"images of {height} x {width} pixels are conditioned on images of that size, not of "
                    f"{given.image.shape[2]} x {given.image.shape[3]}"
                )
            known = given.known.to(dtype)
            values = scale_levels(given.image, config.num_levels, dtype) * known
        image = _for_all("images to condition on", torch.cat([values, known], dim=1), batch)
    return Conditions(labels, image)


def _for_all(what: str, part: Tensor, batch: int) -> Tensor:
    if len(part) not in (1, batch):
        raise ImageMismatchError(
            f"{len(part)} {what} for {batch} images: give one for each, or one for all"
        )
    return part.expand(batch, *part.shape[1:])


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
    found = Given()
    if labels is not None:
        if config.num_labels == 0:
            raise ImageMismatchError(
                "this model takes no labels: use one that was trained with them"
            )
        numbers = torch.as_tensor(labels, device=device).long().reshape(-1)
        readable = len(numbers) and not is_recorded(numbers)
        if readable and not 0 <= int(numbers.min()) <= int(numbers.max()) <= config.num_labels:
            raise ImageMismatchError(
                f"this model knows the classes 0 to {config.num_labels - 1}, not "
                f"{int(numbers.min())} to {int(numbers.max())}"
            )
        found = replace(found, labels=numbers)
    if image is None:
        return found
    if config.condition is None:
        raise ImageMismatchError("this model takes no image to condition on")
    levels = as_tensor(image, device)
    check_images(levels, config.given_channels, config.num_levels)
    where = torch.ones_like(levels[:, :1], dtype=torch.bool)
    if known is not None:
        where = torch.as_tensor(known, device=device).bool().expand(where.shape)
    return replace(found, image=levels, known=where)


def check_guidance(config: ModelConfig, guidance: float) -> None:
    """Raise `ImageMismatchError` unless a model can be guided by labels, so far."""
    if config.num_labels == 0:
        raise ImageMismatchError("only a model that was trained with labels can be guided by them")
    if not abs(guidance) <= MAX_GUIDANCE:
        raise ImageMismatchError(
            f"a guidance is a number from -{MAX_GUIDANCE} to {MAX_GUIDANCE}, not {guidance}"
        )


class Conditional(nn.Module):
    """A model whose images may be given by something.

    Attributes:
        config: says by what.
        given_by: by what they are: nothing, but in models that `given` returns.
    """

    config: ModelConfig
    given_by: Given = Given()

    @property
    @abstractmethod
    def dtype(self) -> torch.dtype:
        """The floating-point type of the weights."""

    @property
    @abstractmethod
    def device(self) -> torch.device:
        """Where the weights are."""

    @final
    def given(
        self,
        labels: int | npt.NDArray[np.integer] | Tensor | None = None,
        *,
        image: AnyImages | None = None,
        known: npt.NDArray[np.bool_] | Tensor | None = None,
    ) -> Self:
        """Return this model of images that are given by something; the weights are shared.

        Args:
            labels: number of the class of each image, or of all of them.
            image: what images are conditioned on, uint8 `(B, C, H, W)`; with B = 1, all on the same.
            known: which pixels of it are known, bool `(B, 1, H, W)`; by default all.

        Raises:
            ImageMismatchError: if the model takes no such thing, or a number is out of range.

        Example:
            >>> from pixelrnn.models import PixelCNNConfig, build
            >>> model = build(PixelCNNConfig(channels=1, features=4, layers=1, num_labels=10))
            >>> model.given(labels=3).sample(2, size=(4, 4)).shape
            (2, 1, 4, 4)
        """
        return self._with(check_given(self.config, labels, image, known, self.device))

    @final
    def of_images(self, indices: Tensor) -> Self:
        """Return this model of some of the images that it is given something of, by their numbers."""
        return self._with(self.given_by.of(indices))

    @final
    def of_rows(self, count: int) -> Self:
        """Return this model of the first so many rows of the images."""
        return self._with(self.given_by.rows(count))

    @final
    def as_given(self, images: Tensor, nats: Tensor) -> Tensor:
        """Return log-probabilities of sub-pixels, where those that are given are certain."""
        return settled(self.config, self.given_by, images, nats)

    @final
    def _with(self, given: Given) -> Self:
        same = copy.copy(self)
        same.given_by = given
        return same

    @final
    def with_some_of_nothing(self, distance: int) -> Self:
        """Return this model of images of which every so many-th is given nothing."""
        labels, known = (
            None if part is None else part.clone()
            for part in (self.given_by.labels, self.given_by.known)
        )
        if labels is not None:
            labels[::distance] = self.config.num_labels
        if known is not None:
            known[::distance] = False
        return self._with(replace(self.given_by, labels=labels, known=known))

    @final
    def with_less(self) -> Iterator[tuple[str, Self]]:
        """Yield this model of images that one part is not given of: "labels", "image".

        Example:
            >>> from pixelrnn.models import PixelCNNConfig, build
            >>> model = build(PixelCNNConfig(channels=1, features=4, layers=1, num_labels=10))
            >>> [part for part, _ in model.given(labels=3).with_less()]
            ['labels']
        """
        if self.given_by.labels is not None:
            yield "labels", self._with(replace(self.given_by, labels=None))
        if self.given_by.image is not None:
            yield "image", self._with(replace(self.given_by, image=None, known=None))

    @final
    def conditions(self, images: Tensor) -> Conditions[Tensor]:
        """Return what goes through the network beside images; see `given`."""
        return conditions(self.config, self.given_by, images, self.dtype)
