"""Models that are given something of the images they score: each image is given its own."""

import numpy as np
import pytest
import torch

import pixelrnn
from pixelrnn.completion import complete
from pixelrnn.errors import ImageMismatchError
from pixelrnn.evaluation import evaluate
from pixelrnn.scoring import Scorer, measuring
from pixelrnn.units import bits

LABELS = np.array([0, 2, 1, 1, 0, 2, 0])


def cost(model, images):
    """Bits of each pixel, all images at once."""
    with torch.inference_mode():
        return -bits(model.log_prob_map(images, dtype=torch.float64).sum(dim=1).numpy())


@pytest.fixture
def labelled(tiny_model):
    return tiny_model("pixelcnn", num_labels=3, noise=0.3)


@pytest.fixture
def conditioned(tiny_model):
    return tiny_model("pixelcnn", num_labels=3, noise=0.3, condition={"kind": "given"})


@pytest.mark.parametrize("batch_size", [1, 3, 4, 7, 50])
def test_each_image_has_its_own_label_whatever_the_batch(labelled, batch_size, random_images):
    given, model = random_images(7, 1, 5, 6), labelled.given(LABELS)
    found = Scorer(model, codec="none", batch_size=batch_size)(given)
    np.testing.assert_allclose(found.map, cost(model, given), rtol=1e-9)
    assert abs(found.map - cost(labelled, given)).max() > 1e-3
    of_all = Scorer(labelled.given(2), codec="none", batch_size=batch_size)(given)
    np.testing.assert_allclose(of_all.map, cost(labelled.given(2), given), rtol=1e-9)


def test_a_background_model_has_its_own(labelled, random_images):
    given, behind = random_images(7, 1, 5, 6), labelled.given(LABELS)
    found = Scorer(labelled, background=behind, codec="none", batch_size=3)(given)
    expected = cost(labelled, given) - cost(behind, given)
    np.testing.assert_allclose(found.map, expected, atol=1e-9)


@pytest.mark.parametrize("count", [1, 7])
def test_a_given_image_is_cut_as_the_images_are(conditioned, count, random_images, monkeypatch):
    monkeypatch.setattr(measuring, "TILE", 4)
    given, by = random_images(7, 1, 6, 9), random_images(count, 1, 6, 9).flip(0)
    known = torch.arange(9) % 2 == 0
    known = known.expand(count, 1, 6, 9)
    model = conditioned.given(LABELS, image=by, known=known)
    found = Scorer(model, codec="none", batch_size=3)(given)
    for rows, columns in ((slice(0, 4), slice(4, 8)), (slice(4, 6), slice(8, 9))):
        of_square = by[:, :, rows, columns], known[:, :, rows, columns]
        alone = conditioned.given(LABELS, image=of_square[0], known=of_square[1])
        expected = cost(alone, given[:, :, rows, columns])
        np.testing.assert_allclose(found.map[:, rows, columns], expected, rtol=1e-9)


@pytest.mark.parametrize("by", ["labels", "images to condition on"])
@pytest.mark.parametrize("count", [3, 4, 6, 8, 14])
def test_their_number_is_that_of_the_images(conditioned, by, count, random_images):
    given = random_images(7, 1, 5, 6)
    model = (
        conditioned.given(np.zeros(count, int))
        if by == "labels"
        else conditioned.given(image=random_images(count, 1, 5, 6))
    )
    known = np.arange(5)[:, None] < np.full(6, 2)
    for ask in (
        Scorer(model, codec="none", batch_size=count),
        Scorer(conditioned, background=model, codec="none"),
        lambda images: evaluate(model, images, batch_size=count),
        lambda images: complete(model, images, known),
    ):
        with pytest.raises(ImageMismatchError, match=f"{count} {by} for 7 images"):
            ask(given)


def test_a_given_image_of_another_size(conditioned, random_images, monkeypatch):
    monkeypatch.setattr(measuring, "TILE", 4)
    scorer = Scorer(conditioned.given(image=random_images(1, 1, 8, 8)), codec="none")
    with pytest.raises(ImageMismatchError, match="of that size, not of 8 x 8"):
        scorer(random_images(2, 1, 8, 4))


def test_normal_images_are_given_their_own(labelled, random_images):
    given, normal = random_images(7, 1, 5, 6), random_images(40, 1, 5, 6, seed=1)
    numbers = np.arange(40) % 3
    with pytest.raises(ImageMismatchError, match="fit_measured"):
        pixelrnn.score(labelled.given(LABELS), given, normal=normal, codec="none")
    of_normal = Scorer(labelled.given(numbers), codec="none").measure(normal).columns
    found = Scorer(labelled.given(LABELS), codec="none").fit_measured(of_normal)(given)
    assert found.p_value.shape == (7,)
    alike = pixelrnn.score(labelled.given(1), given, normal=normal, codec="none")
    assert alike.p_value.shape == (7,)
