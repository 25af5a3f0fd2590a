"""What verbs print: results, lines beside them, tables, JSON, progress; and nothing that a terminal obeys.

Names of files, of models and of images, and what libraries say of them, come from elsewhere. Whatever is
printed goes through here, so that no such text moves the cursor, hides itself or reverses a line.
"""

import itertools
import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

import typer

from pixelrnn.errors import DisagreementError
from pixelrnn.untrusted import printable
from pixelrnn.wording import without_surrogates

ROWS_AT_ONCE = 1000  # of JSON
UNCUT = 1_000_000  # characters a line may have where no terminal shows it
SECONDS_BEFORE_BAR = 0.7
T = TypeVar("T")


def say(text: str) -> None:
    """Print a result of one line on standard output, whatever a name in it holds."""
    typer.echo(printable(text))


def say_lines(lines: Iterable[str]) -> None:
    """Print a result of several lines on standard output."""
    for line in lines:
        say(line)


def tell(line: str) -> None:
    """Print a line on standard error, where it does not mix with results."""
    typer.echo(printable(line), err=True)


def interrupted(line: str) -> typer.Exit:
    """Tell what Ctrl-C left; return what ends the command with the code of a process that it stopped."""
    tell(line)
    return typer.Exit(130)


def until_stopped(parts: Iterable[T]) -> list[T]:
    """Return finished parts of the work, up to Ctrl-C; ends the command if there is none."""
    done: list[T] = []
    with suppress(KeyboardInterrupt):
        for part in parts:
            done.append(part)
    if not done:
        raise interrupted("stopped before the first image was finished: nothing is written")
    return done


def require_finished(num_done: int, num_images: int) -> None:
    """Tell that Ctrl-C left some of the images undone, and end the command, if so."""
    if num_done < num_images:
        raise interrupted(
            f"stopped: {num_done:,} of {num_images:,} images were finished and are kept"
        )


def raise_alarms(alarms: Iterable[str]) -> None:
    """Raise `DisagreementError` if there are alarms: what was printed is not to be believed."""
    if found := list(alarms):
        raise DisagreementError("; ".join(found))


def say_json(value: Any) -> None:
    """Print JSON. Bytes of file names that are no text become question marks: JSON is text."""
    typer.echo(_json(value))


def say_json_with(facts: dict[str, Any], key: str, rows: Iterable[dict[str, Any]]) -> None:
    """Print JSON of `facts` and, under one more key, of rows, one per line: there may be millions."""
    typer.echo(f"{_json(facts)[:-2]},\n {_json(key)}: [", nl=False)
    comma, lines = "", (f"\n  {_json(row, None)}" for row in rows)
    while some := list(itertools.islice(lines, ROWS_AT_ONCE)):
        typer.echo(comma + ",".join(some), nl=False)
        comma = ","
    typer.echo(("\n ]" if comma else "]") + "\n}")


def _json(value: Any, indent: int | None = 1) -> str:
    text = json.dumps(value, ensure_ascii=False)
    if not text.isascii():
        value = json.loads(without_surrogates(text))
    return json.dumps(value, indent=indent)


def say_table(
    left: Sequence[str],
    right: Sequence[str],
    rows: Iterable[Sequence[str] | None],
    title: str = "",
    last: Sequence[str] = (),
    **style: Any,
) -> None:
    """Print a table; in a pipe or a file no line of it is wrapped or cut.

    Args:
        left: headings of the columns that are aligned left, which stand first.
        right: headings of those that are aligned right.
        rows: the texts of each row; None is a line between those above and those below.
        title: above it.
        last: headings of further columns, aligned left.
        style: as `rich.table.Table` takes it.
    """
    from rich.console import Console
    from rich.table import Column, Table
    from rich.text import Text  # in which brackets are no markup

    console = Console()
    columns: Any = ((left, "left"), (right, "right"), (last, "left"))
    headings = [
        Column(each, justify=justify, overflow="fold") for some, justify in columns for each in some
    ]
    table = Table(*headings, title=Text(printable(title)), title_justify="left", **style)
    if not console.is_terminal:
        console = Console(width=UNCUT)
        table.title = None  # it would be wrapped to the width of the table
        say_lines([title] if title else [])
    for row in rows:
        if row is None:
            table.add_section()
        else:
            table.add_row(*(Text(printable(text)) for text in row))
    console.print(table)


def say_coloured(lines: Iterable[str], colours: Mapping[str, str]) -> None:
    """Print a drawing of letters; on a terminal each letter in its colour, as rich names them."""
    from rich.console import Console
    from rich.text import Text

    console = Console()
    for line in lines:
        if console.is_terminal:
            parts = [(letter, colours.get(letter, "")) for letter in printable(line)]
            console.print(Text.assemble(*parts), no_wrap=True, overflow="crop")
        else:
            say(line)


@contextmanager
def progress(label: str, total: float) -> Iterator[Callable[[float], None]]:
    """Show a bar with the time left on standard error, once the work has taken a moment.

    Args:
        label: what is done.
        total: of what is counted.

    Yields:
        What to call with what was done since its last call, from any thread.
    """
    from rich import progress as parts
    from rich.console import Console

    columns = (parts.BarColumn(), parts.TaskProgressColumn(), parts.TimeRemainingColumn())
    console = Console(stderr=True)
    bar = parts.Progress("{task.description}", *columns, console=console, transient=True)
    task, began = bar.add_task(label, total=total), time.monotonic()

    def advance(done: float) -> None:
        bar.advance(task, done)
        is_slow = time.monotonic() - began > SECONDS_BEFORE_BAR
        if is_slow and console.is_terminal and not bar.live.is_started:
            bar.start()

    try:
        yield advance
    finally:
        if bar.live.is_started:
            bar.stop()
