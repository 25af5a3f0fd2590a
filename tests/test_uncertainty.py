"""Standard errors over patches of pictures: their 95 % intervals cover in 95 % of cases, not in half."""

import math

import numpy as np
import pytest
import scipy.stats

from pixelrnn.uncertainty import (
    MIN_PICTURES,
    count_pictures,
    images_of_pictures,
    least_deviations,
    no_verdict,
    over_seeds,
    plus_minus,
    standard_error,
    two_sided,
)

PICTURES, TRIALS, MEAN = 40, 400, 3.0
T_95 = 2.023  # two-sided 95 % of Student's t with 39 degrees of freedom


def draw(generator):
    """Figures of patches, 2 to 30 a picture, that share most of what they differ in."""
    sizes = generator.integers(2, 31, PICTURES)
    pictures = np.repeat(np.arange(PICTURES), sizes)
    shared, own = generator.normal(0, 0.5, PICTURES), generator.normal(0, 0.2, len(pictures))
    return MEAN + shared[pictures] + own, pictures


def coverage(error_of):
    generator = np.random.default_rng(3)
    inside = 0
    for _ in range(TRIALS):
        values, pictures = draw(generator)
        inside += abs(values.mean() - MEAN) <= T_95 * error_of(values, pictures)
    return inside / TRIALS


def test_the_interval_covers_as_often_as_it_says():
    # Of 400 trials a coverage of 95 % has a standard error of 1.1 %.
    assert 0.91 < coverage(standard_error) < 0.98


def test_patches_taken_for_independent_cover_far_too_seldom():
    """The fault that clustering is for."""
    assert coverage(lambda values, _: standard_error(values)) < 0.6


def test_by_hand():
    values, pictures = np.array([1.0, 2.0, 3.0, 8.0, 6.0]), np.array([5, 5, 5, 9, 2])
    # Mean 4: the sums of residuals are -6, 4 and 2.
    assert standard_error(values, pictures) == pytest.approx(math.sqrt(3 / 2 * 56) / 5)


@pytest.mark.parametrize("count", [2, 3, 50])
def test_pictures_of_one_image_each_give_the_usual_standard_error(count):
    values = np.random.default_rng(count).normal(size=count)
    usual = values.std(ddof=1) / math.sqrt(count)
    assert standard_error(values) == pytest.approx(usual, rel=1e-12)
    assert standard_error(values, np.arange(count)[::-1]) == pytest.approx(usual, rel=1e-12)


@pytest.mark.parametrize("seed", range(5))
def test_neither_order_nor_numbers_nor_an_offset_matter(seed):
    generator = np.random.default_rng(seed)
    values, pictures = draw(generator)
    expected = standard_error(values, pictures)
    order = generator.permutation(len(values))
    assert standard_error(values[order], pictures[order]) == pytest.approx(expected, rel=1e-9)
    names = generator.permutation(PICTURES) * 1000 - 7
    assert standard_error(values, names[pictures]) == pytest.approx(expected, rel=1e-9)
    assert standard_error(3 * values + 5, pictures) == pytest.approx(3 * expected, rel=1e-9)


def test_a_picture_repeated_is_no_new_information():
    values, pictures = draw(np.random.default_rng(1))
    twice = standard_error(np.tile(values, 2), np.tile(pictures, 2))
    assert twice == pytest.approx(standard_error(values, pictures), rel=1e-9)
    # As independent images the same would look 1.4 times as sure.
    assert standard_error(np.tile(values, 2)) < 0.72 * standard_error(values)


def test_one_picture_has_no_standard_error():
    values = np.random.default_rng(0).normal(size=30)
    assert standard_error(values, np.zeros(30, int)) is None
    assert standard_error(values[:1]) is None
    assert standard_error(values[:0]) is None
    assert plus_minus(2.0, None) == "2.0000 (no standard error: one picture)"


def test_words():
    assert MIN_PICTURES == 8
    assert no_verdict(1) == "no verdict: only 1 picture"
    assert no_verdict(8) == ""
    assert count_pictures(3, np.array([1, 1, 4])) == 2
    assert images_of_pictures(20, 20) == "20 images"
    assert images_of_pictures(20, 1, "test") == "20 test images (patches of 1 picture)"


# Over seeds.


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ([2.0, 2.1], [2.3, 2.31]),
        ([1.0, 1.5, 1.2], [1.1, 1.9, 2.0]),
        ([0.1, 0.2, 0.3, 0.4, 0.5], [0.4, 0.41]),
        (list(np.linspace(0, 1, 60)), list(np.linspace(0.1, 1.3, 40))),
    ],
)
def test_welch_is_that_of_scipy(first, second):
    expected = scipy.stats.ttest_ind(second, first, equal_var=False)
    found = over_seeds(first, second)
    assert found.p_value == pytest.approx(expected.pvalue, rel=1e-6)
    assert found.degrees_of_freedom == pytest.approx(expected.df)
    assert found.mean / found.standard_error == pytest.approx(expected.statistic)
    assert found.survives == (expected.pvalue < 0.05)


@pytest.mark.parametrize("freedom", [1, 1.3, 2, 4, 30, 400])
def test_the_tails_of_t(freedom):
    for t in (0.01, 1, 2.5, 12, 100):
        expected = 2 * scipy.stats.t.sf(t, freedom)
        assert two_sided(t, freedom) == pytest.approx(expected, abs=1e-9)


def test_seeds_that_differ_in_nothing():
    assert not over_seeds([2.0, 2.0], [2.0, 2.0]).survives
    assert over_seeds([2.0, 2.0], [2.1, 2.1]).survives
    assert over_seeds([2.0], [2.1]) is None


@pytest.mark.parametrize("count", [2, 3, 10])
def test_the_least_difference_that_survives(count):
    critical = scipy.stats.t.ppf(0.975, 2 * count - 2) * np.sqrt(2 / count)
    assert least_deviations(count) == pytest.approx(critical, rel=1e-6)


def test_of_models_that_are_equal_few_differences_survive():
    """With two and three seeds too: as few as it says, or fewer."""
    draw = np.random.default_rng(0)
    for count in (2, 3):
        pairs = draw.normal(size=(400, 2, count))
        survived = sum(over_seeds(first, second).survives for first, second in pairs)
        assert survived <= 0.07 * 400
