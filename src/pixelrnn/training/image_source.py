"""Where a run's images are: an absolute path in its recipe, looked up again when the run goes on."""

import os
from pathlib import Path

from pixelrnn.data.catalogue import CATALOGUE
from pixelrnn.data.in_memory import IN_MEMORY
from pixelrnn.data.loading import existing_path
from pixelrnn.errors import DataError
from pixelrnn.files import require_utf8


def absolute_source(source: str) -> str:
    """Return a source of images with an absolute path, if it is a path; a name stays as it is.

    Raises:
        RecipeError: if the path cannot be written into a recipe, which is UTF-8.

    Example:
        >>> absolute_source("digits"), Path(absolute_source("..")).is_absolute()
        ('digits', True)
    """
    if _is_name(source):
        return source
    require_utf8(source, "the images")
    if existing_path(source) is None:
        return source
    return os.path.abspath(Path(source).expanduser())  # noqa: PTH100 - a link stays one


def require_there(source: str, run: Path) -> None:
    """Raise `DataError` if the images that a run was begun with are no longer where they were."""
    if _is_name(source) or existing_path(source) is not None:
        return
    seen_from = "" if Path(source).is_absolute() else ", seen from where it was begun"
    raise DataError(
        f"the images of {run} were in {source}{seen_from}, and there is nothing now: put them back, "
        "or say with --data where they are"
    )


def _is_name(source: str) -> bool:
    return source in CATALOGUE or source == IN_MEMORY
