"""The residual block of both LSTM models (van den Oord et al. 2016, figure 5, right)."""

from torch import Tensor, nn

from pixelrnn.graph.traced import Maps
from pixelrnn.layers import DiagonalBiLSTM, RowLSTM, pointwise, run_chain


class LSTMBlock(nn.Module):
    """An LSTM layer from 2h maps to h, and a masked 1 x 1 convolution back to 2h, added."""

    def __init__(self, lstm: RowLSTM | DiagonalBiLSTM, stream: Tensor, inner: Tensor) -> None:
        super().__init__()
        self.lstm = lstm
        self.out = pointwise(inner, stream)

    def forward(self, maps: Maps) -> Maps:
        """Map `(B, 2h, H, W)` to `(B, 2h, H, W)`."""
        states: Maps = self.lstm(maps)
        return run_chain([self.out], states, residual=maps)
