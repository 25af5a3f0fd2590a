"""What the verbs that compress share."""

from typing import Annotated

import typer

CodingModelOption = Annotated[
    str | None,
    typer.Option(
        "--model",
        metavar="NAME-or-PATH",
        help="A name from `pixelrnn models list`, or a file from `pixelrnn models export`.",
        show_default=False,
    ),
]


def counted(number: int, thing: str) -> str:
    """Return a number and a thing, in the plural where there is not one.

    Example:
        >>> counted(1, "image"), counted(1200, "image")
        ('1 image', '1,200 images')
    """
    return f"{number:,} {thing}{'' if number == 1 else 's'}"
