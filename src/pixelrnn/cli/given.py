"""What images are given by, as it is typed: the names of classes, and pictures."""

from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pixelrnn.errors import ImageMismatchError, RecipeError
from pixelrnn.wording import choice

if TYPE_CHECKING:
    from pixelrnn.arrays import Flags, Images
    from pixelrnn.coding import CodingModel
    from pixelrnn.graph.conditions import Condition
    from pixelrnn.graph.given import GivenLevels

ALL = "all"  # classes


def given(
    config: dict[str, Any],
    labels: Sequence[str],
    pictures: Sequence[Path],
    keep: str | None,
    size: tuple[int, int],
) -> "list[GivenLevels]":
    """Return what images are given by: each picture with each label; nothing where none are named.

    Args:
        config: of the model.
        labels: names or numbers of classes, or "all".
        pictures: image files.
        keep: what of them is given, a rule or a mask, as `completion.keep` takes it.
        size: height and width of the images.

    Raises:
        RecipeError: if the model takes no such thing, or there is no such class.
        ImageMismatchError: if a picture does not fit.
        DataError: if it cannot be read.
    """
    from pixelrnn.graph.given import GivenLevels

    numbers: list[int | None] = [*label_numbers(labels, config)]
    if keep is not None and not pictures:
        raise RecipeError("--keep says what is given of a picture: give one with --condition")
    if not pictures:
        return [GivenLevels(number) for number in numbers]
    return [
        GivenLevels(number, levels, known)
        for levels, known in (_picture(path, config, keep, size) for path in pictures)
        for number in numbers or [None]
    ]


def label_numbers(labels: Sequence[str], config: dict[str, Any]) -> list[int]:
    """Return the numbers of classes by name or number; see `given`."""
    return numbers_of(labels, config.get("num_labels", 0), config.get("label_names", ()))


def label_number(label: str, config: dict[str, Any]) -> int:
    """Return the number of one class by its name or number; see `given`."""
    return _number_of(label, config.get("num_labels", 0), config.get("label_names", ()))


def _number_of(label: str, count: int, label_names: Sequence[str]) -> int:
    if label == ALL and ALL not in label_names:
        raise RecipeError("an image has one class: give --label the name of one")
    return numbers_of([label], count, label_names)[0]


def numbers_of(labels: Sequence[str], count: int, label_names: Sequence[str]) -> list[int]:
    """Return the numbers of classes by name or number, all of them by "all".

    Args:
        labels: as they were typed.
        count: how many classes there are.
        label_names: what they are called, if they have names.

    Raises:
        RecipeError: if there is no such class, or none at all.
    """
    names = list(label_names)
    if labels and not count:
        raise RecipeError("this model knows no classes: leave --label out, or give another model")
    known = [*names, *(str(n) for n in range(count)), ALL]
    numbers: list[int] = []
    for label in labels:
        if label not in known:
            shown = names or [f"0 to {count - 1}"]
            raise RecipeError(f"there is no class {label!r}; {choice(label, [*shown, ALL])}")
        if label in names:  # also one that is called all
            numbers.append(names.index(label))
        else:
            numbers += range(count) if label == ALL else [int(label)]
    return numbers


def _picture(
    path: Path, config: dict[str, Any], keep: str | None, size: tuple[int, int]
) -> "tuple[Images, Flags]":
    """Return levels `(H, W, C)` and where they are known, `(H, W)`, of a picture."""
    from pixelrnn.graph.conditions import CONDITIONS

    about = config.get("condition")
    if about is None:
        raise RecipeError(
            "this model is given no picture: leave --condition out, or give a model that is, such as one "
            "of the recipe photos-colourise"
        )
    condition = CONDITIONS[about["kind"]](about["factor"], about["channels"])
    bands, alpha = _read(path, config["num_levels"])
    _check_size(path, bands.shape[:2], condition, size)
    if not condition.has_holes and (alpha < 255).any():
        raise ImageMismatchError(
            f"{path} has transparent pixels, and all are given: make them opaque"
        )
    channels = condition.channels(config["channels"])
    known = _known(path, alpha, keep, has_holes=condition.has_holes)
    shown = bands * known[..., None]  # whatever lies in a hole does not count
    levels = _levels(_of_colours(shown, channels, path), config["num_levels"], path)
    placed, where = condition.placed(levels.transpose(2, 0, 1), known, *size)
    return placed.transpose(1, 2, 0), where


def _read(path: Path, num_levels: int) -> "tuple[Images, Images]":
    """Return the colours of a picture, `(H, W, 1 or 3)`, and its alpha, `(H, W)`."""
    import numpy as np

    from pixelrnn.data.image_files import UnreadableImageError, depth_of, read_bands, read_header

    depth = depth_of(num_levels)
    try:
        header = read_header(path, depth)
        bands = read_bands(header)
    except UnreadableImageError as error:
        raise ImageMismatchError(
            f"{error}; give a picture of {depth} bits, grey or RGB, such as a PNG file"
        ) from error
    alpha = bands[..., -1] if header.has_alpha else np.full(bands.shape[:2], 255, np.uint8)
    return bands[..., : header.channels], alpha


