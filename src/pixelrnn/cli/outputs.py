"""The files that verbs write: none is written over unless the user says so."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pixelrnn.errors import OutputError, RecipeError
from pixelrnn.files import FOLDER, LINK_TO_NOTHING, make_folder, not_a_file
from pixelrnn.wording import colours, joined


def are_shown(
    config: Mapping[str, Any], pictures: Mapping[str, Path | None], *, instead: str, is_given: bool
) -> bool:
    """Return whether a model's images are shown as pictures; else they are written as arrays alone.

    Args:
        config: of the model.
        pictures: the options of pictures, and what the user gave for them.
        instead: how arrays are asked for.
        is_given: whether the user did.

    Raises:
        RecipeError: if no picture shows such images, and one is asked for, or no array is.
    """
    from pixelrnn.arrays import PICTURE_CHANNELS

    is_ordered = config.get("alphabet", "ordinal") == "ordinal"
    if is_ordered and config["channels"] in PICTURE_CHANNELS:
        return True
    is_asked = any(pictures.values())
    if is_asked or not is_given:
        of = f"{colours(config['channels'])} images" if is_ordered else "symbols"
        without = f"leave {joined(list(pictures))} out, and " if is_asked else ""
        raise RecipeError(f"this model is of {of}, which no picture shows: {without}give {instead}")
    return False


def refuse_existing(option: str, path: Path, *, force: bool) -> None:
    """Check that a file which is there would not be written over, unless the user says so.

    Args:
        option: that named it.
        path: the file.
        force: whether the user says so.

    Raises:
        OutputError: if it is there; or, in any case, if it is a folder, a device or the like.
    """
    kind = not_a_file(path)
    if kind == FOLDER:
        raise OutputError(f"{path} is a folder; give the name of a file in it for {option}")
    if kind and kind != LINK_TO_NOTHING:
        raise OutputError(f"{path} is {kind}, not a file: give another name with {option}")
    if os.path.exists(path) and not force:  # noqa: PTH110 - never raises
        raise OutputError(
            f"{path} is there already: give another name with {option}, or --force to write over it"
        )


def require_writable(*files: tuple[str, Path | None, str], force: bool) -> None:
    """Check, before any work is done, that each file can be written.

    Args:
        files: of each the option, the path or None, and how its name must end.
        force: whether files that are there may be written over.

    Raises:
        OutputError: if a name ends in something else, is a folder, is there already, or cannot be written
            to.
    """
    given = [(option, path, suffix) for option, path, suffix in files if path is not None]
    for option, path, suffix in given:
        if path.suffix.lower() != suffix:
            raise OutputError(f"{option} {path}: give a name that ends in {suffix}")
    for option, path, _ in given:
        refuse_existing(option, path, force=force)
    for _, path, _ in given:
        make_folder(path.parent)
