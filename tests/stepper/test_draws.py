"""Likelihoods in the loop: equal to the torch ones, and drawn as they score."""

import math

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numba import njit
from scipy import stats

from pixelrnn.likelihoods import Categorical, LogisticMixture
from pixelrnn.likelihoods import logistic_mixture as torch_mixture
from pixelrnn.stepper import draws
from pixelrnn.stepper.draws import (
    categorical_draw,
    categorical_nats,
    log_bin,
    mixture_component,
    mixture_draw,
    normalise,
)
from pixelrnn.stepper.philox import uniforms

PATIENT = settings(
    deadline=None, max_examples=60, derandomize=True, suppress_health_check=list(HealthCheck)
)
DRAWS = 20_000
UINT64 = np.uint64


@njit
def draw_categorical(logits, temperature, count, seed):
    counts, work = np.zeros(len(logits), np.int64), np.zeros(len(logits))
    for n in range(count):
        uniform, _ = uniforms(UINT64(seed), UINT64(0), UINT64(n))
        counts[categorical_draw(logits, temperature, uniform, work)] += 1
    return counts


@njit
def draw_mixture(log_weights, means, log_scales, prediction, levels, temperature, count, seed):
    counts, work = np.zeros(levels, np.int64), np.zeros(len(means))
    for n in range(count):
        choice, uniform = uniforms(UINT64(seed), UINT64(0), UINT64(n))
        level = mixture_draw(
            log_weights, means, log_scales, prediction, levels, temperature, choice, uniform, work
        )
        counts[level] += 1
    return counts


@njit
def mixture_nats(parameters, values, levels_drawn, channels, components, levels):
    """Score one pixel as `settle` does."""
    log_weights = parameters[:components].copy()
    normalise(log_weights)
    residuals, nats = np.zeros(channels), np.zeros(channels)
    for channel in range(channels):
        residual = values[channel] - parameters[len(parameters) - channels + channel]
        for k in range(components):
            mean, log_scale = mixture_component(
                parameters, residuals, channels, components, channel, k
            )
            log_weights[k] += log_bin(residual - mean, log_scale, levels_drawn[channel], levels)
        residuals[channel] = residual
        nats[channel] = normalise(log_weights)
    return nats


def p_value(counts, probabilities):
    """Chi-square; levels that are hardly ever drawn are put together."""
    expected = probabilities * counts.sum()
    rare = expected < 5
    observed = np.append(counts[~rare], counts[rare].sum())
    expected = np.append(expected[~rare], expected[rare].sum())
    if expected[-1] < 1e-6:  # of the order of the rounding: nothing must be there
        assert observed[-1] == 0
        observed, expected = observed[:-1], expected[:-1]
    if len(expected) == 1:
        return 1.0
    return stats.chi2.sf(((observed - expected) ** 2 / expected).sum(), len(expected) - 1)


def softmax(logits):
    return np.exp(logits - np.logaddexp.reduce(logits))


LOGITS = {
    "random": np.random.default_rng(0).normal(size=7) * 2,
    "two": np.array([0.3, -1.0]),
    "one-sure": np.array([-1e4, 1e4, 0.0, 1e4 - 50]),
    "all-equal": np.full(16, 1e6),
    "far-below": np.array([-1e8, -1e8 - 1, -1e8 + 1]),
    "levels-256": np.random.default_rng(1).normal(size=256),
}


@pytest.mark.parametrize("logits", LOGITS.values(), ids=LOGITS)
@pytest.mark.parametrize("temperature", [0.3, 1.0, 2.0])
def test_categorical_draws_match_the_softmax(logits, temperature):
    counts = draw_categorical(logits, temperature, DRAWS, 5)
    assert p_value(counts, softmax(logits / temperature)) > 1e-3


@pytest.mark.parametrize("wrong", [1.2, 0.8])
def test_another_temperature_is_noticed(wrong):
    logits = LOGITS["random"]
    assert p_value(draw_categorical(logits, wrong, DRAWS, 5), softmax(logits)) < 1e-6


@pytest.mark.parametrize("temperature", [1e-3, 1e-300, 5e-324])
def test_no_temperature_to_speak_of_draws_the_likeliest(temperature):
    logits = np.random.default_rng(2).normal(size=9)
    counts = draw_categorical(logits, temperature, 100, 1)
    assert counts[logits.argmax()] == 100
    means, log_scales = np.array([-0.8, 0.1, 0.7]), np.full(3, -3.0)
    log_weights = np.log(np.array([0.3, 0.45, 0.25]))
    counts = draw_mixture(log_weights, means, log_scales, 0.0, 5, temperature, 100, 1)
    assert counts[2] == 100  # of -1, -0.5, 0, 0.5, 1 the nearest to 0.1


