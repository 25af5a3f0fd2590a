"""`pixelrnn evaluate` and `pixelrnn assess`: bits/dim of a model on images; all that the report shows."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pixelrnn import shipped
from pixelrnn.cli import console, inputs, options
from pixelrnn.errors import ImageMismatchError, OutputError

if TYPE_CHECKING:
    from pixelrnn.data import DataSet
    from pixelrnn.evaluation import Evaluation
    from pixelrnn.models import AutoregressiveModel
    from pixelrnn.runs import RunFolder

PARTS = {"labels": "its class", "image": "the image that it is given by"}


def evaluate(
    model: options.Model,
    data: options.Data = None,
    split: options.Split = "test",
    batch_size: options.BatchSize = 50,
    settings: options.DataSettings = None,
    small: Annotated[
        Path | None, typer.Option("--small", parser=options.name_or_path, metavar="MODEL")
    ] = None,
    device: options.Device = "auto",
    as_json: options.AsJson = False,
) -> None:
    """Measure how many bits per dimension a model needs for images.

    Without --data, a run is evaluated on the images of its own recipe. On their test split, the figures
    of a finished run are also kept in its folder, for `pixelrnn report`; `pixelrnn assess` adds samples,
    file sizes and codecs. The figures of RUN/best.safetensors or RUN/last.safetensors, the weights
    beside the run's own, are only printed. Where a model is given something, labels or images, it is also
    measured without, and what that saves.

    Args:
        small: A model of the small images that MODEL is given: what both of them cost is added up.
    """
    from pixelrnn import assessment, evaluation
    from pixelrnn.runs import RunFolder
    from pixelrnn.training import recipe_of

    run = RunFolder.of(model)
    if run.recipe_file.is_file():
        recipe_of(run)  # one of a later version is refused
    loaded, images = inputs.model_and_images(model, data, settings or (), device=device)
    if loaded.config.num_labels and images.labels_of(split) is None:
        console.tell(f"{images.without_labels()}: the figures are those of images of no class")
    chosen, pictures = images.images(split), images.pictures_of(split)
    assessment.require_contract(run, loaded, chosen)
    is_kept = data is None and split == "test"
    if is_kept and (reason := _why_not_kept(model, run, images)):
        console.tell(f"the result is not kept in {run.path}: {reason}")
        is_kept = False
    given = evaluation.conditioned(loaded, images, split)
    of_small = small and _small_images(loaded, small, images, device)

    def measured(model: "AutoregressiveModel", of: "DataSet", what: str = "") -> "Evaluation":
        with console.progress(f"evaluating{what}", len(chosen)) as on_progress:
            return evaluation.evaluate(
                model, of.images(split), pictures=pictures, batch_size=batch_size,
                on_progress=on_progress,
            )  # fmt: skip

    found = measured(given, images)
    besides: dict[str, Any] = {}
    for part, without in given.with_less():
        besides |= _without(part, found, measured(without, images, f" without {PARTS[part]}"))
    if of_small:
        by, its_images = of_small
        by = evaluation.conditioned(by, its_images, split)
        besides |= _together(found, measured(by, its_images, " small images"), str(small))
    if is_kept:
        assessment.record(run, images, found)
    alarms = run.result().get("alarms", []) if is_kept else []
    _answer(model, images, split, found, alarms, besides, as_json=as_json)


def assess(
    run: Annotated[Path, typer.Argument(parser=options.name_or_path, metavar="RUN")],
    data: options.Data = None,
    batch_size: options.BatchSize = 50,
    device: options.Device = "auto",
    as_json: options.AsJson = False,
) -> None:
    """Look at a run's test images once, and keep in its folder all that `pixelrnn report` shows.

    Beside the bits per dimension that `pixelrnn evaluate` measures these are samples, completions, what
    the model sees, the size of a real file, and what image codecs need. --data says where the run's own
    images are now.

    Args:
        run: A finished run folder.
    """
    from pixelrnn import assessment
    from pixelrnn.runs import RunFolder
    from pixelrnn.training import recipe_of

    folder = RunFolder.of(run)
    shipped.file_of(run, shipped.WEIGHTS)  # there is something
    recipe_of(folder)  # it is a run, and not weights alone
    model, images = inputs.model_and_images(run, data, device=device)
    if reason := _why_not_kept(run, folder, images):
        raise OutputError(f"{folder.path} cannot keep an assessment: {reason}")
    assessment.require_contract(folder, model, images.images("test"))
    with console.progress("evaluating", images.count("test")) as on_progress:
        evaluation = assessment.assess(
            folder,
            images,
            model=model,
            batch_size=batch_size,
            device=device,
            on_progress=on_progress,
            on_compiling=console.tell,
        )
    _answer(run, images, "test", evaluation, folder.result()["alarms"], as_json=as_json)


def _why_not_kept(model: Path, run: "RunFolder", images: "DataSet") -> str:
    """Return why a result on these images would mislead in the run's folder, or nothing."""
    from pixelrnn.models import store

    if model not in (run.path, run.path / store.MODEL_FILE):
        return f"what is kept there is of {store.MODEL_FILE}"
    if not os.access(run.path, os.W_OK):
        return "it cannot be written to"
    result = run.result()
    if not result.get("finished"):
        return "the run is not finished, and its weights may yet change"
    if result.get("data_sha256", {}).get("test") != images.sha256("test"):
        return "these are not the test images that the run began with"
    return ""


