"""Colour groups and masks."""

import numpy as np
import pytest
import torch

from pixelrnn.layers import MaskedConv2d, feature_groups, pointwise
from pixelrnn.layers.masks import connections


@pytest.mark.parametrize(
    ("features", "groups", "sizes"),
    [
        (128, 3, [43, 43, 42]),
        (127, 3, [43, 42, 42]),
        (6, 3, [2, 2, 2]),
        (7, 3, [3, 2, 2]),
        (3, 3, [1, 1, 1]),
        (5, 1, [5]),
    ],
)
def test_groups_are_contiguous_and_as_equal_as_can_be(features, groups, sizes):
    expected = np.repeat(np.arange(groups), sizes)
    assert feature_groups(features, groups).tolist() == expected.tolist()


def test_mask_a_hides_the_own_group():
    table = connections(torch.arange(3), torch.arange(3), "A")
    assert table.int().tolist() == [[0, 0, 0], [1, 0, 0], [1, 1, 0]]


def test_mask_b_shows_the_own_group():
    table = connections(torch.arange(3), torch.arange(3), "B")
    assert table.int().tolist() == [[1, 0, 0], [1, 1, 0], [1, 1, 1]]


def test_connections_of_uneven_groups():
    table = connections(feature_groups(4, 3), feature_groups(5, 3), "B")
    assert table.int().tolist() == [
        [1, 1, 0, 0],
        [1, 1, 0, 0],
        [1, 1, 1, 0],
        [1, 1, 1, 0],
        [1, 1, 1, 1],
    ]


def free_weights(in_sizes, out_sizes, taps_before, mask_type):
    """Count the connections of a masked convolution from the sizes of its groups."""
    inputs, outputs = sum(in_sizes), sum(out_sizes)
    own = 0
    for out_group, out_size in enumerate(out_sizes):
        for in_group, in_size in enumerate(in_sizes):
            if in_group < out_group or (in_group == out_group and mask_type == "B"):
                own += out_size * in_size
    return inputs * outputs * taps_before + own


@pytest.mark.parametrize(
    ("kernel", "mask_type", "expected"),
    [
        ((3, 3), "A", 7 * 3 * 4 + (2 * 1 + 2 * 2)),  # green sees red; blue sees red and green
        ((3, 3), "B", 7 * 3 * 4 + (3 * 1 + 2 * 2 + 2 * 3)),
        ((7, 7), "A", 7 * 3 * 24 + 6),
        ((1, 3), "B", 7 * 3 * 1 + 13),
        ((5, 3), "B", 7 * 3 * 7 + 13),
        ((1, 1), "B", 13),
        ((1, 1), "A", 6),
    ],
    ids=str,
)
def test_only_free_weights_are_parameters(kernel, mask_type, expected):
    conv = MaskedConv2d(feature_groups(3, 3), feature_groups(7, 3), kernel, mask_type)
    taps_before = kernel[0] // 2 * kernel[1] + kernel[1] // 2
    assert free_weights([1, 1, 1], [3, 2, 2], taps_before, mask_type) == expected
    assert conv.weight.numel() == expected
    assert sum(parameter.numel() for parameter in conv.parameters()) == expected + 7


def test_grey_mask_a_counts():
    together = torch.zeros(1, dtype=torch.int64)
    conv = MaskedConv2d(together, torch.zeros(4, dtype=torch.int64), (7, 7), "A", bias=False)
    assert [tuple(parameter.shape) for parameter in conv.parameters()] == [(4 * 24,)]


def test_pointwise_counts():
    layer = pointwise(feature_groups(14, 3), feature_groups(7, 3))
    # 14 = 5 + 5 + 4 inputs; 7 = 3 + 2 + 2 outputs
    assert layer.weight.numel() == 3 * 5 + 2 * 10 + 2 * 14
