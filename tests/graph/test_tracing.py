"""What a trace knows beside the operations: how large their results become."""

import numpy as np
import torch

from pixelrnn.models import store


def test_every_result_has_a_largest_magnitude(
    kind, likelihood, channels, tiny_model, random_images
):
    model = tiny_model(kind, likelihood, channels, noise=0.2)
    assert np.isnan(model.lower().largest()).all()
    assert np.isfinite(model.lower(random_images(3, channels, 5, 7)).largest()).all()


def test_magnitudes_do_not_depend_on_how_images_are_batched(
    kind, likelihood, tiny_model, random_images, monkeypatch
):
    model, images = tiny_model(kind, likelihood, 3, noise=0.2), random_images(7, 3, 5, 4)
    together = model.lower(images).largest()
    monkeypatch.setattr("pixelrnn.models.lowering.CALIBRATION_PIXELS", 1)
    np.testing.assert_allclose(model.lower(images).largest(), together, rtol=1e-12)


def test_a_larger_image_set_has_larger_magnitudes(kind, likelihood, tiny_model, random_images):
    model, images = tiny_model(kind, likelihood, 3, noise=0.2), random_images(7, 3, 5, 4)
    assert (model.lower(images).largest() >= model.lower(images[:1]).largest()).all()


def test_a_calibrated_model_samples_the_same_after_it_was_saved(
    kind, likelihood, tiny_model, random_images, tmp_path
):
    model = tiny_model(kind, likelihood, 3, noise=0.2, dtype=torch.float32)
    before = model.sample(2, size=(5, 5))
    model.calibrate(random_images(2, 3, 4, 4))
    assert (model.lower().largest() == model.calibration).all()
    store.save(model, tmp_path)
    loaded = store.load(tmp_path)
    np.testing.assert_array_equal(loaded.sample(2, size=(5, 5)), model.sample(2, size=(5, 5)))
    assert before.shape == (2, 3, 5, 5)
