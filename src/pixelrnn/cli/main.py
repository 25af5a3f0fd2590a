"""The `pixelrnn` command: its verbs, and how errors become exit codes."""

import os
import sys
from contextlib import suppress
from typing import Annotated

import typer

from pixelrnn import __version__, stopping
from pixelrnn.cli import bench, data, models
from pixelrnn.cli.compare import compare
from pixelrnn.cli.complete import complete
from pixelrnn.cli.compress import compress
from pixelrnn.cli.decompress import decompress
from pixelrnn.cli.evaluate import evaluate
from pixelrnn.cli.info import info
from pixelrnn.cli.report import report
from pixelrnn.cli.sample import sample
from pixelrnn.cli.train import train
from pixelrnn.errors import PixelRNNError, TrainingInterrupted

app = typer.Typer(
    name="pixelrnn",
    help="Autoregressive image models that can be trusted to the last bit.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for verb in (compare, train, evaluate, sample, complete, report, compress, decompress, info):
    app.command()(verb)
app.add_typer(models.app, name="models")
app.add_typer(data.app, name="data")
app.add_typer(bench.app, name="bench")


def _print_version(value: bool) -> None:
    if value:
        typer.echo(f"pixelrnn {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    pass


def main() -> None:
    """Run the command line; errors meant for users become one line and their exit code."""
    # Threads that wait without spinning: on a machine that is busy with other things as well,
    # spinning ones slow a small model down seven-fold. It must be set before torch is imported.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    try:
        app()
    except PixelRNNError as error:
        if isinstance(error, TrainingInterrupted):
            stopping.ignore_the_rest()
        with suppress(OSError):  # the terminal may be gone, which is what a hangup says
            typer.echo("error: " + " ".join(str(error).splitlines()), err=True)
        sys.exit(error.exit_code)
