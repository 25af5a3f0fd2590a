"""`pixelrnn compare`: train the models of a suite side by side and show which is better."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from pixelrnn import stopping
from pixelrnn.cli.console import say, say_json, say_lines, say_table
from pixelrnn.cli.options import Data, Settings, command_line, raise_alarms
from pixelrnn.untrusted import printable


class Equal(StrEnum):
    """What the models of a comparison share."""

    presentations = "presentations"
    minutes = "minutes"


def compare(
    suite: Annotated[
        str,
        typer.Argument(
            help="digits, photos, cifar10-45k, cifar10-45k-softmax or cifar10-paper: "
            "the recipes whose names start so."
        ),
    ],
    data: Data = None,
    out: Annotated[
        Path | None, typer.Option(help="The folder for all of it.", show_default="runs/SUITE")
    ] = None,
    settings: Settings = None,
    equal: Annotated[
        Equal, typer.Option(help="What the models share; minutes need training.max_minutes.")
    ] = Equal.presentations,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Take two steps each, say what all would take.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the results as JSON.")] = False,
) -> None:
    """Train the models of a suite on the same images and write one page that compares them.

    Interrupted, the same command goes on where it was.
    """
    with stopping.listening(lambda: "stopped; the same command goes on from there"):
        from pixelrnn import training
        from pixelrnn.compare import compare as run_comparison
        from pixelrnn.compare import suite_recipes_for

        if dry_run:
            for recipe in suite_recipes_for(suite, data, settings or [], equal.value).values():
                say_lines(training.dry_run(recipe).split("\n"))
            return
        comparison = run_comparison(
            suite,
            out or Path("runs") / suite,
            data=data,
            settings=settings or [],
            equal=equal.value,
            command=command_line(),
        )
    if as_json:
        say_json(comparison.results)
    else:
        _show(comparison.results)
        say(f"The report: {comparison.report}")
    raise_alarms(
        f"{model['label']}: {alarm}"
        for model in comparison.results["models"]
        for alarm in model["alarms"] or ()
    )


def _show(results: dict[str, Any]) -> None:
    from rich import box
    from rich.markup import escape
    from rich.table import Table

    from pixelrnn.uncertainty import images_of_pictures, no_verdict, plus_minus

    table = Table(
        title=escape(printable(results["data"]))
        + ": "
        + images_of_pictures(results["num_images"], results["num_pictures"], "test")
        + ", bits/dim (± standard error)",
        title_justify="left",
        box=box.SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
        collapse_padding=True,
    )
    table.add_column("", no_wrap=True)
    for heading in ("bits/dim", "parameters", "images/s", "minutes", "peak MB"):
        table.add_column(heading, justify="right", no_wrap=True)
    for model in sorted(results["models"], key=lambda each: each["test_bits_per_dim"]):
        table.add_row(
            f"[bold]{escape(printable(model['label']))}[/bold]",
            plus_minus(model["test_bits_per_dim"], model["test_bits_per_dim_standard_error"]),
            f"{model['parameters']:,}",
            f"{model['images_per_second']:,.0f}",
            f"{model['minutes']:.1f}",
            f"{model['peak_memory_mb']:,.0f}",
        )
    table.add_section()
    for line in sorted(results["baselines"], key=lambda each: each["test_bits_per_dim"]):
        table.add_row(line["name"], f"{line['test_bits_per_dim']:.4f}", "", "", "", "")
    say_table(table)
    if reason := no_verdict(results["num_pictures"]):
        say(reason)
