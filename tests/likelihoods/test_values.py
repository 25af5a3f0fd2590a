"""The likelihoods against numbers worked out by hand, and against the plain versions."""

import math

import pytest
import torch

from pixelrnn.likelihoods import (
    Categorical,
    CategoricalConfig,
    LogisticMixture,
    LogisticMixtureConfig,
    scale_levels,
)
from pixelrnn.likelihoods.logistic_mixture import MEAN_UNIT
from reference import plain_likelihoods


def sigmoid(x):
    return 1 / (1 + math.exp(-x))


def as_parameters(numbers):
    return torch.tensor(numbers, dtype=torch.float64).view(1, 1, -1, 1, 1)


def pixel(*levels):
    return torch.tensor(levels, dtype=torch.uint8).view(1, -1, 1, 1)


@pytest.mark.parametrize("num_levels", [2, 3, 17, 256])
def test_levels_are_scaled_evenly_onto_minus_one_to_one(num_levels):
    levels = torch.arange(num_levels, dtype=torch.uint8).view(1, 1, 1, -1)
    values = scale_levels(levels, num_levels, torch.float64)
    expected = torch.linspace(-1, 1, num_levels, dtype=torch.float64)
    torch.testing.assert_close(values[0, 0, 0], expected, rtol=0, atol=1e-15)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("num_levels", [2, 3, 5, 17, 256])
def test_uniform_logits_cost_the_logarithm_of_the_levels(num_levels, dtype, channels):
    nats = Categorical(channels, num_levels).log_prob(
        torch.full((2, channels, num_levels, 3, 4), 0.0, dtype=dtype),
        torch.full((2, channels, 3, 4), num_levels - 1, dtype=torch.uint8),
    )
    expected = -torch.tensor(float(num_levels), dtype=dtype).log()
    torch.testing.assert_close(nats, expected.expand(nats.shape), rtol=1e-15, atol=0)


def test_categorical_by_hand():
    logits = torch.tensor([math.log(1), math.log(2), math.log(5)], dtype=torch.float64)
    likelihood = Categorical(1, 3)
    probabilities = [
        likelihood.log_prob(logits.view(1, 1, 3, 1, 1), pixel(level)).exp().item()
        for level in range(3)
    ]
    assert probabilities == pytest.approx([1 / 8, 2 / 8, 5 / 8], rel=1e-15)


def test_categorical_with_two_levels_is_bernoulli():
    logits = torch.tensor([0.0, 0.7], dtype=torch.float64).view(1, 1, 2, 1, 1)
    nats = Categorical(1, 2).log_prob(logits, pixel(1))
    assert nats.item() == pytest.approx(math.log(sigmoid(0.7)), rel=1e-14)


def test_categorical_picks_the_level_of_each_place(channels):
    torch.manual_seed(0)
    logits = torch.randn(2, channels, 5, 3, 4, dtype=torch.float64)
    images = torch.randint(5, (2, channels, 3, 4), dtype=torch.uint8)
    nats = Categorical(channels, 5).log_prob(logits, images)
    assert nats.shape == images.shape
    for n in range(2):
        for r in range(3):
            for c in range(4):
                expected = plain_likelihoods.categorical(
                    logits[n, :, :, r, c].tolist(), images[n, :, r, c].tolist()
                )
                assert nats[n, :, r, c].tolist() == pytest.approx(expected, rel=1e-12)


def test_one_logistic_by_hand():
    """Three levels at -1, 0 and 1, so that the bins meet at -1/2 and 1/2."""
    mean, scale, prediction = 0.2, 0.5, 0.1
    parameters = as_parameters([0.0, mean / MEAN_UNIT, math.log(scale), prediction])
    likelihood = LogisticMixture(1, 3, components=1)
    nats = [likelihood.log_prob(parameters, pixel(level)).item() for level in range(3)]
    below = sigmoid((-0.5 - mean - prediction) / scale)
    above = 1 - sigmoid((0.5 - mean - prediction) / scale)
    expected = [below, 1 - below - above, above]
    assert [math.exp(nat) for nat in nats] == pytest.approx(expected, rel=1e-13)


def test_two_levels_are_one_edge():
    parameters = as_parameters([0.0, 0.3 / MEAN_UNIT, math.log(0.4), 0.0])
    nats = LogisticMixture(1, 2, components=1).log_prob(parameters, pixel(0))
    assert nats.item() == pytest.approx(math.log(sigmoid(-0.3 / 0.4)), rel=1e-13)


def test_colours_follow_the_residuals_of_the_colours_before():
    """Narrow logistics: each colour's most likely value is its mean, worked out by hand."""
    tanh_a, tanh_b, tanh_c = 0.5, -0.25, -0.5
    couplings = [math.atanh(value) for value in (tanh_a, tanh_b, tanh_c)]
    offsets, predictions = [0.1, -0.2, 0.05], [0.2, 0.1, -0.1]
    in_units = [offset / MEAN_UNIT for offset in offsets]
    parameters = as_parameters([0.0, *in_units, -6.0, -6.0, -6.0, *couplings, *predictions])
    likelihood = LogisticMixture(3, 256, components=1)
    red, green = 160, 100
    e_red = 2 * red / 255 - 1 - predictions[0]
    e_green = 2 * green / 255 - 1 - predictions[1]
    means = [
        predictions[0] + offsets[0],
        predictions[1] + offsets[1] + (1 + tanh_a) * e_red,
        predictions[2] + offsets[2] + tanh_b * e_red + (1 + tanh_c) * e_green,
    ]
    for colour, mean in enumerate(means):
        pmf = likelihood.log_pmf(parameters, pixel(red, green, 0), colour)
        expected = min(max(round((mean + 1) / 2 * 255), 0), 255)
        assert pmf[0, :, 0, 0].argmax().item() == expected


