"""The checks of the contract on toy models whose faults are known to the sub-pixel.

The toys share nothing with the package's models, so that the checks hold for anybody's.
"""

import numpy as np
import pytest
import torch
from torch import nn

from pixelrnn import ordering
from pixelrnn.contract import (
    ContractViolation,
    check_batch_invariant,
    check_causal,
    check_covers,
    check_normalised,
    check_pmf,
    measure_receptive_field,
)
from pixelrnn.likelihoods import Categorical
from pixelrnn.models import AutoregressiveModel, ModelConfig
from pixelrnn.ordering import Place

LEVELS = 3


class Toy(AutoregressiveModel):
    """Logits that depend on just the sub-pixels `steps` positions before (negative: after)."""

    def __init__(self, channels, steps, claims=None):
        super().__init__()
        self.config = ModelConfig(channels=channels, num_levels=LEVELS)
        self.likelihood = Categorical(channels, LEVELS)
        self.steps = steps
        self.claims = steps if claims is None else claims
        generator = torch.Generator().manual_seed(0)
        weights = torch.randn(len(steps), LEVELS, generator=generator, dtype=torch.float64)
        self.weights = nn.Parameter(weights)

    def trace(self, image):
        raise AssertionError("the checks do not need the program")

    def forward(self, images):
        batch, channels, height, width = images.shape
        flat = images.permute(0, 2, 3, 1).reshape(batch, -1).double() + 1
        logits = flat.new_zeros(batch, flat.shape[1], LEVELS)
        for step, weights in zip(self.steps, self.weights, strict=True):
            moved = torch.zeros_like(flat)
            if step >= 0:
                moved[:, step:] = flat[:, : flat.shape[1] - step]
            else:
                moved[:, :step] = flat[:, -step:]
            logits = logits + moved[..., None] * weights
        return logits.view(batch, height, width, channels, LEVELS).permute(0, 3, 4, 1, 2)

    def receptive_field(self, place, *, height, width):
        channels = self.config.channels
        order = ordering.positions(channels=channels, height=height, width=width)
        here = ordering.position(place, channels=channels, width=width)
        return np.isin(here - order, self.claims)


def images_of(channels, height=3, width=4, count=2):
    generator = torch.Generator().manual_seed(1)
    shape = (count, channels, height, width)
    return torch.randint(LEVELS, shape, generator=generator, dtype=torch.uint8)


@pytest.mark.parametrize("steps", [(1,), (1, 2, 5), (7,)], ids=str)
def test_an_honest_model_passes(channels, steps, generator):
    model, images = Toy(channels, steps), images_of(channels)
    check_causal(model, images[0], generator)
    check_covers([model], images, Place(2, 2, channels - 1), generator)
    check_pmf(model, images)
    check_batch_invariant(model, images)


def test_an_honest_model_sums_to_one_over_a_small_world(channels):
    check_normalised(Toy(channels, (1, 2)), 2, 1)


@pytest.mark.parametrize("step", [0, -1, -2, -5])
def test_peeking_is_found_and_named(channels, step, generator):
    image = images_of(channels)[0]
    with pytest.raises(ContractViolation) as caught:
        check_causal(Toy(channels, (1, step)), image, generator)
    message = str(caught.value)
    victim = ordering.place(0, channels=channels, width=4)
    later = ordering.place(-step, channels=channels, width=4)
    assert message.startswith("not causal: the parameters of row")
    assert f"row {victim.row}, column {victim.column}, colour {victim.channel} changed" in message
    assert message.endswith(f"row {later.row}, column {later.column}, colour {later.channel}")


def test_one_peek_at_one_place_is_found(generator):
    """The last but one sub-pixel looks at the last, and nothing else is wrong."""

    class OnePeek(Toy):
        def forward(self, images):
            parameters = super().forward(images).clone()
            parameters[:, -1, 0, -1, -2] += images[:, -1, -1, -1].double()
            return parameters

    with pytest.raises(ContractViolation, match=r"of row 2, column 2, .* row 2, column 3"):
        check_causal(OnePeek(1, (1,)), images_of(1)[0], generator)


def test_a_peek_in_the_last_bit_is_found(generator):
    class FaintPeek(Toy):
        def forward(self, images):
            parameters = super().forward(images)
            return parameters + 1e-15 * images[:, :, None, -1:, -1:].double()

    with pytest.raises(ContractViolation, match="not causal"):
        check_causal(FaintPeek(1, (1,)), images_of(1)[0], generator)


def test_a_likelihood_that_peeks_is_found(generator):
    class Peeking(Categorical):
        def log_prob(self, parameters, images):
            nats = super().log_prob(parameters, images)
            return nats - 0.01 * images.double().mean(dim=(1, 2, 3), keepdim=True)

    model = Toy(3, (1,))
    model.likelihood = Peeking(3, LEVELS)
    with pytest.raises(ContractViolation, match="not causal: the score of row 0"):
        check_causal(model, images_of(3)[0], generator)


