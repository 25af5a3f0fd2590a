"""The gated activation (van den Oord et al. 2016, arXiv 1606.05328, equation 2).

    y = tanh(a) . sigmoid(b)

Of the maps that it reads, the first half of each colour group is a, the second half b.
"""

import torch
from torch import Tensor, nn

from pixelrnn.graph.traced import Maps, Traced


class Gate(nn.Module):
    """Map `(B, 2F, H, W)`, in ascending order of colour groups, to `(B, F, H, W)`.

    Args:
        groups: colour group of each result, ascending, int64 `(F,)`.

    Example:
        >>> gate = Gate(torch.zeros(2).long())
        >>> gate(torch.tensor([0.5, -9.0, 9.0, 9.0]).view(1, 4, 1, 1)).flatten().round(decimals=2)
        tensor([ 0.4600, -1.0000])
    """

    groups: Tensor

    def __init__(self, groups: Tensor) -> None:
        super().__init__()
        self.register_buffer("groups", groups, persistent=False)
        self.sizes: list[int] = (2 * groups.bincount()).tolist()

    def forward(self, maps: Maps) -> Maps:
        """Return what the gates let through."""
        if isinstance(maps, Traced):
            value = None if maps.value is None else self(maps.value)
            return maps.gate(self.groups.cpu().numpy(), value)
        halves = (part.chunk(2, dim=1) for part in maps.split(self.sizes, dim=1))
        return torch.cat([a.tanh() * b.sigmoid() for a, b in halves], dim=1)
