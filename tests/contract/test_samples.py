"""Contract 5: images are drawn as often as they are likely, in integers and by the usual loop.

Small worlds, all of whose images are listed with their probability; chi-square with a fixed seed and
a fixed threshold. Planted faults show that the test would notice.
"""

import itertools

import numpy as np
import pytest
import torch
from scipy import stats

from pixelrnn.likelihoods import scale_levels
from pixelrnn.models import base as models_base

ACCEPTED, NOTICED = 1e-3, 1e-6
WORLDS = {  # channels, levels, height, width
    "grey-1x2-4-levels": (1, 4, 1, 2),
    "grey-2x2-3-levels": (1, 3, 2, 2),
    "grey-3x2-2-levels": (1, 2, 3, 2),
    "rgb-1x1-3-levels": (3, 3, 1, 1),
    "rgb-2x1-2-levels": (3, 2, 2, 1),
}
DRAWS = 6000  # of 4000, a temperature of 0.8 goes unnoticed


@pytest.fixture(params=WORLDS.values(), ids=WORLDS)
def world(request):
    return request.param


@pytest.fixture(params=["grey-2x2-3-levels", "rgb-2x1-2-levels"])
def typical_world(request):
    """One of grey images and one of colours, for what does not depend on their size."""
    return WORLDS[request.param]


def model_of(world, kind, likelihood, tiny_model, seed=4):
    """A model that is far from uniform, and whose pixels hang together."""
    channels, levels, *_ = world
    return tiny_model(kind, likelihood, channels, noise=0.35, num_levels=levels, seed=seed)


def all_images(world):
    channels, levels, height, width = world
    shape = (channels, height, width)
    listed = itertools.product(range(levels), repeat=channels * height * width)
    return torch.tensor(list(listed), dtype=torch.uint8).view(-1, *shape)


def numbers(images, world):
    """Return the place of each image in `all_images`."""
    flat = np.asarray(images).reshape(len(images), -1).astype(np.int64)
    return flat @ world[1] ** np.arange(flat.shape[1])[::-1]


def p_value(images, model, world):
    """Chi-square of drawn images against the model; rare images are put together."""
    with torch.no_grad():
        probabilities = model.log_prob(all_images(world)).exp().numpy()
    assert probabilities.sum() == pytest.approx(1)
    observed = np.bincount(numbers(images, world), minlength=len(probabilities))
    expected = probabilities * len(images)
    rare = expected < 5
    observed = np.append(observed[~rare], observed[rare].sum())
    expected = np.append(expected[~rare], expected[rare].sum())
    statistic = ((observed - expected) ** 2 / np.maximum(expected, 1e-9)).sum()
    return stats.chi2.sf(statistic, len(expected) - 1)


def sample(model, world, temperature=1.0, seed=1):
    """Sample as users do: in integers, which are scaled by all images of the world."""
    model.calibrate(all_images(world))
    return model.sample(DRAWS, size=world[2:], seed=seed, temperature=temperature)


@torch.no_grad()
def whole_image_loop(model, world, *, temperature=1.0, argmax=False, feed_back=None, seed=1):
    """The usual way: one forward over the whole images, of those that differ, for every sub-pixel.

    Args:
        model: the model.
        world: channels, levels, height, width.
        temperature: divides the log-probabilities of the levels.
        argmax: take the likeliest instead of drawing.
        feed_back: a fault: what the network is shown, of the levels drawn; they themselves are returned.
        seed: of the random numbers.
    """
    channels, _, height, width = world
    generator = torch.Generator().manual_seed(seed)
    both = torch.zeros(DRAWS, 2, channels, height, width, dtype=torch.float64)
    images, shown = both.unbind(dim=1)  # what is returned, what the network sees
    for row, column, channel in itertools.product(range(height), range(width), range(channels)):
        distinct, which = both.unique(dim=0, return_inverse=True)
        nats = log_pmf(model, *distinct.unbind(dim=1), channel)[:, :, row, column]
        weights = (nats[which] / temperature).softmax(dim=1)
        drawn = torch.multinomial(weights, 1, generator=generator).squeeze(1)
        drawn = (weights.argmax(dim=1) if argmax else drawn).double()
        images[:, channel, row, column] = drawn
        shown[:, channel, row, column] = feed_back(drawn, generator) if feed_back else drawn
    return images.to(torch.uint8).numpy()


