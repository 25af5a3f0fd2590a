"""`pixelrnn bench`: the door to the benchmarks, which are in the repository beside the package."""

import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import typer

import pixelrnn
from pixelrnn.cli.options import Verbs
from pixelrnn.errors import MissingPartError


class _Benchmarks(Verbs):
    """The verbs of the repository's `benchmarks/`, looked for when the command is typed."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        self.commands = _verbs()
        return super().parse_args(ctx, args)


HELP = "How fast it is, measured on this machine."
app = typer.Typer(cls=_Benchmarks, no_args_is_help=True, help=HELP)


def _verbs() -> Any:
    """Return the verbs by name; raises `MissingPartError` outside of the repository."""
    source = Path(pixelrnn.__file__).parents[1]
    root = source.parent
    if source.name != "src" or not (root / "benchmarks" / "commands.py").is_file():
        raise MissingPartError(
            "the benchmarks come with the source, not with the installed package: get the repository, "
            "and install it in place with `pip install -e .`"
        )
    if str(root) not in sys.path:
        sys.path.insert(0, str(root))
    return typer.main.get_group(import_module("benchmarks.commands").app).commands
