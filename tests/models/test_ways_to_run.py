"""A model run in torch, as on every other device, is the same model as the compiled one."""

import pytest
import torch

from pixelrnn import kernels

SETTINGS = [{}, {"skip_connections": True, "head_layers": 2}]


@pytest.mark.parametrize("settings", SETTINGS, ids=["plain", "skips"])
def test_values_and_gradients_are_equal(
    kind, likelihood, channels, size, settings, tiny_model, random_images, monkeypatch
):
    model = tiny_model(kind, likelihood, channels, noise=0.2, **settings)
    images = random_images(3, channels, *size)
    found = []
    for take in (kernels.is_supported, lambda _: False):
        monkeypatch.setattr(kernels, "is_supported", take)
        model.zero_grad()
        nats = model.nats(images)
        nats.backward()
        gradients = [parameter.grad for parameter in model.parameters()]
        found.append([nats.detach(), model.log_prob_map(images).detach(), *gradients])
    for compiled, in_torch in zip(*found, strict=True):
        torch.testing.assert_close(compiled, in_torch, rtol=1e-10, atol=1e-11)


def test_half_precision_runs_in_torch(kind, likelihood, tiny_model, random_images):
    model = tiny_model(kind, likelihood, 3, dtype=torch.bfloat16)
    nats = model.nats(random_images(2, 3, 5, 7))
    nats.backward()
    assert torch.isfinite(nats)
