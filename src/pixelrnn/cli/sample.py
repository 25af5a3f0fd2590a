"""`pixelrnn sample`: images sampled from a model, exactly, pixel by pixel."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pixelrnn import shipped
from pixelrnn.cli import console, options, outputs
from pixelrnn.cli.given import given, label_numbers
from pixelrnn.errors import RecipeError
from pixelrnn.processes import usable_cores
from pixelrnn.wording import counted

if TYPE_CHECKING:
    from pixelrnn.arrays import Images
    from pixelrnn.stepper.coder import Coder

CHUNK_SECONDS = 1.0  # of work that Ctrl-C may lose


def sample(
    model: options.Model,
    count: options.Count = 64,
    seed: options.Seed = 0,
    image_size: Annotated[options.Size | None, typer.Option("--size", parser=options.size)] = None,
    temperature: options.Temperature = 1.0,
    label: Annotated[list[str] | None, typer.Option("--label", metavar="NAME-or-NUMBER")] = None,
    guidance: Annotated[float, typer.Option("--guidance", metavar="NUMBER")] = 0.0,
    condition: Annotated[list[Path] | None, typer.Option("--condition", metavar="PICTURE")] = None,
    keep: Annotated[str | None, typer.Option(metavar="RULE-or-MASK")] = None,
    out: Annotated[Path | None, typer.Option(show_default="samples.png")] = None,
    gif: Path | None = None,
    npz: Path | None = None,
    npy: Path | None = None,
    force: options.Force = False,
    threads: options.Threads = None,
    as_json: options.AsJson = False,
) -> None:
    """Sample images from a model; Ctrl-C keeps those that are finished.

    Image i depends on the model, the seed and i alone, not on how many are sampled.

    Args:
        count: Number of images.
        image_size: Height and width in pixels, square or not; by default those of the training
            images.
        label: Class of the images, or "all"; may be repeated: the images take turns, a column of the sheet
            for each. Only models that were trained with labels know classes.
        guidance: How much further than --label itself takes them images are led from those of no class,
            such as 1.5.
        condition: Picture that the images are given; may be repeated. Grey and of the images' size for a
            model that colours; small for one of several scales; with transparent holes for one that fills
            them.
        keep: What of the picture is given to a model that fills holes: top:0.5 (or bottom, left, right, and
            a share), or a mask image, not black where a pixel is given.
        out: The sheet of all images, a PNG file.
        gif: Also write an animation of the sheet growing pixel by pixel.
        npz: Also write the images, uint8 or uint16 (N, H, W), (N, H, W, 3), or (N, C, H, W) of any
            other number of channels, as --data reads them.
        npy: Write the levels, uint8 or uint16 (N, H, W) or (N, C, H, W), as --data reads them; without it
            what no picture shows, such as codes, is not sampled.
    """
    import numpy as np

    from pixelrnn import pictures
    from pixelrnn.compiling import make_loop_ready
    from pixelrnn.runs.array_file import as_in_files, write_levels
    from pixelrnn.stepper.asked import checked_size

    if guidance and not label:
        raise RecipeError("--guidance leads images to a class: give one with --label")
    coder, config = _coder(model, temperature, guidance)
    threads = threads or usable_cores()
    size = image_size or config["image_size"]
    if size is None:
        raise RecipeError(
            "this model does not say how large its images were: give --size HEIGHTxWIDTH, such as 32x32"
        )
    height, width = size
    checked_size((height, width), min(count, threads))
    shown_as = {"--out": out, "--gif": gif}
    if outputs.are_shown(config, shown_as, instead="--npy FILE.npy", is_given=bool(npy or npz)):
        out = out or Path("samples.png")
    by = given(config, label or [], condition or [], keep, (height, width))
    outputs.require_writable(
        ("--out", out, ".png"), ("--gif", gif, ".gif"), ("--npz", npz, ".npz"),
        ("--npy", npy, ".npy"), force=force,
    )  # fmt: skip
    make_loop_ready(console.tell)
    settings = {"size": (height, width), "seed": seed}
    with console.progress("sampling", count * height * width) as on_progress:
        about = {**settings, "given": by, "on_progress": on_progress}
        portions = console.until_stopped(_sampled(coder, count, threads, about))
    images, seconds = np.concatenate([some for some, _ in portions]), portions[-1][1]
    if npz is not None:
        pictures.write_arrays(npz, images=as_in_files(images))
    if npy is not None:
        write_levels(npy, images)
    columns, shown = len(by) if by[1:] else None, len(images)
    if out is not None:
        shown = pictures.write_sheet(out, images, coder.program.num_levels, columns)
    if gif is not None:
        pictures.write_growth(gif, images, coder.program.num_levels, columns)
    result = {
        "model": str(model),
        "out": out and str(out),
        "gif": gif and str(gif),
        "npz": npz and str(npz),
        "npy": npy and str(npy),
        "num_images": len(images),
        "num_images_shown": shown,
        **settings,
        "temperature": temperature,
        "guidance": guidance,
        "labels": label_numbers(label or [], config),
        "conditions": [str(picture) for picture in condition or ()],
        "seconds": seconds,
        "seconds_per_image": seconds / len(images),
        "finished": len(images) == count,
    }
    console.say_json(result) if as_json else console.say(_text(result))
    console.require_finished(len(images), count)


def _coder(model: Path, temperature: float, guidance: float) -> "tuple[Coder, dict[str, Any]]":
    """Return a model in integers, and its configuration; where it may be, without torch."""
    from pixelrnn.coding import load_program
    from pixelrnn.stepper.coder import Coder

    name = str(model)
    if name in shipped.names() and not model.exists() and (temperature, guidance) == (1, 0):
        return Coder(load_program(name).program), shipped.config(name)
    from pixelrnn.models import store

    loaded = store.load(model)
    return loaded.coder(temperature, guidance), loaded.config.model_dump()


def _sampled(
    coder: "Coder", count: int, threads: int, settings: dict[str, Any]
) -> "Iterator[tuple[Images, float]]":
    """Sample about a second's worth at a time, which Ctrl-C loses; yield it, and the seconds so far."""
    from pixelrnn.stepper import drawing

    by = settings.pop("given")
    begin, portion, seconds = 0, threads, 0.0
    while begin < count:
        end, started = min(begin + portion, count), time.perf_counter()
        numbers = range(begin, end)
        images = drawing.sample(
            coder,
            len(numbers),
            given=[by[n % len(by)] for n in numbers] if by else [],
            indices=numbers,
            threads=threads,
            **settings,
        )
        seconds += time.perf_counter() - started
        yield images, seconds
        begin = end
        portion = max(1, int(CHUNK_SECONDS * end / seconds / threads)) * threads


def _text(result: dict[str, Any]) -> str:
    height, width = result["size"]
    count, shown = result["num_images"], result["num_images_shown"]
    files = ", ".join(result[key] for key in ("out", "gif", "npz", "npy") if result[key])
    text = (
        f"{files}: {counted(count, 'image')} of {height} x {width}, "
        f"seed {result['seed']}, {result['seconds_per_image']:.3g} seconds/image"
    )
    if result["temperature"] != 1:
        text += f", temperature {result['temperature']:g}"
    if result["guidance"]:
        text += f", guidance {result['guidance']:g}"
    return text + (f"; the sheet shows the first {shown:,}" if shown < count else "")
