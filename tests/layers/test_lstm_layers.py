"""Row LSTM and Diagonal BiLSTM: against the plain versions and torch's LSTM cell, and their reach."""

import numpy as np
import pytest
import torch
from torch import nn

from pixelrnn import kernels
from pixelrnn.layers import DiagonalBiLSTM, RowLSTM, feature_groups
from reference import plain_layers
from tracing import reach_of

SHAPES = [(5, 7), (7, 5), (1, 6), (6, 1), (1, 1)]
SIZED = pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: f"{shape[0]}x{shape[1]}")


def build(kind, groups=3, kernel_size=3, in_features=8, features=7):
    """Build a layer in which no parameter is zero."""
    torch.manual_seed(0)
    ins, outs = feature_groups(in_features, groups), feature_groups(features, groups)
    layer = RowLSTM(ins, outs, kernel_size) if kind == "row" else DiagonalBiLSTM(ins, outs)
    with torch.no_grad():
        for parameter in layer.double().parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    return layer, ins.tolist(), outs.tolist()


def plain_gates(layer, maps, ins, outs):
    module = layer.input_to_state
    kernel, bias = module.kernel().detach().numpy(), module.bias.detach().numpy()
    copies = len(bias) // len(outs)
    return plain_layers.masked_convolution(maps, kernel, bias, "B", ins, outs * copies)


def states(layer):
    recurrence = layer.recurrence
    return [
        getattr(recurrence, name).detach().numpy()
        for name in ("state_to_state", "initial_hidden", "initial_cell")
    ]


@SIZED
@pytest.mark.parametrize("kernel_size", [1, 3, 5])
def test_row_lstm_equals_reference(shape, kernel_size):
    layer, ins, outs = build("row", kernel_size=kernel_size)
    maps = torch.randn(1, 8, *shape, dtype=torch.float64)
    weights, hidden, cell = states(layer)
    gates = plain_gates(layer, maps[0].numpy(), ins, outs)
    expected = plain_layers.row_lstm(
        gates, weights[0].reshape(kernel_size, 7, 28), hidden[0], cell[0]
    )
    np.testing.assert_allclose(layer(maps)[0].detach().numpy(), expected, rtol=1e-12, atol=1e-12)


@SIZED
def test_diagonal_bilstm_equals_reference(shape):
    layer, ins, outs = build("diagonal")
    maps = torch.randn(1, 8, *shape, dtype=torch.float64)
    weights, hidden, cell = states(layer)
    gates = plain_gates(layer, maps[0].numpy(), ins, outs)
    expected = plain_layers.diagonal_bilstm(gates, weights.reshape(2, 2, 7, 28), hidden, cell)
    np.testing.assert_allclose(layer(maps)[0].detach().numpy(), expected, rtol=1e-12, atol=1e-12)


def run_torch_cell(layer, inputs, extra):
    """Run torch's LSTM cell with a layer's weights over inputs `(steps, in)`.

    Torch orders the gates input, forget, candidate, output; ours are input, forget, output,
    candidate. `extra (4h,)` is added to the gates.
    """
    features = layer.recurrence.initial_hidden.shape[1]

    def reordered(rows):
        i, f, o, g = rows.split(features)
        return torch.cat([i, f, g, o])

    cell = nn.LSTMCell(inputs.shape[1], features, dtype=torch.float64)
    kernel = layer.input_to_state.kernel()[: 4 * features, :, 0, 0]
    bias = layer.input_to_state.bias[: 4 * features] + extra
    with torch.no_grad():
        cell.weight_ih.copy_(reordered(kernel))
        cell.bias_ih.copy_(reordered(bias))
        cell.bias_hh.zero_()
        # The last tap is the cell's own: the row above, or the left neighbour.
        cell.weight_hh.copy_(reordered(layer.recurrence.state_to_state[0, -features:].T))
        state = layer.recurrence.initial_hidden[:1], layer.recurrence.initial_cell[:1]
        steps = []
        for step in inputs:
            state = cell(step[None], state)
            steps.append(state[0][0])
    return torch.stack(steps, dim=1)  # (h, steps)


