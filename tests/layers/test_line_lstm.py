"""The recurrence over lines: its own backward pass, its memory, its precision."""

import pytest
import torch
from torch.autograd import gradcheck
from torch.func import functional_call

from pixelrnn.layers import LineLSTM, MaskedConv2d
from pixelrnn.layers.diagonal_bilstm import _diagonals
from pixelrnn.layers.line_lstm import Line, start_remembering
from pixelrnn.layers.row_lstm import _rows

FEATURES = 2
CPU = torch.device("cpu")


def lines_of(order, height, width):
    return _rows(height, width) if order == "rows" else _diagonals(height, width, CPU)[2]


@pytest.mark.parametrize("shape", [(2, 3), (3, 2), (1, 3), (3, 1)], ids=str)
@pytest.mark.parametrize(
    ("order", "taps", "directions"),
    [
        ("rows", (-1, 0, 1), 1),
        ("rows", (0,), 1),
        ("rows", (-2, -1, 0, 1, 2), 1),
        ("diagonals", (-1, 0), 2),
    ],
    ids=["rows-k3", "rows-k1", "rows-k5", "diagonals"],
)
def test_gradcheck(order, taps, directions, shape):
    torch.manual_seed(0)
    layer = LineLSTM(FEATURES, taps, directions).double()
    lines = lines_of(order, *shape)
    names = ["state_to_state", "initial_hidden", "initial_cell"]
    parameters = [
        torch.randn_like(layer.get_parameter(name)).requires_grad_(True) for name in names
    ]
    inputs = torch.randn(directions, shape[0] * shape[1], 2, 4 * FEATURES, dtype=torch.float64)

    def run(inputs, *parameters):
        return functional_call(layer, dict(zip(names, parameters, strict=True)), (inputs, lines))

    assert gradcheck(run, (inputs.requires_grad_(True), *parameters))


def test_gradients_reach_only_what_needs_them():
    layer = LineLSTM(FEATURES, (0,))
    layer.initial_cell.requires_grad_(False)
    layer(torch.randn(1, 4, 1, 8), _rows(2, 2)).sum().backward()
    assert layer.initial_cell.grad is None
    assert layer.state_to_state.grad.any()


def test_two_backward_passes_add_up():
    torch.manual_seed(0)
    layer = LineLSTM(FEATURES, (-1, 0), 2).double()
    inputs = torch.randn(2, 6, 2, 8, dtype=torch.float64)
    lines = lines_of("diagonals", 2, 3)
    result = layer(inputs, lines).pow(2).sum()
    result.backward(retain_graph=True)
    once = layer.state_to_state.grad.clone()
    result.backward()
    torch.testing.assert_close(layer.state_to_state.grad, 2 * once, rtol=1e-14, atol=1e-14)


def test_the_input_is_left_alone():
    layer = LineLSTM(FEATURES, (-1, 0, 1))
    inputs = torch.randn(1, 6, 2, 8)
    before = inputs.clone()
    layer(inputs, _rows(2, 3)).sum().backward()
    assert torch.equal(inputs, before)


def test_mixed_precision_keeps_the_precision_of_the_weights():
    layer = LineLSTM(FEATURES, (-1, 0, 1))
    inputs = torch.randn(1, 6, 2, 8).bfloat16()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        result = layer(inputs, _rows(2, 3))
    assert result.dtype == torch.float32
    assert torch.equal(result, layer(inputs.float(), _rows(2, 3)))


def test_forget_gates_start_at_one():
    zeros = torch.zeros(4 * 3, dtype=torch.int64)
    gates = MaskedConv2d(torch.zeros(2, dtype=torch.int64), zeros, (1, 1), "B")
    start_remembering(gates, features=3)
    assert gates.bias.tolist() == [0.0] * 3 + [1.0] * 3 + [0.0] * 6


def test_gates_without_a_bias_are_refused():
    zeros = torch.zeros(4, dtype=torch.int64)
    with pytest.raises(ValueError, match="bias"):
        start_remembering(MaskedConv2d(zeros, zeros, (1, 1), "B", bias=False), features=1)


def test_lines():
    line = Line(start=5, stop=8, first=2)
    assert (line.cells, line.sites(), line.sites(-1)) == (slice(5, 8), slice(2, 5), slice(1, 4))


@pytest.mark.parametrize("shape", [(5, 7), (7, 5), (1, 6), (6, 1), (4, 4)], ids=str)
def test_diagonals_hold_each_pixel_once_in_the_order_of_their_sum(shape):
    height, width = shape
    to_packed, to_raster, lines = _diagonals(height, width, CPU)
    for direction, packed in enumerate(to_packed.tolist()):
        assert sorted(packed) == list(range(height * width))
        assert [packed[to_raster[direction, n]] for n in range(height * width)] == sorted(packed)
        for number, line in enumerate(lines):
            for cell, site in zip(packed[line.cells], range(height)[line.sites()], strict=True):
                row, column = divmod(cell, width)
                column = column if direction == 0 else width - 1 - column
                assert (row, row + column) == (site, number)
    assert lines[-1].stop == height * width
