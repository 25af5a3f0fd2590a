"""The first layer that reads decorrelated pixels: what it decorrelates, and that its mask holds."""

import numpy as np
import pytest
import torch
from torch.autograd import gradcheck

from pixelrnn.layers import DecorrelatedConv2d, feature_groups
from pixelrnn.layers.decorrelated_conv import COLOUR, NEIGHBOUR, VARIANCE


def layer(groups, colours=3, features=5):
    """Return a layer that reads colours and a map of ones."""
    torch.manual_seed(0)
    reads = torch.cat([feature_groups(colours, groups), torch.zeros(1, dtype=torch.int64)])
    return DecorrelatedConv2d(
        colours, reads, feature_groups(features, groups), (5, 5), "A"
    ).double()


@pytest.mark.parametrize(("groups", "colours"), [(1, 3), (3, 3), (1, 1)])
def test_what_the_weights_multiply_is_uncorrelated(groups, colours):
    """Each output's variance, over pixels that are as the model says, is that of its weights."""
    conv = layer(groups, colours)
    kernel = conv.kernel().detach().numpy()
    for output, weights in enumerate(kernel[:, :colours]):
        source, row, column = np.nonzero(conv.mask[output, :colours].numpy())
        distance = np.hypot(row[:, None] - row, column[:, None] - column)
        covariance = VARIANCE * NEIGHBOUR**distance * np.where(source[:, None] == source, 1, COLOUR)
        seen = weights[source, row, column]
        own = torch.zeros_like(conv.mask, dtype=torch.float64).flatten()
        own[conv._index] = conv.weight.detach()
        own = own.view(conv.mask.shape)[output, :colours].numpy()
        assert seen @ covariance @ seen == pytest.approx(np.sum(own**2), rel=1e-4)


def test_ones_beside_the_image_stay_as_they_are():
    conv = layer(groups=3)
    own = torch.zeros(conv.mask.numel(), dtype=torch.float64)
    own[conv._index] = conv.weight.detach()
    torch.testing.assert_close(conv.kernel()[:, 3], own.view(conv.mask.shape)[:, 3])


@pytest.mark.parametrize("groups", [1, 3])
def test_nothing_that_the_mask_hides_gets_a_weight(groups):
    conv = layer(groups)
    assert (conv.kernel()[~conv.mask] == 0).all()
    assert (conv.kernel()[conv.mask] != 0).all()


def test_gradcheck():
    conv = layer(groups=3)
    maps = torch.randn(1, 4, 3, 4, dtype=torch.float64, requires_grad=True)
    assert gradcheck(lambda *_: conv(maps), (maps, conv.weight, conv.bias))


def test_mixed_precision_does_not_round_what_nearly_cancels():
    conv = layer(groups=3).float()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        mixed = conv.weights()
    assert torch.equal(mixed, conv.weights())
