"""What a step does with a recipe's settings, and what lies in the folder between two steps."""

import pytest
import torch
from rich.console import Console

from pixelrnn.errors import RecipeError, TrainingInterrupted
from pixelrnn.models import store
from pixelrnn.training import checkpoint, loop, train
from pixelrnn.training.batches import draw_batches
from pixelrnn.training.devices import make_fabric
from pixelrnn.training.fit import initial_model
from pixelrnn.training.loop import Trainee
from survival import damage
from tests.training.test_runs import tiny_data, tiny_recipe

SILENT = Console(quiet=True)


def after_a_step(**changes):
    recipe = tiny_recipe(training__accelerator="cpu", **changes).for_data(tiny_data())
    fabric = make_fabric(recipe.training, print)
    fabric.launch()
    trainee = Trainee(initial_model(recipe), recipe, fabric)
    trainee.step(draw_batches(recipe.training, tiny_data()).of_step(0))
    return trainee


def gradient_norm(trainee):
    return torch.cat([weight.grad.flatten() for weight in trainee.model.parameters()]).norm().item()


@pytest.mark.parametrize("parts", [1, 2])
def test_gradients_are_clipped_to_the_norm_of_the_recipe(parts):
    free = gradient_norm(after_a_step(training__gradient_clip=0.0, training__accumulate=parts))
    for limit, norm in ((0.5 * free, 0.5 * free), (2 * free, free)):
        trainee = after_a_step(training__gradient_clip=limit, training__accumulate=parts)
        assert gradient_norm(trainee) == pytest.approx(norm, rel=1e-4)


@pytest.mark.parametrize("name", ["adam", "adamw", "muon"])
@pytest.mark.parametrize("beta2", [0.5, 0.99])
def test_second_moments_decay_as_the_recipe_says(name, beta2):
    trainee = after_a_step(optimizer__name=name, optimizer__beta2=beta2)
    weight = trainee.model.head.output.bias  # of no hidden layer: Muon leaves it to AdamW
    second_moment = trainee.optimizer.state[weight]["exp_avg_sq"]
    assert torch.allclose(second_moment, (1 - beta2) * weight.grad**2, rtol=1e-4, atol=0)


def test_what_cannot_be_recorded_says_how_to_do_without(monkeypatch):
    trainee = after_a_step()

    def refused(*_):
        raise RuntimeError("operation not permitted when stream is capturing\nCompile with ...")

    monkeypatch.setattr(loop, "Replay", refused)
    trainee._replays = True  # as on a GPU
    with pytest.raises(
        RecipeError, match=r"capturing\): train with --set training.cuda_graph=false$"
    ):
        trainee.step(draw_batches(tiny_recipe().training, tiny_data()).of_step(0))


@pytest.mark.parametrize(("validations", "step"), [(1, 5), (4, 7)])
def test_between_two_steps_the_folder_holds_averaged_weights(validations, step, tmp_path):
    """Those of the checkpoint before the first validation, then those of the last validation."""
    recipe = tiny_recipe(training__validations=validations, training__ema_decay=0.9)
    with damage.stopping_after(step), pytest.raises(TrainingInterrupted):
        train(recipe, tmp_path / "run", data=tiny_data(), console=SILENT)
    saved = checkpoint.read(tmp_path / "run" / "checkpoint" / "last.safetensors")
    found = store.load(tmp_path / "run").state_dict()
    average = saved["average"] if validations == 1 else average_after(5, recipe, tmp_path)
    assert all(torch.equal(found[name], average[name]) for name in found)
    assert not any(torch.equal(found[name], saved["model"][name]) for name in found)


def average_after(step, recipe, tmp_path):
    """Return the averaged weights after a step, from the checkpoint of a run that was stopped there."""
    with damage.stopping_after(step), pytest.raises(TrainingInterrupted):
        train(recipe, tmp_path / "until", data=tiny_data(), console=SILENT)
    return checkpoint.read(tmp_path / "until" / "checkpoint" / "last.safetensors")["average"]
