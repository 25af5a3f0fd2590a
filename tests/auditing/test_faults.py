"""The classic faults of public implementations, planted: each is found, and named."""

import re
import time
from functools import partial

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from tests.auditing import zoo
from tests.auditing.conftest import COLOUR, GREY

LEAKS = {
    "first mask of type B": (partial(zoo.Grey, first="B"), GREY, "its own value"),
    "residual around the first layer": (
        partial(zoo.Grey, residual_on_first=True),
        GREY,
        "residual",
    ),
    "vertical stack fed with the horizontal": (
        partial(zoo.Stacks, feed_back=True),
        GREY,
        "its own value",
    ),
    "first mask of type B, colours apart": (
        partial(zoo.Colour, first="B"),
        COLOUR,
        "its own value",
    ),
    "masks that do not tell colours apart": (
        partial(zoo.Colour, whole=True),
        COLOUR,
        "tell colours apart",
    ),
    "colours in reverse": (partial(zoo.Colour, reverse=True), COLOUR, "blue, green, red"),
    "interleaved masks, contiguous outputs": (
        partial(zoo.Colour, reshape="contiguous"),
        COLOUR,
        "reshaped",
    ),
    "thirds across an LSTM's gates": (partial(zoo.Gates, aligned=False), COLOUR, "gates"),
    "right-hand map not shifted down": (
        partial(zoo.Diagonal, shift_down=False),
        GREY,
        "not moved down one row",
    ),
    "column state padded at the bottom": (
        partial(zoo.Diagonal, pad_bottom=True),
        GREY,
        "padded at the bottom",
    ),
    "LSTMs that run both ways": (zoo.BothWays, GREY, "both ways"),
    "rows scanned upwards": (zoo.Upwards, GREY, "scanned upwards"),
    "attention without a mask": (
        partial(zoo.Transformer, COLOUR, causal=False),
        COLOUR,
        "without its causal mask",
    ),
    "outputs of the next position": (
        partial(zoo.Transformer, COLOUR, shifted=False),
        COLOUR,
        "not shifted by one",
    ),
    "mixture with a first mask of type B": (
        partial(zoo.Mixture, first="B"),
        COLOUR,
        "its own pixel",
    ),
}


@pytest.mark.parametrize("fault", LEAKS)
def test_a_leak_is_found_and_named(fault, audited):
    build, shape, name = LEAKS[fault]
    found = audited(build, shape)
    assert found["causal"].verdict == "fails"
    assert name in found["causal"].text
    assert found["causal"].counterexample["moves_by"] > 0
    assert found["causal in float64"].verdict == "fails"
    assert not found.holds
    assert (found.picture.cells == 4).any()


def test_a_leak_of_colours_alone_names_the_colours(audited):
    text = audited(partial(zoo.Colour, reverse=True), COLOUR)["causal"].text
    assert "red sees green" in text


class Normalised(zoo.Grey):
    """A PixelCNN that normalises over positions, or over the batch in evaluation too."""

    def __init__(self, norm):
        super().__init__()
        self.norm = norm


@pytest.mark.parametrize("norm", [nn.GroupNorm(2, 8), nn.InstanceNorm2d(8)])
def test_a_norm_over_positions(norm, audited):
    found = audited(partial(Normalised, norm))
    assert "norm or mean over positions" in found["causal"].text
    assert found["same in any batch"].verdict == "holds"


def test_batch_norm_mixes_in_training_mode_alone(audited):
    found = audited(partial(zoo.Grey, norm=True))
    assert found["causal"].verdict == "holds"
    assert found["causal in training mode"].verdict == "fails"
    assert "norm (BatchNorm2d) normalises over the batch" in found["causal in training mode"].text


def test_batch_norm_that_never_uses_its_averages(audited):
    found = audited(partial(Normalised, nn.BatchNorm2d(8, track_running_stats=False)))
    assert found["same in any batch"].verdict == "fails"


class SequenceFirst(nn.Module):
    """Attention that takes the images of a batch for the sequence."""

    def __init__(self):
        super().__init__()
        self.token, self.out = nn.Embedding(9, 8), nn.Linear(8, 8)
        self.attention = nn.MultiheadAttention(8, 2)

    def forward(self, images):
        tokens = F.pad(images.flatten(1), (1, 0), value=8)[:, :-1]
        maps = self.token(tokens)
        return self.out(self.attention(maps, maps, maps, need_weights=False)[0])


def test_attention_over_the_images_of_a_batch(audited):
    found = audited(SequenceFirst)
    assert "over the axis of images" in found["same in any batch"].text
    assert found["same in any batch"].verdict == "fails"
    assert found["causal"].verdict == "holds"


class Dropping(zoo.Grey):
    def forward(self, images):
        return F.dropout(super().forward(images), 0.5)


def test_a_dropout_that_is_never_switched_off(audited):
    found = audited(Dropping)
    assert found["deterministic"].verdict == "fails"
    assert "F.dropout" in found["deterministic"].text
    assert found["causal"].verdict == "holds"


