"""PixelSNAIL (Chen et al. 2017, "PixelSNAIL: An Improved Autoregressive Generative Model").

arXiv 1712.09763, section 3 and figure 3. Residual blocks of gated convolutions, and behind some of them
self-attention: what is near comes through the convolutions, and anything before through attention.

    x + W_out (tanh(a) . sigmoid(b)),    (a, b) = W_k relu(W_in relu(x))            masked k x k
    x + W_out (sum over earlier pixels q of softmax(Q . k_q) v_q)                  `layers/attention.py`

    s s s s s s s      s: by attention, from `attention_rows` above on
    s c c c c c s      c: by the convolutions of a block, and by attention
    s c c ^ . . .      the pixel

Deviations: blocks are bottlenecks, as PixelCNN's; there are no features of the position; what attention
finds is added as it is, without a gated layer; and it is the same for all colours of a pixel.
"""

from collections.abc import Sequence
from typing import Literal, cast, final

from pydantic import Field
from torch import Tensor, nn

from pixelrnn.graph.traced import Maps
from pixelrnn.layers import Gate, MaskedConv2d, pointwise, run_chain
from pixelrnn.layers.attention import Attention
from pixelrnn.models.given import Conditions
from pixelrnn.models.pixel_cnn import PixelCNNConfig
from pixelrnn.models.registry import register
from pixelrnn.models.residual import ResidualConfig, ResidualModel


class PixelSNAILConfig(PixelCNNConfig):
    """Configuration of a PixelSNAIL."""

    kind: Literal["pixel-snail"] = "pixel-snail"  # type: ignore[assignment]
    attention_every: int = Field(
        default=2, ge=1, le=256, description="blocks for each attention, which follows the last one"
    )
    heads: int = Field(default=1, ge=1, le=64, description="of each attention")
    head_size: int = Field(default=8, ge=1, le=64, description="features of a key, and of a value")
    attention_rows: int = Field(
        default=1024, ge=1, le=1024, description="rows above that attention looks at"
    )


@final
@register("PixelSNAIL", PixelSNAILConfig, rank=5)
class PixelSNAIL(ResidualModel):
    """Gated blocks and attention on the shared skeleton.

    Example:
        >>> import torch
        >>> model = PixelSNAIL(PixelSNAILConfig(channels=1, features=4, layers=2))
        >>> images = torch.zeros(2, 1, 5, 7, dtype=torch.uint8)
        >>> model.log_prob(images).shape
        torch.Size([2])
    """

    config: PixelSNAILConfig

    def __init__(self, config: PixelSNAILConfig) -> None:
        super().__init__(config)
        blocks = cast(Sequence[GatedBlock], self.blocks)
        for block in blocks[:: -config.attention_every]:
            block.attention = Attention(
                self.stem.out_groups,
                self.stem.in_groups,
                heads=config.heads,
                features=config.head_size,
                rows=config.attention_rows,
            )

    @staticmethod
    def make_block(config: ResidualConfig, index: int, stream: Tensor, inner: Tensor) -> nn.Module:
        """Return block `index`, yet without attention; see the base class."""
        config = cast(PixelSNAILConfig, config)
        dilation = config.dilations[index % len(config.dilations)]
        return GatedBlock(stream, inner, config.kernel_size, dilation)

    def block_outputs(self, inputs: Maps, given: Conditions[Maps]) -> list[Maps]:
        """Return the maps `(B, 2h, H, W)` behind every block; attention reads the image itself, too."""
        (maps,), outputs = self.first_maps(inputs, given, [(self.stem, self.given_in)]), []
        for block in self.blocks:
            maps = block(inputs, maps)
            outputs.append(maps)
        return outputs


class GatedBlock(nn.Module):
    """Bottleneck of h maps around one masked k x k convolution and its gate; attention, if any, follows."""

    attention: Attention | None

    def __init__(self, stream: Tensor, inner: Tensor, kernel_size: int, dilation: int) -> None:
        super().__init__()
        self.into, self.out = pointwise(stream, inner), pointwise(inner, stream)
        sums, kernel = inner.repeat_interleave(2), (kernel_size, kernel_size)
        self.conv = MaskedConv2d(inner, sums, kernel, "B", dilation=dilation)
        self.gate, self.attention = Gate(inner), None

    def forward(self, image: Maps, maps: Maps) -> Maps:
        """Map the image itself, and `(B, 2h, H, W)`, to `(B, 2h, H, W)`."""
        passed: Maps = self.gate(run_chain([self.into, self.conv], maps, rectified=True))
        maps = run_chain([self.out], passed, residual=maps)
        return maps if self.attention is None else self.attention(maps, image)
