"""A linear prediction of each pixel from its causal neighbours.

    q_c = w * sum over colours d of   a_cd NW_d + b_cd N_d + e_cd NE_d + f_cd W_d

It starts as W + N - NW of the same colour, the predictor of lossless coders (the gradient predictor of
JPEG-LS without its median), and is learned with the rest. Values are scaled to [-1, 1]; outside the
image they are 0.

The weights are in units of w = `WEIGHT_UNIT`. They are few, and they are right to within a few percent from
the start, where an optimiser whose steps have one size for all weights, as Adam's have, would shake them.
"""

import torch
from torch import nn

from pixelrnn.graph.traced import Maps, Traced
from pixelrnn.layers.masked_conv import MaskedConv2d

WEIGHT_UNIT = 0.05


class LinearPrediction(nn.Module):
    """Predict all colours of a pixel from the four earlier pixels that touch it.

    Example:
        >>> image = torch.tensor([[[[0.1, 0.2], [0.3, 0.0]]]])
        >>> both = LinearPrediction(channels=1)(image, image[:, :0])
        >>> round(both[0, 0, 1, 1].item(), 6)  # W + N - NW
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

    def forward(self, values: Maps, parameters: Maps) -> Maps:
        """Return the predictions beside the other parameters of the likelihood, all `(B, F, H, W)`.

        Also under mixed precision they are in that of the weights: a level is a 256th of the range.

        Args:
            values: scaled images `(B, C, H, W)`.
            parameters: the others.
        """
        if isinstance(values, Traced):
            return self._trace(values, parameters)
        with torch.autocast(values.device.type, enabled=False):
            return torch.cat([parameters, WEIGHT_UNIT * self.conv(values)], dim=1)

    def _trace(self, values: Traced, parameters: Traced) -> Traced:
        of_values = None if values.value is None else WEIGHT_UNIT * self.conv(values.value)
        predictions = values.linear(
            self.conv.out_groups.cpu().numpy(),
            lambda outputs: self.conv.part(values.features, outputs, WEIGHT_UNIT),
            of_values,
            None,
        )
        both = None
        if of_values is not None and parameters.value is not None:
            both = torch.cat([parameters.value, of_values], dim=1)
        return parameters.beside(predictions, both)
