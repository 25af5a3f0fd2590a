"""A linear prediction of each pixel from its causal neighbours.

    q_c = w * sum over colours d of   a_cd NW_d + b_cd N_d + e_cd NE_d + f_cd W_d

It starts as W + N - NW of the same colour, the predictor of lossless coders (the gradient predictor of
JPEG-LS without its median), and is learned with the rest. Values are scaled to [-1, 1]; outside the
image they are 0.

Where the image is given by another, all nine pixels of that one around the pixel are read besides, and
which of them are known: to the right and below, too, which no causal neighbour is.

The weights are in units of w = `WEIGHT_UNIT`. They are few, and they are right to within a few percent from
the start, where an optimiser whose steps have one size for all weights, as Adam's have, would shake them.
"""

import torch
from torch import nn

from pixelrnn.graph.traced import Maps, Traced
from pixelrnn.layers.free_conv import FreeConv2d
from pixelrnn.layers.masked_conv import MaskedConv2d

WEIGHT_UNIT = 0.05


class LinearPrediction(nn.Module):
    """Predict all colours of a pixel from the four earlier pixels that touch it, and from what is given.

    Args:
        channels: colours of a pixel.
        given_maps: of the image that it is given by: its colours, and one that says what is known; or 0.

    Example:
        >>> image = torch.tensor([[[[0.1, 0.2], [0.3, 0.0]]]])
        >>> both = LinearPrediction(channels=1)(image, image[:, :0])
        >>> round(both[0, 0, 1, 1].item(), 6)  # W + N - NW
        0.4
    """

    def __init__(self, channels: int, given_maps: int = 0) -> None:
        super().__init__()
        together = torch.zeros(channels, dtype=torch.int64)
        self.conv = MaskedConv2d(together, together, (3, 3), "A", bias=False)
        start = torch.zeros(channels, channels, 4)  # taps NW, N, NE, W
        start[range(channels), range(channels)] = torch.tensor([-1.0, 1.0, 0.0, 1.0])
        with torch.no_grad():
            self.conv.weight.copy_(start.flatten() / WEIGHT_UNIT)
        self.of_given = None
        if given_maps:
            self.of_given = FreeConv2d(given_maps, channels, 3, WEIGHT_UNIT)
            for parameter in self.of_given.parameters():
                nn.init.zeros_(parameter)

    def forward(self, values: Maps, parameters: Maps, given: Maps | None = None) -> Maps:
        """Return the predictions beside the other parameters of the likelihood, all `(B, F, H, W)`.

        Also under mixed precision they are in that of the weights: a level is a 256th of the range.

        Args:
            values: scaled images `(B, C, H, W)`.
            parameters: the others.
            given: scaled images that these are given by, and what of them is known `(B, C' + 1, H, W)`.
        """
        if isinstance(values, Traced):
            return self._trace(values, parameters, self._of_given(given))
        with torch.autocast(values.device.type, enabled=False):
            predictions: Maps = WEIGHT_UNIT * self.conv(values)
            if (added := self._of_given(given)) is not None:
                predictions = predictions + added
            return torch.cat([parameters, predictions], dim=1)

    def _of_given(self, given: Maps | None) -> Maps | None:
        return None if self.of_given is None or given is None else self.of_given(given)

    def _trace(self, values: Traced, parameters: Traced, added: Traced | None) -> Traced:
        of_values = None if values.value is None else WEIGHT_UNIT * self.conv(values.value)
        predictions = values.linear(
            self.conv.out_groups.cpu().numpy(),
            lambda outputs: self.conv.part(values.features, outputs, WEIGHT_UNIT),
            of_values,
            added,
        )
        both = None
        if predictions.value is not None and parameters.value is not None:
            both = torch.cat([parameters.value, predictions.value], dim=1)
        return parameters.beside(predictions, both)
