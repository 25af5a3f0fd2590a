"""`pixelrnn bench codec`: how small images become and how fast, beside the usual image codecs."""

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from benchmarks.codec_images import DIGITS_MODEL, MeasuredImages, measured_images
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
from pixelrnn.shipped import described_defaults
from pixelrnn.wording import counted

if TYPE_CHECKING:
    from benchmarks.codec_figures import CodecBenchmark, Figures, ModelFigures
    from pixelrnn.coding import Codec

KIND = "codec benchmark"


def codec(
    data: options.Data = None,
    models: Annotated[
        list[str] | None,
        typer.Option(
            "--model",
            metavar="NAME-or-PATH",
            show_default=f"{DIGITS_MODEL} for grey images of 17 levels; {described_defaults()}",
        ),
    ] = None,
    split: options.Split = "test",
    count: Annotated[int | None, typer.Option("-n", "--count", parser=options.positive)] = None,
    tile: Annotated[int | None, typer.Option(metavar="PIXELS")] = None,
    repeats: options.Positive = 3,
    threads: options.Threads = None,
    out: Path | None = None,
    force: options.Force = False,
    as_json: options.AsJson = False,
) -> None:
    """Measure compressing: bits/dim, speed and processor time, beside PNG, WebP, JPEG XL and others.

    Images of a folder or an album that differ in size are all measured, each at its own size. All code the
    same images with as many threads, timed in turn in this one run; whatever is written
    is decoded again and compared. Ctrl-C keeps what is measured.

    Args:
        models: A name from `pixelrnn models list`, or a file from `pixelrnn models export`. May be
            repeated.
        count: Number of images, the first ones of the split; by default all.
        tile: Side of the squares that are coded independently; 0 for none. By default 0 for images
            up to 128 pixels, 128 for larger ones.
        repeats: Repetitions; the median is shown.
        out: Also write the JSON to this file.
    """
    from benchmarks.codecs import benchmark_codecs, pixels_to_do
    from pixelrnn.files import write_json

    if data is None:
        raise RecipeError("give --data NAME-or-PATH: a name from `pixelrnn data list`, or images")
    require_writable(("--out", out, ".json"), force=force)
    given = measured_images(data, split, count)
    images = given.images
    threads = threads or usable_cores()
    codecs = _codecs(models or [given.usual_model], tile, threads, given.largest_side)
    total = pixels_to_do(len(codecs), images, threads, repeats)
    with progress("measuring", total) as on_progress:
        found = benchmark_codecs(
            codecs,
            images,
            given.num_levels,
            threads=threads,
            repeats=repeats,
            on_progress=on_progress,
        )
    result = _about(given, codecs[0].tile) | found.as_dict()
    if out is not None and found.models:
        write_json(out, result)
    say_json(result) if as_json else _show(result, found)
    for name, reason in found.left_out.items():
        tell(f"{name} left out: {reason}")
    if not found.finished:
        raise interrupted("stopped: what was measured so far is shown")


def _codecs(names: list[str], tile: int | None, threads: int, largest_side: int) -> "list[Codec]":
    """Return the codecs of models, compiled."""
    from pixelrnn.coding import DEFAULT_TILE, Codec, load_program

    if tile is None:
        tile = 0 if largest_side <= DEFAULT_TILE else DEFAULT_TILE
    codecs = [Codec(load_program(name), tile=tile, threads=threads) for name in names]
    for each in codecs:
        each.make_ready(tell)
    return codecs


def _about(given: MeasuredImages, tile: int) -> dict[str, Any]:
    from pixelrnn.training.environment import environment

    channels, sizes = len(given.images[0]), given.sizes
    return {
        "format_version": 1,
        "kind": KIND,
        "data": given.name,
        "split": given.split,
        "data_sha256": given.sha256,
        "channels": channels,
        "image_shape": [channels, *sizes[0]] if len(sizes) == 1 else None,
        "image_sizes": sizes,
        "num_levels": given.num_levels,
        "tile_pixels": tile,
        "environment": environment(),
    }


def _show(result: dict[str, Any], found: "CodecBenchmark") -> None:
    kind = "RGB" if result["channels"] == 3 else "grey"
    sizes = [f"{height}x{width}" for height, width in result["image_sizes"]]
    size = sizes[0] if len(sizes) == 1 else f"{len(sizes)} sizes, {sizes[0]} to {sizes[-1]}"
    images = counted(found.num_images, f"{kind} image")
    threads = counted(found.threads, "thread")
    headings = ("bits/dim, one file each", "all in one", "encoding, images/s", "decoding, images/s",
                "encoding, CPU s/megapixel", "decoding, CPU s/megapixel")  # fmt: skip
    rows = [*map(_cells, found.models), None, *map(_cells, found.codecs)]
    title = f"{result['data']}, {result['split']}: {images} of {size}, {threads}"
    say_table(("codec",), headings, rows, title, last=("note",))
    say_lines(_lines(result, found))


