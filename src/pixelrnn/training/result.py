"""What `result.json` says of a trained model."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

from pixelrnn.data import SPLITS, DataSet
from pixelrnn.data.mixture import parts_of
from pixelrnn.errors import ExportError
from pixelrnn.evaluation import Evaluation, conditioned, evaluate, typical
from pixelrnn.models import LABELS, AutoregressiveModel
from pixelrnn.training.devices import peak_memory_mb
from pixelrnn.training.job import Job
from pixelrnn.training.loop import Loop
from pixelrnn.training.recipe import Recipe
from pixelrnn.uncertainty import evenly_spread

TRAIN_IMAGES_EVALUATED = 1000


def conclude(job: Job, loop: Loop) -> dict[str, Any]:
    """Keep the trained weights for good, and return what `result.json` says of them and of the run."""
    presentations = job.presentations(loop.trainee.steps)
    spent = {
        "images_per_second": presentations / loop.records.training_seconds,
        "minutes": loop.records.seconds / 60,
    }
    model = loop.weights.result()
    measured = _measured(model, job.data)
    model.cpu()
    # It may be of no use for integers, or untraceable.
    with suppress(ExportError, NotImplementedError):
        given, some = typical(model, job.data)
        given.calibrate(some)
        model.calibration = given.calibration
    return {
        **measured,
        **loop.weights.save_result(),
        "parameters": model.num_parameters(),
        "image_presentations": presentations,
        **spent,
        "peak_memory_mb": peak_memory_mb(),
        "finished": True,
    }


def describe(recipe: Recipe, data: DataSet) -> dict[str, Any]:
    """Return what `result.json` says of a run before anything is measured."""
    labels = {split: data.labels_sha256(split) for split in SPLITS} if recipe.data.labels else None
    return {
        "name": recipe.name,
        "label": LABELS[recipe.model.kind],
        "data": data.name,
        "data_options": recipe.data.options().model_dump(mode="json", exclude_defaults=True),
        "data_sha256": {split: data.sha256(split) for split in SPLITS},
        **({"labels_sha256": labels} if labels else {}),
        "data_num_images": {split: data.count(split) for split in SPLITS},
        "recipe_sha256": recipe.fingerprint(),
        "image_shape": [data.channels, data.height, data.width],
        "num_levels": data.num_levels,
        "ema": recipe.training.ema_decay > 0,
    }


def _measured(model: AutoregressiveModel, data: DataSet) -> dict[str, Any]:
    """Return bits/dim on the validation images, and on training images evenly spread."""
    spread = evenly_spread(data.count("train"), TRAIN_IMAGES_EVALUATED)
    measured = _of_split(_evaluated(model, data, "train", spread), "train")
    if data.count("validation"):
        found = _evaluated(model, data, "validation", slice(None))
        measured |= _of_split(found, "validation")
        if data.sets:
            measured["validation_parts"] = _parts(found, parts_of(data, "validation"))
    return measured


def _evaluated(model: AutoregressiveModel, data: DataSet, split: str, chosen: Any) -> Evaluation:
    pictures = data.pictures_of(split)
    return evaluate(
        conditioned(model, data, split, chosen),
        data.images(split)[chosen],
        pictures=None if pictures is None else pictures[chosen],
    )


def _of_split(found: Evaluation, split: str) -> dict[str, Any]:
    names = {"standard_error": "bits_per_dim_standard_error"}
    return {f"{split}_{names.get(key, key)}": value for key, value in _figures(found).items()}


def _figures(found: Evaluation) -> dict[str, Any]:
    keys = ("bits_per_dim", "standard_error", "num_images", "num_pictures")
    return {key: getattr(found, key) for key in keys}


def _parts(found: Evaluation, parts: Sequence[tuple[str, slice]]) -> list[dict[str, Any]]:
    """Return what is said of each set of a mixture by itself."""
    figures = []
    for name, part in parts:
        pictures = None if found.pictures is None else found.pictures[part]
        own = _figures(replace(found, nats=found.nats[part], pictures=pictures))
        figures.append({"data": name} | own)
    return figures
