"""A linear prediction of each pixel from its causal neighbours.

    q_c = w * sum over colours d of   a_cd NW_d + b_cd N_d + e_cd NE_d + f_cd W_d

It starts as W + N - NW of the same colour, the predictor of lossless coders (the gradient predictor of
JPEG-LS without its median), and is learned with the rest. Values are scaled to [-1, 1]; outside the
image they are 0.

The weights are in units of w = `WEIGHT_UNIT`. They are few, and they are right to within a few percent from
the start, where an optimiser whose steps have one size for all weights, as Adam's have, would shake them.
"""

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor, nn

from pixelrnn.layers.masked_conv import MaskedConv2d
from pixelrnn.layers.masks import Needed
from pixelrnn.stepper.program import Features, Program, Tap

WEIGHT_UNIT = 0.05


class LinearPrediction(nn.Module):
    """Predict all colours of a pixel from the four earlier pixels that touch it.

    Example:
        >>> image = torch.tensor([[[[0.1, 0.2], [0.3, 0.0]]]])
        >>> round(LinearPrediction(channels=1)(image)[0, 0, 1, 1].item(), 6)  # W + N - NW
        0.4
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        together = torch.zeros(channels, dtype=torch.int64)
        self.conv = MaskedConv2d(together, together, (3, 3), "A", bias=False)
        start = torch.zeros(channels, channels, 4)  # taps NW, N, NE, W
        start[range(channels), range(channels)] = torch.tensor([-1.0, 1.0, 0.0, 1.0])
        with torch.no_grad():
            self.conv.weight.copy_(start.flatten() / WEIGHT_UNIT)

    def forward(self, values: Tensor) -> Tensor:
        """Map scaled images `(B, C, H, W)` to predictions `(B, C, H, W)`.

        Also under mixed precision in that of the weights: a level is a 256th of the range.
        """
        with torch.autocast(values.device.type, enabled=False):
            predictions: Tensor = self.conv(values)
            return WEIGHT_UNIT * predictions

    def lower(self, program: Program, image: Features, parameters: Features) -> Features:
        """Write the predictions behind the other parameters of the likelihood; return both."""
        channels = image.count
        out = program.new_map(parameters.count + channels)
        with program.section(0):
            program.add(out.part(0, parameters.count), [Tap(parameters)])
            taps = [
                replace(tap, weights=WEIGHT_UNIT * tap.weights)
                for tap in self.conv.taps(image, np.arange(channels))
                if tap.weights is not None
            ]
            program.linear(out.part(parameters.count, channels), taps)
        return out

    def reach(self, needed: Needed) -> Needed:
        """Return which pixels the needed predictions depend on, bool `(1, H, W)`."""
        return self.conv.reach(needed)
