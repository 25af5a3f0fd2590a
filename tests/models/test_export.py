"""`torch.export` of every model: its graph gives the parameters that the model gives."""

import pytest
import torch

from pixelrnn.likelihoods import CategoricalConfig, LogisticMixtureConfig
from pixelrnn.models import CONFIGS, build


@pytest.mark.parametrize("likelihood", [CategoricalConfig(), LogisticMixtureConfig()])
@pytest.mark.parametrize("config", CONFIGS.values())
def test_a_model_is_exported(config, likelihood):
    model = build(config(features=6, head_features=6, layers=1, likelihood=likelihood)).eval()
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(256, (5, 3, 4, 3), generator=generator).to(torch.uint8)
    batch = torch.export.Dim("batch", min=1, max=64)
    exported = torch.export.export(
        model, (images[:2],), strict=False, dynamic_shapes={"images": {0: batch}}
    )
    with torch.no_grad():
        given, expected = exported.module()(images), model(images)
    torch.testing.assert_close(given, expected, rtol=1e-5, atol=1e-5)
    # What was made while exporting is not kept: training goes on as before.
    model.nats(images).backward()
    assert all(parameter.grad is not None for parameter in model.parameters())
