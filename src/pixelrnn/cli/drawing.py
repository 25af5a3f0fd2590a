"""What verbs that draw, code and measure share: options, checks of what they write, a bar of progress."""

import math
import os
import re
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, NamedTuple

import typer

from pixelrnn import shipped
from pixelrnn.errors import OutputError, RecipeError
from pixelrnn.files import FOLDER, LINK_TO_NOTHING, make_folder, not_a_file

MAX_SIDE = 65536  # pixels
SECONDS_BEFORE_BAR = 0.7


class Size(NamedTuple):
    """Height and width in pixels."""

    height: int
    width: int

    def __str__(self) -> str:
        return f"{self.height}x{self.width}"


def name_or_path(text: str) -> Path:
    """Return what names a model; raises `ModelFileError` if it is also a path here, see `shipped`."""
    if text in shipped.names():
        shipped.file_of(text, shipped.WEIGHTS)
    return Path(text)


def size(text: str) -> Size:
    """Return the size of a text such as "32x48".

    Raises:
        RecipeError: if it is not such a text, or a side is out of range.

    Example:
        >>> size("32x48")
        Size(height=32, width=48)
    """
    found = re.fullmatch(r"\s*(\d{1,9})\s*[xX\u00d7]\s*(\d{1,9})\s*", text)
    if not found or not all(1 <= int(side) <= MAX_SIDE for side in found.groups()):
        raise RecipeError(
            f"{text!r} is not a size: write HEIGHTxWIDTH in pixels, such as 32x32; "
            f"a side is 1 to {MAX_SIDE}"
        )
    return Size(*map(int, found.groups()))


def positive(text: str) -> int:
    """Return a whole number of at least 1; raises `RecipeError` for anything else."""
    number = _whole(text)
    if number is None or not 1 <= number < 2**31:
        raise RecipeError(f"{text!r} is not allowed: give a whole number, 1 or more")
    return number


def seed_number(text: str) -> int:
    """Return a seed, 0 to 2^63 - 1; raises `RecipeError` for anything else."""
    number = _whole(text)
    if number is None or not 0 <= number < 2**63:
        raise RecipeError(f"{text!r} is not a seed: give a whole number, 0 to 2^63 - 1")
    return number


def temperature_number(text: str) -> float:
    """Return a positive, finite number; raises `RecipeError` for anything else."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 < number < math.inf:
        raise RecipeError(f"{text!r} is not a temperature: give a positive number, such as 1.0")
    return number


def _whole(text: str) -> int | None:
    try:
        return int(text)
    except ValueError:
        return None


Model = Annotated[
    Path,
    typer.Argument(
        parser=name_or_path,
        metavar="MODEL",
        help="A run folder, a .safetensors file, or a name from `pixelrnn models list`.",
        show_default=False,
    ),
]
Seed = Annotated[
    int,
    typer.Option(parser=seed_number, metavar="INTEGER", help="The same seed, the same images."),
]
Temperature = Annotated[
    float,
    typer.Option(
        parser=temperature_number,
        metavar="NUMBER",
        help="1 draws from the model's own distribution; below it is sharper, above flatter.",
    ),
]
Threads = Annotated[
    int | None,
    typer.Option(
        parser=positive,
        metavar="INTEGER",
        help="Images at the same time: speed, not the result.",
        show_default="one for each usable core",
    ),
]
Repeats = Annotated[
    int, typer.Option(parser=positive, metavar="INTEGER", help="Of each; the median is shown.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Force = Annotated[bool, typer.Option("--force", help="Write over files that are there.")]


def refuse_existing(files: Sequence[tuple[str, Path | None]], *, force: bool) -> None:
    """Check that no file which is there would be written over, unless the user says so.

    Args:
        files: of each the option and the path, or None.
        force: whether the user says so.

    Raises:
        OutputError: if one is there; or, in any case, if it is a folder, a device or the like.
    """
    for option, path in files:
        if path is None:
            continue
        kind = not_a_file(path)
        if kind == FOLDER:
            raise OutputError(f"{path} is a folder; give the name of a file in it for {option}")
        if kind and kind != LINK_TO_NOTHING:
            raise OutputError(f"{path} is {kind}, not a file: give another name with {option}")
        if os.path.exists(path) and not force:  # noqa: PTH110 - never raises
            raise OutputError(
                f"{path} is there already: give another name with {option}, or --force to write over it"
            )


def require_writable(files: Sequence[tuple[str, Path | None, str]], *, force: bool = False) -> None:
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
    refuse_existing([(option, path) for option, path, _ in given], force=force)
    for _, path, _ in given:
        make_folder(path.parent)


@contextmanager
def pixels_progress(label: str, total: int) -> Iterator[Callable[[int], None]]:
    """Show a bar with the time left, once the work has taken a moment.

    Args:
        label: what is done.
        total: of pixels.

    Yields:
        What to call with the pixels done since the last call, from any thread.
    """
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn
    from rich.progress import TimeRemainingColumn as TimeLeft

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeLeft())
    bar = Progress(*columns, console=console, transient=True)
    task = bar.add_task(label, total=total)
    lock, began, shown = threading.Lock(), time.monotonic(), False

    def advance(pixels: int) -> None:
        nonlocal shown
        with lock:
            bar.advance(task, pixels)
            if not shown and console.is_terminal and time.monotonic() - began > SECONDS_BEFORE_BAR:
                bar.start()
                shown = True

    try:
        yield advance
    finally:
        with lock:
            if shown:
                bar.stop()
