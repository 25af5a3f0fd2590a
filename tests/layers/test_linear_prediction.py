"""The linear prediction keeps its precision."""

import torch

from pixelrnn.layers import LinearPrediction


def test_mixed_precision_does_not_round_a_prediction():
    """Half precision has steps of two levels at the ends of the range."""
    predict = LinearPrediction(channels=3)
    values = torch.rand(1, 3, 4, 5) * 2 - 1
    with torch.autocast("cpu", dtype=torch.bfloat16):
        mixed = predict(values, values[:, :0])
    assert torch.equal(mixed, predict(values, values[:, :0]))