MIXTURES = {  # log-weights, means, log-scales
    "usual": ([-1.0, -0.4, -2.0], [-0.5, 0.2, 0.9], [-2.0, -1.0, -3.0]),
    "one": ([0.0], [0.1], [-1.5]),
    "narrowest": ([-0.7, -0.7], [0.0, 0.26], [-7.0, -7.0]),
    "on-an-edge": ([0.0], [1 / 7], [-7.0]),
    "widest": ([0.0], [0.3], [20.0]),
    "far-above": ([-0.1, -2.0], [1e3, -0.5], [0.0, -1.0]),
    "far-below": ([-0.1, -2.0], [-1e3, 0.5], [0.0, -1.0]),
    "out-of-all-integers": ([-0.7, -0.7], [1e30, -1e30], [0.0, 0.0]),
    "one-component-gone": ([-np.inf, 0.0], [0.0, 0.5], [-1.0, -1.0]),
}


def mixture_pmf(log_weights, means, log_scales, levels, prediction=0.0):
    """By differences of the distribution function, not by the formulas under test."""
    edges = (np.arange(levels + 1) * 2 - 1) / (levels - 1) - 1
    edges[0], edges[-1] = -np.inf, np.inf
    scales = np.exp(log_scales)[:, None]
    of_components = np.diff(stats.logistic.cdf((edges - prediction - means[:, None]) / scales))
    return softmax(log_weights) @ of_components


@pytest.mark.parametrize("mixture", MIXTURES.values(), ids=MIXTURES)
@pytest.mark.parametrize("levels", [2, 8, 256])
def test_mixture_draws_match_their_bins(mixture, levels):
    log_weights, means, log_scales = (np.array(part) for part in mixture)
    log_weights = log_weights - np.logaddexp.reduce(log_weights)
    counts = draw_mixture(log_weights, means, log_scales, 0.05, levels, 1.0, DRAWS, 9)
    pmf = mixture_pmf(log_weights, means, log_scales, levels, 0.05)
    assert p_value(counts, pmf) > 1e-3


@pytest.mark.parametrize("temperature", [0.4, 1.7])
def test_temperature_of_a_mixture_is_as_documented(temperature):
    """The log-weights are divided by it, the scales multiplied."""
    log_weights, means, log_scales = (np.array(part) for part in MIXTURES["usual"])
    log_weights = log_weights - np.logaddexp.reduce(log_weights)
    counts = draw_mixture(log_weights, means, log_scales, 0.0, 8, temperature, DRAWS, 4)
    warmer = log_weights / temperature, means, log_scales + math.log(temperature)
    assert p_value(counts, mixture_pmf(*warmer, 8)) > 1e-3
    assert p_value(counts, mixture_pmf(log_weights, means, log_scales, 8)) < 1e-6


@PATIENT
@given(
    seed=st.integers(0, 10**6), levels=st.integers(2, 256), spread=st.sampled_from([0.1, 3, 300])
)
def test_categorical_equals_torch(seed, levels, spread):
    logits = np.random.default_rng(seed).normal(size=levels) * spread
    image = torch.zeros(1, 1, 1, 1, dtype=torch.uint8)
    parameters = torch.from_numpy(logits).view(1, 1, levels, 1, 1)
    expected = Categorical(1, levels).log_pmf(parameters, image, 0).flatten().numpy()
    work = np.zeros(levels)
    nats = [categorical_nats(logits, level, work) for level in range(levels)]
    np.testing.assert_allclose(nats, expected, rtol=1e-12, atol=1e-12)


@PATIENT
@given(
    seed=st.integers(0, 10**6),
    channels=st.sampled_from([1, 3]),
    components=st.integers(1, 6),
    levels=st.integers(2, 256),
    spread=st.sampled_from([0.3, 2, 30]),
)
def test_mixture_equals_torch(seed, channels, components, levels, spread):
    """Also where the log-scales are clamped and the means far outside."""
    generator = np.random.default_rng(seed)
    likelihood = LogisticMixture(channels, levels, components)
    parameters = generator.normal(size=likelihood.head_maps + channels) * spread
    drawn = generator.integers(levels, size=channels)
    image = torch.from_numpy(drawn.astype(np.uint8)).view(1, channels, 1, 1)
    expected = likelihood.log_prob(torch.from_numpy(parameters).view(1, 1, -1, 1, 1), image)
    values = drawn * (2 / (levels - 1)) - 1
    nats = mixture_nats(parameters, values, drawn, channels, components, levels)
    np.testing.assert_allclose(nats, expected.flatten().numpy(), rtol=1e-10, atol=1e-10)


def test_scales_are_clamped_alike():
    assert draws.MIN_LOG_SCALE == torch_mixture.MIN_LOG_SCALE
    assert draws.MEAN_UNIT == torch_mixture.MEAN_UNIT
    assert draws.MAX_LOG_SCALE == torch_mixture.MAX_LOG_SCALE
