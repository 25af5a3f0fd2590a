"""`pixelrnn complete`: what is hidden of images, sampled several times over."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pixelrnn.cli import console, inputs, options, outputs
from pixelrnn.cli.given import label_number
from pixelrnn.errors import ImageMismatchError, RecipeError
from pixelrnn.wording import counted

if TYPE_CHECKING:
    from pixelrnn.models import AutoregressiveModel

FEW_EFFECTIVE_SAMPLES = 2.0


def complete(
    model: options.Model,
    images: options.Images,
    keep: Annotated[str, typer.Option(metavar="RULE-or-MASK")] = "top:0.5",
    count: options.Count = 4,
    first: options.Positive = 8,
    split: str | None = None,
    label: Annotated[str | None, typer.Option(metavar="NAME-or-NUMBER")] = None,
    importance: options.PositiveOrNone = None,
    seed: options.Seed = 0,
    temperature: options.Temperature = 1.0,
    out: Annotated[Path | None, typer.Option(show_default="completions.png")] = None,
    npz: Path | None = None,
    force: options.Force = False,
    threads: options.Threads = None,
    as_json: options.AsJson = False,
) -> None:
    """Complete images of which a part is given; Ctrl-C keeps those that are finished.

    Also says how many bits per dimension the hidden part of the true images costs the model.

    Args:
        keep: What is given: top:0.5 (or bottom, left, right, and a share), or a mask image, not
            black where a pixel is given.
        count: Number of completions per image.
        first: Number of images, the first ones of the split.
        split: train, validation, test, or all. By default test, or all where there are no test images.
        label: Class of all the images; only models that were trained with labels know classes.
        importance: Sample this many candidates, and choose among them by the probability of the
            given pixels that come after hidden ones.
        out: The sheet, a PNG file: original, what was given, completions.
        npz: Write arrays: images, known, completions, hidden_bits_per_dim; without it what no picture
            shows, such as codes, is not completed.
    """
    from pixelrnn import completion, pictures
    from pixelrnn.compiling import make_loop_ready
    from pixelrnn.data.catalogue import CATALOGUE
    from pixelrnn.evaluation import require_fit
    from pixelrnn.models import store
    from pixelrnn.runs.array_file import as_in_files
    from pixelrnn.uncertainty import count_pictures, standard_error

    loaded = _of_class(store.load(model), label)
    config = loaded.config.model_dump()
    if outputs.are_shown(config, {"--out": out}, instead="--npz FILE.npz", is_given=bool(npz)):
        out = out or Path("completions.png")
    data = inputs.images_for(model, images, num_levels=inputs.levels_in_files(loaded.config))
    split = split or ("test" if data.count("test") else "all")
    chosen = data.images(split)[:first]
    require_fit(loaded, data, None if images in CATALOGUE else chosen)
    known = completion.keep(keep, *chosen.shape[2:])
    if known.all():
        raise ImageMismatchError(f"--keep {keep} keeps every pixel: there is nothing to complete")
    outputs.require_writable(("--out", out, ".png"), ("--npz", npz, ".npz"), force=force)
    later = completion.known_after_hidden(known)
    if completion.guides_later(loaded.config):
        if importance is not None:
            raise RecipeError("this model is given all that is known: leave --importance out")
    elif later and importance is None:
        console.tell(
            f"{later:,} given pixels come after hidden ones and do not guide them: the model goes "
            "row by row; --importance 100 chooses completions that fit them"
        )
    elif not later and importance is not None:
        console.tell("no given pixel comes after a hidden one: --importance changes nothing")
    make_loop_ready(console.tell)
    sampled = {"seed": seed, "temperature": temperature}
    settings: dict[str, Any] = {
        "count": count,
        "importance": importance,
        "threads": threads,
        **sampled,
    }
    total = len(chosen) * max(count, importance or 0) * known.size
    with console.progress("completing", total) as on_progress:
        # One image after the other, so that Ctrl-C loses one at most.
        each = (
            completion.complete(
                loaded, chosen[n : n + 1], known, first=n, on_progress=on_progress, **settings
            )
            for n in range(len(chosen))
        )
        done = completion.joined(console.until_stopped(each))
    hidden, effective = done.hidden_bits_per_dim, done.effective_samples
    finished, originals = len(hidden), chosen[: len(hidden)]
    if npz is not None:
        pictures.write_arrays(
            npz,
            images=as_in_files(originals),
            known=known,
            completions=as_in_files(done.images),
            hidden_bits_per_dim=hidden,
            **({} if effective is None else {"effective_samples": effective}),
        )
    if out is not None:
        cells, shown = pictures.completion_cells(originals, done.images, known)
        num_levels = config["num_levels"]
        pictures.write_png(out, pictures.sheet(cells, num_levels, columns=2 + count, known=shown))
    cut_from = data.pictures_of(split)
    cut_from = None if cut_from is None else cut_from[:finished]
    result = {
        "model": str(model),
        "images": images,
        "split": split,
        "out": out and str(out),
        "npz": npz and str(npz),
        "num_images": finished,
        "num_pictures": count_pictures(finished, cut_from),
        "completions_per_image": count,
        "label": label,
        "known_pixels": int(known.sum()),
        "hidden_pixels": int((~known).sum()),
        "known_pixels_after_hidden": later,
        **sampled,
        "hidden_bits_per_dim": float(hidden.mean()),
        "standard_error": standard_error(hidden, cut_from),
        "effective_samples": None if effective is None else effective.tolist(),
        "finished": finished == len(chosen),
    }
    if effective is not None and effective.min() < FEW_EFFECTIVE_SAMPLES:
        console.tell(
            "of some images hardly more than one candidate fits the given pixels: "
            "its completions are alike; a larger --importance helps, if anything does"
        )
    console.say_json(result) if as_json else console.say_lines(_lines(result))
    console.require_finished(finished, len(chosen))


def _of_class(model: "AutoregressiveModel", label: str | None) -> "AutoregressiveModel":
    return model if label is None else model.given(label_number(label, model.config.model_dump()))


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
