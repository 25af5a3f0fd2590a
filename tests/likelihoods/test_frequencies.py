"""Cumulative frequencies: proper for any integers whatever, and close to the exact formulas."""

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numba import njit

from pixelrnn.graph.curves import (
    COUPLING_BITS,
    COUPLING_SIDE,
    COUPLING_STEP_BITS,
    EXPONENTIAL_SIZE,
    LOG_SCALE_STEP_BITS,
    LOGISTIC_BITS,
    LOGISTIC_SIDE,
    LOGIT_STEP_BITS,
    WEIGHT_BITS,
    Curves,
    curves,
    level_bits,
    num_scales,
)
from pixelrnn.kernels.range_coder import TOTAL
from pixelrnn.likelihoods import Categorical, LogisticMixture, categorical, mixture_frequencies
from pixelrnn.likelihoods.exponentials import ONE_WEIGHT, exponentials, normalise
from pixelrnn.likelihoods.logistic_mixture import MEAN_UNIT

PATIENT = settings(
    deadline=None, max_examples=40, derandomize=True, suppress_health_check=list(HealthCheck)
)
LEVELS = st.sampled_from([2, 3, 17, 256, 1024, 65536])
FEWER_LEVELS = st.sampled_from([2, 3, 17, 256, 1024])
INT32 = np.iinfo(np.int32)


@njit
def categorical_tables(levels, exponents, factor, by_bounds, by_search, targets, found):
    """Fill F as an encoder sees it, and for each target what a decoder finds."""
    for level in range(levels):
        low, high = categorical.categorical_bounds(level, levels, exponents, factor)
        by_bounds[level, 0], by_bounds[level, 1] = low, high
    for n in range(len(targets)):
        level, low, high = categorical.categorical_search(targets[n], levels, exponents, factor)
        found[n], by_search[n, 0], by_search[n, 1] = level, low, high


@njit
def mixture_tables(
    levels, weights, means, inverse_scales, logistic, by_bounds, by_search, targets, found
):
    mixture = levels, weights, means, inverse_scales, logistic
    for level in range(levels):
        by_bounds[level, 0] = mixture_frequencies.mixture_cumulative(level, *mixture)
        by_bounds[level, 1] = mixture_frequencies.mixture_cumulative(level + 1, *mixture)
    for n in range(len(targets)):
        level, low, high = mixture_frequencies.mixture_search(targets[n], *mixture)
        found[n], by_search[n, 0], by_search[n, 1] = level, low, high


def check(fill, levels, draw):
    """Check what `fill` gives for a distribution, and return the frequency of every level."""
    by_bounds = np.zeros((levels, 2), np.int64)
    nothing = np.zeros(0, np.int64)
    fill(by_bounds, np.zeros((0, 2), np.int64), nothing, nothing)
    low, high = by_bounds.T
    assert low[0] == 0
    assert high[-1] == TOTAL
    assert (high[:-1] == low[1:]).all()
    assert (high - low >= 1).all()
    targets = np.concatenate([low, high - 1, draw.integers(0, TOTAL, 50)])
    found, by_search = np.zeros(len(targets), np.int64), np.zeros((len(targets), 2), np.int64)
    fill(by_bounds, by_search, targets, found)
    np.testing.assert_array_equal(found, np.searchsorted(low, targets, side="right") - 1)
    np.testing.assert_array_equal(by_search, by_bounds[found])
    return high - low


class Pixel:
    """A pixel coded by a mixture, colour by colour, as `settle` does it."""

    def __init__(self, parameters, channels, components, levels, tables):
        self.parameters, self.channels, self.levels = parameters, channels, levels
        self.tables = tables
        self.weights, self.means, self.inverse_scales = np.zeros((3, components), np.int64)
        self.residuals = np.zeros(channels, np.int64)
        total = exponentials(parameters, 0, components, tables.exponential, self.weights)
        normalise(self.weights, total)
        self.check_weights()

    def check_weights(self):
        assert self.weights.sum() == ONE_WEIGHT
        assert (self.weights >= 0).all()

    def frequencies(self, channel, draw):
        prediction = int(self.parameters[len(self.parameters) - self.channels + channel])
        self.prediction = prediction + ((self.levels - 1) << (level_bits(self.levels) - 1))
        mixture_frequencies.mixture_components(
            self.parameters, 0, channel, self.channels, self.levels, self.residuals, self.prediction,
            self.tables.coupling, self.tables.inverse_scales, self.means, self.inverse_scales,
        )  # fmt: skip

        def fill(*arguments):
            mixture = self.weights, self.means, self.inverse_scales, self.tables.logistic
            mixture_tables(self.levels, *mixture, *arguments)

        return check(fill, self.levels, draw)

    def settle(self, channel, level):
        self.residuals[channel] = (level << level_bits(self.levels)) - self.prediction
        mixture = self.weights, self.means, self.inverse_scales, self.tables.logistic
        mixture_frequencies.mixture_update(level, self.levels, *mixture)
        self.check_weights()


