"""Both likelihoods by exhaustive sums, with ordinary and with extreme parameters.

Each column of a wide image holds other parameters, so that hundreds are tried at once.
"""

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pixelrnn.likelihoods import Categorical, LogisticMixture

LEVELS = pytest.mark.parametrize("num_levels", [2, 4, 17, 256])
COMPONENTS = 2
EXTREMES = {
    "logits": [-60.0, 0.0, 60.0],
    "means": [-1e3, -3.0, 0.0, 0.3, 1e3],
    "log_scales": [-1e3, -7.0, -2.5, 0.0, 7.0, 30.0],
    "couplings": [-1e3, 0.0, 1e3],  # tanh saturates
    "predictions": [-2.0, 0.0, 0.1, 2.0],
}


def mixture(channels, num_levels):
    return LogisticMixture(channels, num_levels, COMPONENTS)


def draw_mixture(channels, count, choices, seed=0):
    """Draw parameters `(1, 1, P, 1, count)`, each entry one of the choices for its kind."""
    generator = np.random.default_rng(seed)
    pairs = channels * (channels - 1) // 2
    rows = {
        "logits": COMPONENTS,
        "means": channels * COMPONENTS,
        "log_scales": channels * COMPONENTS,
        "couplings": pairs * COMPONENTS,
        "predictions": channels,
    }
    drawn = [generator.choice(choices[name], size=(rows[name], count)) for name in rows]
    return torch.from_numpy(np.concatenate(drawn))[None, None, :, None, :]


def draw_levels(channels, count, num_levels, seed=1):
    levels = np.random.default_rng(seed).integers(num_levels, size=(1, channels, 1, count))
    return torch.from_numpy(levels.astype(np.uint8))


def pmf_sums(likelihood, parameters, images):
    """Return, for each colour, the sums over the levels `(C, B, H, W)`."""
    channels = range(images.shape[1])
    return torch.stack([likelihood.log_pmf(parameters, images, c).exp().sum(1) for c in channels])


@LEVELS
def test_categorical_sums_to_one_with_extreme_logits(channels, num_levels):
    count = 30 if num_levels == 256 else 300
    logits = np.random.default_rng(0).choice(
        [-1e4, -50.0, 0.0, 0.1, 50.0, 1e4], size=(1, channels, num_levels, 1, count)
    )
    likelihood = Categorical(channels, num_levels)
    images = draw_levels(channels, count, num_levels)
    parameters = torch.from_numpy(logits).requires_grad_(True)
    sums = pmf_sums(likelihood, parameters, images)
    assert (sums - 1).abs().max() <= 1e-12
    nats = likelihood.log_prob(parameters, images)
    nats.sum().backward()
    assert nats.isfinite().all()
    assert parameters.grad.isfinite().all()


@LEVELS
def test_mixture_sums_to_one_with_extreme_parameters(channels, num_levels):
    """Also where the levels seen so far are next to impossible: then log p(red) is about -1e6."""
    count = 400
    parameters = draw_mixture(channels, count, EXTREMES)
    images = draw_levels(channels, count, num_levels)
    sums = pmf_sums(mixture(channels, num_levels), parameters, images)
    assert (sums - 1).abs().max() <= 1e-12


@LEVELS
def test_mixture_sums_to_one_with_ordinary_parameters(channels, num_levels):
    choices = {
        "logits": [-3.0, 0.0, 3.0],
        "means": [-0.5, 0.0, 0.2],
        "log_scales": [-4.0, -2.5, 0.0],
        "couplings": [-2.0, 0.0, 2.0],
        "predictions": [-0.9, 0.0, 0.9],
    }
    parameters = draw_mixture(channels, 400, choices)
    images = draw_levels(channels, 400, num_levels)
    sums = pmf_sums(mixture(channels, num_levels), parameters, images)
    assert (sums - 1).abs().max() <= 1e-12


@LEVELS
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["float32", "float64"])
def test_mixture_and_its_gradient_are_finite(channels, num_levels, dtype):
    assert_finite(channels, num_levels, dtype, EXTREMES)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["float32", "float64"])
