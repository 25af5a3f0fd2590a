"""The skeleton that the three models share, and what they take and give."""

import math

import pytest
import torch

from pixelrnn.errors import ImageMismatchError
from pixelrnn.models import AutoregressiveModel


def test_shapes(kind, likelihood, channels, tiny_model, random_images):
    model = tiny_model(kind, likelihood, channels)
    images = random_images(3, channels, 4, 6)
    parameters = model(images)
    groups, maps = (channels, 5) if likelihood == "categorical" else (1, 0)
    if likelihood == "logistic-mixture":
        maps = 2 * (1 + 2 * channels + channels * (channels - 1) // 2) + channels
    assert parameters.shape == (3, groups, maps, 4, 6)
    assert parameters.dtype == torch.float64
    nats = model.log_prob_map(images)
    assert nats.shape == images.shape
    assert (nats <= 0).all()
    torch.testing.assert_close(model.log_prob(images), nats.sum(dim=(1, 2, 3)))


@pytest.mark.parametrize("shape", [(1, 1), (1, 6), (6, 1), (5, 7), (9, 2)], ids=str)
def test_any_size_works_with_the_same_weights(kind, likelihood, shape, tiny_model, random_images):
    model = tiny_model(kind, likelihood, 3)
    assert model.log_prob(random_images(2, 3, *shape)).isfinite().all()


def test_a_taller_image_starts_as_a_shorter_one(kind, likelihood, tiny_model, random_images):
    """Rows below change nothing, so that the parameters of a cropped image are the same."""
    model = tiny_model(kind, likelihood, 3, noise=0.2)
    images = random_images(2, 3, 6, 5)
    torch.testing.assert_close(
        model(images)[..., :4, :], model(images[:, :, :4]), rtol=1e-12, atol=1e-12
    )


def test_starts_near_uniform(kind, channels, tiny_model, random_images):
    model = tiny_model(kind, "categorical", channels, num_levels=17)
    nats = -model.log_prob_map(random_images(4, channels, 5, 7, 17)).mean().item()
    assert nats == pytest.approx(math.log(17), rel=0.1)


def test_zero_output_weights_give_exactly_the_uniform_cost(
    kind, channels, tiny_model, random_images
):
    model = tiny_model(kind, "categorical", channels, num_levels=256)
    torch.nn.init.zeros_(model.head.output.weight)
    nats = model.log_prob_map(random_images(2, channels, 3, 4, 256))
    assert nats.unique().tolist() == [-math.log(256)]


@pytest.mark.parametrize("border", [True, False])
def test_the_border_channel_tells_mid_grey_from_padding(kind, border, tiny_model):
    """With five levels, level 2 is scaled to zero, as is the padding."""
    model = tiny_model(kind, "categorical", 1, noise=0.2, border_channel=border)
    # The states outside the image, and how many pixels there are before, tell too: leave the stem alone.
    for name, parameter in model.blocks.named_parameters():
        if name.endswith("out.weight"):
            torch.nn.init.zeros_(parameter)
    grey = torch.full((1, 1, 4, 5), 2, dtype=torch.uint8)
    parameters = model(grey)
    inside, corner = parameters[0, ..., 2, 2], parameters[0, ..., 0, 0]
    assert torch.equal(inside, corner) != border


def test_precision_of_the_likelihood_can_be_raised(kind, likelihood, tiny_model, random_images):
    model = tiny_model(kind, likelihood, 3, dtype=torch.float32)
    images = random_images(2, 3, 4, 5)
    usual, raised = model.log_prob_map(images), model.log_prob_map(images, dtype=torch.float64)
    assert (usual.dtype, raised.dtype) == (torch.float32, torch.float64)
    torch.testing.assert_close(usual.double(), raised, rtol=1e-4, atol=1e-4)
    assert model.dtype == torch.float32
    assert model.device.type == "cpu"


def test_number_of_parameters_by_hand(tiny_model):
    """A grey PixelCNN of h = 3: counted on paper, masked weights left out."""
    settings = {"features": 3, "head_features": 4, "layers": 2, "num_levels": 5}
    model = tiny_model("pixelcnn", "categorical", 1, **settings)
    stem = 6 * 2 * 4 + 6  # image and border channel, four taps of 3x3 before the pixel
    block = (6 * 3 + 3) + (3 * 3 * 5 + 3) + (3 * 6 + 6)
    head = (6 * 4 + 4) + (4 * 5 + 5)
    assert model.num_parameters() == stem + 2 * block + head


def test_number_of_parameters_of_the_lstms_by_hand(tiny_model):
    settings = {"features": 3, "head_features": 4, "layers": 1, "num_levels": 5}
    stem, head, out = 6 * 2 * 4 + 6, (6 * 4 + 4) + (4 * 5 + 5), 3 * 6 + 6
    row = (12 * 6 * 2 + 12) + 3 * 3 * 12 + 2 * 3  # two taps of 1x3; three taps; initial h and c
    diagonal = (24 * 6 + 24) + 2 * (2 * 3 * 12) + 2 * (2 * 3)
    models = {
        kind: tiny_model(kind, "categorical", 1, **settings).num_parameters()
        for kind in ("row-lstm", "diagonal-bilstm")
    }
    assert models == {
        "row-lstm": stem + row + out + head,
        "diagonal-bilstm": stem + diagonal + out + head,
    }


@pytest.mark.parametrize(
    ("images", "complaint"),
    [
        (torch.zeros(1, 3, 4, 4), "levels as uint8"),
        (torch.zeros(3, 4, 4, dtype=torch.uint8), "not one of shape"),
        (torch.full((1, 3, 4, 4), -1, dtype=torch.int32), "0 or more"),
        (torch.zeros(1, 1, 4, 4, dtype=torch.uint8), "RGB images"),
        (torch.full((1, 3, 4, 4), 5, dtype=torch.uint8), "5 levels"),
    ],
    ids=["floats", "one-image", "negative", "grey", "a-level-too-many"],
)
def test_images_that_do_not_fit_are_refused(kind, likelihood, images, complaint, tiny_model):
    with pytest.raises(ImageMismatchError, match=complaint):
        tiny_model(kind, likelihood, 3).log_prob(images)


def test_mixed_precision_runs(kind, likelihood, tiny_model, random_images):
    model = tiny_model(kind, likelihood, 3, dtype=torch.float32)
    images = random_images(2, 3, 4, 5)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        nats = model.nats(images)
    nats.backward()
    assert all(weight.grad.isfinite().all() for weight in model.parameters())
    assert nats.item() == pytest.approx(model.nats(images).item(), rel=0.02)


@pytest.mark.parametrize(("features", "inner"), [(128, [43, 43, 42]), (7, [3, 2, 2])])
def test_every_gate_has_the_groups_of_the_states(features, inner, tiny_model):
    """Blue gates see all inputs at the pixel, red ones the red third only, in each of four gates."""
    settings = {"layers": 1, "features": features, "head_features": 6}
    model = tiny_model("diagonal-bilstm", "categorical", 3, **settings)
    mask = model.blocks[0].lstm.input_to_state.mask[:, :, 0, 0]
    stream = {128: [86, 85, 85], 7: [5, 5, 4]}[features]
    seen = [stream[0]] * inner[0] + [sum(stream[:2])] * inner[1] + [sum(stream)] * inner[2]
    assert mask.sum(dim=1).tolist() == seen * 8  # four gates, two directions


@pytest.mark.parametrize("method", ["log_prob", "log_prob_map", "sample"])
def test_no_model_scores_or_draws_its_own_way(method):
    with pytest.raises(
        TypeError, match=f"Flattering overrides {method}, which is the same for all"
    ):
        type("Flattering", (AutoregressiveModel,), {method: lambda self, images: 0.9})
    type("Honest", (AutoregressiveModel,), {"forward": lambda self, images: images})
