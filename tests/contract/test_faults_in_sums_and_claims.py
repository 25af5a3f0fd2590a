"""More planted faults: what is not normalised, is normalised over images, or claims what is not so."""

import dataclasses

import pytest
import torch
from torch import nn

from pixelrnn import contract
from pixelrnn.contract import ContractViolation
from pixelrnn.layers import diagonal_bilstm as diagonal_module
from pixelrnn.layers import feature_groups, pointwise
from pixelrnn.likelihoods import Categorical, LogisticMixture
from pixelrnn.likelihoods.base import Segment
from pixelrnn.ordering import Place
from tests.faulty import Then

LSTM_KINDS = pytest.mark.parametrize("lstm_kind", ["row-lstm", "diagonal-bilstm"])


def test_batch_normalisation(skeleton_kind, likelihood, channels, size, tiny_model, random_images):
    model = tiny_model(skeleton_kind, likelihood, channels).train()
    model.blocks[0] = Then(model.blocks[0], nn.BatchNorm2d(14).double())
    with pytest.raises(ContractViolation, match="differently in a batch"):
        contract.check_batch_invariant(model, random_images(4, channels, *size))


# --- likelihoods ---------------------------------------------------------------------------------


def assert_not_normalised(model, images):
    with pytest.raises(ContractViolation, match="sum to one only within"):
        contract.check_pmf(model, images)
    with pytest.raises(ContractViolation, match="all images together"):
        contract.check_normalised(model, 1, 2)


class Spare(Categorical):
    """One more logit than there are levels: probability is lost to a level that does not exist."""

    def __init__(self, channels, num_levels):
        super().__init__(channels, num_levels)
        (logits,) = self.layout
        self.layout = (Segment(logits.name, logits.count + 1, logits.unit),)

    def _log_prob(self, logits, images):
        return logits.log_softmax(dim=2).gather(2, images[:, :, None].long())[:, :, 0]


class Faint(Categorical):
    """A billionth too little."""

    def log_prob(self, parameters, images):
        return super().log_prob(parameters, images) - 1e-9


class FaultyMixture(LogisticMixture):
    """One whose parts can be replaced: it is run in torch."""

    def log_prob(self, parameters, images):
        return self.in_torch(parameters, images)


class ClosedEnds(FaultyMixture):
    """The end bins are as wide as the others: the tails are lost."""

    def _log_bins(self, centred, log_scales, images):
        return super()._log_bins(centred, log_scales, torch.ones_like(images))


class WiderBins(FaultyMixture):
    """Levels scaled as if there were one fewer, as with 255 / 256 confused."""

    def _log_bins(self, centred, log_scales, images):
        return super()._log_bins(centred * 0.9, log_scales, images)


class BlueFirst(FaultyMixture):
    """The mean of red is coupled to green."""

    def _means(self, offsets, couplings, residuals):
        means = super()._means(offsets, couplings, residuals)
        return torch.cat([means[:, :1] + 0.1 * residuals[:, 1:2, None], means[:, 1:]], dim=1)


@pytest.mark.parametrize("fault", [Spare, Faint])
def test_categorical_that_is_not_normalised(
    skeleton_kind, fault, channels, size, tiny_model, random_images
):
    model = tiny_model(skeleton_kind, "categorical", channels, num_levels=3, layers=1)
    model.likelihood = fault(channels, 3)
    if fault is Spare:
        ins = feature_groups(model.config.head_features, channels)
        outs = torch.arange(channels).repeat_interleave(4)
        model.head.output = pointwise(ins, outs).double()
    assert_not_normalised(model, random_images(1, channels, *size, 3))


@pytest.mark.parametrize("fault", [ClosedEnds, WiderBins])
def test_mixture_that_is_not_normalised(
    skeleton_kind, fault, channels, size, tiny_model, random_images
):
    model = tiny_model(
        skeleton_kind, "logistic-mixture", channels, num_levels=3, layers=1, noise=0.3
    )
    model.likelihood = fault(channels, 3, components=2)
    assert_not_normalised(model, random_images(1, channels, *size, 3))


def test_mixture_coupled_to_a_later_colour(
    skeleton_kind, tiny_model, random_images, generator, size
):
    model = tiny_model(skeleton_kind, "logistic-mixture", 3)
    model.likelihood = BlueFirst(3, 5, components=2)
    image, *_ = random_images(1, 3, *size)
    with pytest.raises(ContractViolation, match="not causal: the score"):
        contract.check_causal(model, image, generator)


# --- receptive fields ----------------------------------------------------------------------------