def test_mixture_is_finite_with_a_scale_beyond_all_bounds(channels, dtype):
    """exp(-log-scale) underflows: every inner bin is empty, and its logarithm minus infinity."""
    assert_finite(channels, 256, dtype, EXTREMES | {"log_scales": [-2.5, 100.0, 1e3]})


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["float32", "float64"])
def test_mixture_is_finite_with_means_beyond_all_bounds(channels, dtype):
    assert_finite(channels, 256, dtype, EXTREMES | {"means": [-1e30, 0.0, 1e30]})


def assert_finite(channels, num_levels, dtype, choices):
    count = 400
    parameters = draw_mixture(channels, count, choices).to(dtype).requires_grad_(True)
    nats = mixture(channels, num_levels).log_prob(
        parameters, draw_levels(channels, count, num_levels)
    )
    nats.sum().backward()
    assert nats.isfinite().all()
    assert parameters.grad.isfinite().all()
    # Rounding may give a hair more than certainty.
    assert nats.max() <= 1e-5 if dtype == torch.float32 else nats.max() <= 1e-12


numbers = st.floats(min_value=-30, max_value=30)


@settings(deadline=None, derandomize=True, database=None, max_examples=60)
@given(st.data(), st.sampled_from([1, 3]), st.integers(2, 12))
def test_any_mixture_sums_to_one(data, channels, num_levels):
    likelihood = mixture(channels, num_levels)
    head = data.draw(
        st.lists(numbers, min_size=likelihood.head_maps, max_size=likelihood.head_maps)
    )
    predictions = data.draw(
        st.lists(st.floats(-2, 2), min_size=likelihood.channels, max_size=likelihood.channels)
    )
    levels = st.integers(0, num_levels - 1)
    pixel = data.draw(st.lists(levels, min_size=channels, max_size=channels))
    parameters = torch.tensor(head + predictions, dtype=torch.float64).view(1, 1, -1, 1, 1)
    images = torch.tensor(pixel, dtype=torch.uint8).view(1, -1, 1, 1)
    nats = likelihood.log_prob(parameters, images)
    assert nats.isfinite().all()
    assert nats.max() <= 1e-12
    sums = pmf_sums(likelihood, parameters, images)
    assert (sums - 1).abs().max() <= 1e-12


@settings(deadline=None, derandomize=True, database=None, max_examples=40)
@given(st.data(), st.integers(2, 20))
def test_any_categorical_sums_to_one(data, num_levels):
    logits = data.draw(st.lists(st.floats(-1e6, 1e6), min_size=num_levels, max_size=num_levels))
    parameters = torch.tensor(logits, dtype=torch.float64).view(1, 1, -1, 1, 1)
    images = torch.zeros(1, 1, 1, 1, dtype=torch.uint8)
    sums = pmf_sums(Categorical(1, num_levels), parameters, images)
    assert (sums - 1).abs().max() <= 1e-12


def all_pixels(num_levels, channels=3):
    """Return every pixel there is, uint8 `(levels ** channels, channels, 1, 1)`."""
    pixels = list(itertools.product(range(num_levels), repeat=channels))
    return torch.tensor(pixels, dtype=torch.uint8).view(-1, channels, 1, 1)


@pytest.mark.parametrize("num_levels", [2, 4, 8])
@pytest.mark.parametrize("seed", range(5))
def test_all_colours_of_a_pixel_together_sum_to_one(num_levels, seed):
    """The joint probability over all levels ** 3 pixels."""
    likelihood = mixture(3, num_levels)
    torch.manual_seed(seed)
    parameters = torch.randn(1, 1, likelihood.head_maps + 3, 1, 1, dtype=torch.float64)
    pixels = all_pixels(num_levels)
    nats = likelihood.log_prob(parameters.expand(len(pixels), -1, -1, -1, -1), pixels)
    assert nats.sum(dim=1).exp().sum().item() == pytest.approx(1, abs=1e-12)


def test_all_colours_of_a_categorical_pixel_sum_to_one():
    parameters = torch.randn(1, 3, 4, 1, 1, dtype=torch.float64)
    pixels = all_pixels(4)
    nats = Categorical(3, 4).log_prob(parameters.expand(len(pixels), -1, -1, -1, -1), pixels)
    assert nats.sum(dim=1).exp().sum().item() == pytest.approx(1, abs=1e-12)
