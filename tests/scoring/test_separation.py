"""AUROC and false alarms, against plain loops; intervals that hold the truth."""

import numpy as np
import pytest

from pixelrnn.scoring import separation


def plain(normal, unusual):
    pairs = [(u > n) + 0.5 * (u == n) for u in unusual for n in normal]
    thresholds = [t for t in sorted(unusual) if np.mean(unusual >= t) >= 0.95]
    return np.mean(pairs), np.mean(normal >= thresholds[-1])


@pytest.mark.parametrize("seed", range(5))
def test_against_plain_loops(seed):
    draws = np.random.default_rng(seed)
    normal, unusual = draws.integers(12, size=40) / 4, 1 + draws.integers(12, size=57) / 4
    found = separation(normal, unusual, replicates=2)
    expected = plain(normal, unusual)
    assert (found.auroc, found.false_positive_rate) == pytest.approx(expected)


def test_ends_of_the_scale():
    low, high = np.arange(5.0), 5 + np.arange(5.0)
    apart, turned, same = separation(low, high), separation(high, low), separation(low, low)
    assert (apart.auroc, apart.false_positive_rate) == (1, 0)
    assert (turned.auroc, turned.false_positive_rate) == (0, 1)
    assert same.auroc == 0.5
    assert apart.auroc_interval == (1, 1)


def test_the_interval_holds_the_truth_about_as_often_as_it_says():
    """Of two normal densities a standard deviation apart AUROC is 0.7602."""
    draws, held = np.random.default_rng(0), 0
    for seed in range(100):
        normal, unusual = draws.normal(0, 1, 60), draws.normal(1, 1, 60)
        low, high = separation(normal, unusual, seed=seed, replicates=200).auroc_interval
        held += low <= 0.7602 <= high
    assert held >= 88


def test_patches_of_one_picture_count_as_one():
    draws = np.random.default_rng(0)
    pictures = np.arange(60) // 20
    normal, unusual = draws.normal(0, 1, 60), draws.normal(1, 0.1, 60) + pictures
    alone = separation(normal, unusual)
    clustered = separation(normal, unusual, unusual_pictures=pictures)
    assert clustered.auroc == alone.auroc
    width = [high - low for low, high in (alone.auroc_interval, clustered.auroc_interval)]
    assert width[1] > 1.2 * width[0]


def test_the_same_seed_gives_the_same():
    values = np.random.default_rng(0).normal(size=(2, 30))
    assert separation(*values, seed=3) == separation(*values, seed=3)
    assert separation(*values, seed=3) != separation(*values, seed=4)


def test_nothing_to_tell_apart():
    with pytest.raises(ValueError, match="one is empty"):
        separation(np.array([]), np.array([1.0]))
