"""How a label and an image that is given come into a network: added to what its first layer gives.

    y = stem(x) + E[label] + W c,     c = a network of free convolutions over the given image

(van den Oord et al. 2016, arXiv 1606.05328, equations 4 and 5, where they come into every layer; here the
residual stream hands them on.) `E` has a row more than there are classes: that of images of no class.
"""

from dataclasses import replace
from itertools import pairwise

import torch
from torch import Tensor, nn

from pixelrnn.graph.program import AroundPixels
from pixelrnn.graph.traced import Maps, Traced
from pixelrnn.layers import MaskedConv2d, run_chain
from pixelrnn.layers.free_conv import FreeConv2d
from pixelrnn.layers.masks import MaskType
from pixelrnn.models.config import ConditionConfig, ModelConfig
from pixelrnn.models.given import Conditions


class ConditionNetwork(nn.Module):
    """Free convolutions from a given image, `(B, C + 1, H, W)`, to features `(B, F, H, W)`.

    Args:
        config: of the network.
        channels: C, the colours of the image.
    """

    def __init__(self, config: ConditionConfig, channels: int) -> None:
        super().__init__()
        sizes = [channels + 1] + [config.features] * config.layers
        self.layers = nn.ModuleList(
            FreeConv2d(*pair, config.kernel_size) for pair in pairwise(sizes)
        )

    def forward(self, maps: Maps) -> Maps:
        """Run the network, with max(y, 0) between layers."""
        for n, layer in enumerate(self.layers):
            maps = layer(maps.relu() if n else maps)
        return maps


class GivenIn(nn.Module):
    """What is added to a first layer.

    Args:
        config: the model's configuration.
        groups: colour group of each map of that layer.
        mask_type: of that layer: a stack that knows the rows above alone has what is given too.
    """

    groups: Tensor

    def __init__(self, config: ModelConfig, groups: Tensor, mask_type: MaskType) -> None:
        super().__init__()
        self.register_buffer("groups", groups, persistent=False)
        self.labels = (
            nn.Parameter(torch.zeros(config.num_labels + 1, len(groups)))
            if config.num_labels
            else None
        )
        self.image = None
        if config.condition:
            features = torch.zeros(config.condition.features, dtype=torch.int64)
            own_row: MaskType = "B" if mask_type == "A" else "vertical"
            self.image = MaskedConv2d(features, groups, (1, 1), own_row, bias=False)
        self.section: AroundPixels | None = None if mask_type == "A" else "row_start"

    def forward(
        self, given: Conditions[Maps], features: Maps | None, size: tuple[int, int]
    ) -> Maps | None:
        """Return what is added, `(B, maps, H, W)`; nothing if nothing is ever given.

        Args:
            given: labels are read of it.
            features: of the given image, `(B, F, H, W)`.
            size: height and width of the images.
        """
        added = None if given.labels is None else self._of_labels(given.labels, size)
        if self.image is None or features is None:
            return added
        return run_chain([self.image], features, residual=added)

    def _of_labels(self, labels: Maps, size: tuple[int, int]) -> Maps:
        table = self.labels
        if table is None:
            raise ValueError("a model without labels was given some")
        if isinstance(labels, Traced):
            value = None if labels.value is None else table[labels.value][:, :, None, None]
            number = replace(labels, section=self.section)
            return number.embed(
                table.detach().double().cpu().numpy(), self.groups.cpu().numpy(), value
            )
        return table[labels][:, :, None, None].expand(-1, -1, *size)