class Attention(nn.Module):
    """One layer of attention by hand, whose mask is a number."""

    def __init__(self, fill):
        super().__init__()
        self.fill, self.token, self.place = (
            fill,
            nn.Embedding(9, 8),
            nn.Parameter(torch.randn(30, 8)),
        )
        self.maps, self.out = nn.Linear(8, 24), nn.Linear(8, 8)

    def forward(self, images):
        tokens = F.pad(images.flatten(1), (1, 0), value=8)[:, :-1]
        queries, keys, values = self.maps(self.token(tokens) + self.place).chunk(3, dim=-1)
        later = torch.ones(30, 30, dtype=torch.bool).triu(1)
        weights = (queries @ keys.mT).masked_fill(later, self.fill).softmax(dim=-1)
        return self.out(weights @ values)


def test_a_mask_by_a_finite_number(audited):
    found = audited(partial(Attention, -20.0))
    assert found["causal in float64"].verdict == "fails"
    assert "finite number" in found["causal"].text + found["causal in float64"].text
    assert audited(partial(Attention, float("-inf"))).holds
    assert audited(partial(Attention, -1e9)).holds


def test_a_kernel_along_the_column_sees_no_other_column(audited):
    found = audited(zoo.Vertical)
    assert found["causal"].verdict == "holds"
    assert found["uses what comes earlier"].verdict == "cannot be told"
    assert (
        "never used: anything of other columns (a k x 1 kernel"
        in found["uses what comes earlier"].text
    )


def test_a_skewed_map_that_is_reversed_leaves_holes(audited):
    found = audited(partial(zoo.Diagonal, flip_skewed=True), (1, 7, 7))
    assert found["causal"].verdict == "holds"
    assert "holes, as where the skewed map is reversed" in found["uses what comes earlier"].text


def test_a_blind_spot_and_colours_that_are_never_seen(audited):
    text = audited(zoo.Grey)["uses what comes earlier"].text
    assert "a blind spot to the upper right" in text
    pixelwise = audited(lambda: of_the_left, COLOUR)
    text = pixelwise["uses what comes earlier"].text
    assert "green never sees red of its own pixel" in text
    assert pixelwise.holds


def of_the_left(images):
    """Each colour by its own value one pixel to the left: others are never seen."""
    left = F.pad(images, (1, 0))[..., :-1]
    return -(torch.arange(8)[:, None, None, None] - left[:, None]).abs().float()


class Transposed(zoo.Grey):
    def forward(self, images):
        return super().forward(images.mT).mT


def test_another_order_is_recognised(audited):
    text = audited(Transposed)["causal"].text
    assert text.startswith("not in this order, but in another: column by column")
    rows, columns = GREY[1:]
    order = torch.arange(rows * columns).view(columns, rows).T.numpy()
    assert audited(Transposed, order=order).holds


def test_a_function_that_always_says_the_same(audited):
    found = audited(lambda: lambda images: torch.zeros(len(images), 8, 5, 6))
    assert found["causal"].verdict == "cannot be told"
    assert found["uses what comes earlier"].verdict == "cannot be told"


def test_weights_at_zero_are_said_to_hide_what_goes_through_them(audited):
    def build():
        model = zoo.Grey()
        nn.init.zeros_(model.second.weight)
        return model

    assert "second.weight, all zero, hides what goes through it" in audited(build)["causal"].text


def at_one_place(images):
    """The pixel to the left; and at row 7, column 3 the one to the right, which nothing else shows."""
    logits = of_the_left(images)
    logits[:, :, :, 7, 3] += images[:, None, :, 7, 4] * torch.arange(8)[:, None]
    return logits


def test_a_leak_at_one_place_of_many(audited):
    found = audited(lambda: at_one_place, (1, 12, 12))
    assert found["causal"].verdict == found["causal in float64"].verdict == "fails"
    assert found["causal"].counterexample["position"] == "row 7, column 3, colour 0"
    assert found["causal"].counterexample["uses"] == "row 7, column 4, colour 0"
    assert (found.picture.row, found.picture.column) == (7, 3)


def test_what_takes_too_long_is_looked_at_in_part(audited):
    """The fault is named from a few positions, and what was looked at is said."""

    def build():
        model = zoo.Grey(first="B")
        model.first.register_forward_hook(lambda *_: time.sleep(0.02))
        return model

    found = audited(build, (1, 24, 24), minutes=0.01)
    assert "its own value" in found["causal"].text
    assert found["causal"].counterexample["position"] == found["causal"].counterexample["uses"]
    assert re.match(r"\d+ of 576 positions by changing all from there on", found["causal"].covered)
    assert not found["causal"].covered.startswith("576")
    assert (found.picture.cells == 5).any()  # what was not looked at is not called unused


def test_what_shows_only_together_is_found(audited):
    """A leak that no single change shows: both of two later pixels must change."""

    def together(images):
        logits = of_the_left(images)
        both = (images[:, :, 3, 1] > 3) ^ (images[:, :, 3, 2] > 3)
        logits[:, :, :, 1, 1] += both[:, None] * torch.arange(8)[:, None]
        return logits

    assert audited(lambda: together)["causal"].verdict == "fails"
