"""What images cost a model, a background model and an image codec; by image, and by pixel."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
import torch

from pixelrnn.arrays import Floats, Images
from pixelrnn.baselines.formats import FORMATS, ImageFormat, UnfitFormatError
from pixelrnn.errors import ImageMismatchError, RecipeError
from pixelrnn.evaluation import require_finite
from pixelrnn.models import AutoregressiveModel
from pixelrnn.models.config import ModelConfig
from pixelrnn.models.given_images import AnyImages, as_array, check_images
from pixelrnn.models.torch_state import usual_torch
from pixelrnn.scoring.base import BACKGROUND, CODEC, MODEL
from pixelrnn.units import BITS_PER_BYTE, bits
from pixelrnn.wording import choice, colours

CODECS = {each.name.lower().replace(" ", "-"): each for each in FORMATS}
NO_CODEC = "none"
TILE = 256
"""Pixels: larger images are scored in squares, as files have them, for a network's maps take memory."""


@dataclass(frozen=True)
class Measured:
    """What N images of one size cost.

    Attributes:
        columns: bits/dim of each image, `(N,)`, by who needs them; see `base.Columns`.
        maps: bits of each pixel, all its colours together, `(N, H, W)`, by the models that need them.
    """

    columns: dict[str, Floats]
    maps: dict[str, Floats]

    @property
    def ratio_map(self) -> Floats | None:
        """Bits that the model needs for each pixel beyond the background model; None without one."""
        return self.maps[MODEL] - self.maps[BACKGROUND] if BACKGROUND in self.maps else None