def test_row_lstm_one_pixel_wide_is_an_lstm():
    layer, _, _ = build("row", groups=1, kernel_size=1)
    maps = torch.randn(1, 8, 6, 1, dtype=torch.float64)
    expected = run_torch_cell(layer, maps[0, :, :, 0].T, extra=torch.zeros(28))
    torch.testing.assert_close(layer(maps)[0, :, :, 0], expected, rtol=1e-12, atol=1e-12)


def test_diagonal_bilstm_one_pixel_high_is_an_lstm_from_the_left():
    layer, _, _ = build("diagonal", groups=1)
    maps = torch.randn(1, 8, 1, 6, dtype=torch.float64)
    # What is above lies outside the image, so the upper tap always reads the initial state.
    above = layer.recurrence.initial_hidden[0] @ layer.recurrence.state_to_state[0, :7]
    expected = run_torch_cell(layer, maps[0, :, 0].T, extra=above)
    torch.testing.assert_close(layer(maps)[0, :, 0], expected, rtol=1e-12, atol=1e-12)


def felt(layer, outs, group, row, column, shape):
    """Return which inputs `(in, H, W)` have a gradient from one group of hidden states."""
    maps = torch.randn(1, 8, *shape, dtype=torch.float64, requires_grad=True)
    layer(maps)[0, np.array(outs) == group, row, column].sum().backward()
    return (maps.grad[0] != 0).numpy()


def picture(*lines):
    return np.array([[mark == "x" for mark in line.split()] for line in lines])


@pytest.mark.parametrize("groups", [1, 3])
def test_row_lstm_sees_its_triangle(groups):
    # Of the row above it reads the states of columns 3 to 5, and each state reads its own input and
    # the one to its left: inputs 2 to 5. Every row up adds a column on each side.
    seen = picture(
        "x x x x x x x x .",
        ". x x x x x x . .",
        ". . x x x x . . .",
        ". . . x x . . . .",  # the pixel is (3, 4)
        ". . . . . . . . .",
    )
    check_reach("row", groups, seen, (3, 4))


@pytest.mark.parametrize("groups", [1, 3])
@pytest.mark.parametrize("pixel", [(0, 0), (0, 3), (2, 0), (2, 3), (2, 6), (4, 6)], ids=str)
def test_diagonal_bilstm_sees_all_earlier_features(groups, pixel):
    row, column = pixel
    before = np.arange(35).reshape(5, 7) <= row * 7 + column
    check_reach("diagonal", groups, before, pixel)


def check_reach(kind, groups, spatial, pixel):
    """Check a layer's claimed and felt reach: `spatial`, but of the pixel itself no later group."""
    layer, ins, outs = build(kind, groups=groups)
    for group in range(groups):
        by_group = np.broadcast_to(spatial, (groups, *spatial.shape)).copy()
        by_group[group + 1 :, pixel[0], pixel[1]] = False
        claimed = reach_of(layer, ins, group, pixel, spatial.shape)
        np.testing.assert_array_equal(claimed, by_group[ins])
        seen = felt(layer, outs, group, *pixel, spatial.shape)
        np.testing.assert_array_equal(seen, by_group[ins])


@pytest.mark.parametrize("kind", ["row", "diagonal"])
def test_a_size_first_seen_in_inference_can_be_trained_on(kind, monkeypatch):
    """As on a GPU, where no compiled loop stands in for torch: what is kept for a size serves both."""
    monkeypatch.setattr(kernels, "is_supported", lambda _: False)
    layer, *_ = build(kind)
    maps = torch.randn(1, 8, 11, 3, dtype=torch.float64)  # a size that no other test has
    with torch.inference_mode():
        layer(maps)
    layer(maps).sum().backward()
    assert layer.recurrence.state_to_state.grad.abs().sum() > 0