@pytest.mark.parametrize("shape", [(1, 1), (1, 2), (2, 1)], ids=str)
def test_the_smallest_images(channels, shape, generator):
    image = images_of(channels, *shape)[0]
    check_causal(Toy(channels, (1,)), image, generator)
    with pytest.raises(ContractViolation, match="not causal"):
        check_causal(Toy(channels, (0,)), image, generator)


def test_the_checks_leave_the_images_alone(channels, generator):
    for height, width in [(1, 1), (1, 2), (3, 4)]:
        images = images_of(channels, height, width)
        before = images.clone()
        model = Toy(channels, (1,))
        for image in images:
            check_causal(model, image, generator)
        for spot in range(channels * height * width):
            place = ordering.place(spot, channels=channels, width=width)
            check_covers([model], images, place, generator)
        check_pmf(model, images)
        check_batch_invariant(model, images)
        assert torch.equal(images, before)


def test_the_field_of_the_first_sub_pixel_is_empty(channels, generator):
    model, images = Toy(channels, (1,)), images_of(channels)
    assert not measure_receptive_field(model, images, Place(0, 0, 0), generator).any()


def test_the_field_of_the_second_sub_pixel_is_the_first(generator):
    model, images = Toy(1, (1,)), images_of(1)
    field = measure_receptive_field(model, images, Place(0, 1, 0), generator)
    assert field.sum() == 1
    assert field[0, 0, 0]


def test_a_large_image_is_measured_to_the_last_sub_pixel(generator):
    """257 earlier sub-pixels: one more than are changed at once."""
    images = images_of(1, 2, 200, count=1)
    model = Toy(1, (1, 257, 100))
    place = ordering.place(257, channels=1, width=200)
    field = measure_receptive_field(model, images, place, generator)
    order = ordering.positions(channels=1, height=2, width=200)
    assert sorted(order[field].tolist()) == [0, 157, 256]


def test_claiming_too_much_is_found_and_named(generator):
    model = Toy(1, (1,), claims=(1, 2))
    with pytest.raises(ContractViolation, match=r"row 1, column 1, colour 0 is claimed but never"):
        check_covers([model], images_of(1), Place(1, 3, 0), generator)


def test_claiming_too_little_is_found_and_named(generator):
    model = Toy(1, (1, 2), claims=(1,))
    with pytest.raises(ContractViolation, match=r"row 1, column 1, colour 0 is seen but not"):
        check_covers([model], images_of(1), Place(1, 3, 0), generator)


def test_claiming_the_future_is_found(generator):
    model = Toy(1, (1,), claims=(1, -1))
    with pytest.raises(ContractViolation, match="claimed but never seen"):
        check_covers([model], images_of(1), Place(1, 1, 0), generator)


def test_models_cover_together(generator):
    """One initialisation may leave a claim unmoved that another moves."""
    deaf, hearing = Toy(1, (1, 2)), Toy(1, (1, 2))
    with torch.no_grad():
        deaf.weights[1] = 0
    place = Place(1, 3, 0)
    with pytest.raises(ContractViolation):
        check_covers([deaf], images_of(1), place, generator)
    check_covers([deaf, hearing], images_of(1), place, generator)


class Leaky(Categorical):
    """Loses a part of the probability."""

    def log_prob(self, parameters, images):
        return super().log_prob(parameters, images) + np.log1p(-3e-12)


def test_a_leak_of_the_size_of_the_tolerance_is_found():
    model = Toy(1, (1,))
    check_pmf(model, images_of(1))
    model.likelihood = Leaky(1, LEVELS)
    with pytest.raises(ContractViolation, match="only within 3e-12"):
        check_pmf(model, images_of(1))


@pytest.mark.parametrize("broken", [float("nan"), float("inf")])
def test_what_is_not_a_number_is_found(broken, generator):
    model = Toy(1, (1,))
    with torch.no_grad():
        model.weights[0, 0] = broken
    images = images_of(1)
    with pytest.raises(ContractViolation):
        check_pmf(model, images)
    with pytest.raises(ContractViolation):
        check_normalised(model, 1, 2)
    with pytest.raises(ContractViolation):
        check_batch_invariant(model, images)
    with pytest.raises(ContractViolation):
        check_causal(model, images[0], generator)


def test_a_score_that_depends_on_the_batch_is_found():
    class Centred(Toy):
        def forward(self, images):
            parameters = super().forward(images)
            return parameters - 0.1 * parameters.mean(dim=(0, 1, 3, 4), keepdim=True)

    with pytest.raises(ContractViolation, match="differently in a batch"):
        check_batch_invariant(Centred(1, (1,)), images_of(1, count=3))


def test_a_violation_has_an_exit_code():
    assert ContractViolation.exit_code == 1
