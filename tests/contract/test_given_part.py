"""The contract of images of which a part is given: it is certain, is not coded, and the rest adds up."""

import numpy as np
import pytest
import torch

from pixelrnn import contract
from pixelrnn.errors import ImageMismatchError
from pixelrnn.graph.conditions import CONDITIONS
from pixelrnn.operations.export import export
from pixelrnn.stepper import coder as coder_module
from pixelrnn.stepper.coder import Coder
from pixelrnn.stepper.given import NOTHING_KNOWN
from tests.contract.test_samples import ACCEPTED, all_images, p_value

PARTS = [kind for kind in CONDITIONS if CONDITIONS[kind](2).is_part]
NETWORK = {"features": 3, "layers": 2, "kernel_size": 3}


@pytest.fixture(params=PARTS)
def part(request):
    """Each kind of condition that is a part of the image itself, in turn."""
    return request.param


@pytest.fixture
def build(tiny_model, part):
    """A function that builds a model that is given a part of some images."""

    def build(kind, likelihood, images, **settings):
        channels = images.shape[1]
        condition = {"kind": part, **NETWORK}
        model = tiny_model(
            kind, likelihood, channels, noise=0.3, condition=condition, **{"seed": 4, **settings}
        )
        bits = np.random.Philox(key=3).random_raw(len(images))
        levels, known = model.config.condition.build().of_images(np.asarray(images), bits)
        return model.given(image=levels, known=known)

    return build


def test_known_levels_are_certain_and_others_impossible(skeleton_kind, build, random_images):
    images = random_images(2, 3, 5, 7)
    model = build(skeleton_kind, "logistic-mixture", images)
    known = model.given_by.known.expand(images.shape)
    nats = model.log_prob_map(images)
    assert (nats[known] == 0).all()
    assert nats[~known].sum() < 0
    assert (model.log_prob_map((images + 1) % 5)[known] == -torch.inf).all()
    torch.testing.assert_close(model.nats(images), -nats.sum())


def test_all_images_sum_to_one(kind, likelihood, build, random_images):
    images = random_images(1, 1, 2, 3, num_levels=3)
    contract.check_normalised(build(kind, likelihood, images, num_levels=3), 2, 3)


def test_what_is_coded_is_the_rest(kind, likelihood, build, random_images):
    images = random_images(2, 3, 5, 7)
    model = build(kind, likelihood, images)
    coder = Coder(export(model.lower(images)))
    for n, image in enumerate(images.numpy().transpose(0, 2, 3, 1)):
        given = model.given_by.levels(n, 0)
        message = coder.encode(image, given)
        np.testing.assert_array_equal(coder.decode(message, *image.shape, given), image)
        found = coder.frequencies(image, given)
        assert (found[given.known] == 1 << 24).all()
        bits = -np.log2(found / (1 << 24)).sum()
        assert 8 * len(message) <= bits + 16


def test_another_image_cannot_be_coded(build, random_images, skeleton_kind):
    images = random_images(1, 1, 5, 7)
    model = build(skeleton_kind, "categorical", images)
    coder = Coder(export(model.lower(images)))
    other = (images.numpy()[0].transpose(1, 2, 0) + 1) % 5
    with pytest.raises(ImageMismatchError, match="other levels than the part"):
        coder.encode(other, model.given_by.levels(0, 0))


def test_samples_have_the_part_and_the_distribution_of_the_rest(
    kind, likelihood, build, random_images
):
    world = (1, 3, 2, 2)
    images = random_images(1, 1, 2, 2, num_levels=3)
    model = build(kind, likelihood, images, num_levels=3)
    model.calibrate(all_images(world))
    drawn = model.sample(4000, size=world[2:], seed=1)
    known = model.given_by.known[0, 0].numpy()
    assert (drawn[..., known] == images.numpy()[..., known]).all()
    assert p_value(drawn, model, world) > ACCEPTED


def test_a_part_that_is_coded_after_all(build, random_images, skeleton_kind, monkeypatch):
    """The planted fault: the loop does not know what is known, and a message is longer for it."""
    images = random_images(1, 3, 5, 7)
    model = build(skeleton_kind, "categorical", images)
    coder = Coder(export(model.lower(images)))
    image, given = images.numpy()[0].transpose(1, 2, 0), model.given_by.levels(0, 0)
    sound = coder.encode(image, given)
    monkeypatch.setattr(
        coder_module, "known_part", lambda program, given, shape: (np.zeros(shape), NOTHING_KNOWN)
    )
    assert len(coder.encode(image, given)) > len(sound)
