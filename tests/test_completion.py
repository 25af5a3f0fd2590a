"""Completion: what is known stays, what is hidden is drawn as it is likely given what is known."""

import itertools
import math

import numpy as np
import pytest
import torch
from scipy import stats

from pixelrnn.completion import complete, keep, known_after_hidden
from pixelrnn.errors import ImageMismatchError

LEVELS = 3
TOP_KNOWN = np.array([[True, True], [False, False]])
BOTTOM_KNOWN = ~TOP_KNOWN


@pytest.fixture
def model(kind, likelihood, tiny_model):
    """A model of grey images of three levels, far from uniform."""
    return tiny_model(kind, likelihood, 1, noise=0.35, num_levels=LEVELS, seed=4)


@pytest.fixture
def lively(kind, likelihood, channels, tiny_model):
    return tiny_model(kind, likelihood, channels, noise=0.2)


def checkerboard(height, width):
    return np.add.outer(np.arange(height), np.arange(width)) % 2 == 0


def exact_conditional(model, image, known):
    """Return p(hidden pixels | known pixels) over all fillings, by listing them."""
    fillings = np.array(list(itertools.product(range(LEVELS), repeat=int((~known).sum()))))
    images = np.repeat(image[None], len(fillings), axis=0)
    images[:, 0, ~known] = fillings
    with torch.no_grad():
        nats = model.log_prob(torch.from_numpy(images)).numpy()
    return np.exp(nats - np.logaddexp.reduce(nats))


def counted(images, known):
    """Count each filling in images `(count, 1, H, W)`."""
    fillings = images[:, 0, ~known].astype(int)
    numbers = fillings @ LEVELS ** np.arange(fillings.shape[1])[::-1]
    return np.bincount(numbers, minlength=LEVELS ** fillings.shape[1])


def distance(images, known, exact):
    """Total variation distance of the fillings from a distribution."""
    return 0.5 * np.abs(counted(images, known) / len(images) - exact).sum()


# --- what is drawn -------------------------------------------------------------------------------


def test_known_pixels_are_kept_and_hidden_ones_vary(lively, channels, size, random_images):
    images, known = random_images(2, channels, *size).numpy(), checkerboard(*size)
    for importance in (None, 9):
        done = complete(lively, images, known, count=4, seed=1, importance=importance).images
        assert done.shape == (2, 4, *images.shape[1:])
        assert done.dtype == np.uint8
        assert (done[..., known] == images[:, None][..., known]).all()
        assert done.max() < lively.config.num_levels
        if importance is None:  # or else one candidate may outweigh the others
            for of_image in done:
                assert len({image.tobytes() for image in of_image}) > 1


def test_completions_are_reproducible(lively, channels, random_images):
    """The same whatever is hidden, the threads, and how many images and completions there are."""
    images, known = random_images(3, channels, 5, 7).numpy(), keep("top:0.5", 5, 7)
    done = complete(lively, images, known, count=4, seed=1, threads=1).images
    again = complete(lively, np.where(known, images, 0), known, count=4, seed=1, threads=2).images
    np.testing.assert_array_equal(done, again)
    fewer = complete(lively, images[:2], known, count=2, seed=1).images
    np.testing.assert_array_equal(done[:2, :2], fewer)
    other = complete(lively, images, known, count=4, seed=2).images
    assert (done != other).any()


def test_completions_given_the_top_match_the_exact_conditional(model):
    image, count = np.array([[[2, 0], [0, 0]]], np.uint8), 6000
    done = complete(model, image[None], TOP_KNOWN, count=count, seed=3).images[0]
    expected = exact_conditional(model, image, TOP_KNOWN) * count
    keeps = expected >= 5
    observed = counted(done, TOP_KNOWN)
    observed = np.append(observed[keeps], observed[~keeps].sum())
    expected = np.append(expected[keeps], expected[~keeps].sum())
    statistic = ((observed - expected) ** 2 / np.maximum(expected, 1e-9)).sum()
    assert stats.chi2.sf(statistic, len(expected) - 1) > 1e-3


