"""PixelRNN with Diagonal BiLSTM layers (van den Oord et al. 2016, sections 3.2 and 3.3).

    x + W_out h(x)

h is the Diagonal BiLSTM of `layers/diagonal_bilstm.py` from 2h maps to h, both directions added, W_out a
masked 1 x 1 convolution of type B from h maps back to 2h (figure 5, right).
"""

from typing import Literal, final

from torch import Tensor, nn

from pixelrnn.layers import DiagonalBiLSTM
from pixelrnn.models.lstm_block import LSTMBlock
from pixelrnn.models.registry import register
from pixelrnn.models.residual import ResidualConfig, ResidualModel


class DiagonalBiLSTMConfig(ResidualConfig):
    """Configuration of a PixelRNN with Diagonal BiLSTM layers."""

    kind: Literal["diagonal-bilstm"] = "diagonal-bilstm"


@final
@register("Diagonal BiLSTM", DiagonalBiLSTMConfig, rank=3)
class DiagonalBiLSTMModel(ResidualModel):
    """Diagonal BiLSTM layers on the shared skeleton.

    Example:
        >>> import torch
        >>> model = DiagonalBiLSTMModel(DiagonalBiLSTMConfig(channels=1, features=4, layers=1))
        >>> images = torch.zeros(2, 1, 5, 7, dtype=torch.uint8)
        >>> model.log_prob(images).shape
        torch.Size([2])
    """

    config: DiagonalBiLSTMConfig

    @staticmethod
    def make_block(config: ResidualConfig, index: int, stream: Tensor, inner: Tensor) -> nn.Module:
        """Return block `index`; see the base class."""
        return LSTMBlock(DiagonalBiLSTM(stream, inner), stream, inner)
