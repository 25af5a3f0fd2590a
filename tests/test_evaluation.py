"""Bits/dim: the same for every batch size, exactly 8 for a uniform model, and divided once.

The ways in which public code gets this number wrong are written out below, and every check is shown to
tell them from the right one.
"""

import dataclasses
import math

import numpy as np
import pytest
import torch

from pixelrnn.data import DataSet
from pixelrnn.data.splits import SPLITS, Part
from pixelrnn.errors import ImageMismatchError
from pixelrnn.evaluation import Evaluation, conditioned, evaluate, labels_for
from pixelrnn.models import CONFIGS, build

COUNT = 23  # not a multiple of 7: the last batch of 7 is short
BITS = 1 / math.log(2)


@pytest.fixture
def images(random_images):
    """Images that differ much in what they cost: the first are flat, the others noise."""
    drawn = random_images(COUNT, 3, 5, 4, num_levels=5).numpy()
    drawn[:9] = 2
    return drawn


@pytest.fixture
def model(tiny_model):
    return tiny_model("pixelcnn", "categorical", 3, noise=0.5, dtype=torch.float32)


def costs(model, images):
    """Nats of each image, one image at a time."""
    with torch.inference_mode():
        return np.array(
            [-float(model.log_prob(torch.from_numpy(image[None].copy()))) for image in images]
        )


# The same for every batch size.


@pytest.mark.parametrize("batch_size", [1, 7, 64, COUNT])
def test_batch_size_does_not_matter(kind, likelihood, batch_size, tiny_model, images):
    model = tiny_model(kind, likelihood, 3, noise=0.1, dtype=torch.float32)
    nats = costs(model, images)
    found = evaluate(model, images, batch_size=batch_size)
    expected = nats.mean() * BITS / images[0].size
    assert found.num_images == COUNT
    assert found.bits_per_dim == pytest.approx(expected, abs=1e-6, rel=0)
    assert found.nats_per_image == pytest.approx(nats.mean(), rel=1e-6)
    np.testing.assert_allclose(found.nats.sum(axis=1), nats, rtol=2e-6)


def batch_means_averaged(nats, batch_size):
    """The mistake of averaging batches of unequal size."""
    batches = [nats[start : start + batch_size] for start in range(0, len(nats), batch_size)]
    return np.mean([batch.mean() for batch in batches]) * BITS / 60


def last_batch_dropped(nats, batch_size):
    """The mistake of a loader with drop_last."""
    kept = len(nats) // batch_size * batch_size
    return nats[:kept].mean() * BITS / 60


def divided_twice(nats, _):
    """The mistake of dividing an average over sub-pixels by their number."""
    return nats.mean() / 60 * BITS / 60


def nats_called_bits(nats, _):
    """The mistake of leaving log(2) out."""
    return nats.mean() / 60


@pytest.mark.parametrize(
    "mistake", [batch_means_averaged, last_batch_dropped, divided_twice, nats_called_bits]
)
def test_known_mistakes_would_be_seen(mistake, model, images):
    found = evaluate(model, images, batch_size=7).bits_per_dim
    nats = costs(model, images)
    assert found == pytest.approx(nats.mean() * BITS / 60, abs=1e-6, rel=0)
    assert mistake(nats, 7) != pytest.approx(found, abs=1e-3, rel=0)


def test_nothing_is_dropped(model, images):
    seen = []
    found = evaluate(model, images, batch_size=7, on_progress=seen.append)
    assert seen == [7, 7, 7, COUNT - 21]
    assert found.nats.shape == (COUNT, 3)
    assert np.isfinite(found.nats).all()


