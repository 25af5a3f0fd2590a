"""One of two processes that train every model in float64 together, as if torchrun had started it.

Each trains each model by itself as well, and prints how far apart the weights are.
"""

import json
import sys
from pathlib import Path

import torch

from pixelrnn.data import load
from pixelrnn.errors import NonFiniteLossError
from pixelrnn.models import CONFIGS, MODELS
from pixelrnn.training import RunFolder, load_recipe
from pixelrnn.training.batches import draw_batches
from pixelrnn.training.devices import make_fabric
from pixelrnn.training.fit import initial_model
from pixelrnn.training.loop import Trainee
from pixelrnn.training.together import Processes

STEPS = 20
TINY = ("model.features=4", "model.layers=1", "training.batch_size=4", "training.accumulate=2",
        "training.horizontal_flips=true", "training.accelerator=cpu", "training.devices=2",
        "optimizer.name=muon", "optimizer.learning_rate=0.01", "schedule.warmup_steps=0")  # fmt: skip


def trained(recipe, fabric, rank=0, count=1, **options):
    """Return the model in training after some steps."""
    data = load("digits")
    trainee = Trainee(initial_model(recipe.for_data(data)).double(), recipe, fabric, **options)
    batches = draw_batches(recipe.training, data, rank, count)
    for number in range(STEPS):
        trainee.step(batches.of_step(number))
    return trainee


def distance(one, other):
    """Return how far two models' weights are apart at most."""
    pairs = zip(one.parameters(), other.parameters(), strict=True)
    return max(float((a - b).detach().abs().max()) for a, b in pairs)


def main():
    """Train all models together and alone; then have one process meet a loss that is not finite."""
    torch.set_num_threads(1)
    base = load_recipe("digits-pixelcnn", TINY)
    sizes = {"features": 4, "layers": 1, "likelihood": base.model.likelihood}
    recipes = {
        kind: base.model_copy(update={"model": CONFIGS[kind].model_validate(sizes)})
        for kind in MODELS
    }
    recipe = recipes["pixelcnn"]
    fabric = make_fabric(recipe.training, print)
    processes = Processes(fabric, RunFolder(Path("nowhere")), recipe)
    found = {}
    with processes.at_work():
        for kind, recipe in recipes.items():
            ours = trained(
                recipe, fabric, processes.rank, processes.count, average=processes.average
            )
            found[kind] = distance(ours.model, trained(recipe, fabric).model)
            found["average"] = distance(ours.model, ours.average.model)
        if not processes.is_first:
            ours.loss = lambda batch: ours.model.nats(batch.images) * float("nan")
        try:
            ours.step(draw_batches(recipe.training, load("digits"), processes.rank, 2).of_step(0))
        except NonFiniteLossError as error:
            found["message"] = str(error)
        found["shared"] = processes.share(processes.rank, 7)
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    main()
