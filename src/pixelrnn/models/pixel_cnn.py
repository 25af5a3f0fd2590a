"""PixelCNN (van den Oord et al. 2016, section 3.5; its block in figure 5, left).

    x + W_out relu(W_k relu(W_in relu(x)))

W_in is a 1 x 1 convolution from 2h maps to h, W_k a masked k x k one, W_out a 1 x 1 one back to 2h, all
of mask type B. Its receptive field grows with depth and has a blind spot: with 3 x 3 kernels it widens
to the right by one column for every row up, and what lies beyond is never reached.

    x x x x x x .      layers of 3 x 3 see the x;
    x x x x x . .      the . are earlier pixels
    x x x x . . .      that no depth reaches
    x x ^ the pixel

Deviation: the k x k kernels may be dilated (`dilations`, in turn), which widens the field at no cost.
"""

from typing import Literal, cast, final

from pydantic import Field, field_validator
from torch import Tensor, nn

from pixelrnn.graph.traced import Maps
from pixelrnn.layers import MaskedConv2d, pointwise, run_chain
from pixelrnn.models.config import odd
from pixelrnn.models.registry import register
from pixelrnn.models.residual import ResidualConfig, ResidualModel


class PixelCNNConfig(ResidualConfig):
    """Configuration of a PixelCNN."""

    kind: Literal["pixelcnn"] = "pixelcnn"
    kernel_size: int = Field(default=3, ge=1, le=15, description="masked kernel of a block, odd")
    dilations: tuple[int, ...] = Field(
        default=(1,),
        min_length=1,
        strict=False,
        description="distance between taps, block by block in turn",
    )

    @field_validator("kernel_size")
    @classmethod
    def _odd_kernel(cls, size: int) -> int:
        return odd(size)

    @field_validator("dilations")
    @classmethod
    def _positive(cls, dilations: tuple[int, ...]) -> tuple[int, ...]:
        if not all(1 <= dilation <= 64 for dilation in dilations):
            raise ValueError("a dilation is between 1 and 64 pixels")
        return dilations


@final
@register("PixelCNN", PixelCNNConfig, rank=1)
class PixelCNN(ResidualModel):
    """PixelCNN on the shared skeleton.

    Example:
        >>> import torch
        >>> model = PixelCNN(PixelCNNConfig(channels=1, features=4, layers=2))
        >>> images = torch.zeros(2, 1, 5, 7, dtype=torch.uint8)
        >>> model.log_prob(images).shape
        torch.Size([2])
    """

    config: PixelCNNConfig

    @staticmethod
    def make_block(config: ResidualConfig, index: int, stream: Tensor, inner: Tensor) -> nn.Module:
        """Return block `index`; see the base class."""
        config = cast(PixelCNNConfig, config)
        dilation = config.dilations[index % len(config.dilations)]
        return PixelCNNBlock(stream, inner, config.kernel_size, dilation)


class PixelCNNBlock(nn.Module):
    """Bottleneck of h maps around one masked k x k convolution."""

    def __init__(self, stream: Tensor, inner: Tensor, kernel_size: int, dilation: int) -> None:
        super().__init__()
        self.into = pointwise(stream, inner)
        kernel = (kernel_size, kernel_size)
        self.conv = MaskedConv2d(inner, inner, kernel, "B", dilation=dilation)
        self.out = pointwise(inner, stream)

    def forward(self, maps: Maps) -> Maps:
        """Map `(B, 2h, H, W)` to `(B, 2h, H, W)`."""
        layers = [self.into, self.conv, self.out]
        return run_chain(layers, maps, rectified=True, residual=maps)
