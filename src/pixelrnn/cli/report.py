"""`pixelrnn report`: run folders in, one self-contained HTML page out."""

from pathlib import Path
from typing import Annotated

import typer

from pixelrnn.cli.console import say, tell
from pixelrnn.cli.drawing import Force, refuse_existing
from pixelrnn.cli.options import raise_alarms


def report(
    runs: Annotated[
        list[Path],
        typer.Argument(
            metavar="RUN",
            help="Run folders, or the folder of a `pixelrnn compare`, which holds several.",
            show_default=False,
        ),
    ],
    out: Annotated[Path, typer.Option(help="The HTML file to write.")] = Path("report.html"),
    title: Annotated[
        str | None, typer.Option(help="The page's heading.", show_default=False)
    ] = None,
    benchmark: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.json",
            help="Also show what `pixelrnn bench train --out FILE.json` measured.",
            show_default=False,
        ),
    ] = None,
    labels: Annotated[
        list[str] | None,
        typer.Option(
            "--label",
            metavar="LABEL",
            help="What the page calls a run: RUN=LABEL, or one for each run in their order. May be "
            "repeated.",
            show_default=False,
        ),
    ] = None,
    figures: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="Also write each figure as SVG, PNG and CSV, and the results as a LaTeX table.",
            show_default=False,
        ),
    ] = None,
    force: Force = False,
) -> None:
    """Compare trained models on one page that opens without a network."""
    from pixelrnn.report import alarms, build
    from pixelrnn.runs import find_run_folders

    refuse_existing([("--out", out)], force=force)
    folders, unfinished = find_run_folders(runs)
    for folder in unfinished:
        tell(f"left out: {folder} has no result.json yet")
    page = build(
        folders,
        out,
        title=title,
        benchmark=benchmark,
        labels=labels or (),
        figures=figures,
        force=force,
    )
    say(str(page))
    if figures is not None:
        say(str(figures))
    raise_alarms(alarms(folders))
