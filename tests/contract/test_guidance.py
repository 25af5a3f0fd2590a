"""Guidance by a label: samples follow (1 + w) log p(x | label) - w log p(x), sub-pixel by sub-pixel.

Both are what the model's program of integers codes by, which the rest of the contract compares with floats.
"""

import numpy as np
import pytest
import torch

from pixelrnn.errors import ImageMismatchError
from pixelrnn.graph import guidance
from pixelrnn.graph.given import GivenLevels
from pixelrnn.kernels.range_coder import TOTAL
from pixelrnn.likelihoods import LIKELIHOODS
from tests.contract.test_samples import ACCEPTED, NOTICED, all_images, p_value

LABELS = 3


def log_frequencies(coder, images, label=None):
    """Return the logarithm of the frequency of each level of images `(N, C, H, W)`, `(N, H, W, C)`."""
    given = GivenLevels(label=label)
    return np.log([coder.frequencies(each, given) for each in images.transpose(0, 2, 3, 1)])


class Guided:
    """The distribution that is meant: all levels of each sub-pixel weighed by what both give them."""

    def __init__(self, model, label, strength):
        self.coder, self.label, self.strength = model.coder(), label, strength

    def log_probs(self, images):
        """Return those of each sub-pixel of all images of a world, `(N, H, W, C)`."""
        log_p, log_u = (log_frequencies(self.coder, images, label) for label in (self.label, None))
        weights = (1 + self.strength) * log_p - self.strength * log_u
        levels, found = images.transpose(0, 2, 3, 1), np.empty(weights.shape)
        for n, *where in np.ndindex(weights.shape):
            alike = levels == levels[n]
            alike[:, *where] = True
            of_all = weights[alike.all(axis=(1, 2, 3)), *where]
            found[n, *where] = weights[n, *where] - np.logaddexp.reduce(of_all)
        return found

    def log_prob(self, images):
        return torch.from_numpy(self.log_probs(images.numpy()).sum(axis=(1, 2, 3)))


class InFloats:
    """The same of a softmax by exhaustive sums over the levels, in floats."""

    def __init__(self, model, label, strength):
        self.model, self.label, self.strength = model, label, strength

    def log_prob(self, images):
        channels, total = images.shape[1], 0
        told, untold = (each(images) for each in (self.model.given(self.label), self.model))
        for channel in range(channels):
            with_label, without = (
                self.model.likelihood.log_pmf(parameters, images, channel)
                for parameters in (told, untold)
            )
            levels = (1 + self.strength) * with_label - self.strength * without
            of_image = levels.log_softmax(dim=1).gather(1, images[:, channel : channel + 1].long())
            total = total + of_image.sum(dim=(1, 2, 3))
        return total


@pytest.fixture(params=["pixelcnn", "diagonal-bilstm", "pixel-snail"])
def kind(request):
    """Kinds with all sections that a program may have: a program is guided, whatever model it is of."""
    return request.param


@pytest.fixture(params=[(1, 3, 2, 2), (3, 2, 2, 1)], ids=["grey", "rgb"])
def world(request):
    """Channels, levels, height and width of images few enough to be listed."""
    return request.param


@pytest.fixture(params=sorted(LIKELIHOODS))
def model(request, kind, world, tiny_model):
    return calibrated_model(kind, request.param, world, tiny_model)


@pytest.fixture
def softmax(kind, world, tiny_model):
    return calibrated_model(kind, "categorical", world, tiny_model)


def calibrated_model(kind, likelihood, world, tiny_model):
    channels, levels, *_ = world
    model = tiny_model(
        kind, likelihood, channels, noise=0.35, num_levels=levels, seed=4, num_labels=LABELS
    )
    calibrate(model, all_images(world))
    return model


def calibrate(model, images, **given):
    """Look at each image as one of every class, and of none."""
    told = model.given(np.repeat(np.arange(LABELS + 1), len(images)), **given)
    told.calibrate(np.concatenate([images] * (LABELS + 1)))
    model.calibration = told.calibration


