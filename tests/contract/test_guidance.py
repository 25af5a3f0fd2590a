"""Guidance by a label: samples follow (1 + w) log p(x | label) - w log p(x), sub-pixel by sub-pixel."""

import numpy as np
import pytest
import torch

from pixelrnn.errors import ImageMismatchError
from pixelrnn.graph import guidance
from tests.contract.test_samples import ACCEPTED, NOTICED, all_images, p_value

LABELS = 3


class Guided:
    """The distribution that is meant: by exhaustive sums over the levels, in floats."""

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


@pytest.fixture
def model(kind, world, tiny_model):
    channels, levels, *_ = world
    model = tiny_model(
        kind, "categorical", channels, noise=0.35, num_levels=levels, seed=4, num_labels=LABELS
    )
    calibrate(model, all_images(world))
    return model


def calibrate(model, images, **given):
    """Look at images of every class, and of none."""
    told = model.given(np.arange(len(images)) % (LABELS + 1), **given)
    told.calibrate(images)
    model.calibration = told.calibration


def sampled(model, world, strength, count=6000):
    return model.given(1).sample(count, size=world[2:], seed=1, guidance=strength)


@pytest.mark.parametrize("strength", [1.5, -0.5])
def test_samples_follow_the_guided_distribution(strength, model, world):
    drawn = sampled(model, world, strength)
    assert p_value(drawn, Guided(model, 1, strength), world) > ACCEPTED
    if strength > 1:  # the planted fault: no guidance
        assert p_value(drawn, model.given(1), world) < NOTICED


def test_no_guidance_is_the_label_and_minus_one_is_no_label(model, world):
    told = model.given(1).sample(500, size=world[2:], seed=1)
    np.testing.assert_array_equal(sampled(model, world, 0.0, 500), told)
    assert p_value(sampled(model, world, -1.0), model, world) > ACCEPTED


def test_a_class_that_stays_in_the_copy(model, world, monkeypatch):
    """The planted fault: both halves are told the class, and nothing is guided."""
    monkeypatch.setattr(guidance.np, "repeat", lambda table, *_, **__: table)
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

    class Both(Guided):
        def log_prob(self, images):
            levels = []
            for label in (1, LABELS):
                parameters = self.model.given(label, image=picture)(images)
                levels.append(self.model.likelihood.log_pmf(parameters, images, 0) / 0.8)
            guided = (2 * levels[0] - levels[1]).log_softmax(dim=1)
            return guided.gather(1, images.long()).sum(dim=(1, 2, 3))

    assert p_value(drawn, Both(model, 1, 1.0), world) > ACCEPTED


@pytest.mark.parametrize(
    ("settings", "strength", "trouble"),
    [
        ({}, 1.0, "trained with labels"),
        ({"num_labels": 3, "likelihood": "logistic-mixture"}, 1.0, "guidance needs a softmax"),
        ({"num_labels": 3}, float("nan"), "from -100 to 100"),
        ({"num_labels": 3}, 101.0, "from -100 to 100"),
    ],
)
def test_what_cannot_be_guided(settings, strength, trouble, tiny_model):
    model = tiny_model("pixelcnn", settings.pop("likelihood", "categorical"), 1, **settings)
    with pytest.raises(ImageMismatchError, match=trouble):
        model.coder(guidance=strength)


def test_programs_are_the_same_on_every_machine(model, world):
    """A guided program is one of integers like any other: the same seed gives the same images."""
    first, again = (sampled(model, world, 1.5, 50) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    assert torch.equal(torch.from_numpy(first), torch.from_numpy(again))