def hostile_tables(draw, levels):
    """Tables as wild as a file may have them."""
    logistic = np.sort(draw.integers(0, 1 << LOGISTIC_BITS, 2 * LOGISTIC_SIDE + 1, endpoint=True))
    logistic[[0, -1]] = 0, 1 << LOGISTIC_BITS
    exponential = draw.choice([0, 1, 1 << WEIGHT_BITS], EXPONENTIAL_SIZE)
    exponential[0] = 1 << WEIGHT_BITS
    one = 1 << COUPLING_BITS
    return Curves(
        *(np.zeros(0, np.int16),) * 2,
        exponential,
        logistic,
        draw.choice([0, 1, 1 << 32], num_scales(levels)),
        draw.choice([-one, 0, one], 2 * COUPLING_SIDE + 1),
    )


def any_integers(draw, count):
    """Integers of 32 bits of every size, the very largest, too."""
    values = draw.integers(INT32.min, INT32.max, count, endpoint=True) >> draw.integers(32)
    extremes = draw.choice([INT32.min, INT32.max, 0, -1], count)
    return np.where(draw.random(count) < draw.random() ** 2, extremes, values).astype(np.int32)


def categorical_frequencies(logits, tables, draw):
    levels, exponents = len(logits), np.zeros(len(logits), np.int64)
    total = exponentials(logits, 0, levels, tables.exponential, exponents)
    factor = categorical.categorical_factor(total, levels)
    return check(
        lambda *arguments: categorical_tables(levels, exponents, factor, *arguments), levels, draw
    )


@PATIENT
@given(seed=st.integers(0, 10**6), levels=FEWER_LEVELS, hostile=st.booleans())
def test_a_softmax_of_any_integers_is_proper(seed, levels, hostile):
    draw = np.random.default_rng(seed)
    tables = hostile_tables(draw, levels) if hostile else curves(levels)
    categorical_frequencies(any_integers(draw, levels), tables, draw)


@PATIENT
@given(
    seed=st.integers(0, 10**6),
    levels=LEVELS,
    channels=st.sampled_from([1, 3, 5]),
    components=st.integers(1, 6),
    hostile=st.booleans(),
)
def test_a_mixture_of_any_integers_is_proper(seed, levels, channels, components, hostile):
    draw = np.random.default_rng(seed)
    tables = hostile_tables(draw, levels) if hostile else curves(levels)
    count = LogisticMixture(channels, levels, components).head_maps + channels
    pixel = Pixel(any_integers(draw, count), channels, components, levels, tables)
    for channel in range(channels):
        pixel.frequencies(channel, draw)
        pixel.settle(channel, int(draw.integers(levels)))


def test_a_pixel_is_coded_however_far_off_its_prediction_is():
    """The largest sums that come up: no number of 64 bits may overflow."""
    draw = np.random.default_rng(0)
    for extreme in (INT32.min, INT32.max):
        for levels in (2, 256, 1024, 65536):
            for tables in (curves(levels), hostile_tables(draw, levels)):
                parameters = np.full(LogisticMixture(3, levels, 4).head_maps + 3, extreme, np.int32)
                parameters[:4] = 0, -1, INT32.max, INT32.min
                for level in (0, levels - 1):
                    pixel = Pixel(parameters, 3, 4, levels, tables)
                    for channel in range(3):
                        pixel.frequencies(channel, draw)
                        pixel.settle(channel, level)


def test_the_check_notices_a_level_without_a_frequency():
    def fill(by_bounds, by_search, targets, found):
        by_bounds[:] = [[0, 5], [5, 5], [5, TOTAL]]

    with pytest.raises(AssertionError):
        check(fill, 3, np.random.default_rng(0))


def assert_close(exact, frequencies, tolerance=3e-3):
    """The same distribution: what is lost by coding with it, and every level that is not rare."""
    assert lost_bits(exact, frequencies) < 1e-4 + tolerance**2 + counted(frequencies)
    likely, tolerance = exact > 1e-3, tolerance + counted(frequencies)
    np.testing.assert_allclose(frequencies[likely] / TOTAL, exact[likely], rtol=tolerance)


def counted(frequencies):
    """Return what it costs that every level has a frequency of 1 at least, in bits for each."""
    return 1.5 * len(frequencies) / TOTAL


def lost_bits(exact, frequencies):
    """Return the Kullback-Leibler divergence, in bits for each level coded."""
    present = exact > 1e-300
    return (exact[present] * np.log2(exact[present] / frequencies[present] * TOTAL)).sum()


