"""Bits per dimension of a model on images: nats are summed, sub-pixels counted, and divided once.

Nothing is dropped whatever the batch size, and the likelihood is computed and summed in float64, so
that the result does not depend on how the images were batched.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from pixelrnn.agreement import SURPRISE_BITS
from pixelrnn.arrays import Floats
from pixelrnn.data import DataSet, Images
from pixelrnn.data.splits import Labels
from pixelrnn.errors import ImageMismatchError, NonFiniteResultError
from pixelrnn.models import AutoregressiveModel
from pixelrnn.models.given_images import AnyImages, as_array, check_images
from pixelrnn.models.lowering import CALIBRATION_IMAGES
from pixelrnn.models.torch_state import usual_torch
from pixelrnn.uncertainty import Pictures, count_pictures, evenly_spread, plus_minus, standard_error
from pixelrnn.units import bits, bits_per_dim
from pixelrnn.wording import colours, joined

CONDITION_SEED = 0  # of the holes of images that are evaluated
UNTOLD = 8  # one of so many images that say how large values become is given nothing


@dataclass(frozen=True)
class Evaluation:
    """What a model costs on N images.

    Attributes:
        nats: negative log-likelihood, `(N, C)`: of each image, by colour.
        nats_map: the same summed over the images, `(C, H, W)`.
        seconds: how long it took.
        surprise_bits: of each image, `(N,)`: what lies above 12 bits at single sub-pixels.
        pictures: which picture each image was cut from, `(N,)`; `None` if each is one of its own.
    """

    nats: Floats
    nats_map: Floats
    seconds: float
    surprise_bits: Floats | None = None
    pictures: Pictures | None = None

    def __repr__(self) -> str:
        """Say what was found, without the arrays.

        Example:
            >>> Evaluation(np.log([[2.0], [4.0]]), np.log([[[8.0]]]), 0.5)
            Evaluation(1.5000 ± 0.5000 bits/dim, num_images=2, num_pictures=2, seconds=0.50)
        """
        return (
            f"Evaluation({plus_minus(self.bits_per_dim, self.standard_error)} bits/dim, num_images="
            f"{self.num_images}, num_pictures={self.num_pictures}, seconds={self.seconds:.2f})"
        )

    @property
    def num_images(self) -> int:
        """How many images were evaluated: all of them."""
        return len(self.nats)

    @property
    def num_pictures(self) -> int:
        """How many pictures the images are of: fewer than images where these are patches."""
        return count_pictures(self.num_images, self.pictures)

    @property
    def dims_per_image(self) -> int:
        """Sub-pixels of an image."""
        return self.nats_map.size

    @property
    def bits_per_dim(self) -> float:
        """The headline: all nats over all sub-pixels, in bits."""
        return bits_per_dim(float(self.nats.sum()), self.num_images * self.dims_per_image)

    @property
    def bits_per_dim_per_image(self) -> Floats:
        """Bits/dim of each image, `(N,)`."""
        nats: Floats = self.nats.sum(axis=1)
        return nats * bits_per_dim(1.0, self.dims_per_image)

    @property
    def standard_error(self) -> float | None:
        """Standard error of `bits_per_dim`, clustered by picture; `None` with fewer than two."""
        return standard_error(self.bits_per_dim_per_image, self.pictures)

    @property
    def nats_per_image(self) -> float:
        """Mean negative log-likelihood of an image in nats."""
        return float(self.nats.sum()) / self.num_images

    @property
    def bits_per_dim_by_channel(self) -> list[float]:
        """Bits/dim of each colour given those before it."""
        dims = self.num_images * self.dims_per_image // self.nats.shape[1]
        return [bits_per_dim(float(nats), dims) for nats in self.nats.sum(axis=0)]

    @property
    def bits_map(self) -> Floats:
        """Mean bits of each sub-pixel, `(C, H, W)`."""
        return self.nats_map * (bits(1.0) / self.num_images)


def require_fit(model: AutoregressiveModel, data: DataSet, images: Images | None = None) -> None:
    """Raise `ImageMismatchError` unless a model is of images like these.

    Fewer levels than the model's would be scored, but as images that they are not.

    Args:
        model: the model.
        data: the images.
        images: some of them, if it is enough that their values fit: a file does not say how many levels its
            images have.
    """
    channels, levels = model.config.channels, model.config.num_levels
    fits, have = data.num_levels == levels, f"{data.num_levels} levels"
    if images is not None:
        fits, have = images.max() < levels, f"values up to {images.max()}"
    if data.channels != channels or not fits:
        raise ImageMismatchError(
            f"the model is of {colours(channels)} images with {levels} levels, and those of "
            f"{data.name} are {colours(data.channels)} with {have}: give other images or another model"
        )


def conditioned(
    model: AutoregressiveModel, data: DataSet, split: str, chosen: Any = slice(None)
) -> AutoregressiveModel:
    """Return a model of images of a split that are given what it takes: their classes, images made of them.

    Args:
        model: the model.
        data: the images; where they have no labels the model is that of images of no class.
        split: whose images.
        chosen: which of them. What an image is given by depends on its place in the split alone.
    """
    labels = labels_for(model, data, split)
    image = known = None
    condition = model.config.condition.build() if model.config.condition else None
    if condition and condition.is_made:
        count = data.count(split)
        bits = np.random.Philox(key=CONDITION_SEED).random_raw(count)
        image, known = condition.of_images(data.part(split).images[chosen], bits[chosen])
    if labels is None and image is None:
        return model
    return model.given(None if labels is None else labels[chosen], image=image, known=known)


def labels_for(model: AutoregressiveModel, data: DataSet, split: str) -> Labels | None:
    """Return the class of each image of a split as a model numbers it, int64 `(N,)`; `None` without any.

    Where both the model and the images name their classes the names count, whatever their order.

    Raises:
        ImageMismatchError: if images are of a class that the model does not know.

    Example:
        >>> from pixelrnn.data import load
        >>> from pixelrnn.models import PixelCNNConfig, build
        >>> names = tuple("9876543210")
        >>> config = PixelCNNConfig(channels=1, num_levels=17, num_labels=10, label_names=names)
        >>> labels_for(build(config), load("digits"), "train")[:3].tolist()  # images of 0, 1 and 2
        [9, 8, 7]
    """
    labels, count = data.labels_of(split), model.config.num_labels
    ours, theirs = model.config.label_names, data.class_names
    if not count or labels is None or not len(labels):
        return None
    number = {name: n for n, name in enumerate(ours)}
    found: Labels = labels
    if ours and theirs:
        found = np.array([number.get(name, count) for name in theirs])[labels]
    unknown = [theirs[n] if theirs else f"class {n}" for n in np.unique(labels[found >= count])]
    if unknown:
        known = joined(ours) if ours else f"the classes 0 to {count - 1}"
        raise ImageMismatchError(
            f"there are images of {joined(unknown)} in {data.name}, and the model knows {known}: leave "
            "them out, or take a model that was trained with their classes"
        )
    return found


def typical(model: AutoregressiveModel, data: DataSet) -> tuple[AutoregressiveModel, Images]:
    """Return training images that say how large a model's values become, and the model given theirs.

    One in eight is given nothing, as in training: such images, too, are sampled and coded.
    """
    some = evenly_spread(data.count("train"), CALIBRATION_IMAGES)
    given = conditioned(model, data, "train", some)
    return given.with_some_of_nothing(UNTOLD), data.images("train")[some]


def evaluate(
    model: AutoregressiveModel,
    images: AnyImages,
    *,
    pictures: Pictures | None = None,
    batch_size: int = 50,
    on_progress: Callable[[int], None] | None = None,
) -> Evaluation:
    """Evaluate a model on images, on the device where its weights are.

    Args:
        model: the model; its training mode does not matter, for nothing depends on it. It may be one of
            images that are given by something (`AutoregressiveModel.given`).
        images: uint8 `(N, C, H, W)`; of none there is no mean, and asking for it raises `ValueError`.
        pictures: which picture each image was cut from, as `DataSet.pictures_of` says, for the
            standard error; by default each is a picture of its own.
        batch_size: images at a time: memory and speed, not the result.
        on_progress: called with the images done since its last call.

    Raises:
        ImageMismatchError: if the images do not fit the model.
        NonFiniteResultError: if an image's cost is not finite.

    Example:
        >>> from pixelrnn.models import PixelCNNConfig, build
        >>> from pixelrnn.likelihoods import CategoricalConfig
        >>> model = build(PixelCNNConfig(channels=1, likelihood=CategoricalConfig()))
        >>> _ = model.head.output.weight.data.zero_()  # equal logits: a uniform distribution
        >>> round(evaluate(model, np.zeros((3, 1, 4, 4), np.uint8)).bits_per_dim, 12)
        8.0
    """
    started = time.perf_counter()
    images = as_array(images)
    check_images(images, model.config.channels, model.config.num_levels)
    model.given_by.require(len(images), images.shape[2:])
    nats = np.full((len(images), images.shape[1]), np.nan)  # what is left out would show
    nats_map, surprise = np.zeros(images.shape[1:]), np.zeros(len(images))
    with torch.inference_mode(), usual_torch():
        for start in range(0, len(images), batch_size):
            batch = images[start : start + batch_size]
            of_batch = model.of_images(torch.arange(start, start + len(batch)))
            cost = -of_batch.log_prob_map(batch, dtype=torch.float64)
            nats[start : start + batch_size] = cost.sum(dim=(2, 3)).cpu().numpy()
            nats_map += cost.sum(dim=0).cpu().numpy()
            above = (cost * bits(1.0) - SURPRISE_BITS).clamp(min=0)
            surprise[start : start + batch_size] = above.sum(dim=(1, 2, 3)).cpu().numpy()
            if on_progress:
                on_progress(len(batch))
    require_finite(nats.sum(axis=1))
    return Evaluation(nats, nats_map, time.perf_counter() - started, surprise, pictures)


def require_finite(nats: Floats) -> None:
    """Raise `NonFiniteResultError` unless what each image costs, `(N,)` nats, is a number."""
    if not np.isfinite(nats).all():
        number = int(np.argmin(np.isfinite(nats)))
        raise NonFiniteResultError(
            f"the model's cost of image {number} is {nats[number]} nats, which is no result: its "
            "weights are of no use; train it anew with a lower optimizer.learning_rate"
        )
