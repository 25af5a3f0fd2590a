"""Completing images of which a part is known.

The model's integer program decodes random bits, one pixel after the other, but for the pixels that are
known: those it is given.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image, ImageOps

from pixelrnn.arrays import Flags, Floats, Images
from pixelrnn.errors import DataError, ImageMismatchError
from pixelrnn.models import AutoregressiveModel
from pixelrnn.models.config import ModelConfig
from pixelrnn.models.given_images import AnyImages, as_array, check_images
from pixelrnn.models.torch_state import usual_torch
from pixelrnn.stepper.drawing import draw
from pixelrnn.units import bits_per_dim

SCORED_AT_ONCE = 50  # images
SIDES = ("top", "bottom", "left", "right")


@dataclass(frozen=True)
class Completions:
    """Images completed several times over.

    Attributes:
        images: uint8 `(N, completions, C, H, W)`.
        hidden_bits_per_dim: bits/dim of the hidden part of each *original* image given what comes
            before each pixel, `(N,)`: what the model thinks of the truth.
        effective_samples: of how many equally weighted draws the chosen ones are worth, `(N,)`, or
            None without importance sampling.
    """

    images: Images
    hidden_bits_per_dim: Floats
    effective_samples: Floats | None = None


def joined(parts: Sequence[Completions]) -> Completions:
    """Return completions of some images after the other, at least of one, as those of all."""
    effective = [part.effective_samples for part in parts if part.effective_samples is not None]
    return Completions(
        np.concatenate([part.images for part in parts]),
        np.concatenate([part.hidden_bits_per_dim for part in parts]),
        np.concatenate(effective) if effective else None,
    )


def complete(
    model: AutoregressiveModel,
    images: AnyImages,
    known: Flags,
    *,
    count: int = 1,
    seed: int = 0,
    temperature: float = 1.0,
    importance: int | None = None,
    first: int = 0,
    threads: int | None = None,
    on_progress: Callable[[int], None] | None = None,
) -> Completions:
    """Draw what is hidden of images, given what is known.

    An ordered model draws a pixel given what comes *before* it. Known pixels after a hidden one
    (`known_after_hidden`) are kept but cannot guide it, unless `importance` draws that many
    candidates and chooses among them by the probability of the later known pixels, or the model fills
    holes, and is given all that is known (`guides_later`).

    Args:
        model: the model, which may be given something of the images.
        images: uint8 `(N, C, H, W)`, N may be 0; what is hidden in them is used for the score only.
        known: bool `(H, W)`: True where a pixel is given.
        count: completions of each image.
        seed: 0 to 2^63 - 1.
        temperature: as in `AutoregressiveModel.sample`.
        importance: candidates a completion is chosen from, by importance resampling.
        first: number of the first image: image n of them has the random numbers of (seed,
            first + n), so that images can be completed a few at a time.
        threads: images at the same time; by default one for each usable core.
        on_progress: called with the pixels done since its last call.

    Raises:
        ImageMismatchError: if images or mask do not fit, nothing is hidden, or nothing is to be drawn.

    Example:
        >>> from pixelrnn.models import PixelCNNConfig, build
        >>> model = build(PixelCNNConfig(channels=1, num_levels=4, features=4, layers=1))
        >>> known = np.arange(6)[:, None] < np.full(5, 3)  # the top half
        >>> complete(model, np.ones((2, 1, 6, 5), np.uint8), known, count=3).images.shape
        (2, 3, 1, 6, 5)
    """
    images, known = as_array(images), np.asarray(known)
    check_images(images, model.config.channels, model.config.num_levels)
    _check_mask(images, known)
    model.given_by.require(len(images), images.shape[2:])
    if min(count, count if importance is None else importance) < 1:
        raise ImageMismatchError("at least one completion and one candidate must be drawn")
    if not len(images):
        nothing = np.zeros(0)
        completed = images.reshape(0, count, *images.shape[1:])
        return Completions(completed, nothing, None if importance is None else nothing)
    if guides_later(model.config):
        model = model.given(model.given_by.labels, image=images, known=known)
    drawn = max(count, importance or 0)
    # Completion k of image n has its own random bits, however many of either there are.
    numbers = range(first, first + len(images))
    each = np.repeat(np.arange(len(images)), drawn)
    candidates = draw(
        model.coder(temperature), images[each], known, seed=seed,
        given=[model.given_by.levels(int(n), model.config.num_labels) for n in each],
        indices=[(n << 32) + k for n in numbers for k in range(drawn)],
        threads=threads, on_progress=on_progress,
    )  # fmt: skip
    hidden = int((~known).sum()) * images.shape[1]
    per_dim = -_nats(model, images, ~known) * bits_per_dim(1.0, hidden)
    result = candidates.reshape(len(images), drawn, *images.shape[1:])
    if importance is None:
        return Completions(result, per_dim)
    model = model.of_images(torch.from_numpy(each))
    log_weights = _nats(model, candidates, _after_first_hidden(known)).reshape(len(images), drawn)
    chosen, effective = _resample(log_weights, count, seed, numbers)
    picked = np.take_along_axis(result, chosen[:, :, None, None, None], axis=1)
    return Completions(picked, per_dim, effective)


def _nats(model: AutoregressiveModel, images: Images, which: Flags) -> Floats:
    """Return the log-probability of some pixels of images, each given all before it, `(N,)` nats."""
    found = [np.zeros(0)]
    with torch.inference_mode(), usual_torch():
        for first in range(0, len(images), SCORED_AT_ONCE):
            some = images[first : first + SCORED_AT_ONCE]
            of_some = model.of_images(torch.arange(first, first + len(some)))
            nats = of_some.log_prob_map(some, dtype=torch.float64).cpu().numpy()
            found.append(nats[:, :, which].sum(axis=(1, 2)))
    return np.concatenate(found)


def guides_later(config: ModelConfig) -> bool:
    """Return whether known pixels after a hidden one guide it: those of a model that fills holes do.

    Example:
        >>> from pixelrnn.models import PixelCNNConfig
        >>> guides_later(PixelCNNConfig()), guides_later(PixelCNNConfig(condition={"kind": "masked"}))
        (False, True)
    """
    return config.condition is not None and config.condition.build().has_holes


def known_after_hidden(known: Flags) -> int:
    """Return how many known pixels come after a hidden one, and so cannot guide it.

    Example:
        >>> known_after_hidden(np.array([[True, False], [True, False]]))
        1
    """
    return int(_after_first_hidden(known).sum())


def keep(rule: str, height: int, width: int) -> Flags:
    """Return the mask `(height, width)` of a rule such as "top:0.5" (or left, bottom, right).

    It may also be the path of an image of the mask, not black where a pixel is given.

    Raises:
        ImageMismatchError: if the rule is not one of these, its share not between 0 and 1, or the image not
            of this size.
        DataError: if the image cannot be read.

    Example:
        >>> keep("left:0.5", 1, 4).tolist()
        [[True, True, False, False]]
    """
    side, _, text = rule.partition(":")
    if side not in SIDES and Path(rule).is_file():
        return _read_mask(Path(rule), height, width)
    try:
        share = float(text)
    except ValueError:
        share = -1.0
    if side not in SIDES or not 0 <= share < 1:
        raise ImageMismatchError(
            f"cannot keep {rule!r}: write top:0.5 (or left, right, bottom, and a share below 1), "
            "or the path of a mask image"
        )
    rows, columns = np.arange(height)[:, None], np.arange(width)[None, :]
    kept = {
        "top": rows < round(share * height),
        "bottom": rows >= height - round(share * height),
        "left": columns < round(share * width),
        "right": columns >= width - round(share * width),
    }[side]
    return np.broadcast_to(kept, (height, width)).copy()


def _after_first_hidden(known: Flags) -> Flags:
    hidden_before = np.cumsum(~known.reshape(-1)) > 0
    return known & hidden_before.reshape(known.shape)


def _resample(
    log_weights: Floats, count: int, seed: int, numbers: Sequence[int]
) -> tuple[npt.NDArray[np.intp], Floats]:
    """Choose `count` candidates of each row by their weights; return them and the effective number."""
    weights = np.exp(log_weights - log_weights.max(axis=1, keepdims=True))
    weights /= weights.sum(axis=1, keepdims=True)
    philox = [np.random.Philox(key=np.array([seed, n], dtype=np.uint64)) for n in numbers]
    levels = np.stack([np.random.Generator(each).random(count) for each in philox])
    chosen = (weights.cumsum(axis=1)[:, None, :] < levels[:, :, None]).sum(axis=2)
    return np.minimum(chosen, weights.shape[1] - 1), 1 / (weights**2).sum(axis=1)


def _read_mask(path: Path, height: int, width: int) -> Flags:
    """Return where an image is not black; alpha in it does not count."""
    try:
        with Image.open(path) as stored:
            opened = ImageOps.exif_transpose(stored)
            if opened.size != (width, height):
                raise ImageMismatchError(
                    f"the mask {path} is of {opened.height} x {opened.width} pixels, the images "
                    f"are of {height} x {width}: they must be alike"
                )
            read = opened.convert("RGB") if opened.mode == "P" else opened
            values, bands = np.asarray(read), read.getbands()
    except (Image.DecompressionBombError, OSError, ValueError, SyntaxError) as error:
        raise DataError(f"{path} cannot be read as a mask: give an image, such as a PNG") from error
    colours = [index for index, band in enumerate(bands) if band != "A"]
    known: Flags = (values.reshape(height, width, -1)[..., colours] != 0).any(axis=2)
    return known


def _check_mask(images: Images, known: Flags) -> None:
    if known.dtype != np.bool_ or known.shape != images.shape[2:]:
        sides = " x ".join(map(str, known.shape))
        raise ImageMismatchError(
            f"the mask is of {sides} pixels ({known.dtype}), the images of "
            f"{images.shape[2]} x {images.shape[3]}: a bool for each pixel is needed"
        )
    if known.all():
        raise ImageMismatchError("everything is known: there is nothing to complete")
