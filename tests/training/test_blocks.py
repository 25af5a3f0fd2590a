"""What recipes may do to blocks: the gradients stay what they are."""

import pytest
import torch

from pixelrnn import kernels
from pixelrnn.models import MODELS
from pixelrnn.training.blocks import checkpoint_activations, compile_blocks
from pixelrnn.training.devices import make_fabric
from pixelrnn.training.fit import initial_model
from pixelrnn.training.loop import Trainee
from tests.training.test_runs import tiny_data, tiny_recipe

IMAGES = torch.randint(0, 5, (3, 1, 6, 5), generator=torch.Generator().manual_seed(0)).byte()


def model_of(kind):
    recipe = tiny_recipe(kind, model__layers=2)
    return initial_model(recipe.for_data(tiny_data()))


def gradients(model):
    model.zero_grad()
    model.nats(IMAGES).backward()
    return {name: weight.grad for name, weight in model.named_parameters()}


def assert_equal(found, expected, **tolerances):
    for name, gradient in expected.items():
        torch.testing.assert_close(found[name], gradient, **tolerances)


@pytest.mark.parametrize("kind", MODELS)
def test_blocks_run_twice_and_give_the_same_gradients(kind):
    model = model_of(kind)
    expected, runs = gradients(model), []
    for block in model.blocks:
        inner = block.forward
        block.forward = lambda *maps, inner=inner: (runs.append(1), inner(*maps))[1]
    checkpoint_activations(model)
    assert_equal(gradients(model), expected, rtol=0, atol=0)
    assert len(runs) == 2 * len(model.blocks)
    with torch.no_grad():
        model.nats(IMAGES)
    assert len(runs) == 3 * len(model.blocks)


@pytest.mark.filterwarnings("ignore:The .grad attribute")  # torch looks at it itself
@pytest.mark.parametrize("kind", MODELS)
def test_compiled_blocks_give_the_same_gradients(kind, monkeypatch):
    """As they are traced for any device; what a GPU's compiler makes of them is its own."""
    monkeypatch.setattr(kernels, "is_supported", lambda _: False)
    model = model_of(kind)
    expected, compiled = gradients(model), []

    def backend(graph, _):
        compiled.append(graph)
        return graph.forward

    compile_blocks(model, backend)
    assert_equal(gradients(model), expected)
    assert compiled
    torch._dynamo.reset()


def test_a_recipe_asks_for_it_and_the_average_is_left_alone():
    recipe = tiny_recipe(training__accelerator="cpu", training__checkpoint_activations=True)
    recipe = recipe.for_data(tiny_data())
    fabric = make_fabric(recipe.training, print)
    fabric.launch()
    trainee = Trainee(initial_model(recipe), recipe, fabric)
    for model, is_wrapped in ((trainee.model, True), (trainee.average.model, False)):
        assert all(("forward" in vars(block)) == is_wrapped for block in model.blocks)
