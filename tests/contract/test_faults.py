"""The tests tested: every fault that is planted here turns a check of the contract red."""

import dataclasses

import pytest
import torch
from torch import nn

from pixelrnn import contract
from pixelrnn.contract import ContractViolation
from pixelrnn.layers import MaskedConv2d, feature_groups
from pixelrnn.layers import diagonal_bilstm as diagonal_module
from pixelrnn.layers import row_lstm as row_module
from tests.faulty import Then

LSTM_KINDS = pytest.mark.parametrize("lstm_kind", ["row-lstm", "diagonal-bilstm"])


@pytest.fixture
def assert_peeks(random_images, generator, size):
    """A function that asserts that the causal check finds a model peeking, at either size."""

    def check(model):
        image, *_ = random_images(1, model.config.channels, *size)
        with pytest.raises(ContractViolation, match="not causal"):
            contract.check_causal(model, image, generator)

    return check


def replace_conv(conv, in_groups, out_groups, mask_type):
    """Return a masked convolution like `conv` but with other groups or another mask."""
    kernel = (2 * conv.mask.shape[2] - 1, conv.mask.shape[3])
    has_bias = conv.bias is not None
    return MaskedConv2d(in_groups, out_groups, kernel, mask_type, bias=has_bias).double()


def stream_groups(model):
    return feature_groups(2 * model.config.features, model.likelihood.groups)


def inner_groups(model):
    return feature_groups(model.config.features, model.likelihood.groups)


# --- masks ---------------------------------------------------------------------------------------


def test_stem_of_type_b(skeleton_kind, likelihood, channels, tiny_model, assert_peeks):
    model = tiny_model(skeleton_kind, likelihood, channels)
    colours = feature_groups(channels, model.likelihood.groups)
    colours = torch.cat([colours, torch.zeros(1, dtype=torch.int64)])
    model.stem = replace_conv(model.stem, colours, stream_groups(model), "B")
    assert_peeks(model)


def test_stem_that_shows_all_colours(skeleton_kind, tiny_model, assert_peeks):
    """Green sees blue of its own pixel."""
    model = tiny_model(skeleton_kind, "categorical", 3)
    colours = torch.zeros(4, dtype=torch.int64)
    model.stem = replace_conv(model.stem, colours, stream_groups(model) + 1, "A")
    assert_peeks(model)


def test_linear_prediction_of_type_b(skeleton_kind, channels, tiny_model, assert_peeks):
    model = tiny_model(skeleton_kind, "logistic-mixture", channels)
    together = torch.zeros(channels, dtype=torch.int64)
    model.prediction.conv = replace_conv(model.prediction.conv, together, together, "B")
    assert_peeks(model)


@pytest.mark.parametrize("part", ["head.first", "head.output", "blocks.0.out", "blocks.1.out"])
def test_pointwise_layer_that_mixes_all_colours(skeleton_kind, part, tiny_model, assert_peeks):
    model = tiny_model(skeleton_kind, "categorical", 3)
    parent_name, name = part.rsplit(".", 1)
    parent = model.get_submodule(parent_name)
    outputs, inputs = getattr(parent, name).mask.shape[:2]
    ins, outs = (torch.zeros(count, dtype=torch.int64) for count in (inputs, outputs))
    setattr(parent, name, replace_conv(getattr(parent, name), ins, outs, "B"))
    assert_peeks(model)


def test_colours_in_reverse_order(skeleton_kind, tiny_model, assert_peeks):
    model = tiny_model(skeleton_kind, "categorical", 3)
    colours = torch.tensor([2, 1, 0, 0])
    model.stem = replace_conv(model.stem, colours, stream_groups(model), "A")
    assert_peeks(model)


def test_unmasked_convolution_in_a_block(likelihood, channels, tiny_model, assert_peeks):
    model = tiny_model("pixelcnn", likelihood, channels)
    block, conv = model.blocks[1], nn.Conv2d(7, 7, 3, padding=1).double()

    def forward(maps):
        inside = conv(block.into(maps.relu()).relu())
        return maps + block.out(inside.relu())

    block.forward = forward
    assert_peeks(model)


# --- the gated stacks ----------------------------------------------------------------------------


def test_a_vertical_stack_that_shows_its_own_row(likelihood, channels, tiny_model, assert_peeks):
    model = tiny_model("gated-pixelcnn", likelihood, channels)
    stem = model.vertical_stem
    model.vertical_stem = replace_conv(stem, stem.in_groups, stem.out_groups, "vertical")
    assert_peeks(model)


def test_a_vertical_stack_that_reads_the_horizontal_one(
    likelihood, channels, tiny_model, assert_peeks
):
    model = tiny_model("gated-pixelcnn", likelihood, channels)
    block = model.blocks[1]
    sound = type(block).forward
    block.forward = lambda vertical, horizontal: sound(
        block, vertical + horizontal[:, : vertical.shape[1]], horizontal
    )
    assert_peeks(model)


