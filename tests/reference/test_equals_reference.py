"""Contract 9: the fast models equal the plain ones, forward and gradient."""

import numpy as np
import pytest
import torch

from reference import plain_model

TOLERANCE = 1e-10
SIZES = [(5, 7), (7, 5), (1, 6), (6, 1)]


def assert_equals_reference(model, images):
    with torch.no_grad():
        parameters, nats = model(images).numpy(), model.log_prob_map(images).numpy()
    for n, image in enumerate(images.numpy()):
        np.testing.assert_allclose(
            parameters[n], plain_model.network(model, image), rtol=TOLERANCE, atol=TOLERANCE
        )
        np.testing.assert_allclose(
            nats[n], plain_model.log_prob_map(model, image), rtol=TOLERANCE, atol=TOLERANCE
        )


@pytest.mark.parametrize("shape", SIZES, ids=lambda shape: f"{shape[0]}x{shape[1]}")
def test_forward(kind, likelihood, channels, shape, tiny_model, random_images):
    model = tiny_model(kind, likelihood, channels, noise=0.2)
    assert_equals_reference(model, random_images(2, channels, *shape))


def test_forward_of_decorrelated_pixels(kind, likelihood, channels, tiny_model, random_images):
    """Images of noise, which no photograph is like, are thirty times as large to such a layer."""
    model = tiny_model(kind, likelihood, channels, noise=0.2, decorrelate=True)
    model.stem.weight.data /= 30
    assert_equals_reference(model, random_images(2, channels, *SIZES[0]))


@pytest.mark.parametrize(
    "settings",
    [
        {"skip_connections": True, "layers": 3},
        {"head_layers": 3},
        {"border_channel": False},
        {"stem_kernel_size": 7, "features": 6},
        {"num_levels": 2},
        {"layers": 1, "features": 4, "head_features": 5},
    ],
    ids=["skips", "deep-head", "no-border", "7x7-stem", "2-levels", "one-layer"],
)
def test_forward_with_settings(kind, likelihood, settings, tiny_model, random_images):
    model = tiny_model(kind, likelihood, 3, noise=0.2, **settings)
    assert_equals_reference(model, random_images(1, 3, 4, 5, model.config.num_levels))


@pytest.mark.parametrize("kernel_size", [1, 5])
@pytest.mark.parametrize("wide_kind", ["pixelcnn", "row-lstm"])
def test_forward_with_other_kernels(wide_kind, kernel_size, likelihood, tiny_model, random_images):
    model = tiny_model(wide_kind, likelihood, 3, noise=0.2, kernel_size=kernel_size)
    assert_equals_reference(model, random_images(1, 3, 3, 4))


def test_forward_with_dilations(likelihood, channels, tiny_model, random_images):
    settings = {"dilations": (1, 2), "layers": 3}
    model = tiny_model("pixelcnn", likelihood, channels, noise=0.2, **settings)
    assert_equals_reference(model, random_images(1, channels, 5, 7))


def test_gradient(kind, likelihood, channels, tiny_model, random_images):
    """Two entries of every parameter, by central differences of the plain version."""
    settings = {"skip_connections": True, "head_layers": 2, "features": 6}
    model = tiny_model(kind, likelihood, channels, noise=0.2, **settings)
    image = random_images(1, channels, 3, 4, seed=3)
    model.log_prob(image).sum().backward()
    choose = np.random.default_rng(5)
    for name, parameter in model.named_parameters():
        for index in choose.choice(parameter.numel(), size=2, replace=parameter.numel() < 2):
            fast = parameter.grad.view(-1)[index].item()
            slow = slope(model, parameter, int(index), image[0].numpy())
            assert fast == pytest.approx(slow, rel=1e-6, abs=1e-7), f"{name}[{index}]"


def slope(model, parameter, index, image, step=1e-5):
    """Return the slope of the plain log-probability along one entry of a parameter."""
    flat = parameter.detach().view(-1)
    start = flat[index].item()
    nats = []
    for value in (start + step, start - step):
        flat[index] = value
        nats.append(plain_model.log_prob_map(model, image).sum())
    flat[index] = start
    return (nats[0] - nats[1]) / (2 * step)
