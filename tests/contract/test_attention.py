"""Attention: a mask that is off by one pixel, or by one row, turns the contract red."""

import numpy as np
import pytest
import torch

from pixelrnn import contract
from pixelrnn.contract import ContractViolation, check_covers
from pixelrnn.graph import reach
from pixelrnn.layers.attention import Attention
from pixelrnn.ordering import Place
from reference.fields import field as field_of

KIND = "pixel-snail"
CORNER = Place(2, 0, 0)  # of 5 x 7: no convolution reaches the last pixel before it
SMALL = {"layers": 1, "heads": 2, "head_size": 3}


def models(tiny_model, *arguments, **settings):
    return [tiny_model(KIND, *arguments, noise=0.2, seed=seed, **settings) for seed in range(4)]


def change_heads(monkeypatch, change):
    """Let attention on tensors do something else; what is traced, and so what is claimed, stays."""
    sound = Attention._heads

    def heads(self, query, memory):
        if isinstance(query, torch.Tensor):
            return change(self, sound, query, memory)
        return sound(self, query, memory)

    monkeypatch.setattr(Attention, "_heads", heads)


def later(maps, by):
    """Return maps in which each pixel has what is `by` places after it in the order, or zeros."""
    flat = maps.flatten(2)
    zeros = torch.zeros_like(flat[:, :, : abs(by)])
    moved = [flat[:, :, by:], zeros] if by > 0 else [zeros, flat[:, :, :by]]
    return torch.cat(moved, dim=2).view_as(maps)


def with_rows(layer, sound, query, memory, more):
    layer.rows += more
    try:
        return sound(layer, query, memory)
    finally:
        layer.rows -= more


# --- sound -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("rows", [1, 2, 1024])
@pytest.mark.parametrize("place", [Place(0, 3, 0), CORNER, Place(4, 4, 0), Place(4, 6, 0)], ids=str)
def test_it_sees_what_it_claims(rows, place, likelihood, tiny_model, random_images, generator):
    watched = models(tiny_model, likelihood, 1, attention_rows=rows, **SMALL)
    check_covers(watched, random_images(1, 1, 5, 7), place, generator)


@pytest.mark.parametrize("rows", [1, 2, 3, 1024])
@pytest.mark.parametrize("every", [1, 2])
def test_it_claims_what_its_rows_say(rows, every, likelihood, channels, size, tiny_model):
    settings = {"layers": 2, "attention_every": every, "attention_rows": rows}
    model = tiny_model(KIND, likelihood, channels, **settings)
    program = model.lower()
    for row, column in np.ndindex(size):
        place = Place(row, column, channels - 1)
        claimed = reach.receptive_field(program, place, height=size[0], width=size[1])
        np.testing.assert_array_equal(claimed, field_of(model.config, place, *size))


def test_everything_before_is_in_sight(likelihood, channels, tiny_model):
    """In one layer, at the left edge of an image wider than any kernel too."""
    model = tiny_model(KIND, likelihood, channels, layers=1)
    for place in (Place(3, 0, 0), Place(3, 9, channels - 1)):
        before = np.arange(4 * 20).reshape(4, 20) < place.row * 20 + place.column
        field = model.receptive_field(place, height=4, width=20)
        assert (field | ~before).all()


# --- faults ----------------------------------------------------------------------------------------


def test_a_mask_that_shows_the_pixel_itself(
    likelihood, channels, size, tiny_model, random_images, generator, monkeypatch
):
    change_heads(
        monkeypatch, lambda layer, sound, query, memory: sound(layer, query, later(memory, 1))
    )
    image, *_ = random_images(1, channels, *size)
    with pytest.raises(ContractViolation, match="not causal"):
        contract.check_causal(tiny_model(KIND, likelihood, channels, **SMALL), image, generator)


def test_a_mask_that_misses_the_last_pixel(
    likelihood, tiny_model, random_images, generator, monkeypatch
):
    change_heads(
        monkeypatch, lambda layer, sound, query, memory: sound(layer, query, later(memory, -1))
    )
    with pytest.raises(ContractViolation, match="row 1, column 6, colour 0 is claimed but never"):
        check_covers(
            models(tiny_model, likelihood, **SMALL), random_images(1, 1, 5, 7), CORNER, generator
        )


@pytest.mark.parametrize(("more", "trouble"), [(1, "seen but not"), (-1, "claimed but never")])
def test_a_window_that_is_off_by_one_row(
    more, trouble, likelihood, tiny_model, random_images, generator, monkeypatch
):
    change_heads(monkeypatch, lambda layer, *maps: with_rows(layer, *maps, more))
    watched = models(tiny_model, likelihood, attention_rows=1 if more > 0 else 2, **SMALL)
    with pytest.raises(ContractViolation, match=trouble):
        check_covers(watched, random_images(1, 1, 7, 5), Place(6, 2, 0), generator)


@pytest.mark.parametrize("by", [1, -1])
def test_the_steps_are_not_those_of_a_shifted_mask(by, tiny_model, random_images, monkeypatch):
    model = tiny_model(KIND, noise=0.2, **SMALL)
    images = random_images(1, 1, 5, 7)
    contract.check_steps(model, images)
    change_heads(
        monkeypatch, lambda layer, sound, query, memory: sound(layer, query, later(memory, by))
    )
    with pytest.raises(ContractViolation):
        contract.check_steps(model, images)


def test_a_walk_that_forgets_the_pixels_in_the_row(tiny_model, monkeypatch):
    sound = reach._before

    def rows_alone(at, rows):
        return sound(at, rows) & ~at.any(axis=1)[:, None]

    model = tiny_model(KIND, layers=1)
    place = Place(3, 9, 0)
    assert (
        model.receptive_field(place, height=4, width=20) == field_of(model.config, place, 4, 20)
    ).all()
    monkeypatch.setattr(reach, "_before", rows_alone)
    assert (
        model.receptive_field(place, height=4, width=20) != field_of(model.config, place, 4, 20)
    ).any()