def test_a_temperature_sharpens(model):
    images = [
        np.array([[top, [0, 0]]], np.uint8) for top in itertools.product(range(LEVELS), repeat=2)
    ]
    by_peak = sorted(
        ((exact_conditional(model, image, TOP_KNOWN).max(), image) for image in images),
        key=lambda pair: pair[0],
    )

    def peak(image, temperature):
        drawn = complete(model, image[None], TOP_KNOWN, count=1000, seed=3, temperature=temperature)
        return counted(drawn.images[0], TOP_KNOWN).max() / 1000

    flattest, image = by_peak[0]
    assert peak(image, 0.2) > flattest + 0.1
    sharpest, image = by_peak[-1]
    assert peak(image, 5.0) < sharpest


def telling_bottom(model):
    """Return an image whose bottom row says much about its top row, and how much.

    It is not so unlikely that a candidate in ten would be worth less than one.
    """
    tops = np.array(list(itertools.product(range(LEVELS), repeat=2)), np.uint8)
    with torch.no_grad():
        ordered = model.log_prob(torch.from_numpy(tops.reshape(-1, 1, 1, 2))).exp().numpy()
    best, chosen = 0.0, None
    for bottom in tops:
        image = np.array([[[0, 0], bottom]], np.uint8)
        exact = exact_conditional(model, image, BOTTOM_KNOWN)
        apart, worth = 0.5 * np.abs(exact - ordered).sum(), 1 / (exact**2 / ordered).sum()
        if worth > 0.1 and apart > best:
            best, chosen = apart, image
    assert best > 0.1
    return chosen, best


def test_importance_resampling_approaches_the_exact_conditional(model):
    """Known pixels after hidden ones guide only the candidates' choice."""
    image, apart = telling_bottom(model)
    exact = exact_conditional(model, image, BOTTOM_KNOWN)
    settings = {"count": 4000, "seed": 5}
    plain = complete(model, image[None], BOTTOM_KNOWN, **settings)
    guided = complete(model, image[None], BOTTOM_KNOWN, importance=4000, **settings)
    assert distance(plain.images[0], BOTTOM_KNOWN, exact) > 0.8 * apart
    assert distance(guided.images[0], BOTTOM_KNOWN, exact) < 0.04
    assert plain.effective_samples is None
    worth = guided.effective_samples[0] / 4000
    assert 0.1 < worth < 1


@pytest.mark.parametrize("kind", ["pixelcnn", "diagonal-bilstm"])
def test_importance_of_few_candidates_helps_as_well(model):
    """Many independent completions, each chosen among 20."""
    image, apart = telling_bottom(model)
    exact = exact_conditional(model, image, BOTTOM_KNOWN)
    images = np.repeat(image[None], 1000, axis=0)
    guided = complete(model, images, BOTTOM_KNOWN, seed=1, importance=20).images[:, 0]
    assert distance(guided, BOTTOM_KNOWN, exact) < 0.5 * apart


def test_without_later_known_pixels_all_candidates_are_worth_the_same(model):
    image = np.zeros((1, 1, 2, 2), np.uint8)
    done = complete(model, image, TOP_KNOWN, count=2, importance=8)
    assert done.effective_samples == pytest.approx(8)


# --- what is measured ----------------------------------------------------------------------------


def test_hidden_bits_per_dim_by_hand(lively, channels, size, random_images):
    images, known = random_images(3, channels, *size), checkerboard(*size)
    done = complete(lively.float(), images.numpy(), known)
    with torch.no_grad():
        nats = lively.double().log_prob_map(images).numpy()
    hidden = [
        -sum(
            nats[n, channel, row, column]
            for channel in range(channels)
            for row, column in zip(*np.nonzero(~known), strict=True)
        )
        for n in range(3)
    ]
    by_hand = np.array(hidden) / math.log(2) / ((~known).sum() * channels)
    np.testing.assert_allclose(done.hidden_bits_per_dim, by_hand, rtol=1e-4)


def test_hidden_bits_per_dim_are_of_the_original(lively, channels, random_images):
    """Not of what was drawn: neither seed nor importance changes them."""
    images, known = random_images(2, channels, 4, 5).numpy(), keep("left:0.5", 4, 5)
    first = complete(lively, images, known, seed=1).hidden_bits_per_dim
    second = complete(lively, images, known, seed=2, count=3, importance=5).hidden_bits_per_dim
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        (["##", ".."], 0),
        (["..", "##"], 2),
        (["#.", "#."], 1),
        ([".#", "##"], 3),
        (["..", ".."], 0),
        (["##", "##"], 0),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, list) else None,
)
def test_known_after_hidden(rows, expected):
    known = np.array([[mark == "#" for mark in row] for row in rows])
    assert known_after_hidden(known) == expected


