"""Options that several verbs share."""

import shlex
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated

import typer

Settings = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="Change one key of the recipe, such as optimizer.learning_rate=1e-3. May be repeated.",
        show_default=False,
    ),
]
Data = Annotated[
    str | None,
    typer.Option(
        metavar="NAME-or-PATH",
        help="A name from `pixelrnn data list`, a folder of images, an .npy or .npz of uint8 "
        "(N, H, W[, C]), or a CIFAR binary archive or its folder.",
        show_default=False,
    ),
]


def command_line() -> str:
    """Return what the user typed, for the record; bytes that are not UTF-8 are escaped."""
    typed = shlex.join(["pixelrnn", *sys.argv[1:]])
    return typed.encode(errors="surrogateescape").decode(errors="backslashreplace")


@contextmanager
def images_progress(label: str, total: int) -> Iterator[Callable[[int], None]]:
    """Show a bar on standard error while images are worked on; yields what to call with the count."""
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task(label, total=total)
        yield lambda done: progress.update(task, completed=done)
