"""Contract 8: every parameter gets a gradient, and a tiny model learns four images by heart."""

import math

import pytest
import torch


@pytest.mark.parametrize(
    "settings",
    [{}, {"skip_connections": True, "head_layers": 2}],
    ids=["plain", "skips-deep-head"],
)
def test_every_single_weight_gets_a_gradient(
    kind, likelihood, channels, size, settings, tiny_model, random_images
):
    """Every entry for one of a few initialisations: in one alone, a ReLU may block some."""
    images = random_images(4, channels, *size)
    moved = None
    for seed in range(8):
        model = tiny_model(kind, likelihood, channels, seed=seed, **settings)
        model.log_prob(images).sum().backward()
        gradients = {name: parameter.grad for name, parameter in model.named_parameters()}
        assert all(gradient.isfinite().all() for gradient in gradients.values())
        assert [name for name, gradient in gradients.items() if not gradient.any()] == []
        now = {name: gradient != 0 for name, gradient in gradients.items()}
        moved = now if moved is None else {name: moved[name] | now[name] for name in now}
    assert [name for name, entries in moved.items() if not entries.all()] == []


def test_overfits_four_images(kind, likelihood, channels, tiny_model, random_images):
    model = tiny_model(kind, likelihood, channels, dtype=torch.float32, head_features=16)
    images = random_images(4, channels, 3, 4)
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-2)
    losses = []
    # Knowing which of four images it is costs log(4) nats an image: by heart, that is all.
    while len(losses) < 150 and (not losses or losses[-1] >= 0.3 * losses[0]):
        optimizer.zero_grad()
        loss = -model.log_prob(images).mean() / images[0].numel()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        losses.append(loss.item())
    assert losses[0] > 0.8 * math.log(5)
    assert losses[-1] < 0.3 * losses[0]