def fault_claim(model, monkeypatch, change):
    honest = model.receptive_field

    def claim(place, *, height, width):
        field = honest(place, height=height, width=width)
        change(field)
        return field

    monkeypatch.setattr(model, "receptive_field", claim)


def check_claim(models, images, generator):
    _, channels, height, width = images.shape
    place = Place(height - 1, width // 2, channels - 1)
    contract.check_covers(models, images, place, generator)


@pytest.mark.parametrize("claims_too_much", [True, False], ids=["too-much", "too-little"])
def test_wrong_claims(
    kind,
    likelihood,
    channels,
    size,
    claims_too_much,
    tiny_model,
    random_images,
    generator,
    monkeypatch,
):
    models = [tiny_model(kind, likelihood, channels, noise=0.2, seed=seed) for seed in (0, 1)]
    row, column = size[0] - 1, size[1] // 2

    def change(field):
        if claims_too_much:
            field[0, row, column + 1] = True
        else:
            field[0, row, column - 1] = False

    for model in models:
        fault_claim(model, monkeypatch, change)
    trouble = "claimed but never seen" if claims_too_much else "seen but not claimed"
    images = random_images(2, channels, *size)
    with pytest.raises(ContractViolation, match=f"row {row}, .* is ({trouble})"):
        check_claim(models, images, generator)


@LSTM_KINDS
def test_states_that_are_not_passed_on(
    lstm_kind, likelihood, channels, size, tiny_model, random_images, generator
):
    """A layer that forgets what its neighbours told it sees less than it claims."""
    model = tiny_model(lstm_kind, likelihood, channels, noise=0.2, layers=1)
    recurrence = model.blocks[0].lstm.recurrence
    with torch.no_grad():
        recurrence.state_to_state.zero_()
    model.blocks[0].lstm.recurrence = NoMemory(recurrence)
    with pytest.raises(ContractViolation, match="claimed but never seen"):
        check_claim([model], random_images(2, channels, *size), generator)


class NoMemory(nn.Module):
    """A recurrence each of whose cells starts anew."""

    def __init__(self, recurrence):
        super().__init__()
        self.taps, self.trace = recurrence.taps, recurrence.trace

    def forward(self, inputs, order):
        gates = inputs.unflatten(
            1, (len(order.to_packed), 4, -1)
        )  # (B, directions, gates, h, H, W)
        i, _, o, g = gates.transpose(0, 1).unbind(dim=2)
        return o.sigmoid() * (i.sigmoid() * g.tanh()).tanh()


def test_one_direction_only(likelihood, size, tiny_model, random_images, generator):
    """Without the reverse map the Diagonal LSTM misses what is to the upper right."""
    model = tiny_model("diagonal-bilstm", likelihood, 1, noise=0.2, layers=1)
    left_gates = 4 * model.config.features
    lstm = model.blocks[0].lstm
    lstm.input_to_state.register_forward_hook(lambda _, __, gates: mute(gates, left_gates))
    with pytest.raises(ContractViolation, match="claimed but never seen"):
        check_claim([model], random_images(2, 1, *size), generator)


def test_diagonals_whose_sites_start_again_at_the_top(
    likelihood, size, tiny_model, random_images, generator, monkeypatch
):
    """Past the upper right corner the cells read two cells above, and never their left neighbour."""
    model = tiny_model("diagonal-bilstm", likelihood, 1, noise=0.2, layers=1)
    diagonals = diagonal_module._diagonals

    def restarted(*arguments):
        order = diagonals(*arguments)
        lines = tuple(dataclasses.replace(line, first=0) for line in order.lines)
        return dataclasses.replace(order, lines=lines)

    monkeypatch.setattr(diagonal_module, "_diagonals", restarted)
    with pytest.raises(ContractViolation, match="claimed but never seen"):
        check_claim([model], random_images(2, 1, *size), generator)


def mute(gates, start):
    """Zero the input-to-state products from map `start` on: that half says the same everywhere."""
    return torch.cat([gates[:, :start], torch.zeros_like(gates[:, start:])], dim=1)


def test_row_lstm_that_reads_only_the_state_straight_above(
    likelihood, channels, size, tiny_model, random_images, generator
):
    model = tiny_model("row-lstm", likelihood, channels, noise=0.2, layers=1)
    features = model.config.features
    with torch.no_grad():
        model.blocks[0].lstm.recurrence.state_to_state[:, :features] = 0
        model.blocks[0].lstm.recurrence.state_to_state[:, -features:] = 0
    with pytest.raises(ContractViolation, match="claimed but never seen"):
        check_claim([model], random_images(2, channels, *size), generator)
