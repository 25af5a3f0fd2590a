"""Operations are those of the weights that exist: counted by hand, by torch, and with planted faults."""

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from benchmarks import operations
from benchmarks.operations import training_flops_per_image, used_weights
from benchmarks.plain import PlainConv2d, plain
from pixelrnn.layers import MaskedConv2d

SIZES = {"features": 2, "head_features": 3, "layers": 1, "stem_kernel_size": 3, "num_levels": 5}

# Grey with a border: 2 maps of the image, 2 x 2 = 4 of the stream, 2 inside a block.
STEM = 4 * 2 * 4  # 4 taps before the centre
HEAD = 4 * 3 + 3 * 5  # to 3 maps, to 5 levels
BLOCKS = {
    "pixelcnn": 4 * 2 + 5 * 2 * 2 + 2 * 4,  # 5 taps, the centre too
    "row-lstm": 2 * 4 * 8 + 3 * 2 * 8 + 2 * 4,  # 2 taps to 4 gates of 2, 3 taps above, out
    "diagonal-bilstm": 2 * (4 * 8 + 2 * 2 * 8) + 2 * 4,  # two directions, 2 taps each, out
}


def test_count_by_hand(kind, tiny_model):
    model = tiny_model(kind, **SIZES)
    by_hand = 2 * (2 * STEM + 3 * (BLOCKS[kind] + HEAD))
    assert training_flops_per_image(model, 1, 1) == by_hand
    assert training_flops_per_image(model, 5, 7) == 35 * by_hand


def test_count_by_hand_with_a_prediction(tiny_model):
    model = tiny_model("pixelcnn", "logistic-mixture", **SIZES)
    head = 4 * 3 + 3 * (2 * 3)  # logit, mean and scale of two components
    by_hand = 2 * (2 * (STEM + 4) + 3 * (BLOCKS["pixelcnn"] + head))  # 4 neighbours of the pixel
    assert training_flops_per_image(model, 1, 1) == by_hand


def test_count_by_hand_in_colour(tiny_model):
    model = tiny_model("pixelcnn", channels=3, **(SIZES | {"features": 3}))
    stem = 4 * 4 * 6 + (0 + 2 + 3) * 2  # at the centre, red shows itself and the border first
    inside = 2 * (2 + 4 + 6) + 4 * 3 * 3 + (1 + 2 + 3)
    head = (2 + 4 + 6) + 5 * (1 + 2 + 3)
    assert training_flops_per_image(model, 1, 1) == 2 * (2 * stem + 3 * (inside + head))


@pytest.mark.parametrize("counted_kind", ["pixelcnn", "row-lstm"])
def test_products_are_those_that_torch_runs(counted_kind, likelihood, tiny_model, random_images):
    """Two for the image's layers and three for others: as in the plain version, masked taps included."""
    model, images = tiny_model(counted_kind, likelihood), random_images(2, 1, 5, 7)
    slow = plain(model)
    with FlopCounterMode(display=False) as counter:
        slow.loss(images).backward()
    pairs = zip(
        [module for module in model.modules() if isinstance(module, MaskedConv2d)],
        [module for module in slow.modules() if isinstance(module, PlainConv2d)],
        strict=True,
    )
    of_the_image = [model.stem, model.prediction.conv if model.prediction else None]
    masked_away = sum(
        (theirs.weight.numel() - ours.weight.numel())
        * (2 if any(ours is each for each in of_the_image) else 3)
        for ours, theirs in pairs
    )
    ours = training_flops_per_image(model, 5, 7) + 2 * 35 * masked_away
    assert counter.get_total_flops() == 2 * ours  # of two images


def uncounted(model):
    """Names of the parameters that are neither counted nor added only."""
    counted = {id(weight) for _, weight in used_weights(model)}
    added = (".bias", ".initial_hidden", ".initial_cell")
    return [
        name
        for name, parameter in model.named_parameters()
        if id(parameter) not in counted and not name.endswith(added)
    ]


def test_no_weight_is_left_out(kind, likelihood, channels, tiny_model):
    settings = {"skip_connections": True, "head_layers": 3}
    assert uncounted(tiny_model(kind, likelihood, channels, **settings)) == []


# And the checks would see a fault.


def test_a_weight_that_is_left_out_is_seen(kind, tiny_model):
    model = tiny_model(kind)
    model.head.more = nn.Linear(2, 2)
    assert uncounted(model) == ["head.more.weight"]


def test_a_gradient_to_the_image_is_seen(kind, tiny_model, monkeypatch):
    monkeypatch.setattr(operations, "PRODUCTS_OF_AN_IMAGE", 3)
    counted = training_flops_per_image(tiny_model(kind, **SIZES), 1, 1)
    assert counted == 2 * (2 * STEM + 3 * (BLOCKS[kind] + HEAD)) + 2 * STEM


def test_a_weight_that_a_mask_should_leave_out_is_seen(tiny_model):
    model = tiny_model("pixelcnn", channels=3, **(SIZES | {"features": 3}))
    before = training_flops_per_image(model, 1, 1)
    together = torch.zeros(3, dtype=torch.int64)
    model.blocks[0].conv = MaskedConv2d(together, together, (3, 3), "B")
    assert training_flops_per_image(model, 1, 1) == before + 2 * 3 * 3