# Exactly 8.


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("batch_size", [1, 7, 64])
def test_uniform_logits_cost_exactly_8(kind, channels, batch_size):
    config = CONFIGS[kind](
        channels=channels, features=4, layers=1, likelihood={"kind": "categorical"}
    )
    model = build(config)
    with torch.no_grad():
        model.head.output.weight.zero_()
        model.head.output.bias.zero_()
    levels = np.random.default_rng(0).integers(256, size=(9, channels, 6, 5), dtype=np.uint8)
    found = evaluate(model, levels, batch_size=batch_size)
    assert found.bits_per_dim == pytest.approx(8, abs=1e-12, rel=0)
    assert found.standard_error == pytest.approx(0, abs=1e-12)
    np.testing.assert_allclose(found.bits_map, 8, atol=1e-12)


def test_a_float32_likelihood_would_not_be_exact():
    """Why `evaluate` asks for the likelihood in float64."""
    config = CONFIGS["pixelcnn"](
        channels=1, features=4, layers=1, likelihood={"kind": "categorical"}
    )
    model = build(config)
    with torch.no_grad():
        model.head.output.weight.zero_()
    images = torch.zeros(3, 1, 4, 4, dtype=torch.uint8)
    single = -model.log_prob_map(images).sum().item() * BITS / images.numel()
    assert abs(single - 8) > 1e-12


# Its parts.


def test_standard_error_is_that_of_the_images(model, images):
    found = evaluate(model, images, batch_size=7)
    each = costs(model.double(), images) * BITS / 60
    mean = each.sum() / COUNT
    by_hand = math.sqrt(((each - mean) ** 2).sum() / (COUNT - 1)) / math.sqrt(COUNT)
    assert found.standard_error == pytest.approx(by_hand, rel=1e-5)
    assert found.standard_error > 0.01
    np.testing.assert_allclose(found.bits_per_dim_per_image, each, rtol=1e-5)


def test_colours_average_to_the_total(model, images):
    found = evaluate(model, images)
    by_channel = found.bits_per_dim_by_channel
    assert len(by_channel) == 3
    assert len(set(by_channel)) == 3
    assert np.mean(by_channel) == pytest.approx(found.bits_per_dim, rel=1e-12)


def test_colours_are_in_the_order_red_green_blue(model, images):
    found = evaluate(model, images)
    with torch.inference_mode():
        nats = -model.double().log_prob_map(torch.from_numpy(images)).numpy()
    expected = nats.sum(axis=(0, 2, 3)) * BITS / (COUNT * 20)
    np.testing.assert_allclose(found.bits_per_dim_by_channel, expected, rtol=1e-5)


def test_map_averages_to_the_total(model, images):
    found = evaluate(model, images, batch_size=7)
    assert found.bits_map.shape == (3, 5, 4)
    assert found.bits_map.mean() == pytest.approx(found.bits_per_dim, rel=1e-12)
    assert found.bits_per_dim_per_image.mean() == pytest.approx(found.bits_per_dim, rel=1e-12)


def test_map_is_in_the_place_of_the_pixels(model, images):
    found = evaluate(model, images, batch_size=7)
    with torch.inference_mode():
        nats = -model.double().log_prob_map(torch.from_numpy(images)).numpy()
    np.testing.assert_allclose(found.bits_map, nats.mean(axis=0) * BITS, rtol=1e-5, atol=1e-6)


def test_one_image_has_no_standard_error(model, images):
    assert evaluate(model, images[:1]).standard_error is None


def test_patches_of_one_picture_are_not_independent(model, images):
    alone = evaluate(model, images)
    assert alone.num_pictures == COUNT
    pictures = np.repeat([3, 1, 2], [9, 9, 5])
    found = evaluate(model, images, pictures=pictures)
    assert found.bits_per_dim == alone.bits_per_dim
    assert found.num_pictures == 3
    sums = [
        (found.bits_per_dim_per_image - found.bits_per_dim)[pictures == each].sum()
        for each in (1, 2, 3)
    ]
    expected = math.sqrt(3 / 2 * sum(each**2 for each in sums)) / COUNT
    assert found.standard_error == pytest.approx(expected, rel=1e-9)
    assert found.standard_error > 1.2 * alone.standard_error