def sampled(model, world, strength, count=6000):
    return model.given(1).sample(count, size=world[2:], seed=1, guidance=strength)


@pytest.mark.parametrize("strength", [1.5, -0.5])
def test_samples_follow_the_guided_distribution(strength, model, world):
    drawn = sampled(model, world, strength)
    assert p_value(drawn, Guided(model, 1, strength), world) > ACCEPTED
    if strength > 1:  # the planted fault: no guidance
        assert p_value(drawn, model.given(1), world) < NOTICED


@pytest.mark.parametrize("strength", [1.5, -0.5])
def test_samples_of_a_softmax_follow_floats(strength, softmax, world):
    drawn = sampled(softmax, world, strength)
    assert p_value(drawn, InFloats(softmax, 1, strength), world) > ACCEPTED


@pytest.mark.parametrize("strength", [1.5, -0.5])
def test_levels_are_weighed_by_their_frequencies(strength, model, world):
    """In every image of the world, but for rounding to steps of a logit, and of a softmax."""
    images = all_images(world).numpy()
    meant = np.exp(Guided(model, 1, strength).log_probs(images))
    found = np.exp(log_frequencies(model.coder(guidance=strength), images, 1)) / TOTAL
    np.testing.assert_allclose(found, meant, rtol=2**-5, atol=2**-20)


def test_no_guidance_is_the_label_and_minus_one_is_no_label(model, world):
    told = model.given(1).sample(500, size=world[2:], seed=1)
    np.testing.assert_array_equal(sampled(model, world, 0.0, 500), told)
    assert p_value(sampled(model, world, -1.0), model, world) > ACCEPTED


def test_a_class_that_stays_in_the_copy(model, world, monkeypatch):
    """The planted fault: both halves are told the class, and nothing is guided."""
    sound = guidance._Copies.of

    def of(self, operation):
        return guidance.replace(sound(self, operation), table=operation.table)

    monkeypatch.setattr(guidance._Copies, "of", of)
    drawn = sampled(model, world, 1.5)
    assert p_value(drawn, Guided(model, 1, 1.5), world) < NOTICED


def test_with_a_picture_and_a_temperature(tiny_model):
    """Both halves are given the picture, and temperature divides what is guided."""
    world, condition = (1, 3, 2, 2), {"channels": 1, "features": 3, "kernel_size": 3}
    model = tiny_model(
        "pixelcnn", noise=0.35, num_levels=3, seed=4, num_labels=LABELS, condition=condition
    )
    picture = np.array([[[[0, 2], [1, 2]]]], np.uint8)
    calibrate(model, all_images(world), image=picture)
    drawn = model.given(1, image=picture).sample(
        6000, size=(2, 2), seed=1, guidance=1.0, temperature=0.8
    )

    class Both:
        def log_prob(self, images):
            levels = []
            for label in (1, LABELS):
                parameters = model.given(label, image=picture)(images)
                levels.append(model.likelihood.log_pmf(parameters, images, 0) / 0.8)
            guided = (2 * levels[0] - levels[1]).log_softmax(dim=1)
            return guided.gather(1, images.long()).sum(dim=(1, 2, 3))

    assert p_value(drawn, Both(), world) > ACCEPTED


@pytest.mark.parametrize(
    ("settings", "strength", "trouble"),
    [
        ({}, 1.0, "trained with labels"),
        ({"num_labels": 3}, float("nan"), "from -100 to 100"),
        ({"num_labels": 3}, 101.0, "from -100 to 100"),
    ],
)
def test_what_cannot_be_guided(settings, strength, trouble, tiny_model):
    model = tiny_model("pixelcnn", "categorical", 1, **settings)
    with pytest.raises(ImageMismatchError, match=trouble):
        model.coder(guidance=strength)


def test_the_same_seed_gives_the_same_images(model, world):
    first, again = (sampled(model, world, 1.5, 50) for _ in range(2))
    np.testing.assert_array_equal(first, again)
