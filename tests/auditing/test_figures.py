"""Bits/dim against what was reported, sums, plausibility, and samples."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from pixelrnn.auditing import audit, plausible
from pixelrnn.auditing.number import digits_of, truncated
from pixelrnn.errors import SubjectError
from tests.auditing import zoo
from tests.auditing.conftest import COLOUR, GREY, LEVELS

DIMS, PIXELS, BATCH, COUNT = 60, 20, 7, 17


@pytest.fixture(scope="module")
def colour():
    torch.manual_seed(0)
    model = zoo.Colour()
    with torch.no_grad():
        model.out.bias.mul_(20)  # so that images differ in what they cost
        model.out.weight.mul_(8)
    return model


@pytest.fixture(scope="module")
def images():
    return torch.randint(LEVELS, (COUNT, *COLOUR), generator=torch.Generator().manual_seed(1))


@pytest.fixture(scope="module")
def nats(colour, images):
    with torch.no_grad():
        pmf = colour(images / 7).double().log_softmax(1)
    return -pmf.gather(1, images[:, None]).flatten(1).sum(1).numpy()


def reading(colour, images, figure, **asked):
    asked = {"batch_size": BATCH, "inputs": "unit", **asked}
    found = audit(
        logits=colour,
        shape=COLOUR,
        num_levels=LEVELS,
        images=images,
        reported=f"{figure:.6g}",
        **asked,
    )
    return found["bits/dim"]


def means(nats):
    return [nats[first : first + BATCH].mean() for first in range(0, COUNT, BATCH)]


LN2 = math.log(2)
FIGURES = {
    "": lambda nats: nats.mean() / LN2 / DIMS,
    "nats, not bits": lambda nats: nats.mean() / DIMS,
    "bits per pixel": lambda nats: nats.mean() / LN2 / PIXELS,
    "nats per pixel": lambda nats: nats.mean() / PIXELS,
    "bits per image": lambda nats: nats.mean() / LN2,
    "nats per image": lambda nats: nats.mean(),
    "bits/dim divided twice by the 60 dims": lambda nats: nats.mean() / LN2 / DIMS**2,
    "nats per sub-pixel, divided twice": lambda nats: nats.mean() / DIMS**2,
    "multiplied by log 2": lambda nats: nats.mean() * LN2,
    "the mean of batch means, the last of 3 images": lambda nats: np.mean(means(nats)) / LN2 / DIMS,
    "without the last batch of 3 images": lambda nats: np.mean(means(nats)[:2]) / LN2 / DIMS,
    "one batch too few": lambda nats: sum(means(nats)) / 2 / LN2 / DIMS,
    "one batch too few, the last dropped": lambda nats: sum(means(nats)[:2]) / 1 / LN2 / DIMS,
    "one batch too many": lambda nats: sum(means(nats)) / 4 / LN2 / DIMS,
    "divided by the number of images": lambda nats: sum(means(nats)) / COUNT / LN2 / DIMS,
    "summed over the 17 images": lambda nats: nats.sum() / LN2 / DIMS,
    "a density of values in [0, 1]": lambda nats: nats.mean() / LN2 / DIMS - 3,
}


@pytest.mark.parametrize("formula", FIGURES)
def test_what_a_reported_figure_is(formula, colour, images, nats):
    found = reading(colour, images, FIGURES[formula](nats))
    assert formula in found.text
    assert found.verdict == ("fails" if formula else "holds")


def test_two_mistakes_at_once(colour, images, nats):
    text = reading(colour, images, np.mean(means(nats)) / DIMS).text
    assert "nats, not bits, per sub-pixel, the mean of batch means" in text


def test_a_batch_size_is_found_where_it_is_not_said(colour, images, nats):
    batches = [nats[:8].mean(), nats[8:16].mean(), nats[16:].mean()]
    text = reading(colour, images, np.mean(batches) / LN2 / DIMS, batch_size=None).text
    assert "the last of 1 images only, batches of 8" in text


def test_a_figure_that_nothing_gives(colour, images):
    found = reading(colour, images, 1.2345)
    assert found.verdict == "fails"
    assert "no formula that is known gives so much less" in found.text


def test_a_figure_without_images(colour):
    found = audit(logits=colour, shape=COLOUR, num_levels=LEVELS, reported="2.9")
    assert found["bits/dim"].verdict == "cannot be told"


def test_few_digits_are_enough_to_be_right(colour, images, nats):
    right = nats.mean() / LN2 / DIMS
    found = audit(
        logits=colour, shape=COLOUR, num_levels=LEVELS, images=images, reported=f"{right:.1f}"
    )
    assert found["bits/dim"].verdict == "holds"


def test_bits_per_dim_alone(colour, images, nats):
    found = audit(logits=colour, shape=COLOUR, num_levels=LEVELS, images=images, inputs="unit")
    assert f"{nats.mean() / LN2 / DIMS:.4f} bits/dim" in found["bits/dim"].text


def test_a_uniform_model_costs_eight_bits():
    images = torch.randint(256, (3, *GREY))
    found = audit(
        logits=lambda x: torch.zeros(len(x), 256, 5, 6),
        shape=GREY,
        num_levels=256,
        images=images,
        reported=8.0,
    )
    assert found["bits/dim"].verdict == "holds"


def test_targets_that_were_cut_off(colour):
    """Targets from scaled floats, cut off instead of rounded, are one too low for some levels."""
    cut = truncated(torch.arange(256)[None, None, :, None], 256)
    assert any("63 of 256" in name for name in cut)
    levels = torch.arange(16).view(1, 1, 4, 4).repeat(5, 1, 1, 1)
    made = ((levels / 15 * 2 - 1 + 1) / 2 * 15).long()
    assert (made != levels).any()
    table = torch.randn(16, generator=torch.Generator().manual_seed(2)).cumsum(0)

    def logits(images):
        return table[:, None, None].expand(len(images), 16, 4, 4)

    nats = -table.double().log_softmax(0)[made].flatten(1).sum(1)
    found = audit(
        logits=logits,
        shape=(1, 4, 4),
        num_levels=16,
        images=levels,
        reported=f"{nats.mean() / LN2 / 16:.6g}",
    )
    assert "targets cut off from scaled floats" in found["bits/dim"].text
    assert found["bits/dim"].verdict == "fails"


def test_a_figure_with_batch_statistics(images):
    torch.manual_seed(0)
    model = zoo.Grey(norm=True)
    grey = images[:, :1]
    model.train()
    with torch.no_grad():
        pmf = model(grey / 7).double().log_softmax(1)
    nats = -pmf.gather(1, grey).flatten(1).sum(1)
    found = audit(
        logits=model, shape=(1, 4, 5), num_levels=LEVELS, images=grey, inputs="unit",
        reported=f"{nats.mean() / LN2 / 20:.6g}", batch_size=COUNT,
    )  # fmt: skip
    assert "in training mode, with the statistics of each batch" in found["bits/dim"].text


def test_the_digits_of_a_figure():
    assert digits_of("2.92") == (2.92, pytest.approx(0.005))
    assert digits_of("1.8e-3") == (1.8e-3, pytest.approx(0.00005))


# --- plausibility --------------------------------------------------------------------------------


@pytest.mark.parametrize(("data", "figure", "causal", "verdict"), [
    ("cifar10", 2.92, "holds", "holds"),
    ("cifar10", 1.631, "fails", "fails"),
    ("CIFAR-10", 2.3, "holds", "fails"),
    ("imagenet64", 3.44, "holds", "holds"),
    ("imagenet32", 2.9, "holds", "fails"),
    ("digits", 1.7, "holds", "cannot be told"),
])  # fmt: skip
def test_what_is_plausible(data, figure, causal, verdict):
    found = plausible.look(data, figure, causal)
    assert found.verdict == verdict
    assert ("leak" in found.text) == (verdict == "fails")


# --- sums ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def score(colour):
    def log_prob(images):
        pmf = colour(images.float() / 7).log_softmax(1)
        return pmf.gather(1, images[:, None])[:, 0]

    return log_prob


def normalised(**asked):
    return audit(**{"shape": COLOUR, "num_levels": LEVELS, **asked})["normalised"]


def test_log_probabilities_of_sub_pixels(score):
    assert normalised(log_prob=score).verdict == "holds"
    assert normalised(logits=lambda images: -score(images)).verdict == "holds"
    bits = normalised(log_prob=lambda images: score(images) / LN2)
    assert (bits.verdict, bits.text) == (
        "fails",
        "its numbers are bits, not nats: read so, they sum to one",
    )


def test_scores_that_see_what_they_score():
    torch.manual_seed(0)
    model = zoo.Grey(first="B")

    def log_prob(images):
        return model(images.float()).log_softmax(1).gather(1, images)[:, 0]

    found = normalised(log_prob=log_prob, shape=GREY)
    assert found.verdict == "fails"
    assert "it sees its own value" in found.text
    assert found.counterexample["sum"] != pytest.approx(1, abs=1e-4)


def test_scores_that_use_what_comes_later(score):
    found = audit(
        log_prob=lambda images: score(images).roll(1, -1), shape=COLOUR, num_levels=LEVELS
    )
    assert found["causal"].verdict == "fails"


@pytest.mark.parametrize("factor", [1.0, 1 / LN2, 1.1])
def test_log_probabilities_of_images(factor):
    torch.manual_seed(0)
    model = zoo.Grey(levels=2)

    def log_prob(images):
        return factor * model(images.float()).log_softmax(1).gather(1, images).flatten(1).sum(1)

    found = normalised(log_prob=log_prob, shape=(1, 3, 4), num_levels=2)
    assert found.verdict == ("holds" if factor == 1 else "fails")
    assert ("bits, not nats" in found.text) == (factor == 1 / LN2)
    assert "all 4,096 images of 3 x 4" in found.covered


def test_what_a_world_is_too_large_for():
    found = normalised(log_prob=lambda images: -images.float().flatten(1).sum(1), num_levels=256)
    assert found.verdict == "cannot be told"


def test_a_softmax_over_the_wrong_axis(colour):
    found = normalised(logits=lambda images: colour(images).log_softmax(dim=3))
    assert found.verdict == "fails"
    assert "its log-softmax is over axis 3 (H)" in found.text


# --- samples -------------------------------------------------------------------------------------


def draw(model, count, *, shape=(1, 4, 4), choose=None, rounded=True, temperature=1.0):
    generator = torch.Generator().manual_seed(5)
    images = torch.zeros(count, *shape)
    with torch.no_grad():
        for row in range(shape[1]):
            for column in range(shape[2]):
                pmf = (model(images / 7)[..., row, column] / temperature).softmax(1)
                level = (
                    choose(pmf) if choose else torch.multinomial(pmf, 1, generator=generator)[:, 0]
                )
                level = level.float()
                if not rounded:
                    level = level + torch.rand(level.shape, generator=generator) - 0.5
                images[:, 0, row, column] = level
    return images


@pytest.fixture(scope="module")
def sharp():
    torch.manual_seed(0)
    model = zoo.Grey()
    with torch.no_grad():
        model.out.weight.mul_(12)
    return model


def samples(model, sample):
    found = audit(logits=model, shape=(1, 4, 4), num_levels=LEVELS, inputs="unit", sample=sample)
    return found["samples"]


@pytest.mark.parametrize(
    "scale", [lambda x: x.long(), lambda x: x / 7, lambda x: 2 * x / 7 - 1, lambda x: x.numpy()]
)
def test_samples_that_follow_what_is_scored(scale, sharp):
    assert samples(sharp, lambda count: scale(draw(sharp, count))).verdict == "holds"


SAMPLERS = {
    "lie between levels": lambda model, count: draw(model, count, rounded=False),
    "argmax": lambda model, count: draw(model, count, choose=lambda pmf: pmf.argmax(1)),
    "sharper than what is scored": lambda model, count: draw(model, count, temperature=0.7),
    "flatter than what is scored": lambda model, count: draw(model, count, temperature=1.4),
    "not drawn as scored": lambda model, count: torch.randint(8, (count, 1, 4, 4)),
    "samples go from": lambda model, count: torch.full((count, 1, 4, 4), 9),
}


@pytest.mark.parametrize("fault", SAMPLERS)
def test_samplers_that_do_not(fault, sharp):
    found = samples(sharp, lambda count: SAMPLERS[fault](sharp, count))
    assert found.verdict == "fails"
    assert fault in found.text


def of_the_left(images):
    """Each level by three times the one to its left."""
    left = F.pad(7 * images, (1, 0))[..., :-1]
    return -0.5 * (torch.arange(8.0)[:, None, None] - 3 * left % 8) ** 2


def test_a_sampler_that_rounds_only_at_the_end():
    """What is fed back lies between levels, and what comes out does not show it."""
    assert samples(of_the_left, lambda count: draw(of_the_left, count)).verdict == "holds"
    found = samples(
        of_the_left, lambda count: draw(of_the_left, count, rounded=False).round().clamp(0, 7)
    )
    assert found.verdict == "fails"
    assert "feeds back what it did not round" in found.text


@pytest.mark.parametrize(("sample", "message"), [
    (lambda: None, "the sampler raised TypeError"),
    (lambda count: torch.zeros(count, 3, 4, 4), r"the sampler gave \(1024, 3, 4, 4\)"),
    (lambda count: "images", "a str came"),
    (lambda count: torch.zeros(0, 1, 4, 4), "the sampler gave"),
])  # fmt: skip
def test_samplers_that_give_something_else(sample, message, sharp):
    with pytest.raises(SubjectError, match=message):
        samples(sharp, sample)
