"""Gated PixelCNN (van den Oord et al. 2016, "Conditional Image Generation with PixelCNN Decoders").

arXiv 1606.05328, section 2 and figure 2. Two stacks of layers run side by side: the vertical one knows all
rows above the pixel, the horizontal one what is left of it in its row, and all that the vertical one knows.

    v' = tanh(a) . sigmoid(b)              with (a, b) = W_v * v         k x k, its own row of v included
    h' = h + W_out (tanh(c) . sigmoid(d))  with (c, d) = W_h * h + W_link (a, b)       1 x k masked, 1 x 1

So no pixel above is out of sight, where kernels of a single stack leave a blind spot:

    v v v v v v v     v: by the vertical stack
    v v v v v v v     h: by the horizontal one
    h h h ^ . . .     the pixel

Deviations: as in the other models, the horizontal stack has 2h maps between blocks, and its first layer is
the masked 7 x 7 convolution of `models/residual.py`, which reads rows above too; kernels may be dilated.
"""

from typing import Literal, cast, final

import torch
from torch import Tensor, nn

from pixelrnn.graph.traced import Maps
from pixelrnn.layers import Gate, MaskedConv2d, pointwise, run_chain
from pixelrnn.models.conditioning import GivenIn
from pixelrnn.models.given import Conditions
from pixelrnn.models.pixel_cnn import PixelCNNConfig
from pixelrnn.models.registry import register
from pixelrnn.models.residual import ResidualConfig, ResidualModel


class GatedPixelCNNConfig(PixelCNNConfig):
    """Configuration of a Gated PixelCNN."""

    kind: Literal["gated-pixelcnn"] = "gated-pixelcnn"  # type: ignore[assignment]


@final
@register("Gated PixelCNN", GatedPixelCNNConfig, rank=4)
class GatedPixelCNN(ResidualModel):
    """Two stacks of gated layers on the shared skeleton.

    Example:
        >>> model = GatedPixelCNN(GatedPixelCNNConfig(channels=1, features=4, layers=2))
        >>> images = torch.zeros(2, 1, 5, 7, dtype=torch.uint8)
        >>> model.log_prob(images).shape
        torch.Size([2])
    """

    config: GatedPixelCNNConfig

    def __init__(self, config: GatedPixelCNNConfig) -> None:
        super().__init__(config)
        rows_above = torch.zeros(config.features, dtype=torch.int64)
        self.vertical_stem = self.make_stem(config, self.stem.in_groups, rows_above, "above")
        self.given_in_vertical = GivenIn(config, rows_above, "above")

    @staticmethod
    def make_block(config: ResidualConfig, index: int, stream: Tensor, inner: Tensor) -> nn.Module:
        """Return block `index`; see the base class."""
        config = cast(GatedPixelCNNConfig, config)
        dilation = config.dilations[index % len(config.dilations)]
        return GatedBlock(stream, inner, config.kernel_size, dilation)

    def block_outputs(self, inputs: Maps, given: Conditions[Maps]) -> list[Maps]:
        """Return the horizontal stack's maps `(B, 2h, H, W)` behind every block."""
        stems = [(self.vertical_stem, self.given_in_vertical), (self.stem, self.given_in)]
        (vertical, horizontal), outputs = self.first_maps(inputs, given, stems), []
        for block in self.blocks:
            vertical, horizontal = block(vertical, horizontal)
            outputs.append(horizontal)
        return outputs


class GatedBlock(nn.Module):
    """One gated layer of each stack, and the link from the vertical one to the horizontal one."""

    def __init__(self, stream: Tensor, inner: Tensor, kernel_size: int, dilation: int) -> None:
        super().__init__()
        rows_above = torch.zeros_like(inner)  # which are known to all colours alike
        self.gate_above, self.gate = Gate(rows_above), Gate(inner)
        sums, sums_above = inner.repeat_interleave(2), rows_above.repeat_interleave(2)
        square, line = (kernel_size, kernel_size), (1, kernel_size)
        self.vertical = MaskedConv2d(rows_above, sums_above, square, "vertical", dilation=dilation)
        self.horizontal = MaskedConv2d(stream, sums, line, "B", dilation=dilation)
        self.link = pointwise(sums_above, sums, bias=False)
        self.out = pointwise(inner, stream)

    def forward(self, vertical: Maps, horizontal: Maps) -> tuple[Maps, Maps]:
        """Map `(B, h, H, W)` and `(B, 2h, H, W)` to maps of the same shapes."""
        above = self.vertical(vertical)
        sums = run_chain([self.horizontal], horizontal, residual=self.link(above))
        passed: Maps = self.gate(sums)
        return self.gate_above(above), run_chain([self.out], passed, residual=horizontal)
