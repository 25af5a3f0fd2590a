"""`pixelrnn evaluate`: bits/dim of a model on images."""

import os
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
    from pixelrnn.training import RunFolder


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
    batch_size: Annotated[
        int, typer.Option(min=1, help="Images at a time: speed and memory, not the result.")
    ] = 50,
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
    """Say how many bits per dimension a model needs for images.

    Without --data, a run is evaluated on the images of its own recipe; on their test split, the
    result of a finished run is also kept in its folder, with the codecs beside it, for
    `pixelrnn report`. RUN/best.safetensors, or RUN/last.safetensors, are the weights beside the
    run's result: theirs is only said.
    """
    from pixelrnn.assessment import assess, require_contract, require_fit
    from pixelrnn.evaluation import evaluate as evaluate_model
    from pixelrnn.models import store
    from pixelrnn.training import RunFolder

    run = RunFolder.of(model)
    loaded = store.load(model, device=device)
    images = _images(model, run, data, settings or [])
    require_fit(loaded, images)
    chosen = images.images(split)
    require_contract(run, loaded, chosen)
    keep = data is None and split == "test"
    if keep and (reason := _why_not_kept(model, run, images)):
        tell(f"the result is not kept in {run.path}: {reason}")
        keep = False
    with images_progress("evaluating", len(chosen)) as on_progress:
        if keep:
            from pixelrnn import baselines

            lines = baselines.measure(
                images.images("train"),
                chosen,
                images.num_levels,
                pictures=images.pictures_of(split),
            )
            evaluation = assess(
                run,
                images,
                lines,
                batch_size=batch_size,
                device=device,
                on_progress=on_progress,
                on_compiling=tell,
            )
        else:
            evaluation = evaluate_model(
                loaded,
                chosen,
                pictures=images.pictures_of(split),
                batch_size=batch_size,
                on_progress=on_progress,
            )
    result = _result(model, images, split, evaluation)
    result["alarms"] = run.result()["alarms"] if keep else []
    say_json(result) if as_json else say(_text(result))
    raise_alarms(result["alarms"])


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


def _images(model: Path, run: "RunFolder", data: str | None, settings: list[str]) -> "DataSet":
    from pixelrnn.data.loading import load_recorded, require_clear
    from pixelrnn.training.image_source import is_there, require_there
    from pixelrnn.training.recipe import data_table

    table: dict[str, Any] = {}
    if run.recipe_file.is_file():
        table = run.recipe().data.model_dump(exclude_defaults=True)
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


def _result(model: Path, images: "DataSet", split: str, evaluation: "Evaluation") -> dict[str, Any]:
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
    }


def _text(result: dict[str, Any]) -> str:
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