def _cells(figures: "Figures") -> list[str]:
    together = figures.bits_per_dim_all_in_one
    return [
        figures.name,
        f"{figures.bits_per_dim_one_file_each:.4f}",
        "" if together is None else f"{together:.4f}",
        three_digits(figures.images_per_second_encoding),
        three_digits(figures.images_per_second_decoding),
        three_digits(figures.cpu_seconds_per_megapixel_encoding),
        three_digits(figures.cpu_seconds_per_megapixel_decoding),
        figures.note,
    ]


def _lines(result: dict[str, Any], found: "CodecBenchmark") -> list[str]:
    lines = []
    everything = [*found.models, *found.codecs]
    if everything:
        lines.append(
            "All in one: a model's album, whose images are still decoded one by one; a codec's one "
            "picture of all images; LZMA's one stream. Every file was decoded and compared."
        )
        lines.append(_smallest(everything))
    for model in found.models:
        lines += _of_model(model, found)
    lines += [_beside(model, found.models[0]) for model in found.models[1:]]
    if found.repeats:
        lines.append(
            f"Speeds: files of one image, medians of {counted(found.repeats, 'repetition')} in turn on "
            f"the first {counted(found.num_images_timed, 'image')}. CPU s: user and system time, all "
            "threads together."
        )
        lines.append(f"The machine: {result['environment']['processor']}.")
    return lines


def _smallest(everything: "list[Figures]") -> str:
    each = min(everything, key=lambda figures: figures.bits_per_dim_one_file_each)
    together = min(everything, key=_together)
    return f"Smallest: {each.name} (one file each), {together.name} (all in one)."


def _together(figures: "Figures") -> float:
    size = figures.bits_per_dim_all_in_one
    return math.inf if size is None else size


def _of_model(model: "ModelFigures", found: "CodecBenchmark") -> list[str]:
    """Return what is said of a model: where its bits go, its speed on one thread, and comparisons."""
    line = (
        f"{model.name}: {model.ideal_bits_per_dim:.4f} bits/dim by its probabilities, "
        f"{model.messages_bits_per_dim:.4f} in messages, {model.bits_per_dim_all_in_one:.4f} in the album"
    )
    if model.seconds_to_decode_one_image is not None:
        line += (
            f"; on 1 thread {three_digits(model.images_per_second_encoding_1_thread)} images/s encoding, "
            f"{three_digits(model.images_per_second_decoding_1_thread)} decoding; one image is decoded in "
            f"{three_digits(1000 * model.seconds_to_decode_one_image)} ms"
        )
    lines = [f"{line}."]
    if found.codecs:
        lines += comparisons(model, found.codecs)
    return lines


def _beside(model: "ModelFigures", first: "ModelFigures") -> str:
    """Return how a model compares with the first one, in words."""
    sizes = _difference(model.bits_per_dim_one_file_each / first.bits_per_dim_one_file_each - 1)
    line = f"{model.name}, one file per image: {sizes} {first.name}"
    for what in ("encoding", "decoding"):
        ours, theirs = (getattr(of, f"cpu_seconds_per_megapixel_{what}") for of in (model, first))
        if ours is not None and theirs:
            line += f"; {ours / theirs:.2f} times its CPU s/megapixel {what}"
    return f"{line}."


def comparisons(model: "ModelFigures", codecs: "list[Figures]") -> list[str]:
    """Return by how much a model's files are smaller than those of image codecs, in words."""
    files = sorted(codecs, key=lambda each: -each.bits_per_dim_one_file_each)
    against = [(each.name, each.bits_per_dim_one_file_each) for each in files]
    album, best = _together(model), min(codecs, key=_together)
    in_one = _against(album, [(f"{best.name}'s one {best.all_in_one}", _together(best))])
    return [
        f"{model.name}, one file per image: {_against(model.bits_per_dim_one_file_each, against)}.",
        f"{model.name}, one album: {_against(album, against)} (one file per image)"
        + ("." if math.isinf(_together(best)) else f", and {in_one}."),
    ]


def _against(ours: float, others: list[tuple[str, float]]) -> str:
    return ", ".join(f"{_difference(ours / theirs - 1)} {name}" for name, theirs in others)


def _difference(share: float) -> str:
    percent = round(100 * abs(share))
    if percent == 0:
        return "about as small as"
    return f"{percent} % {'smaller' if share < 0 else 'larger'} than"
