"""`pixelrnn evaluate`: bits/dim of a model on images."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pixelrnn.cli import options
from pixelrnn.cli.console import progress, raise_alarms, say, say_json, tell
from pixelrnn.cli.inputs import images_for

if TYPE_CHECKING:
    from pixelrnn.data import DataSet
    from pixelrnn.evaluation import Evaluation
    from pixelrnn.runs import RunFolder


def evaluate(
    model: options.Model,
    data: options.Data = None,
    split: options.Split = "test",
    batch_size: Annotated[int, typer.Option(min=1)] = 50,
    settings: options.DataSettings = None,
    device: options.Device = "auto",
    as_json: options.AsJson = False,
) -> None:
    """Measure how many bits per dimension a model needs for images.

    Without --data, a run is evaluated on the images of its own recipe. On their test split, the figures
    of a finished run are also kept in its folder, for `pixelrnn report`; `pixelrnn assess` adds samples,
    file sizes and codecs. The figures of RUN/best.safetensors or RUN/last.safetensors, the weights
    beside the run's own, are only printed.

    Args:
        batch_size: Images at a time; affects speed and memory, not the result.
    """
    from pixelrnn import assessment, evaluation
    from pixelrnn.models import store
    from pixelrnn.runs import RunFolder
    from pixelrnn.training import recipe_of

    run = RunFolder.of(model)
    if run.recipe_file.is_file():
        recipe_of(run)  # one of a later version is refused
    loaded = store.load(model, device=device)
    images = images_for(model, data, settings or ())
    evaluation.require_fit(loaded, images)
    chosen, pictures = images.images(split), images.pictures_of(split)
    assessment.require_contract(run, loaded, chosen)
    is_kept = data is None and split == "test"
    if is_kept and (reason := why_not_kept(model, run, images)):
        tell(f"the result is not kept in {run.path}: {reason}")
        is_kept = False
    with progress("evaluating", len(chosen)) as on_progress:
        found = evaluation.evaluate(
            loaded, chosen, pictures=pictures, batch_size=batch_size, on_progress=on_progress
        )
    if is_kept:
        assessment.record(run, images, found)
    alarms = run.result().get("alarms", []) if is_kept else []
    result = result_of(model, images, split, found, alarms)
    say_json(result) if as_json else say(in_words(result))
    raise_alarms(alarms)


def why_not_kept(model: Path, run: "RunFolder", images: "DataSet") -> str:
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


def result_of(
    model: Path, images: "DataSet", split: str, evaluation: "Evaluation", alarms: list[str]
) -> dict[str, Any]:
    """Return an evaluation as it is printed with --json."""
    keys = ("num_images", "num_pictures", "bits_per_dim", "standard_error", "nats_per_image",
            "bits_per_dim_by_channel")  # fmt: skip
    return {
        "model": str(model),
        "data": images.name,
        "split": split,
        "data_sha256": images.sha256(split),
        **{key: getattr(evaluation, key) for key in keys},
        "images_per_second": evaluation.num_images / evaluation.seconds,
        "alarms": alarms,
    }


def in_words(result: dict[str, Any]) -> str:
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
    if reason := no_verdict(result["num_pictures"]):
        text += f"; {reason}"
    return text
