"""The contract once more, of levels of more than eight bits: 10, 13 and 16."""

import numpy as np
import pytest
import torch

from pixelrnn import contract
from pixelrnn.graph.levels import MAX_NARROW_LEVELS
from pixelrnn.models.given_images import as_levels
from pixelrnn.operations.checks import check_program
from pixelrnn.operations.export import export
from pixelrnn.ordering import Place
from pixelrnn.stepper.coder import Coder
from reference.fields import field as field_of
from reference.test_equals_reference import assert_equals_reference
from tests.reference.plain_frequencies import TOTAL, assert_steps_and_codes

SIZE = 3, 4
LEVELS = {"10-bit": 1 << 10, "13-bit": MAX_NARROW_LEVELS, "just-more": MAX_NARROW_LEVELS + 1,
          "16-bit": 1 << 16}  # fmt: skip
CONDITION = {"channels": 1, "features": 3, "layers": 1, "kernel_size": 3}


@pytest.fixture(params=LEVELS.values(), ids=LEVELS)
def num_levels(request):
    return request.param


def images_of(count, channels, num_levels, size=SIZE, seed=0):
    """Return images whose pixels are near to each other, some of them at the ends."""
    random = np.random.default_rng(seed)
    walk = random.normal(size=(count, channels, *size)).cumsum(axis=3) * num_levels / 8
    levels = (walk + num_levels * random.random((count, channels, 1, 1))).round()
    levels[:, :, 0, 0], levels[:, :, -1, -1] = 0, num_levels - 1
    return as_levels(torch.from_numpy(levels.clip(0, num_levels - 1)), num_levels)


def build(tiny_model, kind, likelihood, channels, num_levels, **settings):
    """Build a small model; a softmax over many levels is left to a smaller head."""
    settings = {"noise": 0.1, "layers": 1, "num_levels": num_levels, **settings}
    return tiny_model(kind, likelihood, channels, **settings)


def skip_large_softmax(likelihood, num_levels):
    if likelihood == "categorical" and num_levels > 1 << 10:
        pytest.skip("a softmax over so many levels: see the test of the largest one")


@pytest.mark.parametrize("channels", [1, 3], ids=["grey", "rgb"])
def test_keeps_the_contract(kind, likelihood, channels, num_levels, tiny_model, generator):
    skip_large_softmax(likelihood, num_levels)
    model = build(tiny_model, kind, likelihood, channels, num_levels)
    images = images_of(2, channels, num_levels)
    contract.check_causal(model, images[0], generator)
    contract.check_batch_invariant(model, images)
    contract.check_steps(model, images)
    contract.check_pmf(model, images[:1, :, :1, :1])


@pytest.mark.parametrize("by", ["nothing", "map"])
def test_integers_step_as_the_oracle_and_code(kind, likelihood, by, num_levels, tiny_model):
    skip_large_softmax(likelihood, num_levels)
    settings = {"condition": CONDITION} if by == "map" else {}
    model = build(tiny_model, kind, likelihood, 1, num_levels, **settings)
    images = images_of(2, 1, num_levels)
    known = np.random.default_rng(7).random((2, 1, *SIZE)) < 0.6
    if by == "map":
        model = model.given(image=images_of(2, 1, num_levels, seed=1), known=known)
    coder = Coder(export(model.lower(images)))
    assert coder.level_type == np.uint16
    for n, image in enumerate(images.numpy()):
        found = assert_steps_and_codes(coder, image, model.given_by.levels(n, 0))
        exact = (
            -model.of_images(torch.tensor([n])).log_prob_map(images[n : n + 1])[0].detach().numpy()
        )
        usual = exact < 12  # nats: less probability is rounded up
        assert usual.any()
        apart = (exact + np.log(found / TOTAL))[usual]
        assert abs(apart.mean()) < 0.05


def test_claims_what_it_claims_of_few_levels(kind, likelihood, tiny_model):
    model = build(tiny_model, kind, likelihood, 1, 1 << 10)
    claimed = model.receptive_field(Place(2, 1, 0), height=3, width=4)
    np.testing.assert_array_equal(claimed, field_of(model.config, Place(2, 1, 0), 3, 4))


def test_equals_the_plain_version(kind, num_levels, tiny_model):
    model = build(tiny_model, kind, "logistic-mixture", 3, num_levels)
    assert_equals_reference(model, images_of(1, 3, num_levels, (2, 3)))


@pytest.mark.parametrize("likelihood", ["logistic-mixture"])
def test_samples_are_spread_as_they_are_scored(likelihood, num_levels, tiny_model):
    """The chi-square of ranks, and levels of both halves of the range."""
    model = build(tiny_model, "pixelcnn", likelihood, 1, num_levels, noise=0.05)
    model.calibrate(images_of(8, 1, num_levels))
    contract.check_samples(model, 1, 2)
    drawn = model.sample(8, size=(4, 4))
    assert drawn.dtype == np.uint16
    assert drawn.max() < num_levels
    np.testing.assert_array_equal(drawn[3:4], model.sample(1, size=(4, 4), indices=[3]))


def test_one_component_far_from_its_levels(tiny_model):
    """A narrow logistic: levels far from its mean cost much, and sum up to nothing that is lost."""
    model = build(tiny_model, "pixelcnn", "logistic-mixture", 1, 1 << 16, noise=0.0)
    with torch.no_grad():
        model.head.output.bias[model.likelihood.part("log-scales")] = -20.0
    image = torch.full((1, 1, 2, 2), 40000, dtype=torch.int32)
    contract.check_pmf(model, image[:, :, :1, :1])
    assert torch.isfinite(model.log_prob(image)).all()
    model.calibrate(image)
    pixels = image[0].numpy().transpose(1, 2, 0)
    coder = model.coder()
    np.testing.assert_array_equal(coder.decode(coder.encode(pixels), 2, 2, 1), pixels)


@pytest.mark.parametrize("levels", [1, 0, 65537])
def test_too_few_and_too_many_levels_are_refused(levels, likelihood, tiny_model):
    with pytest.raises(ValueError, match="num_levels"):
        build(tiny_model, "pixelcnn", likelihood, 1, levels)


def test_the_largest_softmax_codes(tiny_model):
    """65,536 symbols: as many logits, which the loop looks at one by one."""
    settings = {"alphabet": "symbols", "symbol_features": 2, "layers": 1, "head_features": 2}
    model = tiny_model("pixelcnn", "categorical", 1, num_levels=1 << 16, noise=0.1, **settings)
    images = images_of(1, 1, 1 << 16, (2, 3))
    program = export(model.lower(images))
    check_program(program)
    assert_steps_and_codes(Coder(program), images[0].numpy())


def test_a_softmax_beyond_it_is_refused(tiny_model):
    with pytest.raises(
        ValueError, match=r"131,072 parameters .* logistic-mixture for levels in order"
    ):
        tiny_model("pixelcnn", "categorical", 2, num_levels=1 << 16)


def test_a_level_that_is_split_otherwise_is_noticed(tiny_model, monkeypatch):
    """The upper number counted 128 times: the integers are no longer those of the network."""
    model = build(tiny_model, "pixelcnn", "logistic-mixture", 1, 1 << 16)
    images = images_of(1, 1, 1 << 16)
    pixels = images[0].numpy().transpose(1, 2, 0)
    right = Coder(export(model.lower(images))).frequencies(pixels)
    monkeypatch.setattr("pixelrnn.operations.export.HIGH", 128)
    assert (Coder(export(model.lower(images))).frequencies(pixels) != right).any()
