"""What the verbs that compress share: options, reading image files, names."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pixelrnn.errors import DataError

if TYPE_CHECKING:
    from pixelrnn.data.image_files import ImageHeader
    from pixelrnn.stepper.runner import Images

CodingModelOption = Annotated[
    str | None,
    typer.Option(
        "--model",
        metavar="NAME-or-PATH",
        help="A name from `pixelrnn models list`, or a file from `pixelrnn models export`.",
        show_default=False,
    ),
]
Force = Annotated[bool, typer.Option("--force", help="Write over files that are there.")]


def image_headers(paths: Sequence[Path]) -> "list[ImageHeader]":
    """Return the headers of image files; of a folder, those of its images, sorted by name.

    Raises:
        DataError: if there is no such file, or an image cannot be read without loss.
    """
    from pixelrnn.data.folder import SUFFIXES
    from pixelrnn.data.image_files import read_header

    files: list[Path] = []
    for path in paths:
        if path.is_dir():
            found = sorted(child for child in path.iterdir() if child.suffix.lower() in SUFFIXES)
            if not found:
                raise DataError(f"{path} has no images ({', '.join(sorted(SUFFIXES))})")
            files += found
        elif path.is_file():
            files.append(path)
        else:
            raise DataError(f"there is no file {path}: give images, or a folder of images")
    return [read_header(file) for file in files]


def pixels_of(headers: "Sequence[ImageHeader]") -> "Iterator[tuple[str, Images]]":
    """Read the images one after the other: name and pixels `(H, W, bands)`."""
    from pixelrnn.data.image_files import read_bands

    for header in headers:
        # A file system may hold names that are no text; what is no letter becomes a question mark.
        name = header.path.name.encode(errors="replace").decode()
        yield name, read_bands(header)


def printable(text: str) -> str:
    """Return a text from elsewhere with nothing in it that a terminal would obey.

    Example:
        >>> printable("two" + chr(10) + "lines")
        'two?lines'
    """
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def counted(number: int, thing: str) -> str:
    """Return a number and a thing, in the plural where there is not one.

    Example:
        >>> counted(1, "image"), counted(1200, "image")
        ('1 image', '1,200 images')
    """
    return f"{number:,} {thing}{'' if number == 1 else 's'}"
