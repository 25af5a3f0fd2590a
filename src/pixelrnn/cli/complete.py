"""`pixelrnn complete`: what is hidden of images, drawn several times over."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pixelrnn.cli.console import say_json, say_lines, tell
from pixelrnn.cli.drawing import (
    AsJson,
    Force,
    Model,
    Seed,
    Temperature,
    Threads,
    pixels_progress,
    positive,
    require_writable,
)
from pixelrnn.wording import counted

if TYPE_CHECKING:
    from pixelrnn.completion import Completions, Mask
    from pixelrnn.models import AutoregressiveModel
    from pixelrnn.pictures import Images

FEW_EFFECTIVE_SAMPLES = 2.0


def complete(
    model: Model,
    images: Annotated[
        str,
        typer.Option(
            metavar="NAME-or-PATH",
            help="A name from `pixelrnn data list`, a folder of images, an album (.pxr), an .npy "
            "or .npz, or the files of CIFAR or MNIST, such as torchvision's root.",
            show_default=False,
        ),
    ],
    keep: Annotated[
        str,
        typer.Option(
            metavar="RULE-or-MASK",
            help="What is given: top:0.5 (or bottom, left, right, and a share), or an image that "
            "is not black where a pixel is given.",
        ),
    ] = "top:0.5",
    count: Annotated[
        int,
        typer.Option(
            "-n", "--count", parser=positive, metavar="INTEGER", help="Completions of each image."
        ),
    ] = 4,
    first: Annotated[
        int, typer.Option(parser=positive, metavar="INTEGER", help="Images: the first so many.")
    ] = 8,
    split: Annotated[
        str | None,
        typer.Option(
            help="train, validation, test, or all.",
            show_default="test, or all where there are no test images",
        ),
    ] = None,
    importance: Annotated[
        int | None,
        typer.Option(
            parser=positive,
            metavar="INTEGER",
            help="Draw so many, and choose by the probability of the given pixels that come after "
            "hidden ones.",
            show_default=False,
        ),
    ] = None,
    seed: Seed = 0,
    temperature: Temperature = 1.0,
    out: Annotated[
        Path, typer.Option(help="The sheet, a PNG file: original, what was given, completions.")
    ] = Path("completions.png"),
    npz: Annotated[
        Path | None,
        typer.Option(
            help="Also arrays: images, known, completions, hidden_bits_per_dim.",
            show_default=False,
        ),
    ] = None,
    force: Force = False,
    threads: Threads = None,
    as_json: AsJson = False,
) -> None:
    """Complete images of which a part is given; Ctrl-C keeps those that are finished.

    Also says how many bits per dimension the hidden part of the true images costs the model.
    """
    import numpy as np

    from pixelrnn.cli.given import advice, chosen_images, given_pixels
    from pixelrnn.compiling import make_loop_ready
    from pixelrnn.completion import known_after_hidden
    from pixelrnn.models import store
    from pixelrnn.uncertainty import count_pictures, standard_error

    loaded = store.load(model)
    chosen, split, pictures = chosen_images(loaded, model, images, split, first)
    known = given_pixels(keep, *chosen.shape[2:])
    require_writable([("--out", out, ".png"), ("--npz", npz, ".npz")], force=force)
    later = known_after_hidden(known)
    for line in advice(later, importance):
        tell(line)
    make_loop_ready(tell)
    each = max(count, importance or 0) + 1  # one to score the original
    with pixels_progress("completing", len(chosen) * each * known.size) as on_progress:
        settings = {"count": count, "temperature": temperature, "importance": importance}
        done = _complete(loaded, chosen, known, seed, settings | {"threads": threads}, on_progress)
    if not done.completions:
        tell("stopped before the first image was finished: nothing is written")
        raise typer.Exit(130)
    _write(done, chosen, known, loaded.config.num_levels, out, npz)
    if pictures is not None:
        pictures = pictures[: len(done.completions)]
    result = {
        "model": str(model),
        "images": images,
        "split": split,
        "out": str(out),
        "npz": None if npz is None else str(npz),
        "num_images": len(done.completions),
        "num_pictures": count_pictures(len(done.completions), pictures),
        "completions_per_image": count,
        "known_pixels": int(known.sum()),
        "hidden_pixels": int((~known).sum()),
        "known_pixels_after_hidden": later,
        "seed": seed,
        "temperature": temperature,
        "hidden_bits_per_dim": done.hidden_bits_per_dim,
        "standard_error": standard_error(np.array(done.per_image), pictures),
        "effective_samples": done.effective_samples,
        "finished": not done.stopped,
    }
    if min(done.effective_samples or [math.inf]) < FEW_EFFECTIVE_SAMPLES:
        tell(
            "of some images hardly more than one draw fits the given pixels: "
            "its completions are alike; a larger --importance helps, if anything does"
        )
    say_json(result) if as_json else say_lines(_lines(result))
    if done.stopped:
        tell(f"stopped: {len(done.completions)} of {len(chosen)} images were finished and are kept")
        raise typer.Exit(130)


@dataclass
class _Done:
    """The images that were completed, in order."""

    completions: "list[Completions]" = field(default_factory=list)
    stopped: bool = False

    @property
    def per_image(self) -> list[float]:
        return [float(each.hidden_bits_per_dim[0]) for each in self.completions]

    @property
    def hidden_bits_per_dim(self) -> float:
        return math.fsum(self.per_image) / len(self.completions)

    @property
    def effective_samples(self) -> list[float] | None:
        found = [each.effective_samples for each in self.completions]
        return [float(each[0]) for each in found if each is not None] or None


def _complete(
    model: "AutoregressiveModel",
    images: "Images",
    known: "Mask",
    seed: int,
    settings: dict[str, Any],
    on_progress: Callable[[int], None],
) -> _Done:
    """Complete one image after the other, so that Ctrl-C loses one at most."""
    from pixelrnn.completion import complete as complete_images

    done = _Done()
    try:
        for index in range(len(images)):
            done.completions.append(
                complete_images(
                    model,
                    images[index : index + 1],
                    known,
                    seed=seed,
                    first=index,
                    on_progress=on_progress,
                    **settings,
                )
            )
            on_progress(known.size)
    except KeyboardInterrupt:
        done.stopped = True
    return done


def _write(
    done: _Done,
    originals: "Images",
    known: "Mask",
    num_levels: int,
    out: Path,
    npz: Path | None,
) -> None:
    import numpy as np

    from pixelrnn import pictures

    completions = np.concatenate([each.images for each in done.completions])
    originals = originals[: len(completions)]
    if npz is not None:
        arrays: dict[str, Any] = {
            "images": pictures.channels_last(originals),
            "known": known,
            "completions": pictures.channels_last(completions),
            "hidden_bits_per_dim": np.array(done.per_image),
        }
        if done.effective_samples is not None:
            arrays["effective_samples"] = np.array(done.effective_samples)
        pictures.write_arrays(npz, **arrays)
    cells, shown = pictures.completion_cells(originals, completions, known)
    columns = 2 + completions.shape[1]
    pictures.write_png(out, pictures.sheet(cells, num_levels, columns=columns, known=shown))


def _lines(result: dict[str, Any]) -> list[str]:
    from pixelrnn.uncertainty import images_of_pictures, plus_minus

    files = ", ".join(result[key] for key in ("out", "npz") if result[key])
    split = "" if result["split"] == "all" else result["split"]
    which = images_of_pictures(result["num_images"], result["num_pictures"], split)
    lines = [
        f"{files}: {which} of {result['images']}, "
        f"{counted(result['completions_per_image'], 'completion')} each, "
        f"seed {result['seed']}",
        f"the hidden {result['hidden_pixels']:,} pixels of the originals cost "
        f"{plus_minus(result['hidden_bits_per_dim'], result['standard_error'])} bits/dim",
    ]
    if result["effective_samples"]:
        effective = ", ".join(f"{number:.1f}" for number in result["effective_samples"])
        lines.append(f"effective samples of each image: {effective}")
    return lines