def _check_size(
    path: Path, found: tuple[int, ...], condition: "Condition", size: tuple[int, int]
) -> None:
    expected = condition.size(*size)
    if found == expected:
        return
    fitting = next(
        (
            f", or say --size {scale * found[0]}x{scale * found[1]}"
            for scale in (1, condition.factor)
            if condition.size(scale * found[0], scale * found[1]) == found
        ),
        "",
    )
    raise ImageMismatchError(
        f"{path} is of {found[0]} x {found[1]} pixels (height x width), and images of {size[0]} x "
        f"{size[1]} are given one of {expected[0]} x {expected[1]}: resize it{fitting}"
    )


def _of_colours(bands: "Images", channels: int, path: Path) -> "Images":
    """Return a picture with the colours that a model is given, if it can be without loss."""
    import numpy as np

    from pixelrnn.arrays import PICTURE_CHANNELS

    if bands.shape[2] == channels:
        return bands
    if (bands == bands[..., :1]).all() and channels in PICTURE_CHANNELS:
        return np.repeat(bands[..., :1], channels, axis=2)
    raise ImageMismatchError(
        f"{path} is in colour, and this model is given grey images: make it grey first"
        if channels == 1
        else f"this model is given images of {channels} channels, which no picture has: give them in Python"
    )


def _levels(shown: "Images", num_levels: int, path: Path) -> "Images":
    """Return the levels that are shown as these shades; of 16 bits a shade is a level."""
    import numpy as np

    from pixelrnn.pictures import shades

    if shown.dtype == np.uint16:
        if shown.max() < num_levels:
            return shown
        raise ImageMismatchError(
            f"{path} has the level {shown.max()}, and the model is of images with {num_levels} levels: "
            "give a picture with levels below that"
        )
    table = shades(num_levels)
    levels = np.searchsorted(table, shown).astype(np.uint8).clip(0, num_levels - 1)
    if (table[levels] != shown).any():
        shade = int(shown[table[levels] != shown][0])
        raise ImageMismatchError(
            f"{path} has the shade {shade}, and the model is of images with {num_levels} levels, shown as "
            f"{', '.join(map(str, table[:3]))} ... {table[-1]}: give one of these shades alone"
        )
    return levels


def _known(path: Path, alpha: "Images", keep: str | None, *, has_holes: bool) -> "Flags":
    """Return which pixels of a picture are given: those that are opaque, and that a rule keeps."""
    known: Flags = alpha == 255
    if keep is not None:
        if not has_holes:
            raise RecipeError("this model is given whole pictures: leave --keep out")
        from pixelrnn import completion

        known &= completion.keep(keep, *alpha.shape)
    if has_holes and known.all():
        raise ImageMismatchError(
            f"{path} has no hole: make transparent what is not given, or say with --keep what is, such as "
            "top:0.5 or a mask image"
        )
    return known


def class_of(
    model: "CodingModel", label: str | None, *, labels: bool
) -> "Callable[[str], int | None] | None":
    """Return what says the class of an image by its name; nothing if none are asked for."""
    if label is None and not labels:
        return None
    if label is not None and labels:
        raise RecipeError(
            "--label says one class for all images, --labels one for each: give one of them"
        )
    classes = max(model.program.given.num_labels - 1, 0)

    @cache
    def number(name: str) -> int:
        return _number_of(name, classes, model.label_names)

    def of_folder(name: str) -> int:
        folder = name.rpartition("/")[0].rpartition("/")[2]
        if not folder:
            raise RecipeError(
                f"--labels takes classes from folders, and {name} is in none: give the folder above them"
            )
        return number(folder)

    if label is None:
        return of_folder
    number(label)
    return lambda _: number(label)


def require_scales(model: "CodingModel", factor: int, *, keep_smaller: bool) -> None:
    """Raise `RecipeError` if large images cannot be given small ones."""
    from pixelrnn.graph.conditions import MAX_FACTOR, MIN_FACTOR

    if factor == 0:
        return
    if not MIN_FACTOR <= factor <= MAX_FACTOR:
        raise RecipeError(f"--small takes a factor of {MIN_FACTOR} to {MAX_FACTOR}, or 0 for none")
    if not model.program.given.is_part:  # which pixels these are, a program does not say
        raise RecipeError(
            f"{model.name} is given no pixels of the image itself: leave --small out, or give a model that "
            "was trained with a model.condition.kind of small or masked"
        )
    if keep_smaller:
        raise RecipeError(
            "--keep-smaller leaves images out, and --small adds some: give one of them"
        )
