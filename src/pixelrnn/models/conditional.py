"""Models of images that are given by something: the same model, of other images, with the same weights."""

import copy
from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import replace
from typing import Self, final

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from pixelrnn.models.config import ModelConfig
from pixelrnn.models.given import Conditions, Given, check_given, conditions, settled
from pixelrnn.models.given_images import AnyImages


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

        What it was of before is forgotten: name all that images are given by.

        Args:
            labels: number of the class of each image, or of all of them; `config.num_labels` for none.
            image: what images are conditioned on, uint8 `(B, C, H, W)`; with B = 1, all on the same.
            known: which pixels of it are known, bool `(B, 1, H, W)`, or `(H, W)` of all images; by default
                all.

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
        """Return this model of some of the images that it is given something of, by their numbers.

        Who has all the images says first how many they are: `given_by.require`.
        """
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
