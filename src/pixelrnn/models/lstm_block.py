"""The residual block of both LSTM models (van den Oord et al. 2016, figure 5, right)."""

from torch import Tensor, nn

from pixelrnn.layers import DiagonalBiLSTM, RowLSTM, pointwise, run_chain
from pixelrnn.layers.masks import Needed
from pixelrnn.stepper.program import Features, Program


class LSTMBlock(nn.Module):
    """An LSTM layer from 2h maps to h, and a masked 1 x 1 convolution back to 2h, added."""

    def __init__(self, lstm: RowLSTM | DiagonalBiLSTM, stream: Tensor, inner: Tensor) -> None:
        super().__init__()
        self.lstm = lstm
        self.out = pointwise(inner, stream)

    def forward(self, maps: Tensor) -> Tensor:
        """Map `(B, 2h, H, W)` to `(B, 2h, H, W)`."""
        return run_chain([self.out], self.lstm(maps), residual=maps)

    def lower(self, program: Program, maps: Features) -> Features:
        """Write the block into a program."""
        return self.out.lower(program, self.lstm.lower(program, maps), residual=maps)

    def reach(self, needed: Needed) -> Needed:
        """Return which inputs the needed outputs depend on, bool `(groups, H, W)`."""
        return needed | self.lstm.reach(self.out.reach(needed))
