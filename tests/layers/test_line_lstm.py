"""The recurrence over lines: its own backward pass, both ways to run it, its memory, its precision."""

import pytest
import torch
from torch.autograd import gradcheck

from pixelrnn.kernels.memory import MEMORY
from pixelrnn.layers import LineLSTM, MaskedConv2d
from pixelrnn.layers.diagonal_bilstm import _diagonals
from pixelrnn.layers.line_lstm import start_remembering
from pixelrnn.layers.lines import Line
from pixelrnn.layers.recurrence import recur_compiled, recur_in_torch
from pixelrnn.layers.row_lstm import _rows

FEATURES = 2
CPU = torch.device("cpu")
KINDS = pytest.mark.parametrize(
    ("order", "taps", "directions"),
    [
        (_rows, (-1, 0, 1), 1),
        (_rows, (0,), 1),
        (_rows, (-2, -1, 0, 1, 2), 1),
        (_diagonals, (-1, 0), 2),
    ],
    ids=["rows-k3", "rows-k1", "rows-k5", "diagonals"],
)
NAMES = ["state_to_state", "initial_hidden", "initial_cell"]


def build(taps, directions, features=FEATURES):
    """Build a recurrence in which no parameter is zero."""
    torch.manual_seed(0)
    layer = LineLSTM(features, taps, directions).double()
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.normal_()
    return layer


def draw_inputs(layer, batch, shape):
    directions, features = layer.initial_hidden.shape
    return torch.randn(batch, directions * 4 * features, *shape, dtype=torch.float64)


@pytest.mark.parametrize("shape", [(2, 3), (3, 2), (1, 3), (3, 1)], ids=str)
@KINDS
@pytest.mark.parametrize("recur", [recur_compiled, recur_in_torch], ids=["compiled", "torch"])
def test_gradcheck(order, taps, directions, shape, recur):
    layer = build(taps, directions)
    parameters = [layer.get_parameter(name).detach().requires_grad_() for name in NAMES]
    inputs = draw_inputs(layer, 2, shape).requires_grad_()

    def run(inputs, *parameters):
        return recur(inputs, *parameters, layer.taps, order(*shape, CPU))

    assert gradcheck(run, (inputs, *parameters))


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("batch", [1, 3, 11])
@KINDS
def test_both_ways_are_equal(order, taps, directions, batch, threads, use_threads):
    """Groups of images that are full, and one that is not; threads that have work, and none."""
    use_threads(threads)
    layer = build(taps, directions, features=5)
    results = []
    for recur in (recur_compiled, recur_in_torch):
        torch.manual_seed(1)
        inputs = draw_inputs(layer, batch, (4, 6)).requires_grad_()
        layer.zero_grad()
        parameters = [layer.get_parameter(name) for name in NAMES]
        result = recur(inputs, *parameters, layer.taps, order(4, 6, CPU))
        result.backward(torch.randn(result.shape, dtype=torch.float64))
        results.append([result, inputs.grad, *(parameter.grad for parameter in parameters)])
    for compiled, in_torch in zip(*results, strict=True):
        torch.testing.assert_close(compiled, in_torch, rtol=1e-11, atol=1e-11)


def test_gradients_reach_only_what_needs_them():
    layer = LineLSTM(FEATURES, (0,))
    layer.initial_cell.requires_grad_(False)
    layer(torch.randn(1, 8, 2, 2), _rows(2, 2, CPU)).sum().backward()
    assert layer.initial_cell.grad is None
    assert layer.state_to_state.grad.any()


def test_two_backward_passes_add_up():
    layer = build((-1, 0), 2)
    result = layer(draw_inputs(layer, 2, (2, 3)), _diagonals(2, 3, CPU)).pow(2).sum()
    result.backward(retain_graph=True)
    once = layer.state_to_state.grad.clone()
    result.backward()
    torch.testing.assert_close(layer.state_to_state.grad, 2 * once, rtol=1e-14, atol=1e-14)


def test_the_input_is_left_alone():
    layer = build((-1, 0, 1), 1)
    inputs = draw_inputs(layer, 2, (2, 3))
    before = inputs.clone()
    layer(inputs, _rows(2, 3, CPU)).sum().backward()
    assert torch.equal(inputs, before)


def test_mixed_precision_keeps_the_precision_of_the_weights():
    layer = LineLSTM(FEATURES, (-1, 0, 1))
    inputs = torch.randn(2, 8, 2, 3).bfloat16()
    order = _rows(2, 3, CPU)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        result = layer(inputs, order)
    assert result.dtype == torch.float32
    assert torch.equal(result, layer(inputs.float(), order))


def test_memory_of_a_batch_is_what_the_layer_says():
    """(6 + taps) h numbers a pixel and direction are kept, and h more are the result."""
    features, batch, height, width = 24, 16, 32, 32
    layer = LineLSTM(features, (-1, 0, 1))
    inputs = torch.randn(batch, 4 * features, height, width)
    before = MEMORY.used_bytes
    result = layer(inputs, _rows(height, width, CPU))
    kept = (6 + 3 + 1) * features * batch * height * width * 4
    assert kept <= MEMORY.used_bytes - before < 1.05 * kept
    del result
    assert MEMORY.used_bytes == before


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
    order = _diagonals(height, width, CPU)
    to_packed, to_raster, lines = order.to_packed, order.to_raster, order.lines
    for direction, packed in enumerate(to_packed.tolist()):
        assert sorted(packed) == list(range(height * width))
        assert [packed[to_raster[direction, n]] for n in range(height * width)] == sorted(packed)
        for number, line in enumerate(lines):
            for cell, site in zip(packed[line.cells], range(height)[line.sites()], strict=True):
                row, column = divmod(cell, width)
                column = column if direction == 0 else width - 1 - column
                assert (row, row + column) == (site, number)
    assert lines[-1].stop == height * width
