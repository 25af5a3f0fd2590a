"""The gallery of docs/audit.md: classic faults, each planted in a model of this package."""

import functools

import torch
from torch import nn

from pixelrnn.auditing import audit, drawing
from pixelrnn.layers import MaskedConv2d, diagonal_bilstm, feature_groups
from tests.conftest import build_tiny_model
from tests.faulty import Then

GREY, COLOUR = (1, 7, 9), (3, 5, 6)


def build(kind, channels=1):
    settings = {"layers": 1, "noise": 0.1, "dtype": torch.float32, "num_levels": 4}
    return build_tiny_model(kind, "categorical", channels, **settings)


def masked(conv, ins, outs, kind):
    """A masked convolution of the same kernel, with other groups or another mask."""
    kernel = (2 * conv.mask.shape[2] - 1, conv.mask.shape[3])
    return MaskedConv2d(ins, outs, kernel, kind, bias=conv.bias is not None)


def first_mask_of_type_b():
    model = build("pixelcnn")
    model.stem = masked(model.stem, model.stem.in_groups, model.stem.out_groups, "B")
    return model


def colours_in_reverse():
    model = build("pixelcnn", 3)
    ins = torch.tensor([2, 1, 0, 0])  # the last is the border
    model.stem = masked(model.stem, ins, model.stem.out_groups, "A")
    return model


def groups_across_the_gates():
    model = build("row-lstm", 3)
    lstm = model.blocks[0].lstm
    thirds = feature_groups(4 * model.config.features, 3)
    conv = lstm.input_to_state
    lstm.input_to_state = masked(conv, conv.in_groups, thirds, "B")
    return model


def kernel_without_a_mask():
    model = build("row-lstm")
    features = model.config.features
    unmasked = nn.Conv2d(2 * features, 4 * features, (1, 3), padding=(0, 1))
    model.blocks[0].lstm.input_to_state = unmasked
    return model


def right_hand_map_not_moved_down():
    model = build("diagonal-bilstm")
    layer = model.blocks[0].lstm

    def forward(maps):
        order = diagonal_bilstm._diagonals(*maps.shape[2:], maps.device)
        return layer.recurrence(layer.input_to_state(maps), order).sum(dim=0)

    layer.forward = forward
    return model


def state_padded_at_the_bottom():
    model = build("diagonal-bilstm")
    model.blocks[0].lstm.recurrence.taps = (0, 1)
    return model


def vertical_stack_that_shows_its_own_row():
    model = build("gated-pixelcnn")
    stem = model.vertical_stem
    model.vertical_stem = masked(stem, stem.in_groups, stem.out_groups, "vertical")
    return model


def norm_over_positions():
    model = build("pixelcnn")
    model.blocks[0] = Then(model.blocks[0], nn.GroupNorm(1, 2 * model.config.features))
    return model


FAULTS = {
    "A first mask of type B": (first_mask_of_type_b, GREY),
    "Colours in reverse": (colours_in_reverse, COLOUR),
    "Colour groups across an LSTM's gates": (groups_across_the_gates, COLOUR),
    "A kernel without a mask": (kernel_without_a_mask, GREY),
    "The right-hand map of a Diagonal BiLSTM, not moved down": (
        right_hand_map_not_moved_down,
        GREY,
    ),
    "A column-wise state, padded at the bottom": (state_padded_at_the_bottom, GREY),
    "A vertical stack that shows its own row": (vertical_stack_that_shows_its_own_row, GREY),
    "A norm over positions": (norm_over_positions, GREY),
    "No fault: PixelCNN's blind spot": (functools.partial(build, "pixelcnn"), GREY),
    "No fault: the Gated PixelCNN has none": (functools.partial(build, "gated-pixelcnn"), GREY),
}


def drawn(name):
    """What an audit says and draws of a fault: the text of its block on the page."""
    plant, shape = FAULTS[name]
    model = plant()
    channels, height, width = shape
    found = audit(model, shape=shape, at=(height // 2, width // 2, channels // 2))
    check = "causal" if not found.holds else "uses what comes earlier"
    text = found[check].text.partition("; outputs move")[0]
    return "\n".join([f"{found[check].verdict}: {text}", "", *drawing.lines(found.picture)])


if __name__ == "__main__":
    for fault in FAULTS:
        print(f"### {fault}\n\n```text\n{drawn(fault)}\n```\n")  # noqa: T201
