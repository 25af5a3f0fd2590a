"""`pixelrnn bench train`: how fast the models of a suite train on this machine."""

import statistics
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from benchmarks.wording import three_digits
from pixelrnn.cli import options
from pixelrnn.cli.console import interrupted, progress, say_json, say_lines, say_table
from pixelrnn.cli.outputs import require_writable
from pixelrnn.errors import RecipeError
from pixelrnn.wording import counted, nearest

if TYPE_CHECKING:
    from benchmarks.training_figures import Scaling, TrainingBenchmark, TrainingTiming
    from pixelrnn.training import Recipe

KIND = "training benchmark"


def train(
    suite: Annotated[str, typer.Argument(metavar="SUITE-or-RECIPE")],
    image_size: Annotated[
        options.Size | None, typer.Option("--size", parser=options.size, metavar="HxW")
    ] = None,
    batch: options.PositiveOrNone = None,
    repeats: options.Positive = 5,
    threads: options.PositiveOrNone = None,
    gpu: Annotated[bool, typer.Option("--gpu")] = False,
    plain: bool = True,
    scaling: Annotated[bool, typer.Option("--scaling")] = False,
    out: Path | None = None,
    force: options.Force = False,
    as_json: options.AsJson = False,
) -> None:
    """Measure training: whole steps of each model, beside the same architecture written plainly.

    Both are measured in turn in this one run, on synthetic images, so that nothing is downloaded.
    Ctrl-C keeps what is measured.

    Args:
        suite: A suite, such as digits or cifar10-45k, one recipe, or a .toml file.
        image_size: Image size, by default that of the recipe's images.
        batch: Batch size, by default the recipe's.
        repeats: Repetitions; the median is shown.
        threads: Of the processor; by default the recipe's, or torch's choice.
        gpu: On the GPU, in the recipe's precision, in place of the processor in float32.
        plain: Also measure the same models written plainly.
        scaling: Also measure twice the layers, the features and the image side.
        out: Also write the JSON to this file; `pixelrnn report --benchmark` shows it.
    """
    from benchmarks.training import benchmark_suite
    from pixelrnn.files import write_json
    from pixelrnn.training.environment import environment

    recipes = _recipes(suite, [] if batch is None else [f"training.batch_size={batch}"])
    require_writable(("--out", out, ".json"), force=force)
    total = len(recipes) * repeats * (2 if scaling else 1)
    with progress("measuring", total) as on_progress:
        found = benchmark_suite(
            recipes,
            size=image_size,
            threads=threads,
            on_gpu=gpu,
            repeats=repeats,
            with_plain=plain,
            with_scaling=scaling,
            on_progress=on_progress,
        )
    about = {"format_version": 1, "kind": KIND, "suite": suite, "environment": environment()}
    result = about | found.as_dict()
    if out is not None and found.timings:
        write_json(out, result)
    say_json(result) if as_json else _show(result, found)
    if not found.finished:
        raise interrupted("stopped: what was measured so far is shown")


def _recipes(name: str, settings: list[str]) -> list["Recipe"]:
    """Return the recipes of a suite, or the one recipe of this name or file."""
    from pixelrnn.training import load_recipe, shipped_recipes, suite_recipes, suites

    if name in suites():
        return [load_recipe(each, settings) for each in suite_recipes(name).values()]
    known = shipped_recipes()
    is_name = not name.endswith(".toml") and "/" not in name and not Path(name).exists()
    if is_name and name not in known:
        raise RecipeError(f"there is no suite or recipe {name!r}{nearest(name, suites() + known)}")
    return [load_recipe(name, settings)]


def _show(result: dict[str, Any], found: "TrainingBenchmark") -> None:
    headings = ("size", "batch", "threads", "images/s", "plain, images/s", "times faster",
                "MFLOP per image", "GFLOP/s", "% of the machine")  # fmt: skip
    title = f"{result['suite']}: training, medians"
    say_table(("model",), headings, map(_row, found.timings), title)
    if found.scaling:
        ratios = ("times the seconds per image", "times the operations",
                  "times the cost of an operation")  # fmt: skip
        rows = map(_scaling_row, found.scaling)
        say_table(("model", "with"), ratios, rows, "Against the recipe's own size")
    say_lines(_lines(result, found))


def _row(timing: "TrainingTiming") -> list[str]:
    _, height, width = timing.image_shape
    return [
        timing.label,
        f"{height}x{width}",
        f"{timing.batch_size:,}",
        f"{timing.threads}",
        three_digits(timing.images_per_second),
        three_digits(timing.plain_images_per_second),
        three_digits(timing.speed_up),
        three_digits(1e-6 * timing.flops_per_image),
        three_digits(timing.gflops),
        three_digits(100 * timing.share_of_machine),
    ]


def _scaling_row(scaling: "Scaling") -> list[str]:
    ratios = (
        scaling.seconds_per_image_ratio,
        scaling.flops_per_image_ratio,
        scaling.cost_of_an_operation_ratio,
    )
    return [scaling.label, scaling.change, *(f"{ratio:.2f}" for ratio in ratios)]


def _lines(result: dict[str, Any], found: "TrainingBenchmark") -> list[str]:
    if not found.timings:
        return []
    repeats = min(timing.repeats for timing in found.timings)
    lines = [
        f"Medians of {counted(repeats, 'repetition')} in turn on synthetic images; "
        "a step is loss, gradient, clipping, optimiser and moving average."
    ]
    if any(timing.speed_up for timing in found.timings):
        lines.append(
            "Plain: the same network and weights with full kernels times masks, LSTMs as loops "
            "that torch differentiates, and the likelihood of the whole batch at once."
        )
    machine = statistics.median(timing.machine_gflops for timing in found.timings)
    first = found.timings[0]
    threads = "" if first.device else f", {counted(first.machine_threads, 'thread')}"
    lines.append(
        f"The machine: {first.device or result['environment']['processor']}; {three_digits(machine)} "
        f"GFLOP/s in float32 products of two large matrices{threads}."
    )
    return lines
