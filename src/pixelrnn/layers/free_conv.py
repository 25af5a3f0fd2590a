"""A convolution without a mask, over maps that are given whole.

    y[o, r, c] = b[o] + sum over i and all taps (dr, dc) of W[o, i, dr, dc] x[i, r + dr, c + dc]

all of it times a unit, where weights are in one.

It may read what lies below and to the right, for nothing there is to be predicted. A tap outside the image
reads zero.
"""

import numpy as np
import numpy.typing as npt
from torch import Tensor, nn

from pixelrnn.arrays import Floats
from pixelrnn.graph.operation import Features, Tap
from pixelrnn.graph.traced import Maps, Traced


class FreeConv2d(nn.Module):
    """Map `(B, in, H, W)` to `(B, out, H, W)`.

    Args:
        inputs: features that it reads.
        outputs: features that it gives.
        kernel_size: side of the square kernel, odd.
        unit: of weights and biases.

    Example:
        >>> import torch
        >>> FreeConv2d(2, 4, 3)(torch.zeros(1, 2, 5, 7)).shape
        torch.Size([1, 4, 5, 7])
    """

    def __init__(self, inputs: int, outputs: int, kernel_size: int, unit: float = 1.0) -> None:
        super().__init__()
        if kernel_size % 2 == 0:
            raise ValueError(f"a kernel needs a centre: an odd side, not {kernel_size}")
        self.conv = nn.Conv2d(inputs, outputs, kernel_size, padding=kernel_size // 2)
        self.unit = unit

    def forward(self, maps: Maps) -> Maps:
        """Run the convolution over whole images."""
        if isinstance(maps, Traced):
            return self._trace(maps)
        return self._in_torch(maps)

    def _in_torch(self, maps: Tensor) -> Tensor:
        result: Tensor = self.conv(maps)
        return result if self.unit == 1 else self.unit * result

    def _trace(self, maps: Traced) -> Traced:
        value = None if maps.value is None else self._in_torch(maps.value)
        groups = np.zeros(self.conv.out_channels, np.int64)
        return maps.linear(
            groups, lambda outputs: self._part(maps.features, outputs), value, None, section="given"
        )

    def _part(
        self, source: Features, outputs: npt.NDArray[np.intp]
    ) -> tuple[list[Tap], Floats | None]:
        """Return what some outputs read, and their biases."""
        weight, bias = (
            self.unit * each.detach().double().cpu().numpy()[outputs]
            for each in (self.conv.weight, self.conv.get_parameter("bias"))
        )
        half = weight.shape[2] // 2
        taps = [
            Tap(
                source, row - half, column - half, np.ascontiguousarray(weight[:, :, row, column].T)
            )
            for row, column in np.ndindex(weight.shape[2:])
        ]
        return taps, bias
