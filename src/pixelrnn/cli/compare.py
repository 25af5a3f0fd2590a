"""`pixelrnn compare`: train several models side by side and show which is better."""

from enum import StrEnum
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pixelrnn import stopping
from pixelrnn.cli import console, options
from pixelrnn.wording import counted, duration

if TYPE_CHECKING:
    from pixelrnn.training import Recipe


class Equal(StrEnum):
    """What the models of a comparison share."""

    presentations = "presentations"
    minutes = "minutes"


def compare(
    names: Annotated[list[str], typer.Argument(metavar="SUITE-or-RECIPES")],
    data: options.Data = None,
    out: Path | None = None,
    settings: options.Settings = None,
    seeds: Annotated[int, typer.Option(min=1)] = 1,
    equal: Equal = Equal.presentations,
    dry_run: Annotated[bool, typer.Option("--dry-run")] = False,
    as_json: options.AsJson = False,
) -> None:
    """Train models on the same images and write one page that compares them.

    If it is interrupted, the same command continues. More --seeds add to the runs that are there.

    Args:
        names: A suite, which is all recipes whose names start with it: digits, photos, cifar10-45k,
            cifar10-45k-softmax, cifar10-paper or mnist-paper. Or several recipes, by name
            (`pixelrnn train --list`) or as .toml files.
        out: The folder for everything, by default runs/SUITE or runs/NAME-vs-NAME.
        seeds: Train each model with this many seeds, the recipe's own and those after it, and say
            which differences hold across seeds.
        equal: What the models have in common; minutes need training.max_minutes.
        dry_run: Take two steps with each model, and estimate the time of everything.
    """
    with stopping.listening(lambda: "stopped; the same command goes on from there"):
        from pixelrnn.compare import compare as run_comparison
        from pixelrnn.training import recipes_for

        if dry_run:
            _dry_run(recipes_for(names, data, settings or [], equal.value), seeds)
            return
        comparison = run_comparison(
            names,
            out,
            seeds=seeds,
            data=data,
            settings=settings or [],
            equal=equal.value,
            command=options.command_line(),
        )
    if as_json:
        console.say_json(comparison.results)
    else:
        _show(comparison.results)
        console.say(f"The report: {comparison.report}")
    console.raise_alarms(
        f"{model['label']}: {alarm}"
        for model in comparison.results["models"]
        for alarm in model["alarms"] or ()
    )


def _dry_run(recipes: "dict[str, Recipe]", seeds: int) -> None:
    """Say what each model would take, and all of it."""
    from pixelrnn.training import distinct_labels, estimate

    labels, seconds = distinct_labels(recipes), 0.0
    for name, recipe in recipes.items():
        found = estimate(recipe)
        seconds += found.seconds * seeds
        console.say(labels[name] + found.text[found.text.index(":") :])
    often = "" if seeds == 1 else f", {seeds} times each"
    console.say(f"all: {counted(len(recipes), 'model')}{often}, would take {duration(seconds)}")


def _show(results: dict[str, Any]) -> None:
    from rich import box

    from pixelrnn.uncertainty import images_of_pictures, no_verdict

    seeds = results.get("num_seeds", 1)
    images = images_of_pictures(results["num_images"], results["num_pictures"], "test")
    measure = "mean_test_bits_per_dim" if seeds > 1 else "test_bits_per_dim"
    over = f" over images; mean and standard deviation of {seeds} seeds" if seeds > 1 else ""
    measured = ("bits/dim", "over seeds") if seeds > 1 else ("bits/dim",)
    lines = sorted(results["baselines"], key=itemgetter("test_bits_per_dim"))
    console.say_table(
        ("",),
        (*measured, "parameters", "images/s", "minutes", "peak MB"),
        [
            *(_row(model, measure) for model in sorted(results["models"], key=itemgetter(measure))),
            None,
            *((line["name"], f"{line['test_bits_per_dim']:.4f}") for line in lines),
        ],
        title=f"{results['data']}: {images}, bits/dim (± standard error{over})",
        box=box.SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
        collapse_padding=True,
    )
    for difference in results.get("differences", ()):
        console.say(_in_words(difference))
    if reason := no_verdict(results["num_pictures"]):
        console.say(reason)


def _row(model: dict[str, Any], measure: str) -> list[str]:
    from pixelrnn.uncertainty import plus_minus

    deviation = model.get("test_bits_per_dim_standard_deviation_over_seeds")
    return [
        model["label"],
        plus_minus(model[measure], model[f"{measure}_standard_error"]),
        *([] if deviation is None else [f"± {deviation:.4f}"]),
        f"{model['parameters']:,}",
        f"{model['images_per_second']:,.0f}",
        f"{model['minutes']:.1f}",
        f"{model['peak_memory_mb']:,.0f}",
    ]


def _in_words(difference: dict[str, Any]) -> str:
    """Say whether a difference between two models survives other images and other seeds."""
    from pixelrnn.uncertainty import p_value

    images, seeds = difference["survives_images"], difference["survives_seeds"]
    survives = {
        (True, True): "survives other images and other seeds",
        (True, False): "survives other images, but not other seeds",
        (False, True): "survives other seeds, but not other images",
        (False, False): "survives neither other images nor other seeds",
        (None, True): "survives other seeds; there are too few pictures for a verdict",
        (None, False): "does not survive other seeds; there are too few pictures for a verdict",
    }[images, seeds]
    return (
        f"{difference['higher']} is {difference['bits_per_dim']:.4f} above {difference['lower']}, which "
        f"{survives} ({p_value(difference['p_value_over_seeds'])} by Welch's t-test over seeds)"
    )
