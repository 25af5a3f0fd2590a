"""Contract 1: no parameter and no score depends on what comes later."""

import pytest
import torch

from pixelrnn.contract import check_causal


def take_steps(model, images, count, learning_rate=1e-2):
    """Take steps of Adam on random images, and return the nats per image before each."""
    optimizer = torch.optim.Adam(model.parameters(), lr=learning_rate)
    losses = []
    for _ in range(count):
        optimizer.zero_grad()
        loss = -model.log_prob(images).mean()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


def test_causal_at_first_and_after_training(
    kind, likelihood, channels, size, tiny_model, random_images, generator
):
    model = tiny_model(kind, likelihood, channels)
    image, *_ = random_images(1, channels, *size)
    check_causal(model, image, generator)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    losses = take_steps(model, random_images(4, channels, *size, seed=1), 20)
    assert losses[-1] < losses[0]
    assert all(not torch.equal(before[name], now) for name, now in model.state_dict().items())
    check_causal(model, image, generator)


@pytest.mark.parametrize(
    "settings",
    [
        {"skip_connections": True, "head_layers": 3, "layers": 3},
        {"border_channel": False},
        {"decorrelate": True},
        {"stem_kernel_size": 7, "features": 6},
        {"num_levels": 2},
        {"features": 3, "head_features": 3},
    ],
    ids=[
        "skips-deep-head",
        "no-border",
        "decorrelated",
        "7x7-stem",
        "2-levels",
        "one-feature-a-group",
    ],
)
def test_causal_with_settings(
    kind, likelihood, size, settings, tiny_model, random_images, generator
):
    model = tiny_model(kind, likelihood, 3, noise=0.2, **settings)
    image, *_ = random_images(1, 3, *size, model.config.num_levels)
    check_causal(model, image, generator)


@pytest.mark.parametrize("num_levels", [2, 17, 256])
def test_causal_with_any_number_of_levels(
    kind, likelihood, channels, num_levels, tiny_model, random_images, generator
):
    model = tiny_model(kind, likelihood, channels, num_levels=num_levels)
    image, *_ = random_images(1, channels, 3, 4, num_levels)
    check_causal(model, image, generator)


@pytest.mark.parametrize("kernel_size", [1, 5])
@pytest.mark.parametrize("wide_kind", ["pixelcnn", "row-lstm"])
def test_causal_with_other_kernels(
    wide_kind, kernel_size, size, tiny_model, random_images, generator
):
    model = tiny_model(wide_kind, "categorical", 3, noise=0.2, kernel_size=kernel_size)
    check_causal(model, random_images(1, 3, *size)[0], generator)


def test_causal_with_dilations(likelihood, size, tiny_model, random_images, generator):
    model = tiny_model("pixelcnn", likelihood, 3, noise=0.2, dilations=(1, 2, 4), layers=3)
    check_causal(model, random_images(1, 3, *size)[0], generator)
