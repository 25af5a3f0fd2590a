"""The contract on trained weights: what is covered, and what each check notices."""

import copy

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from pixelrnn import ordering
from pixelrnn.contract import (
    ContractViolation,
    check_causal_at,
    checks,
    measure_receptive_field,
    require_kept,
)
from pixelrnn.graph.traced import Traced
from pixelrnn.likelihoods import Categorical
from pixelrnn.ordering import Place


class Peek(nn.Module):
    """A block that also looks at what is `columns` to the right, from `first` on."""

    def __init__(self, block, columns=1, first=0):
        super().__init__()
        self.block, self.columns, self.first = block, columns, first

    def forward(self, *maps):
        result = self.block(*maps)
        if isinstance(maps[-1], Traced):  # the program does not know of it
            return result
        ahead = F.pad(maps[-1], (0, self.columns))[..., self.columns :].clone()
        ahead[..., : self.first] = 0
        if isinstance(result, tuple):  # of two stacks
            return *result[:-1], result[-1] + 0.1 * ahead
        return result + 0.1 * ahead


class Shares:
    """What a check tells of its progress: shares that add up to no more than the whole."""

    def __init__(self):
        self.sum = 0.0

    def __call__(self, share):
        assert share > 0
        self.sum += share
        assert self.sum < 1 + 1e-9


def outcomes(model, images=None, *, quick=True):
    """Return what each check covered, or what was wrong."""
    found = {}
    for check in checks(model, images, quick=quick):
        try:
            found[check.name] = check.run(Shares())
        except ContractViolation as violation:
            found[check.name] = f"wrong: {violation}"
    return found


def wrong(found):
    return {name for name, text in found.items() if text.startswith("wrong")}


def model_of(tiny_model, kind="pixelcnn", likelihood="categorical", channels=1, **settings):
    return tiny_model(kind, likelihood, channels, noise=0.3, dtype=torch.float32, **settings)


def test_an_honest_model_passes_all(kind, likelihood, channels, tiny_model):
    model = model_of(tiny_model, kind, likelihood, channels, image_size=(6, 5))
    before = copy.deepcopy(model.state_dict())
    found = outcomes(model, quick=False)
    assert wrong(found) == set(), found
    assert f"all {35 * channels} sub-pixels of 5 x 7 and of 7 x 5" in found["causal"]
    assert f"{30 * channels} of {30 * channels} of 6 x 5" in found["causal"]
    assert "together" in found["normalised"]
    assert "float64" in found["steps as it forwards"]
    assert "decoded again" in found["codes exactly"]
    assert all(torch.equal(before[name], now) for name, now in model.state_dict().items())
    assert model.dtype == torch.float32


def test_real_images_are_looked_at_in_their_own_size(tiny_model, random_images):
    images = random_images(70, 1, 6, 9).numpy()
    found = outcomes(model_of(tiny_model), images, quick=False)
    assert wrong(found) == set()
    assert "54 of 54 of 6 x 9" in found["causal"]
    assert "64 images of 6 x 9" in found["codes exactly"]


def test_of_large_images_a_part(tiny_model, random_images):
    found = outcomes(model_of(tiny_model, layers=1), random_images(1, 1, 30, 90).numpy())
    assert "17 of 1,920 of 30 x 64" in found["causal"]


@pytest.mark.parametrize("quick", [True, False])
def test_a_model_that_peeks(kind, likelihood, channels, quick, tiny_model):
    model = model_of(tiny_model, kind, likelihood, channels)
    model.blocks[1] = Peek(model.blocks[1])
    found = outcomes(model, quick=quick)
    assert wrong(found) >= {"causal", "steps as it forwards"}
    assert "the parameters of row 0, column 0, colour 0 changed with" in found["causal"]
    assert "changed with its own value" in found["causal"]


def test_a_peek_that_only_large_images_show(tiny_model):
    """It starts in a column that neither 5 x 7 nor 7 x 5 has."""
    model = model_of(tiny_model, image_size=(4, 12))
    model.blocks[1] = Peek(model.blocks[1], first=9)
    text = outcomes(model)["causal"]
    assert "the parameters of row 0, column 9, colour 0 changed" in text
    assert "changed with its own value" in text