@dataclass(frozen=True)
class Measurer:
    """Measures images by a model, and whatever else is given.

    Args:
        model: the model.
        background: one whose images have as many channels and levels, or None.
        codec: a key of `CODECS`, or "none".
        batch_size: images at a time: memory and speed, not the result.

    Raises:
        RecipeError: if the codec is not known, or not installed.
        ImageMismatchError: if the two models are of different images, or of some that the codec cannot
            store.
    """

    model: AutoregressiveModel
    background: AutoregressiveModel | None = None
    codec: str = "png"
    batch_size: int = 50
    _format: ImageFormat | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_format", _format(self.codec, self.model.config))
        if self.background is not None:
            ours, theirs = self.model.config, self.background.config
            if (ours.channels, ours.num_levels) != (theirs.channels, theirs.num_levels):
                raise ImageMismatchError(
                    f"the background model is of {colours(theirs.channels)} images with "
                    f"{theirs.num_levels} levels, the model of {colours(ours.channels)} images with "
                    f"{ours.num_levels}: give a background model of images like the model's"
                )

    @property
    def is_given_each(self) -> bool:
        """Whether a model is given something of each image, and so of these images alone."""
        models = filter(None, (self.model, self.background))
        parts = (part for model in models for part in (model.given_by.labels, model.given_by.image))
        return any(part is not None and len(part) > 1 for part in parts)

    @property
    def measures(self) -> frozenset[str]:
        """Which columns there will be."""
        others = {BACKGROUND: self.background, CODEC: self._format}
        return frozenset([MODEL, *(name for name, each in others.items() if each)])

    def __call__(
        self, images: AnyImages, on_progress: Callable[[int], None] = lambda _: None
    ) -> Measured:
        """Measure images; those of more than 256 pixels a side in squares that know nothing of each other.

        Args:
            images: uint8 `(N, C, H, W)`, values below the model's number of levels; of what the models are
                given (`AutoregressiveModel.given`) there is one for each, or one for all.
            on_progress: called with the images done since its last call.

        Raises:
            ImageMismatchError: if the images do not fit the model.
            NonFiniteResultError: if an image's cost is not finite.
        """
        given = as_array(images)
        config = self.model.config
        check_images(given, config.channels, config.num_levels)
        for model in filter(None, (self.model, self.background)):
            model.given_by.require(len(given), given.shape[2:])
        dims = max(1, given[:1].size)
        costs: dict[str, Floats] = {}
        if self._format is not None:  # first, for it may be that one cannot be stored
            sizes = [_file_bytes(self._format, image, config.num_levels) for image in given]
            costs[CODEC] = np.array(sizes, np.float64) * (BITS_PER_BYTE / dims)
        maps = {MODEL: self._map(self.model, given, on_progress)}
        if self.background is not None:
            maps[BACKGROUND] = self._map(self.background, given, lambda _: None)
        columns = {name: each.sum(axis=(1, 2)) / dims for name, each in maps.items()}
        return Measured(columns | costs, maps)

    def _map(
        self, model: AutoregressiveModel, images: Images, on_progress: Callable[[int], None]
    ) -> Floats:
        """Return the bits of each pixel, `(N, H, W)`."""
        tile_pixels = min(images.shape[2], TILE) * min(images.shape[3], TILE)
        size = max(1, min(self.batch_size, TILE**2 // tile_pixels))
        nats = np.full((len(images), *images.shape[2:]), np.nan)  # what is left out would show
        with torch.inference_mode(), usual_torch():
            for start in range(0, len(images), size):
                of_batch = model.of_images(torch.arange(start, min(start + size, len(images))))
                for rows, columns in _tiles(*images.shape[2:]):
                    tile = images[start : start + size, :, rows, columns]
                    of_tile = _of_tile(of_batch, rows, columns)
                    cost = -of_tile.log_prob_map(tile, dtype=torch.float64)
                    nats[start : start + size, rows, columns] = cost.sum(dim=1).cpu().numpy()
                on_progress(min(size, len(images) - start))
        require_finite(nats.sum(axis=(1, 2)))
        return nats * bits(1.0)


def _of_tile(model: AutoregressiveModel, rows: slice, columns: slice) -> AutoregressiveModel:
    """Return a model of a square of the images, given what it is given of that square."""
    given = model.given_by
    if given.image is None or given.known is None:
        return model
    image, known = given.image[:, :, rows, columns], given.known[:, :, rows, columns]
    return model.given(given.labels, image=image, known=known)


def _tiles(height: int, width: int) -> Iterator[tuple[slice, slice]]:
    """Yield the rows and columns of each square of an image.

    Example:
        >>> [(rows.start, columns.start) for rows, columns in _tiles(200, 600)]
        [(0, 0), (0, 256), (0, 512)]
    """
    for top in range(0, height, TILE):
        for left in range(0, width, TILE):
            yield slice(top, top + TILE), slice(left, left + TILE)


def _format(codec: str, config: ModelConfig) -> ImageFormat | None:
    if codec == NO_CODEC:
        return None
    if codec not in CODECS:
        raise RecipeError(f"there is no codec {codec!r}; {choice(codec, [*CODECS, NO_CODEC])}")
    if not CODECS[codec].available():
        raise RecipeError(
            f"the installed Pillow or imagecodecs has no {CODECS[codec].name}: choose another codec"
        )
    kind = config.channels, config.num_levels
    if trouble := CODECS[codec].trouble(*kind):
        fitting = [name for name, each in CODECS.items() if not each.trouble(*kind)]
        raise ImageMismatchError(
            f"the model's images, {colours(config.channels)} and of {config.num_levels:,} levels, "
            f"cannot be stored as {CODECS[codec].name}: {trouble}; choose --codec "
            f"{' or '.join([*fitting, NO_CODEC])}"
        )
    return CODECS[codec]


def _file_bytes(image_format: ImageFormat, image: Images, num_levels: int) -> int:
    try:
        (pixels,) = image_format.pictures([image])
    except UnfitFormatError as error:
        raise ImageMismatchError(
            f"an image cannot be stored as {image_format.name}: {error}; choose another codec"
        ) from error
    return len(image_format.encode(pixels, num_levels))
