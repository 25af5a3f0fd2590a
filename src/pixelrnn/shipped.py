"""The trained models that come with the package: a name each, weights, an integer program and a card.

    weights/NAME.safetensors            the weights, to sample, complete and evaluate
    weights/NAME.integer.safetensors    the integer program, to compress and decompress
    weights/NAME.md                     the card: how it was trained, on what, how good it is

An integer program is never changed once it was released: files name it by its hash. A better one gets a
new name.
"""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pixelrnn.errors import ModelFileError, PixelRNNError
from pixelrnn.files import not_a_file
from pixelrnn.wording import suggestion

FOLDER = Path(__file__).parent / "weights"
PHOTOGRAPHS, SMALL_IMAGES = "photographs", "small images"
# The defaults of `compress`, by what the images mostly are: chosen here alone.
DEFAULT_MODELS = {PHOTOGRAPHS: "photograph-pixelcnn", SMALL_IMAGES: "cifar10-gated-pixelcnn"}
SMALL_SIDE = 64  # pixels: no side of a small image is longer
WEIGHTS, PROGRAM, CARD = ".safetensors", ".integer.safetensors", ".md"


def names() -> list[str]:
    """Return the names of the models that come with the package.

    Example:
        >>> "colour-pixelcnn" in names()
        True
    """
    return sorted(path.name.removesuffix(CARD) for path in FOLDER.glob(f"*{CARD}"))


def mostly(shapes: Iterable[tuple[int, int, int]]) -> str:
    """Return what images mostly are, `PHOTOGRAPHS` or `SMALL_IMAGES`: where more of their levels are.

    Args:
        shapes: height and width in pixels, and bands, of each image.

    Example:
        >>> mostly([(64, 64, 3)]), mostly([(64, 65, 3)]), mostly([(512, 768, 3), (32, 32, 3)])
        ('small images', 'photographs', 'photographs')
    """
    levels = {PHOTOGRAPHS: 0, SMALL_IMAGES: 0}
    for height, width, bands in shapes:
        levels[kind_of(height, width)] += height * width * bands
    return max(levels, key=levels.__getitem__)


def kind_of(height: int, width: int) -> str:
    """Return what one image is, by its size in pixels; see `mostly`."""
    return SMALL_IMAGES if max(height, width) <= SMALL_SIDE else PHOTOGRAPHS


def described_defaults() -> str:
    """Say for the help which model is taken if none is named.

    Example:
        >>> described_defaults().endswith("; an album has one, that for most of its levels")
        True
    """
    small = f"{DEFAULT_MODELS[SMALL_IMAGES]} for images of at most {SMALL_SIDE} pixels a side"
    return (
        f"{DEFAULT_MODELS[PHOTOGRAPHS]} for photographs, {small}; an album has one, that for most of its "
        "levels"
    )


def file_of(name_or_path: str | Path, suffix: str) -> Path:
    """Return the file of a model that is named, or the path as it is where there is such a file.

    Args:
        name_or_path: a name from `names`, or a path. Text that is both is refused; a `Path` is a path
            wherever it exists.
        suffix: `WEIGHTS` or `PROGRAM`.

    Raises:
        ModelFileError: if it is neither, or both.
    """
    if isinstance(name_or_path, str) and name_or_path in names():
        require_one_meaning(name_or_path, "a model that comes with the package", ModelFileError)
    path = Path(name_or_path)
    try:
        if path.exists():
            if (kind := not_a_file(path)) and not path.is_dir():
                raise ModelFileError(f"{path} is {kind}: give a run folder or a .safetensors file")
            return path
    except OSError:  # a name that is too long
        pass
    shipped = FOLDER / f"{name_or_path}{suffix}"
    if str(name_or_path) in names() and shipped.is_file():
        return shipped
    raise ModelFileError(
        f"there is no model at {name_or_path}{suggestion(str(name_or_path), names())}: give a run folder, "
        "a .safetensors file, or a name from `pixelrnn models list`"
    )


def require_one_meaning(text: str, what: str, error: type[PixelRNNError]) -> None:
    """Raise `error` if a name of the package's is also the path of something here.

    Args:
        text: the name, as the user wrote it.
        what: it is a name of, such as "a set of images".
        error: the class to raise.
    """
    if Path(text).exists():
        raise error(
            f"{text} is the name of {what} and also a file or folder here: write ./{text} for the latter; "
            "for the former go to another folder, or rename it"
        )


def config(name: str) -> dict[str, Any]:
    """Return the configuration of a model, as its weights have it, without torch.

    Example:
        >>> config("digits-pixelcnn")["image_size"]
        [8, 8]
    """
    from safetensors import safe_open  # noqa: PLC0415 - `--help` does without it

    with safe_open(file_of(name, WEIGHTS), framework="np") as opened:
        found: dict[str, Any] = json.loads(opened.metadata()["config"])
    return found


def card(name: str) -> str:
    """Return the card of a model, in Markdown.

    Raises:
        ModelFileError: if no such model comes with the package.
    """
    if name not in names():
        file_of(name, CARD)
        raise ModelFileError(f"{name} is not a model that comes with the package")
    return (FOLDER / f"{name}{CARD}").read_text(encoding="utf-8")
