"""`pixelrnn report`: run folders in, one self-contained HTML page out."""

from pathlib import Path
from typing import Annotated

import typer

from pixelrnn.cli import console, options, outputs


def report(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN")],
    out: Path = Path("report.html"),
    title: str | None = None,
    benchmark: Annotated[Path | None, typer.Option(metavar="FILE.json")] = None,
    labels: Annotated[list[str] | None, typer.Option("--label", metavar="LABEL")] = None,
    figures: Annotated[Path | None, typer.Option(metavar="FOLDER")] = None,
    force: options.Force = False,
) -> None:
    """Compare trained models on one page that opens without a network.

    Args:
        runs: Run folders, or the folder of a `pixelrnn compare`, which holds several.
        out: The HTML file to write.
        title: Heading of the page.
        benchmark: Also show what `pixelrnn bench train --out FILE.json` measured.
        labels: Name of a run on the page: RUN=LABEL, or one label for each run in their order. May
            be repeated.
        figures: Also write each figure as SVG, PNG and CSV, and the results as a LaTeX table.
    """
    from pixelrnn.report import alarms, build
    from pixelrnn.runs import find_run_folders

    outputs.refuse_existing("--out", out, force=force)
    folders, unfinished = find_run_folders(runs)
    for folder in unfinished:
        console.tell(f"left out: {folder} has no result.json yet")
    page = build(
        folders,
        out,
        title=title,
        benchmark=benchmark,
        labels=labels or (),
        figures=figures,
        force=force,
    )
    console.say(str(page))
    if figures is not None:
        console.say(str(figures))
    console.raise_alarms(alarms(folders))