@pytest.mark.parametrize("components", [1, 3])
@pytest.mark.parametrize("num_levels", [2, 4, 256])
def test_mixture_equals_reference(components, num_levels, channels):
    torch.manual_seed(0)
    likelihood = LogisticMixture(channels, num_levels, components)
    maps = likelihood.head_maps + likelihood.prediction_maps
    parameters = torch.randn(2, 1, maps, 3, 4, dtype=torch.float64)
    images = torch.randint(num_levels, (2, channels, 3, 4), dtype=torch.uint8)
    nats = likelihood.log_prob(parameters, images)
    for n in range(2):
        for r in range(3):
            for c in range(4):
                expected = plain_likelihoods.logistic_mixture(
                    parameters[n, 0, :, r, c], images[n, :, r, c].tolist(), num_levels, components
                )
                assert nats[n, :, r, c].tolist() == pytest.approx(expected, rel=1e-10, abs=1e-12)


def test_log_pmf_is_what_is_scored(channels, likelihood):
    torch.manual_seed(0)
    configs = {
        "categorical": CategoricalConfig(),
        "logistic-mixture": LogisticMixtureConfig(components=2),
    }
    built = configs[likelihood].build(channels, 4)
    maps = built.head_maps + built.prediction_maps
    parameters = torch.randn(2, built.groups, maps, 3, 2, dtype=torch.float64)
    images = torch.randint(4, (2, channels, 3, 2), dtype=torch.uint8)
    before = images.clone()
    nats = built.log_prob(parameters, images)
    for colour in range(channels):
        pmf = built.log_pmf(parameters, images, colour)
        assert pmf.shape == (2, 4, 3, 2)
        chosen = pmf.gather(1, images[:, colour : colour + 1].long())[:, 0]
        assert torch.equal(chosen, nats[:, colour])
    assert torch.equal(images, before)


def test_scales_stop_at_their_floor():
    likelihood = LogisticMixture(1, 256, components=1)
    scores = [
        likelihood.log_prob(as_parameters([0.0, 0.4, log_scale, 0.1]), pixel(190)).item()
        for log_scale in (-7.0, -8.0, -100.0)
    ]
    assert scores[0] == scores[1] == scores[2]


def test_sizes():
    grey, colour = LogisticMixture(1, 256, 5), LogisticMixture(3, 256, 5)
    assert (grey.groups, grey.head_maps, grey.prediction_maps) == (1, 15, 1)
    assert (colour.groups, colour.head_maps, colour.prediction_maps) == (1, 50, 3)
    softmax = Categorical(3, 256)
    assert (softmax.groups, softmax.head_maps, softmax.prediction_maps) == (3, 256, 0)


def test_initial_biases():
    assert not Categorical(3, 7).initial_bias().any()
    bias = LogisticMixture(3, 7, components=2).initial_bias()
    assert bias.tolist() == [0.0] * 8 + [-2.5] * 6 + [0.0] * 6


@pytest.mark.parametrize("components", [0, 65])
def test_number_of_components_is_bounded(components):
    with pytest.raises(ValueError, match="components"):
        LogisticMixtureConfig(components=components)


@pytest.mark.parametrize("num_levels", [2, 5, 256])
@pytest.mark.parametrize("components", [1, 5])
@pytest.mark.parametrize("pixels", [(1, 1), (5, 7), (17, 19)], ids=str)
def test_the_compiled_mixture_equals_the_one_in_torch(channels, num_levels, components, pixels):
    """Values and gradients, with log-scales on both sides of where they are clamped."""
    torch.manual_seed(0)
    mixture = LogisticMixture(channels, num_levels, components)
    maps = mixture.head_maps + mixture.prediction_maps
    parameters = 1.5 * torch.randn(3, 1, maps, *pixels, dtype=torch.float64)
    scales = slice(components * (1 + channels), components * (1 + 2 * channels))
    parameters[:, :, scales] = 8 * parameters[:, :, scales] - 1
    images = torch.randint(num_levels, (3, channels, *pixels), dtype=torch.uint8)
    upstream = torch.randn(images.shape, dtype=torch.float64)
    found = []
    for log_prob in (mixture.log_prob, mixture.in_torch):
        leaf = parameters.clone().requires_grad_()
        nats = log_prob(leaf, images)
        nats.backward(upstream)
        found.append((nats.detach(), leaf.grad))
    for compiled, in_torch in zip(*found, strict=True):
        torch.testing.assert_close(compiled, in_torch, rtol=1e-10, atol=1e-10)


def test_the_compiled_mixture_in_float32():
    torch.manual_seed(0)
    mixture = LogisticMixture(3, 256, 5)
    parameters = torch.randn(2, 1, mixture.head_maps + 3, 9, 9)
    images = torch.randint(256, (2, 3, 9, 9), dtype=torch.uint8)
    exact = mixture.in_torch(parameters.double(), images)
    torch.testing.assert_close(
        mixture.log_prob(parameters, images).double(), exact, rtol=1e-4, atol=1e-4
    )