# --- masks and errors ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rule", "kept"),
    [
        ("top:0.5", (slice(0, 2), slice(None))),
        ("bottom:0.5", (slice(2, 4), slice(None))),
        ("left:0.34", (slice(None), slice(0, 2))),
        ("right:0.34", (slice(None), slice(4, 6))),
        ("top:0", (slice(0, 0), slice(None))),
        ("bottom:0", (slice(0, 0), slice(None))),
        ("right:0", (slice(None), slice(0, 0))),
        ("top: 0.25", (slice(0, 1), slice(None))),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_keep(rule, kept):
    expected = np.zeros((4, 6), bool)
    expected[kept] = True
    mask = keep(rule, 4, 6)
    np.testing.assert_array_equal(mask, expected)
    assert mask.flags.writeable


@pytest.mark.parametrize(
    "rule",
    ["", "top", "top:", "top:1", "top:-0.1", "top:nan", "top:inf", "top:half", "middle:0.5", "0.5"],
)
def test_rules_that_mean_nothing(rule):
    with pytest.raises(ImageMismatchError, match=r"write top:0\.5") as caught:
        keep(rule, 4, 6)
    assert "\n" not in str(caught.value)


GOOD_IMAGES, GOOD_MASK = np.zeros((1, 1, 4, 6), np.uint8), np.eye(4, 6, dtype=bool)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"images": np.zeros((1, 3, 4, 6), np.uint8)}, "grey images"),
        ({"images": np.zeros((1, 4, 6), np.uint8)}, r"shape \(1, 4, 6\): give images\[None\]"),
        ({"images": np.zeros((1, 1, 4, 6))}, "not float64 of shape"),
        ({"images": np.full((1, 1, 4, 6), 5, np.uint8)}, r"5 levels \(0 to 4\)"),
        ({"known": np.zeros((6, 4), bool)}, "6 x 4 pixels"),
        ({"known": np.zeros((1, 4, 6), bool)}, "1 x 4 x 6 pixels"),
        ({"known": np.array(True)}, "a bool for each pixel"),
        ({"known": GOOD_MASK.astype(np.uint8)}, "a bool for each pixel"),
        ({"known": np.ones((4, 6), bool)}, "nothing to complete"),
        ({"count": 0}, "at least one completion"),
        ({"importance": 0}, "at least one completion"),
        ({"temperature": 0.0}, "positive number"),
        ({"temperature": float("nan")}, "positive number"),
        ({"temperature": float("inf")}, "positive number"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else None,
)
def test_what_cannot_be_completed(changed, message, tiny_model):
    arguments = {"images": GOOD_IMAGES, "known": GOOD_MASK} | changed
    with pytest.raises(ImageMismatchError, match=message) as caught:
        complete(tiny_model("pixelcnn"), **arguments)
    assert "\n" not in str(caught.value)


def test_progress_counts_the_pixels_drawn(tiny_model):
    seen = []
    complete(tiny_model("pixelcnn"), GOOD_IMAGES, GOOD_MASK, count=3, on_progress=seen.append)
    assert sum(seen) == 3 * 4 * 6


def test_a_model_that_fills_holes_is_given_what_is_known_after_them(tiny_model, random_images):
    condition = {"kind": "masked", "features": 3, "layers": 1, "kernel_size": 3}
    model = tiny_model("pixelcnn", "categorical", 1, noise=0.2, condition=condition)
    images, known = random_images(2, 1, 5, 7).numpy(), np.ones((5, 7), bool)
    known[1:3, 2:5] = False
    found = complete(model, images, known, count=3, seed=1)
    assert (found.images[..., known] == images[:, None][..., known]).all()
    given = model.given(image=images, known=known)
    nats = -given.log_prob(images).detach().numpy()
    np.testing.assert_allclose(found.hidden_bits_per_dim, nats / np.log(2) / (~known).sum())
    other = images.copy()
    other[..., 3:, :] = (other[..., 3:, :] + 1) % 5  # what comes after the hole
    changed = complete(model, other, known, count=3, seed=1)
    assert (changed.hidden_bits_per_dim != found.hidden_bits_per_dim).all()
