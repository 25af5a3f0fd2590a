"""The masked convolution (van den Oord et al. 2016, section 3.4).

    y[o, r, c] = b[o] + sum over i and the taps (dr, dc) of W[o, i, dr, dc] x[i, r + dr, c + dc]

where the taps of a 5 x 5 kernel are those marked x, and . at the pixel itself is mask A or B:

    x x x x x
    x x x x x
    x x .          only these rows are computed, and only these weights exist

A tap outside the image reads zero.
"""

from collections.abc import Iterator
from typing import assert_never

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pixelrnn.arrays import Floats
from pixelrnn.graph.operation import Features, Tap
from pixelrnn.graph.program import AroundPixels
from pixelrnn.graph.traced import Maps, Traced
from pixelrnn.kernels.plans import plan_layer
from pixelrnn.layers.chain import run_chain
from pixelrnn.layers.masks import OF_ROWS_ABOVE, MaskType, connections
from pixelrnn.layers.matrices import Matrices


class MaskedConv2d(nn.Module):
    """A convolution that reads earlier pixels, and of the pixel itself what its mask allows.

    Only the weights that the mask leaves are parameters: `weight` holds them in one line, in the order
    (output, input, row, column). A masked weight thus has no value, no gradient and no decay, and
    counting parameters counts connections.

    Args:
        in_groups: colour group of each input map, int64 `(in,)`.
        out_groups: colour group of each output map, int64 `(out,)`.
        kernel_size: (height, width) of the full kernel, odd; only the causal rows are kept.
        mask_type: "A" hides the pixel's own group, "B" shows it; "above" and "vertical" are those of layers
            that know the rows above alone (`masks.py`).
        dilation: distance in pixels between neighbouring taps.
        bias: whether to add a bias to each output map.

    Example:
        >>> conv = MaskedConv2d(torch.zeros(1).long(), torch.zeros(4).long(), (3, 3), "A")
        >>> conv(torch.zeros(2, 1, 5, 7)).shape
        torch.Size([2, 4, 5, 7])
        >>> conv.weight.shape  # 4 outputs, 1 input, 4 taps before the centre
        torch.Size([16])
    """

    mask: Tensor
    in_groups: Tensor
    out_groups: Tensor
    _index: Tensor

    def __init__(
        self,
        in_groups: Tensor,
        out_groups: Tensor,
        kernel_size: tuple[int, int],
        mask_type: MaskType,
        *,
        dilation: int = 1,
        bias: bool = True,
    ) -> None:
        super().__init__()
        self.dilation = dilation
        self.section: AroundPixels | None = "row_start" if mask_type in OF_ROWS_ABOVE else None
        mask = self.causal_mask(kernel_size, in_groups, out_groups, mask_type)
        self.register_buffer("mask", mask, persistent=False)
        self.register_buffer("in_groups", in_groups, persistent=False)
        self.register_buffer("out_groups", out_groups, persistent=False)
        self.register_buffer("_index", mask.flatten().nonzero().squeeze(1), persistent=False)
        self.weight = nn.Parameter(torch.empty(int(mask.sum())))
        self.bias = nn.Parameter(torch.zeros(len(out_groups))) if bias else None
        self.plan = plan_layer(mask.numpy(), dilation)
        self.reset_parameters()

    @staticmethod
    def causal_mask(
        kernel_size: tuple[int, int], in_groups: Tensor, out_groups: Tensor, mask_type: MaskType
    ) -> Tensor:
        """Return which weights there are, bool `(out, in, causal rows, width)`."""
        height, width = kernel_size
        if height % 2 == 0 or width % 2 == 0:
            raise ValueError(f"a masked kernel needs a centre: odd sides, not {height} x {width}")
        mask = torch.ones(len(out_groups), len(in_groups), height // 2 + 1, width, dtype=torch.bool)
        match mask_type:
            case "A" | "B":
                mask[:, :, -1, width // 2] = connections(in_groups, out_groups, mask_type)
                mask[:, :, -1, width // 2 + 1 :] = False
            case "above":
                mask[:, :, -1] = False
            case "vertical":
                pass
            case _:
                assert_never(mask_type)
        return mask

    def reset_parameters(self, gain: float = 1.0) -> None:
        """Draw weights of variance gain^2 / (inputs that the output sees), and zero the biases."""
        fan_in = self.mask.sum(dim=(1, 2, 3)).clamp(min=1)
        std = (gain / fan_in.sqrt())[:, None, None, None].expand(self.mask.shape)[self.mask]
        with torch.no_grad():
            self.weight.normal_().mul_(std)
            if self.bias is not None:
                self.bias.zero_()

    def weights(self) -> Tensor:
        """Return what the maps are multiplied by, in the order of `weight`."""
        return self.weight

    def kernel(self) -> Tensor:
        """Return the weights in place, zero where masked: `(out, in, causal rows, width)`."""
        weights = self.weights()
        if self._index.numel() == self.mask.numel():
            return weights.view(self.mask.shape)
        full = weights.new_zeros(self.mask.numel())
        return full.index_copy(0, self._index, weights).view(self.mask.shape)

    def matrices(self, count: int = 1) -> Iterator[Matrices]:
        """Yield how the weights form `count` matrices of (outputs / count) x (inputs x taps)."""
        places = torch.full((self.mask.numel(),), self.weight.numel(), device=self._index.device)
        places[self._index] = torch.arange(self.weight.numel(), device=places.device)
        yield Matrices(self.weight, places.view(count, len(self.out_groups) // count, -1))

    def forward(self, maps: Maps) -> Maps:
        """Map `(B, in, H, W)` to `(B, out, H, W)`."""
        return run_chain([self], maps)

    def in_torch(self, maps: Tensor) -> Tensor:
        """Do the same with an operation of torch, on any device; see `chain.py`."""
        rows, width = self.mask.shape[2:]
        below = rows - 1  # rows of zeros make the kernel whole: cheaper than maps that are cut
        padding = below * self.dilation, width // 2 * self.dilation
        kernel = F.pad(self.kernel(), (0, 0, 0, below))
        return F.conv2d(maps, kernel, self.bias, dilation=self.dilation, padding=padding)

    def trace(self, maps: Traced, residual: Traced | None = None) -> Traced:
        """Write the convolution down; its outputs are in ascending order of groups."""
        value = None if maps.value is None else self.in_torch(maps.value)
        groups = self.out_groups.cpu().numpy()
        return maps.linear(
            groups,
            lambda outputs: self.part(maps.features, outputs),
            value,
            residual,
            section=self.section,
        )

    def part(
        self, source: Features, outputs: npt.NDArray[np.intp], unit: float = 1.0
    ) -> tuple[list[Tap], Floats | None]:
        """Return what some outputs, all of one colour group, read of a map, and their biases."""
        kernel = unit * self.kernel().detach().double().cpu().numpy()[outputs]
        mask = self.mask.cpu().numpy()[outputs]
        rows, width = mask.shape[2:]
        taps = []
        for row in range(rows):
            for column in range(width):
                for first, count in _runs(np.any(mask[:, :, row, column], axis=0)):
                    weights = np.ascontiguousarray(kernel[:, first : first + count, row, column].T)
                    offset = (row - rows + 1) * self.dilation, (column - width // 2) * self.dilation
                    taps.append(Tap(source.part(first, count), *offset, weights))
        bias = None if self.bias is None else self.bias.detach().double().cpu().numpy()[outputs]
        return taps, bias


def _runs(chosen: np.ndarray) -> Iterator[tuple[int, int]]:
    """Yield (first, count) of each run of True: features that lie side by side."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], chosen.astype(np.int8), [0]])))
    for first, end in edges.reshape(-1, 2):
        yield int(first), int(end - first)


def pointwise(in_groups: Tensor, out_groups: Tensor, *, bias: bool = True) -> MaskedConv2d:
    """Return a 1 x 1 masked convolution of type B, which mixes the features of a pixel."""
    return MaskedConv2d(in_groups, out_groups, (1, 1), "B", bias=bias)
