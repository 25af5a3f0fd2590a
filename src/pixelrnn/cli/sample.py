"""`pixelrnn sample`: images drawn from a model, exactly, pixel by pixel."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pixelrnn.cli.console import say, say_json, tell
from pixelrnn.cli.drawing import (
    AsJson,
    Force,
    Model,
    Seed,
    Size,
    Temperature,
    Threads,
    pixels_progress,
    positive,
    require_writable,
    size,
)
from pixelrnn.errors import RecipeError
from pixelrnn.processes import usable_cores
from pixelrnn.wording import counted

if TYPE_CHECKING:
    from pixelrnn.models import AutoregressiveModel
    from pixelrnn.pictures import Images

CHUNK_SECONDS = 1.0  # of work that Ctrl-C may lose


def sample(
    model: Model,
    count: Annotated[
        int, typer.Option("-n", "--count", parser=positive, metavar="INTEGER", help="Images.")
    ] = 64,
    seed: Seed = 0,
    image_size: Annotated[
        Size | None,
        typer.Option(
            "--size",
            parser=size,
            metavar="HEIGHTxWIDTH",
            help="In pixels; any size, square or not.",
            show_default="that of the training images",
        ),
    ] = None,
    temperature: Temperature = 1.0,
    out: Annotated[Path, typer.Option(help="The sheet of all images, a PNG file.")] = Path(
        "samples.png"
    ),
    gif: Annotated[
        Path | None,
        typer.Option(help="Also the sheet growing pixel by pixel.", show_default=False),
    ] = None,
    npz: Annotated[
        Path | None,
        typer.Option(
            help="Also the images as they are, uint8 (N, H, W[, C]), as --data reads them.",
            show_default=False,
        ),
    ] = None,
    force: Force = False,
    threads: Threads = None,
    as_json: AsJson = False,
) -> None:
    """Draw images from a model; Ctrl-C keeps those that are finished.

    Image i depends on the model, the seed and i alone, not on how many are drawn.
    """
    from pixelrnn.compiling import make_loop_ready
    from pixelrnn.models import store
    from pixelrnn.models.asked import checked_size

    loaded = store.load(model)
    threads = threads or usable_cores()
    height, width = image_size or loaded.config.image_size or _no_size()
    checked_size((height, width), min(count, threads))
    require_writable(
        [("--out", out, ".png"), ("--gif", gif, ".gif"), ("--npz", npz, ".npz")], force=force
    )
    make_loop_ready(tell)
    with pixels_progress("drawing", count * height * width) as on_progress:
        drawn = _draw(
            loaded,
            count,
            threads,
            {"size": (height, width), "seed": seed, "temperature": temperature},
            on_progress,
        )
    if drawn.images is None:
        tell("stopped before the first image was finished: nothing is written")
        raise typer.Exit(130)
    shown = _write(drawn.images, loaded.config.num_levels, out, gif, npz)
    result = {
        "model": str(model),
        "out": str(out),
        "gif": None if gif is None else str(gif),
        "npz": None if npz is None else str(npz),
        "num_images": len(drawn.images),
        "num_images_shown": shown,
        "size": [height, width],
        "seed": seed,
        "temperature": temperature,
        "seconds": drawn.seconds,
        "seconds_per_image": drawn.seconds / len(drawn.images),
        "finished": not drawn.stopped,
    }
    say_json(result) if as_json else say(_text(result))
    if drawn.stopped:
        tell(f"stopped: {len(drawn.images):,} of {count:,} images were finished and are kept")
        raise typer.Exit(130)


def _no_size() -> tuple[int, int]:
    raise RecipeError(
        "this model does not say how large its images were: give --size HEIGHTxWIDTH, such as 32x32"
    )


@dataclass(frozen=True)
class _Drawn:
    images: "Images | None"
    seconds: float
    stopped: bool


def _draw(
    model: "AutoregressiveModel",
    count: int,
    threads: int,
    settings: dict[str, Any],
    on_progress: Callable[[int], None],
) -> _Drawn:
    """Draw images in portions of about a second; Ctrl-C ends it after the last whole one."""
    import numpy as np

    portions: list[Any] = []
    done, portion, seconds, stopped = 0, threads, 0.0, False
    try:
        while done < count:
            indices = range(done, min(done + portion, count))
            started = time.perf_counter()
            images = model.sample(
                len(indices),
                indices=indices,
                threads=threads,
                on_progress=on_progress,
                **settings,
            )
            seconds += time.perf_counter() - started
            portions.append(images)
            done += len(images)
            portion = max(1, int(CHUNK_SECONDS * done / seconds / threads)) * threads
    except KeyboardInterrupt:
        stopped = True
    return _Drawn(np.concatenate(portions) if portions else None, seconds, stopped)


def _write(images: "Images", num_levels: int, out: Path, gif: Path | None, npz: Path | None) -> int:
    """Write the files; return how many images the sheet has room for."""
    from pixelrnn import pictures

    count, _, height, width = images.shape
    if npz is not None:
        pictures.write_arrays(npz, images=pictures.channels_last(images))
    shown = images[: pictures.fitting(count, height, width)]
    columns = pictures.squarish(len(shown), height, width)
    pictures.write_png(out, pictures.sheet(shown, num_levels, columns=columns))
    if gif is not None:
        growing = images[: pictures.fitting(count, height, width, pictures.GIF_PIXELS)]
        columns = pictures.squarish(len(growing), height, width)
        pictures.write_growth(gif, growing, num_levels, columns=columns)
    return len(shown)


def _text(result: dict[str, Any]) -> str:
    height, width = result["size"]
    count, shown = result["num_images"], result["num_images_shown"]
    files = ", ".join(result[key] for key in ("out", "gif", "npz") if result[key])
    text = (
        f"{files}: {counted(count, 'image')} of {height} x {width}, "
        f"seed {result['seed']}, {result['seconds_per_image']:.3g} seconds/image"
    )
    if result["temperature"] != 1:
        text += f", temperature {result['temperature']:g}"
    return text + (f"; the sheet shows the first {shown:,}" if shown < count else "")
