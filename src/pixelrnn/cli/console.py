"""What verbs print: results, lines beside them, tables, JSON, and nothing in them that a terminal obeys.

Names of files, of models and of images, and what libraries say of them, come from elsewhere. Whatever is
printed goes through here, so that no such text moves the cursor, hides itself or reverses a line.
"""

import json
import textwrap
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import typer

from pixelrnn.wording import without_surrogates

if TYPE_CHECKING:
    from rich.table import Table

UNCUT = 1_000_000  # characters a line may have where no terminal shows it


def printable(text: str) -> str:
    r"""Return a text from elsewhere in one line, what a terminal would obey written as an escape.

    Example:
        >>> printable("two" + chr(10) + "lines, " + chr(27) + "[31mred")
        'two\\nlines, \\x1b[31mred'
    """
    if text.isprintable():
        return text
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode()
        for letter in text
    )


def say(text: str) -> None:
    """Print a result, of one line or several, on standard output."""
    typer.echo("\n".join(map(printable, text.split("\n"))))


def tell(line: str) -> None:
    """Print a line on standard error, where it does not mix with results."""
    typer.echo(printable(line), err=True)


def say_json(value: Any, indent: int = 1) -> None:
    """Print JSON. Bytes of file names that are no text become question marks: JSON is text."""
    typer.echo(_json(value, indent))


def say_json_with(facts: dict[str, Any], key: str, rows: Iterable[dict[str, Any]]) -> None:
    """Print JSON of `facts` and, under one more key, of rows one by one: there may be millions."""
    typer.echo(f"{_json(facts)[:-2]},\n {_json(key)}: [", nl=False)
    comma = ""
    for row in rows:
        typer.echo(comma + "\n" + textwrap.indent(_json(row), "  "), nl=False)
        comma = ","
    typer.echo(("\n ]" if comma else "]") + "\n}")


def _json(value: Any, indent: int = 1) -> str:
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
