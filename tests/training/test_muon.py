"""Muon: which weights it steps as matrices, what its steps are, and that a checkpoint continues it."""

import copy

import pytest
import torch

from pixelrnn.models import MODELS
from pixelrnn.training.devices import tuned
from pixelrnn.training.optimizers import SIZE, Muon, orthogonalised


@pytest.mark.parametrize("shape", [(3, 4, 4), (2, 3, 9), (2, 9, 3)])
def test_singular_values_become_about_one(shape):
    torch.manual_seed(0)
    left, _, right = torch.linalg.svd(torch.randn(shape), full_matrices=False)
    matrices = left * torch.logspace(-1, 0, left.shape[2]) / 7 @ right
    values = torch.linalg.svdvals(orthogonalised(matrices))
    assert ((values > 0.5) & (values < 1.3)).all()


def test_nothing_stays_nothing():
    assert torch.equal(orthogonalised(torch.zeros(1, 2, 3)), torch.zeros(1, 2, 3))


@pytest.mark.parametrize("size", [1e-17, 1e-20, 1e-25, 1e-37])
def test_momentum_that_is_all_but_gone_makes_no_steps(size):
    torch.manual_seed(0)
    with tuned():  # as in a run: squares become zero sooner
        assert orthogonalised(size * torch.randn(2, 4, 4)).abs().max() < 0.02


@pytest.mark.parametrize("likelihood", ["categorical", "logistic-mixture"])
@pytest.mark.parametrize("kind", list(MODELS))
def test_every_weight_of_a_block_is_an_entry_of_a_matrix_once(kind, likelihood, tiny_model):
    model = tiny_model(kind, likelihood, 3, dtype=torch.float32)
    matrices = model.matrices()
    stepped = {id(each.parameter) for each in matrices}
    for name, parameter in model.named_parameters():
        is_matrix = name.startswith("blocks.") and ("weight" in name or "state_to_state" in name)
        assert (id(parameter) in stepped) == is_matrix, name
    for each in matrices:
        number = each.parameter.numel()
        places, counts = each.places.unique(return_counts=True)
        assert places[places < number].tolist() == list(range(number))
        assert (counts[places < number] == 1).all()


def test_a_matrix_of_a_masked_layer_is_its_kernel(tiny_model):
    model = tiny_model("pixelcnn", "categorical", 3, dtype=torch.float32)
    conv = model.blocks[0].conv
    (matrices,) = conv.matrices()
    entries = torch.cat([conv.weight, conv.weight.new_zeros(1)])[matrices.places]
    assert torch.equal(entries[0], conv.kernel().flatten(1))


def test_gates_are_matrices_of_their_own(tiny_model):
    for kind, gates in (("row-lstm", 4), ("diagonal-bilstm", 8)):
        model = tiny_model(kind, "logistic-mixture", 3, dtype=torch.float32)
        layer = model.blocks[0].lstm
        features = len(layer.groups)
        first, second, *_ = layer.matrices()
        assert first.places.shape[:2] == (gates, features)
        assert second.places.shape[::2] == (gates, features)
        states = layer.recurrence.state_to_state
        direction = states.detach()[0, :, features : 2 * features]  # the second gate of the first
        assert torch.equal(states.detach().flatten()[second.places[1]], direction)


def stepped(optimizer, weights, gradients):
    for weight, gradient in zip(weights, gradients, strict=True):
        weight.grad = gradient.clone()
    optimizer.step()


def test_its_steps_have_the_size_of_adam_in_all_directions(tiny_model):
    model = tiny_model("pixelcnn", "logistic-mixture", 3, dtype=torch.float32)
    weight = model.blocks[0].into.weight
    before = model.blocks[0].into.kernel().detach().clone().flatten(1)
    optimizer = Muon(model.parameters(), model.matrices(), lr=0.01)
    stepped(optimizer, [weight], [weight.detach() * 1e-3])
    step = model.blocks[0].into.kernel().detach().flatten(1) - before
    values = torch.linalg.svdvals(step) / (0.01 * SIZE * max(step.shape) ** 0.5)
    assert ((values > 0.5) & (values < 1.3)).all()


def test_decay_pulls_matrices_to_zero_apart_from_the_gradient(tiny_model):
    model = tiny_model("pixelcnn", "logistic-mixture", 3, dtype=torch.float32)
    weight = model.blocks[0].into.weight
    before = weight.detach().clone()
    optimizer = Muon(model.parameters(), model.matrices(), lr=0.1, weight_decay=0.5)
    stepped(optimizer, [weight], [torch.zeros_like(weight)])
    torch.testing.assert_close(weight.detach(), before * 0.95)


def test_a_state_that_was_saved_goes_on_bit_for_bit(tiny_model):
    model = tiny_model("diagonal-bilstm", "categorical", 3, dtype=torch.float32)
    torch.manual_seed(0)
    gradients = [[torch.randn_like(w) for w in model.parameters()] for _ in range(3)]
    optimizer = Muon(model.parameters(), model.matrices(), lr=0.01)
    stepped(optimizer, list(model.parameters()), gradients[0])
    saved, other = copy.deepcopy(optimizer.state_dict()), copy.deepcopy(model)
    again = Muon(other.parameters(), other.matrices(), lr=0.5)
    again.load_state_dict(saved)
    for each in gradients[1:]:
        stepped(optimizer, list(model.parameters()), each)
        stepped(again, list(other.parameters()), each)
    for one, two in zip(model.parameters(), other.parameters(), strict=True):
        assert torch.equal(one, two)