def test_groups_misaligned_with_the_halves_of_a_gate(tiny_model, assert_peeks):
    """Red, green and blue thirds of all sums, not twice those of the results."""
    model = tiny_model("gated-pixelcnn", "categorical", 3)
    block = model.blocks[0]
    thirds = feature_groups(2 * model.config.features, 3)
    block.horizontal = replace_conv(block.horizontal, stream_groups(model), thirds, "B")
    assert_peeks(model)


# --- the LSTMs -----------------------------------------------------------------------------------


@LSTM_KINDS
def test_groups_misaligned_with_the_gates(lstm_kind, tiny_model, assert_peeks):
    """Red, green and blue thirds of all gate maps, not of each gate."""
    model = tiny_model(lstm_kind, "categorical", 3)
    lstm = model.blocks[0].lstm
    directions = 2 if lstm_kind == "diagonal-bilstm" else 1
    misaligned = feature_groups(4 * model.config.features, 3).repeat(directions)
    lstm.input_to_state = replace_conv(lstm.input_to_state, stream_groups(model), misaligned, "B")
    assert_peeks(model)


@LSTM_KINDS
@pytest.mark.parametrize("gate", range(4), ids=["input", "forget", "output", "candidate"])
def test_groups_misaligned_with_one_gate(lstm_kind, gate, tiny_model, assert_peeks):
    """The groups of one gate are turned round by one feature."""
    model = tiny_model(lstm_kind, "categorical", 3)
    lstm = model.blocks[0].lstm
    inner = inner_groups(model)
    gates = [inner.roll(1) if number == gate else inner for number in range(4)]
    directions = 2 if lstm_kind == "diagonal-bilstm" else 1
    misaligned = torch.cat(gates).repeat(directions)
    lstm.input_to_state = replace_conv(lstm.input_to_state, stream_groups(model), misaligned, "B")
    assert_peeks(model)


def test_reverse_map_not_moved_down(likelihood, channels, tiny_model, assert_peeks, monkeypatch):
    model = tiny_model("diagonal-bilstm", likelihood, channels)
    monkeypatch.setattr(diagonal_module.DiagonalBiLSTM, "forward", forward_without_move)
    assert_peeks(model)


def forward_without_move(self, maps):
    """The layer's forward, but for the move of the reverse map."""
    order = diagonal_module._diagonals(*maps.shape[2:], maps.device)
    return self.recurrence(self.input_to_state(maps), order).sum(dim=0)


def test_diagonal_state_convolution_padded_at_the_bottom(
    likelihood, channels, tiny_model, assert_peeks
):
    """Reads the lower instead of the upper neighbour on the diagonal before."""
    model = tiny_model("diagonal-bilstm", likelihood, channels)
    model.blocks[0].lstm.recurrence.taps = (0, 1)
    assert_peeks(model)


def test_row_state_convolution_padded_at_the_bottom(
    likelihood, channels, tiny_model, assert_peeks, monkeypatch
):
    """Reads the state row below: the rows run from the bottom up."""
    model = tiny_model("row-lstm", likelihood, channels)
    change_lines(monkeypatch, row_module, "_rows", lambda lines: lines[::-1])
    assert_peeks(model)


def change_lines(monkeypatch, module, name, change):
    """Run other lines than the order of a layer has."""
    right = getattr(module, name)

    def wrong(*arguments):
        order = right(*arguments)
        return dataclasses.replace(order, lines=change(order.lines))

    monkeypatch.setattr(module, name, wrong)


def test_rows_that_start_at_another_row(likelihood, tiny_model, assert_peeks, monkeypatch):
    """The cells of the row below are run as those of this one."""
    model = tiny_model("row-lstm", likelihood, 1)

    def swapped(lines):
        first, second, *rest = lines
        return (second, first, *rest)

    change_lines(monkeypatch, row_module, "_rows", swapped)
    assert_peeks(model)


def test_diagonals_in_reverse_order(likelihood, tiny_model, assert_peeks, monkeypatch):
    model = tiny_model("diagonal-bilstm", likelihood, 1)
    change_lines(monkeypatch, diagonal_module, "_diagonals", lambda lines: lines[::-1])
    assert_peeks(model)


def test_row_input_to_state_unmasked(likelihood, channels, tiny_model, assert_peeks):
    model = tiny_model("row-lstm", likelihood, channels)
    features = model.config.features
    unmasked = nn.Conv2d(2 * features, 4 * features, (1, 3), padding=(0, 1)).double()
    model.blocks[0].lstm.input_to_state = unmasked
    assert_peeks(model)


# --- normalisation over the image -----------------------------------------------------------------


def test_normalisation_over_the_image_peeks(
    skeleton_kind, likelihood, channels, tiny_model, assert_peeks
):
    model = tiny_model(skeleton_kind, likelihood, channels)
    model.blocks[0] = Then(model.blocks[0], nn.GroupNorm(1, 14).double())
    assert_peeks(model)