def test_printing_shows_figures_and_no_arrays(model, images):
    found = evaluate(model, images)
    assert repr(found).startswith(f"Evaluation({found.bits_per_dim:.4f} ± ")
    assert f"num_images={COUNT}" in repr(found)
    assert "array" not in repr(found)


def test_figures_by_hand():
    nats = np.array([[1.0, 2.0], [3.0, 6.0]])  # two images of two colours, 2 x 1 x 3 sub-pixels
    found = Evaluation(nats, np.full((2, 1, 3), 2.0), seconds=1.0)
    assert found.dims_per_image == 6
    assert found.bits_per_dim == pytest.approx(12 / 12 * BITS)
    assert found.bits_per_dim_by_channel == pytest.approx([4 / 6 * BITS, 8 / 6 * BITS])
    assert found.standard_error == pytest.approx((9 - 3) / 6 * BITS / 2)
    assert found.bits_map == pytest.approx(np.full((2, 1, 3), BITS))


# What must not matter, and what must.


def test_training_mode_and_read_only_images_do_not_matter(model, images):
    frozen = images.view()
    frozen.flags.writeable = False
    expected = evaluate(model.eval(), images).bits_per_dim
    assert evaluate(model.train(), frozen).bits_per_dim == expected
    assert not any(parameter.grad is not None for parameter in model.parameters())


def test_an_image_costs_the_same_in_any_company(model, images):
    together = evaluate(model, images, batch_size=COUNT).bits_per_dim_per_image
    order = np.random.default_rng(1).permutation(COUNT)
    shuffled = evaluate(model, images[order], batch_size=5).bits_per_dim_per_image
    np.testing.assert_allclose(shuffled, together[order], rtol=2e-6)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (np.zeros((2, 1, 5, 4), np.uint8), "RGB images"),
        (np.full((2, 3, 5, 4), 5, np.uint8), "5 levels"),
        (np.zeros((2, 3, 5, 4), np.float32), "uint8"),
    ],
)
def test_images_of_another_kind_are_refused(wrong, message, model):
    with pytest.raises(ImageMismatchError, match=message):
        evaluate(model, wrong)


def test_classes_are_those_of_their_names(tiny_model):
    model = tiny_model("pixelcnn", num_labels=3, label_names=("cat", "dog", "horse"), noise=0.5)
    images = np.arange(2 * 20, dtype=np.uint8).reshape(2, 1, 4, 5) % 5
    part = Part(images, labels=np.array([1, 0]))
    data = DataSet("pets", 5, dict.fromkeys(SPLITS, part), "made", class_names=("dog", "horse"))
    assert labels_for(model, data, "test").tolist() == [2, 1]
    assert conditioned(model, data, "test").given_by.labels.tolist() == [2, 1]
    nameless = dataclasses.replace(data, class_names=())
    assert labels_for(model, nameless, "test").tolist() == [1, 0]
    with pytest.raises(ImageMismatchError, match=r"class 1 in pets, .* knows the classes 0 to 0"):
        labels_for(tiny_model("pixelcnn", num_labels=1), nameless, "test")
    assert labels_for(tiny_model("pixelcnn"), data, "test") is None


def test_classes_that_a_model_does_not_know_are_refused(tiny_model):
    model = tiny_model("pixelcnn", num_labels=2, label_names=("cat", "dog"))
    part = Part(np.zeros((2, 1, 4, 5), np.uint8), labels=np.array([1, 0]))
    data = DataSet("pets", 5, dict.fromkeys(SPLITS, part), "made", class_names=("dog", "horse"))
    with pytest.raises(ImageMismatchError, match=r"images of horse in pets.* knows cat and dog"):
        labels_for(model, data, "test")
    others = dataclasses.replace(part, labels=np.zeros(2, np.int64))  # no image is of a horse
    data = dataclasses.replace(data, parts=dict.fromkeys(SPLITS, others))
    assert labels_for(model, data, "test").tolist() == [1, 1]
