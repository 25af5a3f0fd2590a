"""`pixelrnn bench sample`: how fast a model samples on this machine."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from benchmarks.wording import three_digits
from pixelrnn.cli import options
from pixelrnn.cli.console import (
    interrupted,
    progress,
    say_json,
    say_lines,
    say_table,
    tell,
)
from pixelrnn.cli.outputs import require_writable
from pixelrnn.errors import RecipeError
from pixelrnn.processes import usable_cores

if TYPE_CHECKING:
    from benchmarks.sampling import SamplingBenchmark, Timing
    from pixelrnn.models import AutoregressiveModel


class _Sizes(NamedTuple):
    each: list[options.Size]


class _Batches(NamedTuple):
    each: list[int]


def _sizes(text: str) -> _Sizes:
    return _Sizes([options.size(part) for part in text.split(",")])


def _batches(text: str) -> _Batches:
    return _Batches([options.positive(part) for part in text.split(",")])


def sample(
    model: Annotated[str, typer.Argument(metavar="MODEL-or-RECIPE")],
    sizes: Annotated[_Sizes | None, typer.Option(parser=_sizes, metavar="HxW,HxW")] = None,
    batches: Annotated[_Batches | None, typer.Option(parser=_batches, metavar="N,N")] = None,
    repeats: options.Positive = 5,
    threads: options.Threads = None,
    out: Path | None = None,
    force: options.Force = False,
    as_json: options.AsJson = False,
) -> None:
    """Measure sampling: the stepper beside the usual loop over whole images.

    Both are measured in turn in this one run. The usual loop is timed on a few pixels and scaled.
    Ctrl-C keeps what is measured.

    Args:
        model: A run folder, a .safetensors file, or a recipe, for a model with fresh weights.
        sizes: Image sizes. By default that of the training images, and twice that.
        batches: Batch sizes, by default 1,64.
        repeats: Repetitions; the median is shown.
        out: Also write the JSON to this file.
    """
    from benchmarks.sampling import benchmark_sampling
    from pixelrnn.files import write_json

    loaded, kind = _model(model)
    chosen = sizes.each if sizes else _usual_sizes(loaded)
    require_writable(("--out", out, ".json"), force=force)
    numbers = batches.each if batches else [1, 64]
    total = len(chosen) * len(numbers) * repeats
    with progress("measuring", total) as on_progress:
        found = benchmark_sampling(
            loaded,
            [(each.height, each.width) for each in chosen],
            numbers,
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
        raise interrupted("stopped: what was measured so far is shown")


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


def _usual_sizes(model: "AutoregressiveModel") -> list[options.Size]:
    if model.config.image_size is None:
        raise RecipeError(
            "this model does not say how large its images were: give --sizes, such as 32x32,64x64"
        )
    height, width = model.config.image_size
    return [options.Size(height, width), options.Size(2 * height, 2 * width)]


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
    threads = result["threads"]
    headings = ("size", "images", "stepper, 1 thread", f"{threads} threads", "whole-image loop (scaled)",
                "times faster", "GFLOP/s per core", "threads scale")  # fmt: skip
    title = (f"{result['model']} ({result['weights']}, {result['parameters']:,} parameters): "
             "sampling, medians in seconds")  # fmt: skip
    say_table((), headings, map(_cells, found.timings), title)
    say_lines(_lines(result, found))


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
            f"{'once' if passes == 1 else f'{passes} times'} per pixel, on all threads; "
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
