"""What verbs print: results, lines beside them, tables, JSON, and nothing in them that a terminal obeys.

Names of files, of models and of images, and what libraries say of them, come from elsewhere. Whatever is
printed goes through here, so that no such text moves the cursor, hides itself or reverses a line.
"""

import itertools
import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import typer

from pixelrnn.untrusted import printable
from pixelrnn.wording import without_surrogates

if TYPE_CHECKING:
    from rich.table import Table

ROWS_AT_ONCE = 1000  # of JSON
UNCUT = 1_000_000  # characters a line may have where no terminal shows it


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


def say_json(value: Any, indent: int = 1) -> None:
    """Print JSON. Bytes of file names that are no text become question marks: JSON is text."""
    typer.echo(_json(value, indent))


def say_json_with(facts: dict[str, Any], key: str, rows: Iterable[dict[str, Any]]) -> None:
    """Print JSON of `facts` and, under one more key, of rows, a line each: there may be millions."""
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


def say_table(table: "Table") -> None:
    """Print a table; in a pipe or a file no line of it is wrapped or cut."""
    from rich.console import Console

    console = Console()
    if not console.is_terminal:
        console = Console(width=UNCUT)
        if table.title is not None:  # it would be wrapped to the width of the table
            console.print(table.title)
            table.title = None
    console.print(table)
