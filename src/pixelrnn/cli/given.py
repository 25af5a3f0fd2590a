"""What `pixelrnn complete` is given: images, and which of their pixels are known.

It imports what it needs at the top, and is itself imported when the verb runs.
"""

import re
import tomllib
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from pixelrnn import completion
from pixelrnn.completion import Mask
from pixelrnn.data import DataOptions, load
from pixelrnn.data.catalogue import CATALOGUE
from pixelrnn.errors import DataError, ImageMismatchError, RecipeError
from pixelrnn.models import AutoregressiveModel
from pixelrnn.pictures import Images
from pixelrnn.uncertainty import Pictures


def chosen_images(
    model: AutoregressiveModel, path: Path, source: str, split: str | None, first: int
) -> tuple[Images, str, Pictures | None]:
    """Return the images to complete, their split, and which pictures they were cut from.

    `path` is the model's.
    """
    data = load(source, _options(path / "recipe.toml", source))
    split = split or ("test" if data.count("test") else "all")
    chosen = data.images(split)[:first]
    channels, levels = model.config.channels, model.config.num_levels
    highest = int(chosen.max())
    # A file does not say how many levels its images have: it is enough that they fit.
    fits = data.num_levels == levels if source in CATALOGUE else highest < levels
    if data.channels != channels or not fits:
        have = f"{data.num_levels} levels" if source in CATALOGUE else f"values up to {highest}"
        raise ImageMismatchError(
            f"the model is of {_kind(channels)} images with {levels} levels, and those of {source} "
            f"are {_kind(data.channels)} with {have}: give other images or another model"
        )
    pictures = data.pictures_of(split)
    return chosen, split, None if pictures is None else pictures[:first]


def _options(recipe: Path, source: str) -> DataOptions:
    """Return how a run reads its own images; for others, and without a run, the defaults."""
    if not recipe.is_file():
        return DataOptions()
    try:
        table = tomllib.loads(recipe.read_text(encoding="utf-8"))["data"]
        return DataOptions(**table) if table.pop("source") == source else DataOptions()
    except (OSError, ValueError, TypeError, AttributeError, KeyError) as error:
        reason = " ".join(str(error).split())
        raise RecipeError(f"{recipe} is damaged ({reason}); restore it") from error


def _kind(channels: int) -> str:
    return {1: "grey", 3: "RGB"}.get(channels, f"{channels}-channel")


def given_pixels(keep: str, height: int, width: int) -> Mask:
    """Return the mask `(height, width)` that a rule or an image of a mask stands for."""
    is_rule = re.match(r"(top|bottom|left|right):", keep)
    if is_rule or not Path(keep).is_file():
        known = completion.keep(keep, height, width)
    else:
        known = _read_mask(Path(keep), height, width)
    if known.all():
        raise ImageMismatchError(f"--keep {keep} keeps every pixel: there is nothing to complete")
    return known


def _read_mask(path: Path, height: int, width: int) -> Mask:
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
    planes = values.reshape(*values.shape[:2], -1)[..., colours]
    given: Mask = (planes != 0).any(axis=2)
    return given


def advice(later: int, importance: int | None) -> list[str]:
    """Return what has to be said about given pixels that an ordered model cannot look ahead to."""
    if later and importance is None:
        return [
            f"{later:,} given pixels come after hidden ones and do not guide them: the model goes "
            "row by row; --importance 100 chooses completions that fit them"
        ]
    if not later and importance is not None:
        return ["no given pixel comes after a hidden one: --importance changes nothing"]
    return []