def log_pmf(model, images, shown, channel):
    """Return the log-probability of every level where the network is shown other values, too."""
    images = images.to(torch.uint8)
    with pytest.MonkeyPatch.context() as patch:
        scale = lambda _, n, dtype: scale_levels(shown, n, dtype)  # noqa: E731
        patch.setattr(models_base, "scale_levels", scale)
        return model.likelihood.log_pmf(model(images), images, channel)


def test_samples_match_the_pmf(kind, likelihood, world, tiny_model):
    model = model_of(world, kind, likelihood, tiny_model)
    assert p_value(sample(model, world), model, world) > ACCEPTED


def test_samples_of_the_whole_image_loop_match_the_pmf(kind, likelihood, world, tiny_model):
    model = model_of(world, kind, likelihood, tiny_model)
    assert p_value(whole_image_loop(model, world), model, world) > ACCEPTED


def test_a_model_that_was_not_calibrated_samples_well_enough(kind, likelihood, tiny_model):
    world = WORLDS["grey-1x2-4-levels"]
    model = model_of(world, kind, likelihood, tiny_model)
    images = model.sample(DRAWS, size=world[2:], seed=2)
    assert p_value(images, model, world) > ACCEPTED


@pytest.mark.parametrize("temperature", [0.8, 1.5])
def test_a_softmax_at_a_temperature(skeleton_kind, temperature, typical_world, tiny_model):
    """The logarithm of the probability of each level, divided by it: the same in every world."""
    model = model_of(typical_world, skeleton_kind, "categorical", tiny_model)
    images = sample(model, typical_world, temperature)
    with torch.no_grad():
        model.head.output.weight /= temperature
        model.head.output.bias /= temperature
    assert p_value(images, model, typical_world) > ACCEPTED


# --- faults --------------------------------------------------------------------------------------


@pytest.mark.parametrize("temperature", [1.25, 0.8])
def test_a_wrong_temperature_is_noticed(kind, likelihood, temperature, tiny_model):
    world = WORLDS["grey-2x2-3-levels"]
    seed = 8 if kind == "pixel-snail" else 4  # one with which it is far from uniform
    model = model_of(world, kind, likelihood, tiny_model, seed)
    assert p_value(sample(model, world, temperature), model, world) < NOTICED
    looped = whole_image_loop(model, world, temperature=temperature)
    assert p_value(looped, model, world) < NOTICED


def test_taking_the_likeliest_is_noticed(kind, likelihood, typical_world, tiny_model):
    """A fault so large shows in the smaller worlds as well."""
    model, world = model_of(typical_world, kind, likelihood, tiny_model), typical_world
    assert p_value(whole_image_loop(model, world, argmax=True), model, world) < NOTICED
    assert p_value(sample(model, world, 1e-3), model, world) < NOTICED


def test_feeding_back_values_before_rounding_is_noticed(skeleton_kind, tiny_model):
    """A logistic has such values."""
    world = WORLDS["grey-2x2-3-levels"]
    model = model_of(world, skeleton_kind, "logistic-mixture", tiny_model)

    def unrounded(levels, generator):
        return levels + torch.rand(len(levels), generator=generator, dtype=torch.float64) - 0.5

    assert p_value(whole_image_loop(model, world, feed_back=unrounded), model, world) < NOTICED


@pytest.mark.parametrize(
    "feed_back",
    [lambda levels, _: torch.zeros_like(levels), lambda levels, _: (levels + 1) % 3],
    ids=["nothing", "another-level"],
)
def test_feeding_back_what_is_not_returned_is_noticed(
    skeleton_kind, likelihood, feed_back, tiny_model
):
    world = WORLDS["grey-2x2-3-levels"]
    model = model_of(world, skeleton_kind, likelihood, tiny_model)
    assert p_value(whole_image_loop(model, world, feed_back=feed_back), model, world) < NOTICED


def test_one_random_number_for_all_images_is_noticed(tiny_model):
    world = WORLDS["grey-2x2-3-levels"]
    model = model_of(world, "pixelcnn", "categorical", tiny_model)
    images = np.repeat(sample(model, world)[:1], DRAWS, axis=0)
    assert p_value(images, model, world) < NOTICED
