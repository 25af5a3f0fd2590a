"""The contract once more, over images of two and of five channels, in a few small worlds."""

import numpy as np
import pytest
import torch

from pixelrnn import contract
from pixelrnn.operations.export import export
from pixelrnn.ordering import Place
from pixelrnn.stepper.coder import Coder
from reference.fields import field as field_of
from reference.test_equals_reference import assert_equals_reference, slope
from tests.contract.test_given import SETTINGS as GIVEN
from tests.contract.test_given import given_model
from tests.contract.test_samples import ACCEPTED, all_images, p_value
from tests.reference.plain_frequencies import assert_steps_and_codes

CHANNELS = 5
SETTINGS = {"nothing": {}, **GIVEN}


@pytest.fixture(params=SETTINGS)
def build(tiny_model, request):
    """A function that builds a model of many channels; its images may be given by something."""

    def build(kind, likelihood, channels=CHANNELS, count=2, **settings):
        settings = {"noise": 0.3, "layers": 1, **SETTINGS[request.param], **settings}
        model = tiny_model(kind, likelihood, channels, **settings)
        if request.param == "nothing":
            return model
        return given_model(model, request.param, count, 3, 4)

    return build


def test_keeps_the_contract(kind, likelihood, build, random_images, generator):
    model, images = build(kind, likelihood), random_images(2, CHANNELS, 3, 4)
    contract.check_causal(model.of_images(torch.tensor([0])), images[0], generator)
    contract.check_pmf(model, images)
    contract.check_batch_invariant(model, images)
    contract.check_steps(model, images)


def test_sees_what_it_claims(kind, likelihood, build, random_images, generator):
    models = [build(kind, likelihood, count=1, seed=seed) for seed in range(4)]
    place = Place(2, 1, 3)
    claimed = models[0].receptive_field(place, height=3, width=4)
    np.testing.assert_array_equal(claimed, field_of(models[0].config, place, 3, 4))
    contract.check_covers(models, random_images(1, CHANNELS, 3, 4), place, generator)


def test_integers_step_as_the_oracle_and_code(kind, likelihood, build, random_images):
    model, images = build(kind, likelihood), random_images(2, CHANNELS, 3, 4)
    coder = Coder(export(model.lower(images)))
    for n, image in enumerate(images.numpy()):
        assert_steps_and_codes(coder, image, model.given_by.levels(n, model.config.num_labels))


@pytest.mark.parametrize("world", [(2, 3, 1, 2), (4, 3, 1, 1)], ids=["2-channels", "4-channels"])
def test_small_worlds_sum_to_one_and_are_sampled(kind, likelihood, world, tiny_model):
    channels, levels, *size = world
    model = tiny_model(kind, likelihood, channels, noise=0.3, layers=1, num_levels=levels)
    contract.check_normalised(model, *size)
    model.calibrate(all_images(world))
    assert p_value(model.sample(2000, size=tuple(size), seed=1), model, world) > ACCEPTED


def test_equals_the_plain_version(kind, likelihood, tiny_model, random_images):
    model = tiny_model(kind, likelihood, CHANNELS, noise=0.2, layers=1)
    images = random_images(1, CHANNELS, 2, 3)
    assert_equals_reference(model, images)
    model.log_prob(images).sum().backward()
    for name, parameter in model.named_parameters():
        index = parameter.numel() // 2
        found = parameter.grad.view(-1)[index].item()
        expected = slope(model, parameter, index, images[0].numpy())
        assert found == pytest.approx(expected, rel=1e-6, abs=1e-7), name


@pytest.mark.parametrize("channels", [0, 17, -1])
def test_no_channels_and_too_many_are_refused(kind, likelihood, channels, tiny_model):
    with pytest.raises(ValueError, match="channels"):
        tiny_model(kind, likelihood, channels, features=20, head_features=20)
