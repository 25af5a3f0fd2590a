"""The `pixelrnn` command: its verbs, and how errors become exit codes."""

import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import typer

from pixelrnn import __version__, stopping
from pixelrnn.cli import bench, data, models, streams
from pixelrnn.cli.audit import audit
from pixelrnn.cli.compare import compare
from pixelrnn.cli.complete import complete
from pixelrnn.cli.compress import compress
from pixelrnn.cli.decompress import decompress
from pixelrnn.cli.evaluate import assess, evaluate
from pixelrnn.cli.info import info
from pixelrnn.cli.options import Verb, Verbs
from pixelrnn.cli.report import report
from pixelrnn.cli.sample import sample
from pixelrnn.cli.score import score
from pixelrnn.cli.train import train
from pixelrnn.errors import CompilingError, NotKeptWarning, PixelRNNError, TrainingInterrupted

EXTRAS = {  # which of the package's extras brings a module that is imported where it is needed
    **dict.fromkeys(("torch", "lightning_fabric", "tensorboard", "tomli_w"), "train"),
    **dict.fromkeys(("sklearn", "skimage", "pooch", "requests"), "data"),
    **dict.fromkeys(("matplotlib", "jinja2"), "report"),
    "imagecodecs": "compare",
    "pyarrow": "parquet",
}


class _Verbs(Verbs):
    """The verbs; an `EOFError` that one of them lets escape is a bug, and no wish to stop."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except EOFError as error:
            raise RuntimeError("a file ended where more of it was expected") from error


app = typer.Typer(
    cls=_Verbs,
    name="pixelrnn",
    help="Autoregressive image models that can be trusted to the last bit.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
MEASURING = (compare, train, evaluate, assess, audit, score, sample, complete, report)
CODING = (compress, decompress, info)
for verb in MEASURING + CODING:
    app.command(cls=Verb)(verb)
for name, group in (("models", models), ("data", data), ("bench", bench)):
    app.add_typer(group.app, name=name)


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
    threads = os.environ.get("NUMBA_NUM_THREADS", "1")
    if not threads.strip().isdecimal() or int(threads) < 1:  # numba would not even be imported
        raise CompilingError(
            f"NUMBA_NUM_THREADS is {threads!r}, and no number of threads: set it to 1 or more, or unset it"
        )


def main() -> None:
    """Run the command line; errors meant for users become one line and their exit code."""
    # Threads that wait without spinning: on a machine that is busy with other things as well,
    # spinning ones slow a small model down seven-fold. It must be set before torch is imported.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    streams.prepare()
    try:
        with _notes_at_the_end():
            app()
    except ModuleNotFoundError as error:
        extra = EXTRAS.get((error.name or "").partition(".")[0])
        if extra is None:
            raise
        streams.say(
            f"error: {error.name} is not installed, which this needs: pip install 'pixelrnn[{extra}]'"
        )
        sys.exit(2)
    except PixelRNNError as error:
        if isinstance(error, TrainingInterrupted):
            stopping.ignore_the_rest()
        streams.say("error: " + " ".join(str(error).splitlines()))
        sys.exit(error.exit_code)


@contextmanager
def _notes_at_the_end() -> Iterator[None]:
    """Say once, after all the output, what would make the next start quicker."""
    notes: set[str] = set()
    show = warnings.showwarning

    def keep(message: Warning | str, category: type[Warning], *rest: Any, **more: Any) -> None:
        if issubclass(category, NotKeptWarning):
            notes.add(str(message))
        else:
            show(message, category, *rest, **more)

    with warnings.catch_warnings():
        warnings.simplefilter("always", NotKeptWarning)
        warnings.showwarning = keep
        try:
            yield
        finally:
            if sys.stdout is not None:
                sys.stdout.flush()
            for note in sorted(notes):
                streams.say(f"note: {note}")
