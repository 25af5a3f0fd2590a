"""How verbs and their options are declared: shared options once, the help of the others in docstrings."""

import math
import re
import shlex
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import typer
import typer.core

from pixelrnn import shipped
from pixelrnn.errors import RecipeError

MAX_AUDITED_CHANNELS = 64  # of anybody's models, which may be of more than ours
WORDS = {  # of the types and parsers of options, for the help
    "str": "TEXT",
    "path": "PATH",
    "int": "INTEGER",
    "float": "NUMBER",
    "bool": None,
    "Size": "HEIGHTxWIDTH",
}


class Size(NamedTuple):
    """Height and width in pixels."""

    height: int
    width: int


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
    from pixelrnn.stepper.asked import MAX_SIDE

    found = re.fullmatch(r"\s*(\d{1,9})\s*[xX\u00d7]\s*(\d{1,9})\s*", text)
    if not found or not all(1 <= int(side) <= MAX_SIDE for side in found.groups()):
        raise RecipeError(
            f"{text!r} is not a size: write HEIGHTxWIDTH in pixels, such as 32x32; "
            f"a side is 1 to {MAX_SIDE}"
        )
    return Size(*map(int, found.groups()))


def _number(kind: type[float], least: float, end: float, what: str) -> Callable[[str], Any]:
    """Return a parser of numbers from `least` to below `end`, which raises `RecipeError` for others."""

    def parse(text: str) -> Any:
        try:
            number = kind(text)
        except ValueError:
            number = math.nan
        if not least <= number < end:
            raise RecipeError(f"{text!r} is not {what}")
        return number

    parse.__name__ = kind.__name__  # which the help shows
    return parse


positive = _number(int, 1, 2**31, "allowed: give a whole number, 1 or more")
seed_number = _number(int, 0, 2**63, "a seed: give a whole number, 0 to 2^63 - 1")
temperature_number = _number(
    float, math.ulp(0), math.inf, "a temperature: give a positive number, such as 1.0"
)


def positive_number(what: str) -> Callable[[str], float]:
    """Return a parser of positive numbers, which for others raises an error that says what is wanted."""
    return _number(float, math.ulp(0), math.inf, f"allowed: give {what}")


def image_shape(text: str) -> tuple[int, int, int]:
    """Return channels, height and width of a text such as "3x32x48".

    Raises:
        RecipeError: if it is not such a text, or a number is out of range.

    Example:
        >>> image_shape("3x32x48")
        (3, 32, 48)
    """
    channels, letter, rest = text.strip().lower().partition("x")
    if not letter or not channels.isdecimal() or not 1 <= int(channels) <= MAX_AUDITED_CHANNELS:
        raise RecipeError(
            f"{text!r} is not a shape: write CHANNELSxHEIGHTxWIDTH, such as 3x32x32; there are 1 to "
            f"{MAX_AUDITED_CHANNELS} channels"
        )
    return int(channels), *size(rest)


def place(text: str) -> tuple[int, int, int]:
    """Return row, column and colour of a text such as "4,5,0"; raises `RecipeError` if it is none.

    Example:
        >>> place("4,5"), place("4,5,2")
        ((4, 5, 0), (4, 5, 2))
    """
    numbers = [each.strip() for each in text.split(",")]
    if len(numbers) not in {2, 3} or not all(each.isdecimal() for each in numbers):
        raise RecipeError(f"{text!r} is no position: write ROW,COLUMN,COLOUR, such as 4,5,0")
    row, column, channel = (*map(int, numbers), 0)[:3]
    return row, column, channel


MODEL_FILES = "A run folder, a .safetensors file, or a name from `pixelrnn models list`."
Model = Annotated[
    Path, typer.Argument(parser=name_or_path, metavar="RUN-or-MODEL", help=MODEL_FILES)
]
CODING_MODEL: dict[str, Any] = {
    "metavar": "NAME-or-PATH",
    "help": "A name from `pixelrnn models list`, or a file from `pixelrnn models export`.",
}
CodingModel = Annotated[str | None, typer.Option("--model", **CODING_MODEL)]
AlbumFile = Annotated[Path, typer.Argument(metavar="FILE.pxr", help="From `pixelrnn compress`.")]
IMAGES = (
    "A name from `pixelrnn data list`, a folder of images, an album (.pxr), an .npy or .npz "
    "of uint8 (N, H, W[, 3]) or (N, C, H, W), or the files of CIFAR or MNIST, such as torchvision's root."
)
Images = Annotated[str, typer.Option(metavar="NAME-or-PATH", help=IMAGES)]
Data = Annotated[str | None, typer.Option(metavar="NAME-or-PATH", help=IMAGES)]
HOW_READ = "How the images are read, such as data.patch_size=32. May be repeated."
DataSettings = Annotated[
    list[str] | None, typer.Option("--set", metavar="data.KEY=VALUE", help=HOW_READ)
]
KEYS = "Change one key of the recipe, such as optimizer.learning_rate=1e-3. May be repeated."
Settings = Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help=KEYS)]
Split = Annotated[str, typer.Option(help="train, validation, test, or all.")]
Count = Annotated[int, typer.Option("-n", "--count", parser=positive)]
Positive = Annotated[int, typer.Option(parser=positive)]
PositiveOrNone = Annotated[int | None, typer.Option(parser=positive)]
Seed = Annotated[int, typer.Option(parser=seed_number, help="The same seed gives the same images.")]
SHARPNESS = "1 samples from the model's own distribution; lower is sharper, higher is flatter."
Temperature = Annotated[float, typer.Option(parser=temperature_number, help=SHARPNESS)]
WHERE = "Where the model runs: auto (the fastest here), cpu, cuda, cuda:1 or mps."
Device = Annotated[str, typer.Option(metavar="DEVICE", help=WHERE)]
BatchSize = Annotated[
    int, typer.Option(min=1, help="Images at a time; affects speed and memory, not the result.")
]
Threads = Annotated[
    int | None,
    typer.Option(
        parser=positive,
        help="Images processed in parallel; affects speed, not the result.",
        show_default="one for each usable core",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Force = Annotated[bool, typer.Option("--force", help="Overwrite existing files.")]


class _Worded:
    """Of a command: its help says what to write, and not the Python type that it becomes."""

    def get_params(self, ctx: Any) -> Any:
        """Return the parameters: an option that takes nothing, and an argument, shows no type."""
        params = super().get_params(ctx)  # type: ignore[misc]
        for param in params:
            if usual := getattr(param, "display_type_rich", None):  # not in every version of typer
                param.display_type_rich = partial(_word, param, usual)
        return params


class Verb(_Worded, typer.core.TyperCommand):
    """A verb of the command line; the help of its options is the `Args:` of its docstring."""

    def __init__(self, *rest: Any, help: str | None, params: list[Any], **more: Any) -> None:
        # Python leaves docstrings out where it is asked to (-OO).
        text, _, described = (help or "").partition("\n\nArgs:")
        super().__init__(*rest, help=text, params=params, **more)
        about = dict(re.findall(r"\n    (\w+): (.+(?:\n     .+)*)", described))
        for param in params:
            if param.name in about:
                param.help = " ".join(about[param.name].split())


class Verbs(_Worded, typer.core.TyperGroup):
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
