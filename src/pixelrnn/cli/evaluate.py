"""`pixelrnn evaluate`: bits/dim of a model on images."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pixelrnn.cli.console import say, say_json, tell
from pixelrnn.cli.drawing import AsJson, name_or_path
from pixelrnn.cli.options import Data, Device, images_progress, raise_alarms
from pixelrnn.errors import RecipeError

if TYPE_CHECKING:
    from pixelrnn.data import DataSet
    from pixelrnn.evaluation import Evaluation
    from pixelrnn.runs import RunFolder

BatchSize = Annotated[
    int, typer.Option(min=1, help="Images at a time: speed and memory, not the result.")
]


def evaluate(
    model: Annotated[
        Path,
        typer.Argument(
            parser=name_or_path,
            metavar="RUN-or-MODEL",
            help="A run folder, a .safetensors file, or a name from `pixelrnn models list`.",
        ),
    ],
    data: Data = None,
    split: Annotated[str, typer.Option(help="train, validation, test, or all.")] = "test",
    batch_size: BatchSize = 50,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="data.KEY=VALUE",
            help="How the images are read, such as data.patch_size=32. May be repeated.",
            show_default=False,
        ),
    ] = None,
    device: Device = "auto",
    as_json: AsJson = False,
) -> None:
    """Measure how many bits per dimension a model needs for images.

    Without --data, a run is evaluated on the images of its own recipe. On their test split, the figures
    of a finished run are also kept in its folder, for `pixelrnn report`; `pixelrnn assess` adds samples,
    file sizes and codecs. RUN/best.safetensors, or RUN/last.safetensors, are the weights beside the
    run's result: theirs are only printed.
    """
    from pixelrnn.assessment import record, require_contract, require_fit
    from pixelrnn.evaluation import evaluate as evaluate_model
    from pixelrnn.models import store
    from pixelrnn.runs import RunFolder

    run = RunFolder.of(model)
    loaded = store.load(model, device=device)
    images = images_for(model, run, data, settings or [])
    require_fit(loaded, images)
    chosen = images.images(split)
    require_contract(run, loaded, chosen)
    keep = data is None and split == "test"
    if keep and (reason := why_not_kept(model, run, images)):
        tell(f"the result is not kept in {run.path}: {reason}")
        keep = False
    with images_progress("evaluating", len(chosen)) as on_progress:
        evaluation = evaluate_model(
            loaded,
            chosen,
            pictures=images.pictures_of(split),
            batch_size=batch_size,
            on_progress=on_progress,
        )
    if keep:
        record(run, images, evaluation)
    alarms = run.result().get("alarms", []) if keep else []
    result = result_of(model, images, split, evaluation, alarms)
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


def images_for(
    model: Path, run: "RunFolder", data: str | None, settings: Sequence[str] = ()
) -> "DataSet":
    """Return the images to evaluate a model on: those given, or those of the recipe of its run."""
    from pixelrnn.data.loading import load_recorded, require_clear
    from pixelrnn.training import recipe_of
    from pixelrnn.training.image_source import is_there, require_there
    from pixelrnn.training.recipe import data_table

    table: dict[str, Any] = {}
    if run.recipe_file.is_file():
        table = recipe_of(run).data.model_dump(exclude_defaults=True)
    if data is not None and data != table.get("source"):
        require_clear(data)
    if data is None and table:
        require_there(table["source"], run.path)
    elif data is not None and "source" in table and not is_there(table["source"]):
        table["source"] = data  # the run's own images, somewhere else now
    elif data is not None and data != table.get("source"):
        table = {"source": data}  # the reading options belong to the run's own images
    if not table:
        raise RecipeError(f"{model} does not say which images it is for: give --data NAME-or-PATH")
    chosen = data_table(table, settings)
    return load_recorded(chosen.source, chosen.options())


def result_of(
    model: Path, images: "DataSet", split: str, evaluation: "Evaluation", alarms: list[str]
) -> dict[str, Any]:
    """Return an evaluation as it is printed with --json."""
    return {
        "model": str(model),
        "data": images.name,
        "split": split,
        "num_images": evaluation.num_images,
        "num_pictures": evaluation.num_pictures,
        "data_sha256": images.sha256(split),
        "bits_per_dim": evaluation.bits_per_dim,
        "standard_error": evaluation.standard_error,
        "nats_per_image": evaluation.nats_per_image,
        "bits_per_dim_by_channel": evaluation.bits_per_dim_by_channel,
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
