"""The masked convolution against the plain one, and what it stores."""

import itertools

import numpy as np
import pytest
import torch

from pixelrnn.layers import LinearPrediction, MaskedConv2d, feature_groups
from reference.plain_layers import masked_convolution
from tracing import reach_of

SHAPES = [(5, 7), (7, 5), (1, 6), (6, 1)]


def build(kernel, mask_type, in_features=5, out_features=7, groups=3, **settings):
    torch.manual_seed(0)
    ins, outs = feature_groups(in_features, groups), feature_groups(out_features, groups)
    conv = MaskedConv2d(ins, outs, kernel, mask_type, **settings).double()
    if conv.bias is not None:
        torch.nn.init.normal_(conv.bias)
    return conv, ins.tolist(), outs.tolist()


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: f"{shape[0]}x{shape[1]}")
@pytest.mark.parametrize(
    ("kernel", "dilation"),
    [((3, 3), 1), ((3, 3), 2), ((1, 5), 1), ((5, 1), 1), ((3, 5), 3), ((5, 3), 2), ((1, 1), 1)],
    ids=str,
)
@pytest.mark.parametrize("mask_type", ["A", "B"])
def test_equals_reference(shape, kernel, dilation, mask_type):
    conv, ins, outs = build(kernel, mask_type, dilation=dilation)
    maps = torch.randn(1, 5, *shape, dtype=torch.float64)
    kernel_values, bias = conv.kernel().detach().numpy(), conv.bias.detach().numpy()
    expected = masked_convolution(
        maps[0].numpy(), kernel_values, bias, mask_type, ins, outs, dilation
    )
    np.testing.assert_allclose(conv(maps)[0].detach().numpy(), expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("mask_type", ["A", "B"])
def test_kernel_is_zero_just_where_masked(mask_type):
    conv, ins, outs = build((5, 3), mask_type)
    kernel = conv.kernel()
    assert kernel.shape == (7, 5, 3, 3)  # the causal rows of 5 x 3
    for o, i, row, column in itertools.product(range(7), range(5), range(3), range(3)):
        before = row < 2 or column < 1
        own = (row, column) == (2, 1)
        shown = ins[i] < outs[o] or (mask_type == "B" and ins[i] == outs[o])
        assert bool(kernel[o, i, row, column] != 0) == (before or (own and shown))


def test_weights_lie_in_the_order_output_input_row_column():
    conv, _, _ = build((3, 3), "B")
    with torch.no_grad():
        conv.weight.copy_(torch.arange(conv.weight.numel()) + 1)
    kernel = conv.kernel().flatten()
    assert torch.equal(kernel[kernel != 0], conv.weight)


def test_without_bias():
    conv, _, _ = build((3, 3), "B", bias=False)
    assert conv.bias is None
    assert not conv(torch.zeros(1, 5, 2, 2, dtype=torch.float64)).any()


@pytest.mark.parametrize("kernel", [(2, 3), (3, 4)], ids=str)
def test_even_kernels_are_refused(kernel):
    with pytest.raises(ValueError, match=f"not {kernel[0]} x {kernel[1]}"):
        build(kernel, "A")


@pytest.mark.parametrize("dilation", [1, 2])
@pytest.mark.parametrize("kernel", [(3, 3), (5, 1), (1, 5), (3, 5)], ids=str)
@pytest.mark.parametrize("mask_type", ["A", "B"])
def test_reach_is_where_the_gradient_is(kernel, dilation, mask_type):
    conv, ins, outs = build(kernel, mask_type, dilation=dilation)
    for group in range(3):
        maps = torch.randn(1, 5, 5, 6, dtype=torch.float64, requires_grad=True)
        conv(maps)[0, np.array(outs) == group, 3, 2].sum().backward()
        felt = (maps.grad[0] != 0).numpy()
        np.testing.assert_array_equal(felt, reach_of(conv, ins, group, (3, 2), (5, 6)))


def test_initial_output_has_about_unit_variance():
    torch.manual_seed(0)
    conv = MaskedConv2d(feature_groups(60, 3), feature_groups(90, 3), (3, 3), "B").double()
    result = conv(torch.randn(4, 60, 16, 16, dtype=torch.float64))[:, :, 2:, 2:-2]
    by_group = [result[:, group : group + 30].std().item() for group in (0, 30, 60)]
    assert by_group == pytest.approx([1.0, 1.0, 1.0], abs=0.1)


def test_gain_scales_the_weights_and_zeroes_the_biases():
    conv, _, _ = build((3, 3), "B")
    torch.manual_seed(3)
    conv.reset_parameters()
    usual = conv.weight.detach().clone()
    torch.manual_seed(3)
    conv.reset_parameters(gain=0.5)
    torch.testing.assert_close(conv.weight.detach(), usual * 0.5)
    assert not conv.bias.any()


@pytest.mark.parametrize("channels", [1, 3])
def test_linear_prediction_starts_as_west_plus_north_minus_northwest(channels):
    values = torch.randn(2, channels, 4, 5, dtype=torch.float64)
    result = LinearPrediction(channels).double()(values, values[:, :0])
    padded = torch.nn.functional.pad(values, (1, 0, 1, 0))
    expected = padded[..., 1:, :-1] + padded[..., :-1, 1:] - padded[..., :-1, :-1]
    torch.testing.assert_close(result, expected, rtol=0, atol=1e-14)


def test_linear_prediction_couples_all_colours_of_four_neighbours():
    layer = LinearPrediction(3).double()
    torch.nn.init.normal_(layer.conv.weight)
    assert layer.conv.weight.numel() == 3 * 3 * 4
    values = torch.randn(1, 3, 4, 5, dtype=torch.float64, requires_grad=True)
    layer(values, values[:, :0])[0, 0, 2, 2].backward()
    expected = np.zeros((4, 5), dtype=bool)
    expected[1, 1:4] = expected[2, 1] = True
    for colour in range(3):
        np.testing.assert_array_equal((values.grad[0, colour] != 0).numpy(), expected)
