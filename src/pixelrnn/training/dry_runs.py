"""What a recipe would take on this machine, without running it."""

import time
from dataclasses import dataclass
from typing import Any

import torch
from lightning_fabric import Fabric

from pixelrnn.data.in_memory import as_data_set
from pixelrnn.data.loading import load_recorded as load
from pixelrnn.models import LABELS
from pixelrnn.models.torch_state import usual_torch
from pixelrnn.training.batches import draw_batches
from pixelrnn.training.devices import make_fabric, peak_memory_mb, quiet, reset_peak_memory
from pixelrnn.training.fit import initial_model
from pixelrnn.training.loop import Trainee
from pixelrnn.training.recipe import Recipe
from pixelrnn.wording import duration, two_digits

DRY_STEPS, DRY_SECONDS = 20, 2.0


@dataclass(frozen=True)
class Estimate:
    """What a run would take: seconds, and all of it in words, with units."""

    seconds: float
    text: str


def dry_run(recipe: Recipe, data: Any = None) -> str:
    """Say what a whole run would take; see `estimate`.

    Returns:
        One line: parameters, memory, speed and expected time, with units.
    """
    return estimate(recipe, data).text


@usual_torch()
def estimate(recipe: Recipe, data: Any = None) -> Estimate:
    """Build the model, take a few steps of the recipe, and find what the whole run would take.

    Nothing is written.
    """
    if data is None:
        data = load(recipe.data.source, recipe.data.options())
    data = as_data_set(data)
    recipe = recipe.for_data(data)
    images = data.images("train")
    model = initial_model(recipe)
    training = recipe.training.model_copy(update={"devices": 1, "num_nodes": 1})
    fabric = make_fabric(training, lambda _: None)
    with quiet():
        fabric.launch()
    trainee = Trainee(model, recipe, fabric)
    batches = draw_batches(training, data, model=recipe.model)
    reset_peak_memory()
    times: list[float] = []
    while len(times) < DRY_STEPS and (len(times) < 2 or sum(times) < DRY_SECONDS):
        parts = batches.of_step(len(times))
        started = time.perf_counter()
        trainee.step(parts)
        if torch.cuda.is_available():  # which goes on with a step after it was asked for
            torch.cuda.synchronize()
        times.append(time.perf_counter() - started)
    seconds = min(times)
    steps = training.total_steps(len(images))
    whole = steps * seconds
    limit = whole if training.max_minutes is None else min(whole, 60 * training.max_minutes)
    ended = "" if limit == whole else f"; training.max_minutes ends it after {duration(limit)}"
    return Estimate(
        limit,
        f"{LABELS[recipe.model.kind]}: {model.num_parameters():,} parameters, "
        f"{two_digits(training.batch_size / seconds)} images/s on this machine's {_device_name(fabric)}, "
        f"{peak_memory_mb():,.0f} MB; the whole recipe, {steps:,} steps of "
        f"{training.batch_size}, would take {duration(whole)}{ended}",
    )


def _device_name(fabric: Fabric) -> str:
    return "processor" if fabric.device.type == "cpu" else torch.cuda.get_device_name(fabric.device)