def exact_softmax(logits):
    parameters = torch.from_numpy(logits).view(1, 1, -1, 1, 1)
    image = torch.zeros(1, 1, 1, 1, dtype=torch.uint8)
    return Categorical(1, len(logits)).log_pmf(parameters, image, 0).exp().flatten().numpy()


@PATIENT
@given(seed=st.integers(0, 10**6), levels=FEWER_LEVELS, spread=st.sampled_from([0.1, 1, 3]))
def test_a_softmax_is_close_to_the_exact_one(seed, levels, spread):
    draw = np.random.default_rng(seed)
    logits = draw.normal(size=levels) * spread
    whole = np.round(logits * (1 << LOGIT_STEP_BITS)).astype(np.int32)
    frequencies = categorical_frequencies(whole, curves(levels), draw)
    assert_close(exact_softmax(whole / (1 << LOGIT_STEP_BITS)), frequencies)
    assert lost_bits(exact_softmax(logits), frequencies) < 1e-4 + counted(
        frequencies
    )  # the rounding of the logits, too


class Mixture:
    """A mixture of moderate parameters, as trained networks have them; in floats and in integers."""

    def __init__(self, draw, channels, components, levels):
        self.likelihood = LogisticMixture(channels, levels, components)
        level, bits = 2 / (levels - 1), level_bits(levels)
        couplings = self.likelihood.num_couplings
        parts = [  # values, and the unit of their integers
            (draw.normal(size=components), 2.0**-LOGIT_STEP_BITS),
            (draw.normal(size=channels * components) * 3 * level / MEAN_UNIT,
             2.0**-bits * level / MEAN_UNIT),
            (np.log(level) + draw.uniform(0, 2, size=channels * components),
             2.0**-LOG_SCALE_STEP_BITS),
            (draw.normal(size=couplings * components), 2.0**-COUPLING_STEP_BITS),
            (draw.uniform(-0.9, 0.9, size=channels), 2.0**-bits * level),
        ]  # fmt: skip
        self.parameters = np.concatenate([values for values, _ in parts])
        units = np.concatenate([np.full(len(values), unit) for values, unit in parts])
        self.whole = np.round(self.parameters / units).astype(np.int32)
        self.rounded = self.whole * units
        self.image = torch.zeros(1, channels, 1, 1, dtype=torch.int32)
        self.pixel = Pixel(self.whole, channels, components, levels, curves(levels))

    def exact(self, channel, parameters):
        of_torch = torch.from_numpy(parameters).view(1, 1, -1, 1, 1)
        return self.likelihood.log_pmf(of_torch, self.image, channel).exp().flatten().numpy()

    def check(self, draw):
        for channel in range(self.likelihood.channels):
            exact = self.exact(channel, self.rounded)
            frequencies = self.pixel.frequencies(channel, draw)
            # Couplings have 12 bits, and a residual is multiplied by them.
            residuals = np.abs(self.pixel.residuals).sum() / (1 << level_bits(self.pixel.levels))
            floors = channel / (1 << level_bits(self.pixel.levels))  # of each coupled residual
            assert_close(exact, frequencies, 3e-3 + residuals / (1 << COUPLING_BITS) + floors)
            if channel == 0:
                assert lost_bits(
                    self.exact(channel, self.parameters), frequencies
                ) < 1e-4 + counted(frequencies)
            drawn = int(draw.choice(len(exact), p=exact / exact.sum()))
            self.image[0, channel] = drawn
            self.pixel.settle(channel, drawn)


@PATIENT
@given(
    seed=st.integers(0, 10**6),
    levels=FEWER_LEVELS,
    channels=st.sampled_from([1, 3, 5]),
    components=st.integers(1, 6),
)
def test_a_mixture_is_close_to_the_exact_one(seed, levels, channels, components):
    """Also that of green and blue, whose weights follow from red."""
    draw = np.random.default_rng(seed)
    Mixture(draw, channels, components, levels).check(draw)


@pytest.mark.parametrize("levels", [4096, 8193, 65536])
def test_a_mixture_of_many_levels_is_close_to_the_exact_one(levels):
    draw = np.random.default_rng(levels)
    Mixture(draw, 3, 4, levels).check(draw)


@pytest.mark.parametrize(
    ("first", "count", "step"),
    [(0, 1, 8), (2, 6, 128), (8, 6, 8), (14, 6, 16), (20, 3, 128)],
    ids=["logits", "means", "log-scales", "couplings", "predictions"],
)
def test_parameters_that_are_read_a_little_wrongly_are_noticed(first, count, step):
    """Each group of them by an eighth: of 1, or of a level."""
    draw = np.random.default_rng(3)
    mixture = Mixture(draw, 3, 2, 17)
    mixture.check(np.random.default_rng(4))
    mixture.whole[first : first + count] += step
    mixture.pixel = Pixel(mixture.whole, 3, 2, 17, curves(17))
    with pytest.raises(AssertionError):
        mixture.check(np.random.default_rng(4))
