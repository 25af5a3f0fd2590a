"""PixelRNN with Row LSTM layers (van den Oord et al. 2016, sections 3.1 and 3.3).

    x + W_out h(x)

h is the Row LSTM of `layers/row_lstm.py` from 2h maps to h, W_out a masked 1 x 1 convolution of type B
from h maps back to 2h (figure 5, right).
"""

from typing import Literal, cast, final

from pydantic import Field, field_validator
from torch import Tensor, nn

from pixelrnn.layers import RowLSTM
from pixelrnn.models.config import odd
from pixelrnn.models.lstm_block import LSTMBlock
from pixelrnn.models.registry import register
from pixelrnn.models.residual import ResidualConfig, ResidualModel


class RowLSTMConfig(ResidualConfig):
    """Configuration of a PixelRNN with Row LSTM layers."""

    kind: Literal["row-lstm"] = "row-lstm"
    kernel_size: int = Field(default=3, ge=1, le=15, description="width of both kernels, odd")

    @field_validator("kernel_size")
    @classmethod
    def _odd_kernel(cls, size: int) -> int:
        return odd(size)


@final
@register("Row LSTM", RowLSTMConfig, rank=2)
class RowLSTMModel(ResidualModel):
    """Row LSTM layers on the shared skeleton.

    Example:
        >>> import torch
        >>> model = RowLSTMModel(RowLSTMConfig(channels=1, features=4, layers=2))
        >>> images = torch.zeros(2, 1, 5, 7, dtype=torch.uint8)
        >>> model.log_prob(images).shape
        torch.Size([2])
    """

    config: RowLSTMConfig

    @staticmethod
    def make_block(config: ResidualConfig, index: int, stream: Tensor, inner: Tensor) -> nn.Module:
        """Return block `index`; see the base class."""
        config = cast(RowLSTMConfig, config)
        return LSTMBlock(RowLSTM(stream, inner, config.kernel_size), stream, inner)
