"""`pixelrnn bench sample`: how fast a model samples on this machine."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from pixelrnn.cli.console import say, say_json, say_table, tell
from pixelrnn.cli.drawing import (
    AsJson,
    Force,
    Repeats,
    Size,
    Threads,
    positive,
    require_writable,
    size,
)
from pixelrnn.cli.options import images_progress
from pixelrnn.errors import RecipeError
from pixelrnn.processes import usable_cores
from pixelrnn.untrusted import printable
from pixelrnn.wording import three_digits

if TYPE_CHECKING:
    from benchmarks.sampling import SamplingBenchmark, Timing
    from pixelrnn.models import AutoregressiveModel


class _Sizes(NamedTuple):
    each: list[Size]


class _Batches(NamedTuple):
    each: list[int]


def _sizes(text: str) -> _Sizes:
    return _Sizes([size(part) for part in text.split(",")])


def _batches(text: "str | _Batches") -> _Batches:
    if isinstance(text, _Batches):  # the default
        return text
    return _Batches([positive(part) for part in text.split(",")])


def sample(
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL-or-RECIPE",
            help="A run folder, a .safetensors file, or a recipe, for a model with fresh weights.",
            show_default=False,
        ),
    ],
    sizes: Annotated[
        _Sizes | None,
        typer.Option(
            parser=_sizes,
            metavar="HxW,HxW",
            help="Image sizes.",
            show_default="that of the training images, and twice that",
        ),
    ] = None,
    batches: Annotated[
        _Batches,
        typer.Option(
            parser=_batches, metavar="N,N", help="Images drawn together.", show_default="1,64"
        ),
    ] = _Batches([1, 64]),  # noqa: B008 - it is not changed
    repeats: Repeats = 5,
    threads: Threads = None,
    out: Annotated[
        Path | None, typer.Option(help="Also write the JSON to this file.", show_default=False)
    ] = None,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Measure drawing images: the stepper beside the usual loop over whole images.

    Both are measured in turn in this one run. The usual loop is timed on a few pixels and scaled.
    Ctrl-C keeps what is measured.
    """
    from benchmarks.sampling import benchmark_sampling
    from pixelrnn.files import write_json

    loaded, kind = _model(model)
    chosen = sizes.each if sizes else _usual_sizes(loaded)
    require_writable([("--out", out, ".json")], force=force)
    total = len(chosen) * len(batches.each) * repeats
    with images_progress("measuring", total) as on_progress:
        found = benchmark_sampling(
            loaded,
            [(each.height, each.width) for each in chosen],
            batches.each,
            threads=threads,
            repeats=repeats,
            on_compiling=tell,
            on_progress=on_progress,
        )
    result = _about(model, kind, loaded, threads) | found.as_dict()
    if out is not None and found.timings:
        write_json(out, result)
    say_json(result) if as_json else _show(result, found)
    if not found.finished:
        tell("stopped: what was measured so far is shown")
        raise typer.Exit(130)


def _model(name: str) -> tuple["AutoregressiveModel", str]:
    """Return a trained model, or a fresh one by a recipe, and which of the two it is."""
    from pixelrnn.models import store

    is_recipe = name.endswith(".toml") or ("/" not in name and not Path(name).exists())
    if not is_recipe:
        return store.load(name), "trained"
    import torch

    from benchmarks.stand_ins import for_known_images
    from pixelrnn.models import build
    from pixelrnn.training.recipe import load_recipe

    config = for_known_images(load_recipe(name)).model
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return build(config).eval(), "fresh weights"


def _usual_sizes(model: "AutoregressiveModel") -> list[Size]:
    if model.config.image_size is None:
        raise RecipeError(
            "this model does not say how large its images were: give --sizes, such as 32x32,64x64"
        )
    height, width = model.config.image_size
    return [Size(height, width), Size(2 * height, 2 * width)]


def _about(
    name: str, kind: str, model: "AutoregressiveModel", threads: int | None
) -> dict[str, Any]:
    return {
        "format_version": 1,
        "model": name,
        "weights": kind,
        "kind": model.config.kind,
        "likelihood": model.config.likelihood.kind,
        "parameters": model.num_parameters(),
        "cores": os.cpu_count(),
        "threads": threads or usable_cores(),
    }


def _show(result: dict[str, Any], found: "SamplingBenchmark") -> None:
    from rich.markup import escape
    from rich.table import Table

    threads = result["threads"]
    table = Table(
        title=f"{escape(printable(result['model']))} ({result['weights']}, "
        f"{result['parameters']:,} parameters): drawing images, medians in seconds",
        title_justify="left",
    )
    for heading in (
        *("size", "images", "stepper, 1 thread", f"{threads} threads"),
        *("whole-image loop (scaled)", "times faster", "GFLOP/s a core", "threads scale"),
    ):
        table.add_column(heading, justify="right")
    for timing in found.timings:
        table.add_row(*_cells(timing))
    say_table(table)
    for line in _lines(result, found):
        say(line)


def _cells(timing: "Timing") -> list[str]:
    scaling = timing.thread_scaling
    return [
        f"{timing.size[0]}x{timing.size[1]}",
        f"{timing.batch:,}",
        three_digits(timing.stepper_seconds_1_thread),
        three_digits(timing.stepper_seconds_all_threads),
        three_digits(timing.whole_image_seconds_scaled),
        f"{timing.speed_up:,.0f}",
        f"{timing.gflops_per_core:.1f}",
        "" if scaling is None else f"{scaling:.2f}",
    ]


def _lines(result: dict[str, Any], found: "SamplingBenchmark") -> list[str]:
    lines = []
    if found.timings:
        first = found.timings[0]
        passes = first.whole_image_passes // (first.size[0] * first.size[1])
        timed = f"{first.repeats} passes were" if first.repeats > 1 else "one pass was"
        lines.append(
            "The whole-image loop passes all images through the network "
            f"{'once' if passes == 1 else f'{passes} times'} a pixel, on all threads; "
            f"{timed} timed and scaled."
        )
    for ratio in found.size_ratios():
        (height, width), (first_height, first_width) = ratio["size"], ratio["against_size"]
        lines.append(
            f"{height}x{width} takes {ratio['seconds_ratio']:.2f} times as long as "
            f"{first_height}x{first_width} ({ratio['pixels_ratio']:g} times the pixels)."
        )
    peaks = [
        f"{height}x{width} {peak:.1f} MB"
        for (height, width), peak in found.peak_memory_mb.items()
        if peak is not None
    ]
    if peaks:
        lines.append(f"Memory for one image, above start-up: {', '.join(peaks)}.")
    lines.append(
        f"Apart from that: {result['compiling_or_loading_seconds']:.1f} s to load or compile the "
        f"loop, {result['lowering_seconds']:.3f} s to lay out the model."
    )
    return lines
