"""Attention on tensors: as plain loops have it, for limited rows too, some of which are done at a time."""

import numpy as np
import pytest
import torch

from pixelrnn.layers import attention
from pixelrnn.layers.attention import Attention
from reference import plain_layers

ROWS = [1, 2, 5, 9, 1024]


def layer_of(rows, heads=2, features=3, groups=(0, 0, 1, 2)):
    torch.manual_seed(0)
    pixels = torch.tensor([0, 1, 2, 0])
    layer = Attention(torch.tensor(groups), pixels, heads=heads, features=features, rows=rows)
    return layer.double()


def maps_of(height, width, batch=2):
    return torch.randn(2, batch, 4, height, width, dtype=torch.float64).unbind()


@pytest.mark.parametrize("rows", ROWS)
@pytest.mark.parametrize("size", [(11, 4), (17, 2), (1, 7), (7, 1)], ids=str)
def test_it_finds_what_plain_loops_find(rows, size):
    layer, (maps, image) = layer_of(rows), maps_of(*size)
    with torch.no_grad():
        query, memory = layer.query(maps), layer.memory(maps) + layer.pixels(image)
        found = layer._heads(query, memory).numpy()
    for n in range(len(maps)):
        keys, values = np.split(memory[n].numpy(), 2)
        expected = plain_layers.attention(query[n].numpy(), keys, values, layer.heads, rows)
        np.testing.assert_allclose(found[n], expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("rows", [1, 1024])
def test_gradients(rows, monkeypatch):
    monkeypatch.setattr(attention, "ROWS_AT_ONCE", 2)
    layer, (maps, image) = layer_of(rows, heads=1, features=2), maps_of(5, 2, batch=1)
    inputs = maps.requires_grad_(), image.requires_grad_()
    assert torch.autograd.gradcheck(layer, inputs)


@pytest.mark.parametrize("rows", ROWS)
def test_the_first_pixel_finds_nothing(rows):
    layer, (maps, image) = layer_of(rows), maps_of(4, 3)
    with torch.no_grad():
        found = layer(maps, image) - maps
        expected = layer.out.bias.detach().expand(2, -1)
    np.testing.assert_allclose(found[:, :, 0, 0], expected, atol=1e-12)


@pytest.mark.parametrize("rows", ROWS)
def test_scores_that_are_huge(rows):
    """One pixel is all; nothing is infinite."""
    layer, (maps, image) = layer_of(rows), maps_of(9, 3)
    maps, image = (1e4 * maps).requires_grad_(), image.requires_grad_()
    found = layer(maps, image)
    found.sum().backward()
    assert found.isfinite().all()
    assert maps.grad.isfinite().all()


def test_no_images():
    for rows in (1, 1024):
        assert layer_of(rows)(*maps_of(5, 3, batch=0)).shape == (0, 4, 5, 3)


def test_limited_rows_are_exported_too(tiny_model, random_images):
    model = tiny_model("pixel-snail", dtype=torch.float32, attention_rows=2)
    images = random_images(2, 1, 20, 4)
    exported = torch.export.export(model, (images,), strict=False).module()
    torch.testing.assert_close(exported(images), model(images))
