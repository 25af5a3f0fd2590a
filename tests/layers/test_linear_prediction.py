"""The linear prediction keeps its precision."""

import torch

from pixelrnn.layers import LinearPrediction
from pixelrnn.layers.linear_prediction import WEIGHT_UNIT


def test_mixed_precision_does_not_round_a_prediction():
    """Half precision has steps of two levels at the ends of the range."""
    predict = LinearPrediction(channels=3)
    values = torch.rand(1, 3, 4, 5) * 2 - 1
    with torch.autocast("cpu", dtype=torch.bfloat16):
        mixed = predict(values, values[:, :0])
    assert torch.equal(mixed, predict(values, values[:, :0]))


def test_what_is_given_is_read_on_all_sides():
    """The mean of left and right where these are given, the gradient's predictor elsewhere."""
    prediction = LinearPrediction(1, given_maps=2)
    with torch.no_grad():
        weight = prediction.of_given.conv.weight  # (1, 2, 3, 3): values, and what is known
        weight[0, 0, 1] = torch.tensor([-0.5, 0.0, 0.5]) / WEIGHT_UNIT
    image = torch.rand(1, 1, 5, 7)
    known = torch.zeros_like(image)
    known[:, :, :, ::2] = 1
    image[:, :, 0] = image[:, :, 2] = 0  # so that N and NW are nothing in row 1
    given = torch.cat([image * known, known], dim=1)
    found = prediction(image, image[:, :0], given)[0, 0, 1]
    left, right = image[0, 0, 1, 0:5:2], image[0, 0, 1, 2:7:2]
    torch.testing.assert_close(found[1:6:2], (left + right) / 2)
    torch.testing.assert_close(
        prediction(image, image[:, :0], 0 * given), prediction(image, image[:, :0])
    )