def test_all_later_sub_pixels_at_once(tiny_model, random_images, generator):
    model = tiny_model("row-lstm", "categorical", 3, noise=0.3)
    (image,) = random_images(1, 3, 4, 5)
    done = []
    check_causal_at(model, image, torch.arange(0, 60, 7), generator, done.append)
    assert sum(done) == 9
    model.blocks[0] = Peek(model.blocks[0], columns=2)
    with pytest.raises(ContractViolation, match="not causal: the parameters of row 0, column 0"):
        check_causal_at(model, image, torch.tensor([4]), generator)


def test_a_sum_that_is_not_one(kind, tiny_model):
    class Faint(Categorical):
        def log_prob(self, parameters, images):
            return super().log_prob(parameters, images) - 1e-9

    model = model_of(tiny_model, kind)
    model.likelihood = Faint(1, 5)
    assert wrong(outcomes(model)) == {"normalised"}


def test_another_program(kind, likelihood, tiny_model, monkeypatch):
    model = model_of(tiny_model, kind, likelihood)
    other = model_of(tiny_model, kind, likelihood, seed=1)
    monkeypatch.setattr(model, "lower", other.lower)
    found = outcomes(model, quick=False)
    assert wrong(found) >= {"steps as it forwards", "draws what it scores"}
    assert "row 0, column 0, colour 0" in found["steps as it forwards"]


def test_a_program_that_is_not_written(tiny_model, monkeypatch):
    def trace(image, given):
        raise NotImplementedError

    model = model_of(tiny_model)
    monkeypatch.setattr(model, "trace", trace)
    assert "PixelCNN.trace is not written" in outcomes(model)["steps as it forwards"]


def test_normalisation_over_the_batch(tiny_model):
    class Centred(nn.Module):
        def __init__(self, block):
            super().__init__()
            self.block = block

        def forward(self, maps):
            maps = self.block(maps)
            return maps if isinstance(maps, Traced) else maps - maps.mean(dim=0)

    model = model_of(tiny_model)
    model.blocks[0] = Centred(model.blocks[0])
    assert "alone as in a batch" in wrong(outcomes(model))


def test_before_a_figure_is_believed(tiny_model):
    model = model_of(tiny_model)
    require_kept("a model", model)
    model.blocks[0] = Peek(model.blocks[0])
    with pytest.raises(
        ContractViolation, match="a model breaks the contract: not causal: the param"
    ) as e:
        require_kept("a model", model)
    assert e.value.exit_code == 1


# --- receptive fields ----------------------------------------------------------------------------


@pytest.mark.parametrize("by_pixel", [True, False])
def test_what_comes_later_is_measured_too(
    likelihood, by_pixel, tiny_model, random_images, generator
):
    model = tiny_model("pixelcnn", likelihood, 3, noise=0.3)
    images, place = random_images(1, 3, 6, 7), Place(3, 2, 1)
    order = ordering.positions(channels=3, height=6, width=7)
    later = order >= ordering.position(place, channels=3, width=7)
    honest = measure_receptive_field(model, images, place, generator, by_pixel=by_pixel)
    assert not (honest & later).any()
    model.blocks[1] = Peek(model.blocks[1], columns=3)
    field = measure_receptive_field(model, images, place, generator, by_pixel=by_pixel)
    assert (field & later)[:, 3, 4].any()
    assert not field[:, 3, 6:].any()
    assert not field[:, 4:].any()
    assert ((honest & ~later) <= field).all()


def test_what_is_below_is_measured_too(tiny_model, random_images, generator):
    """A model that looks one row down."""
    model = tiny_model("pixelcnn", "categorical", 1, noise=0.3)
    model.blocks[1].register_forward_hook(
        lambda _, __, maps: maps + F.pad(maps, (0, 0, 0, 2))[:, :, 2:]
    )
    place = Place(2, 3, 0)
    field = measure_receptive_field(model, random_images(1, 1, 6, 7), place, generator)
    assert field[0, 3].any()
