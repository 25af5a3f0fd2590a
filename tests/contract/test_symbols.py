"""The contract once more, of images of symbols: numbers without an order, which are looked up."""

import dataclasses

import numpy as np
import pytest
import torch

from pixelrnn import contract
from pixelrnn.contract import ContractViolation
from pixelrnn.graph.program import Program
from pixelrnn.likelihoods import LIKELIHOODS
from pixelrnn.operations.export import export
from pixelrnn.ordering import Place
from pixelrnn.stepper.coder import Coder
from reference.fields import field as field_of
from reference.test_equals_reference import assert_equals_reference, slope
from tests.contract.test_given import given_model
from tests.contract.test_samples import ACCEPTED, all_images, p_value
from tests.reference.plain_frequencies import TOTAL, assert_steps_and_codes

SIZE = 3, 4
SETTINGS = {"nothing": {}, "label": {"num_labels": 3}}
WITHOUT_ORDER = [kind for kind, config in LIKELIHOODS.items() if config().build(1, 2).has_logits]


@pytest.fixture(params=WITHOUT_ORDER)
def likelihood(request):
    """The likelihoods that predict symbols, in turn."""
    return request.param


@pytest.fixture(params=[1, 2], ids=["one-channel", "two-channels"])
def channels(request):
    return request.param


@pytest.fixture(params=SETTINGS)
def build(tiny_model, request):
    """A function that builds a model of symbols, which may be given by a label."""

    def build(kind, likelihood, channels=1, count=2, **settings):
        settings = {"noise": 0.3, "layers": 1, **SETTINGS[request.param], **settings}
        model = model_of_symbols(tiny_model, kind, likelihood, channels, **settings)
        if request.param == "nothing":
            return model
        return given_model(model, request.param, count, *SIZE)

    return build


def model_of_symbols(tiny_model, kind, likelihood, channels=1, **settings):
    settings = {"alphabet": "symbols", "symbol_features": 3, **settings}
    return tiny_model(kind, likelihood, channels, **settings)


def test_keeps_the_contract(kind, likelihood, channels, build, random_images, generator):
    model, images = build(kind, likelihood, channels), random_images(2, channels, *SIZE)
    contract.check_causal(model.of_images(torch.tensor([0])), images[0], generator)
    contract.check_pmf(model, images)
    contract.check_batch_invariant(model, images)
    contract.check_steps(model, images)


def test_sees_what_it_claims(kind, likelihood, channels, build, random_images, generator):
    models = [build(kind, likelihood, channels, 1, seed=seed) for seed in range(4)]
    place = Place(2, 1, channels - 1)
    claimed = models[0].receptive_field(place, height=SIZE[0], width=SIZE[1])
    np.testing.assert_array_equal(claimed, field_of(models[0].config, place, *SIZE))
    contract.check_covers(models, random_images(2, channels, *SIZE), place, generator)


def test_integers_step_as_the_oracle_and_code(kind, likelihood, channels, build, random_images):
    model, images = build(kind, likelihood, channels), random_images(2, channels, *SIZE)
    coder = Coder(export(model.lower(images)))
    for n, image in enumerate(images.numpy()):
        given = model.given_by.levels(n, model.config.num_labels)
        found = assert_steps_and_codes(coder, image, given)
    nats = -np.log(found / TOTAL).sum()
    assert nats == pytest.approx(-model.log_prob(images)[1].item(), rel=0.02)


@pytest.mark.parametrize("world", [(1, 3, 2, 2), (2, 3, 1, 2)], ids=["one-channel", "two-channels"])
def test_small_worlds_sum_to_one_and_are_sampled(kind, likelihood, world, tiny_model):
    settings = {"noise": 0.3, "layers": 1, "num_levels": world[1]}
    model = model_of_symbols(tiny_model, kind, likelihood, world[0], **settings)
    contract.check_normalised(model, *world[2:])
    model.calibrate(all_images(world))
    assert p_value(model.sample(4000, size=world[2:], seed=1), model, world) > ACCEPTED


def test_equals_the_plain_version(kind, likelihood, channels, tiny_model, random_images):
    model = model_of_symbols(tiny_model, kind, likelihood, channels, noise=0.2, layers=1)
    images = random_images(1, channels, 3, 4)
    assert_equals_reference(model, images)
    model.log_prob(images).sum().backward()
    assert model.symbols.rows.grad.any()
    for name, parameter in model.named_parameters():
        index = parameter.numel() // 2
        found = parameter.grad.view(-1)[index].item()
        expected = slope(model, parameter, index, images[0].numpy())
        assert found == pytest.approx(expected, rel=1e-6, abs=1e-7), name


def test_the_numbers_of_symbols_say_nothing(likelihood, tiny_model, random_images):
    """Symbols called otherwise, with their rows and logits, have the same cost."""
    model = model_of_symbols(tiny_model, "pixelcnn", likelihood, noise=0.3)
    images, order = random_images(2, 1, *SIZE), torch.tensor([3, 0, 4, 1, 2])
    before = model.log_prob(images)
    with torch.no_grad():
        model.symbols.rows[:] = model.symbols.rows[:, order.argsort()]
        weight, bias = model.head.output.weight.view(5, -1), model.head.output.bias
        weight[:], bias[:] = weight[order.argsort()].clone(), bias[order.argsort()].clone()
    torch.testing.assert_close(model.log_prob(order[images.long()].to(torch.uint8)), before)


# --- planted faults ------------------------------------------------------------------------------


def test_a_table_looked_up_before_the_symbol_is_known(
    kind, likelihood, tiny_model, random_images, monkeypatch
):
    """In the loop the row would be that of the pixel before."""
    monkeypatch.setattr(Program, "section_after", lambda program, group: group)
    model = model_of_symbols(tiny_model, kind, likelihood, 2, noise=0.3)
    with pytest.raises(ContractViolation, match="not the same program"):
        contract.check_steps(model, random_images(1, 2, *SIZE))


def test_a_table_of_another_channel(kind, likelihood, tiny_model, random_images, monkeypatch):
    model = model_of_symbols(tiny_model, kind, likelihood, 2, noise=0.3)
    program = model.lower()
    for section in program.sections:
        for n, operation in enumerate(section):
            if operation.kind == "embed":
                section[n] = dataclasses.replace(operation, table=operation.table[::-1])
    monkeypatch.setattr(type(model), "lower", lambda model, images=None: program, raising=False)
    with pytest.raises(ContractViolation, match="not the same program"):
        contract.check_steps(model, random_images(1, 2, *SIZE))


# --- what is refused -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "trouble"),
    [
        ({"likelihood": "logistic-mixture"}, "categorical"),
        ({"decorrelate": True}, "decorrelate"),
        ({"condition": {"channels": 1}}, "no image to condition on"),
        ({"alphabet": "letters"}, "ordinal"),
        ({"symbol_features": 0}, "symbol_features"),
    ],
    ids=["mixture", "decorrelated", "condition", "alphabet", "no-features"],
)
def test_what_symbols_cannot_be_is_refused(settings, trouble, tiny_model):
    with pytest.raises(ValueError, match=trouble):
        model_of_symbols(
            tiny_model, "pixelcnn", settings.pop("likelihood", "categorical"), **settings
        )
