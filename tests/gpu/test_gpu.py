"""On a GPU: the contract holds, scores are those of the processor, and steps are replayed as they run."""

import numpy as np
import pytest
import torch
from rich.console import Console

from pixelrnn.contract import (
    check_batch_invariant,
    check_causal,
    check_normalised,
    check_pmf,
    check_steps,
)
from pixelrnn.evaluation import evaluate
from pixelrnn.models import MODELS, store
from pixelrnn.training import dry_run, train
from pixelrnn.training.batches import Batch
from pixelrnn.training.devices import make_fabric
from pixelrnn.training.fit import initial_model
from pixelrnn.training.loop import Trainee
from tests.training.test_runs import tiny_data, tiny_recipe

pytestmark = [
    pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU"),
    # Of torch's own making: what is told of streams, and of the first use of a library.
    pytest.mark.filterwarnings("ignore::UserWarning"),
]

STEPS = 6


def test_the_contract(kind, likelihood, channels, tiny_model, random_images, generator):
    model = tiny_model(kind, likelihood, channels, noise=0.3).cuda()
    images = random_images(3, channels, 5, 7)
    check_causal(model, images[0], generator)
    check_pmf(model, images)
    check_batch_invariant(model, images)
    check_steps(model, images)
    if channels == 1:
        check_normalised(tiny_model(kind, likelihood, 1, noise=0.3, num_levels=3).cuda(), 2, 3)


def test_scores_are_those_of_the_processor(kind, likelihood, tiny_model, random_images):
    model, images = tiny_model(kind, likelihood, 3, noise=0.3), random_images(4, 3, 7, 5)
    here = model.log_prob_map(images)
    there = model.cuda().log_prob_map(images.cuda())
    torch.testing.assert_close(there.cpu(), here)


def test_an_image_scores_the_same_beside_others_and_with_labels(kind, tiny_model, random_images):
    model = tiny_model(kind, "categorical", 1, noise=0.3, num_labels=3)
    images, labels = random_images(4, 1, 5, 7), torch.tensor([2, 0, 3, 1])
    here = model.given(labels=labels).log_prob(images)
    there = model.cuda().given(labels=labels.cuda()).log_prob(images.cuda())
    torch.testing.assert_close(there.cpu(), here)


def trainee(recipe, **changes):
    training = recipe.training.model_copy(update={"accelerator": "gpu", **changes})
    recipe = recipe.model_copy(update={"training": training})
    fabric = make_fabric(recipe.training, print)
    fabric.launch()
    return Trainee(initial_model(recipe), recipe, fabric)


def after_steps(recipe, batches, **changes):
    """Return losses and weights of some steps."""
    trained = trainee(recipe, **changes)
    losses = [trained.step(parts) for parts in batches]
    return losses, {n: w.detach().cpu() for n, w in trained.model.named_parameters()}


def batches_of(draw, parts=1, labels=0):
    for _ in range(STEPS):
        images = torch.from_numpy(draw.integers(0, 5, (4, 1, 4, 6)).astype(np.uint8))
        of_each = torch.from_numpy(draw.integers(0, labels + 1, 4)) if labels else None
        yield [
            Batch(images[part::parts], None if of_each is None else of_each[part::parts])
            for part in range(parts)
        ]


@pytest.mark.parametrize("optimizer", ["adam", "muon"])
@pytest.mark.parametrize(
    ("changes", "labels"),
    [
        ({}, 0),
        ({}, 3),
        ({"training__accumulate": 2}, 0),
        ({"training__checkpoint_activations": True}, 0),
        ({"model__likelihood": {"kind": "logistic-mixture", "components": 2}}, 0),
    ],
    ids=["plain", "labels", "in-parts", "checkpointed", "mixture"],
)
def test_replayed_steps_are_those_that_were_recorded(kind, changes, labels, optimizer):
    """In single precision, and as far as sums in another order are the same."""
    recipe = tiny_recipe(kind, **changes, optimizer__name=optimizer).for_data(tiny_data())
    model = recipe.model.model_copy(update={"num_labels": labels})
    recipe, parts = recipe.model_copy(update={"model": model}), recipe.training.accumulate
    found = {
        replays: after_steps(
            recipe,
            batches_of(np.random.default_rng(1), parts, labels),
            cuda_graph=replays,
            precision="32-true",
        )
        for replays in (True, False)
    }
    torch.testing.assert_close(found[True][0], found[False][0], rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(found[True][1], found[False][1], rtol=2e-2, atol=2e-3)
    assert len(set(found[True][0])) == STEPS  # every batch is looked at


def test_replayed_steps_in_half_precision(kind):
    recipe = tiny_recipe(kind).for_data(tiny_data())
    found = [
        after_steps(recipe, batches_of(np.random.default_rng(1)), cuda_graph=True, precision=name)
        for name in ("32-true", "bf16-mixed")
    ]
    torch.testing.assert_close(found[0][0], found[1][0], rtol=0.03, atol=0.03)


@pytest.mark.parametrize("kind", MODELS)
def test_a_run(kind, tmp_path):
    recipe = tiny_recipe(kind, training__epochs=40)
    data, silent = tiny_data(), Console(quiet=True)
    run = train(recipe, tmp_path / "run", data=data, console=silent)
    result = run.result()
    assert result["finished"]
    again = evaluate(store.load(run.path), data.images("validation"))
    assert again.bits_per_dim == pytest.approx(result["validation_bits_per_dim"], rel=1e-6)
    assert again.bits_per_dim < np.log2(5)


def test_a_dry_run_says_what_it_ran_on():
    said = dry_run(tiny_recipe("pixelcnn", training__accelerator="gpu"), tiny_data())
    assert f"images/s on this machine's {torch.cuda.get_device_name()}, " in said
