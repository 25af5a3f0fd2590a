"""Options that several verbs share."""

import shlex
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Annotated, Any

import typer
import typer.core

from pixelrnn.errors import DisagreementError

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
        help="A name from `pixelrnn data list`, a folder of images, an album (.pxr), an .npy or .npz "
        "of uint8 (N, H, W[, C]), or the files of CIFAR or MNIST, such as torchvision's root.",
        show_default=False,
    ),
]

Device = Annotated[
    str,
    typer.Option(
        metavar="DEVICE",
        help="Where the model runs: auto (the fastest here), cpu, cuda, cuda:1 or mps.",
    ),
]


def coding_model(show_default: str | bool = False) -> Any:
    """Return the option of an integer model, with what is taken if it is not given."""
    return typer.Option(
        "--model",
        metavar="NAME-or-PATH",
        help="A name from `pixelrnn models list`, or a file from `pixelrnn models export`.",
        show_default=show_default,
    )


CodingModelOption = Annotated[str | None, coding_model()]


WORDS = {"str": "TEXT", "path": "PATH", "int": "INTEGER", "float": "NUMBER", "bool": None}


class Worded:
    """Of a command: its help says what to write, and not the Python type that it becomes."""

    def get_params(self, ctx: Any) -> Any:
        """Return the parameters: an option that takes nothing, and an argument, shows no type."""
        params = super().get_params(ctx)  # type: ignore[misc]
        for param in params:
            param.display_type_rich = partial(_word, param, param.display_type_rich)
        return params


class Verb(Worded, typer.core.TyperCommand):
    """A verb of the command line."""


class Verbs(Worded, typer.core.TyperGroup):
    """Several verbs under one name."""


def _word(param: Any, usual: Callable[[Any], str | None], ctx: Any) -> str | None:
    if isinstance(param, typer.core.TyperArgument):
        return None
    shown = usual(ctx) or ""
    return WORDS.get(shown.strip("<>").removesuffix(" range"), shown)


def command_line() -> str:
    """Return what the user typed, for the record; bytes that are not UTF-8 are escaped."""
    typed = shlex.join(["pixelrnn", *sys.argv[1:]])
    return typed.encode(errors="surrogateescape").decode(errors="backslashreplace")


def raise_alarms(alarms: Iterable[str]) -> None:
    """Raise `DisagreementError` if there are alarms: what was printed is not to be believed."""
    if found := list(alarms):
        raise DisagreementError("; ".join(found))


@contextmanager
def images_progress(label: str, total: float) -> Iterator[Callable[[float], None]]:
    """Show a bar on standard error while images are worked on; yields what to call with the count."""
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task(label, total=total)
        yield lambda done: progress.update(task, completed=done)