def _answer(
    model: Path,
    images: "DataSet",
    split: str,
    evaluation: "Evaluation",
    alarms: list[str],
    besides: dict[str, Any] | None = None,
    *,
    as_json: bool,
) -> None:
    """Print an evaluation, and raise its alarms."""
    keys = ("num_images", "num_pictures", "bits_per_dim", "standard_error", "nats_per_image",
            "bits_per_dim_by_channel")  # fmt: skip
    result = {
        "model": str(model),
        "data": images.name,
        "split": split,
        "data_sha256": images.sha256(split),
        **{key: getattr(evaluation, key) for key in keys},
        **(besides or {}),
        "images_per_second": evaluation.num_images / evaluation.seconds,
        "alarms": alarms,
    }
    console.say_json(result) if as_json else console.say(_in_words(result))
    console.raise_alarms(alarms)


def _small_images(
    model: "AutoregressiveModel", small: Path, images: "DataSet", device: str
) -> "tuple[AutoregressiveModel, DataSet]":
    """Return the model of small images that is named, and the images that it is to be of."""
    from pixelrnn.data.shrinking import shrunk
    from pixelrnn.evaluation import require_fit
    from pixelrnn.models import store

    condition = model.config.condition
    if condition is None or condition.kind != "small":
        raise ImageMismatchError(
            "this model is not given small images: leave --small out, or give one of several scales"
        )
    loaded, its_images = store.load(small, device=device), shrunk(images, condition.factor)
    require_fit(loaded, its_images)
    return loaded, its_images


def _without(part: str, evaluation: "Evaluation", without: "Evaluation") -> dict[str, Any]:
    """Return what images cost where a part of what they are given by is not told, and what it saves."""
    from pixelrnn.uncertainty import standard_error

    saved = without.bits_per_dim_per_image - evaluation.bits_per_dim_per_image
    return {
        f"bits_per_dim_without_{part}": without.bits_per_dim,
        f"bits_per_dim_saved_by_{part}": float(saved.mean()),
        f"saved_by_{part}_standard_error": standard_error(saved, evaluation.pictures),
    }


def _together(large: "Evaluation", small: "Evaluation", by: str) -> dict[str, Any]:
    """Return what small images cost, and what these and the large ones do: bits/dim of the large ones."""
    from pixelrnn.uncertainty import standard_error

    share = small.dims_per_image / large.dims_per_image
    both = large.bits_per_dim_per_image + share * small.bits_per_dim_per_image
    return {
        "small_model": by,
        "bits_per_dim_of_small_images": small.bits_per_dim,
        "bits_per_dim_with_small_images": float(both.mean()),
        "with_small_images_standard_error": standard_error(both, large.pictures),
    }


def _in_words(result: dict[str, Any]) -> str:
    """Return an evaluation as it is printed."""
    from pixelrnn.uncertainty import images_of_pictures, no_verdict, plus_minus

    colours = result["bits_per_dim_by_channel"]
    split = result["split"]
    kind, before = ("", "all ") if split == "all" else (split, "")
    images = before + images_of_pictures(result["num_images"], result["num_pictures"], kind)
    text = (
        f"{plus_minus(result['bits_per_dim'], result['standard_error'])} bits/dim "
        f"({result['nats_per_image']:.2f} nats/image) on {images} of {result['data']}"
    )
    if len(colours) == 3:
        parts = zip(("red", "green", "blue"), colours, strict=True)
        text += "; " + ", ".join(f"{name} {bits:.3f}" for name, bits in parts)
    for part, words in PARTS.items():
        if f"bits_per_dim_without_{part}" in result:
            saved = (
                result[f"bits_per_dim_saved_by_{part}"],
                result[f"saved_by_{part}_standard_error"],
            )
            without = result[f"bits_per_dim_without_{part}"]
            text += f"; {without:.3f} without {words}, which saves {plus_minus(*saved)}"
    if "small_model" in result:
        both = result["bits_per_dim_with_small_images"], result["with_small_images_standard_error"]
        text += (
            f"; {plus_minus(*both)} with the small images, which cost "
            f"{result['bits_per_dim_of_small_images']:.3f} of their own by {result['small_model']}"
        )
    if reason := no_verdict(result["num_pictures"]):
        text += f"; {reason}"
    return text
