"""The Row LSTM layer (van den Oord et al. 2016, section 3.1).

The LSTM of `line_lstm.py` runs from the top row to the bottom row. Its input-to-state product is a
masked 1 x k convolution along the row; its state-to-state product an unmasked one over the state row
above, so that one layer sees a triangle above the pixel, and to the left what the mask leaves:

    x x x x x x .          k = 3: one column more on each side for every row up,
    . x x x x . .          and one more to the left through input-to-state
    . . x x . . .
          ^ the pixel itself: of its own colour group or earlier ones

The paper calls the kernel k x 1, "row-wise": k columns, 1 row.
"""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor, nn

from pixelrnn.layers.line_lstm import LineLSTM, start_remembering
from pixelrnn.layers.lines import NUM_GATES, Line, Order, kept
from pixelrnn.layers.masked_conv import MaskedConv2d
from pixelrnn.layers.masks import Needed
from pixelrnn.layers.matrices import Matrices
from pixelrnn.stepper.program import Features, Program


class RowLSTM(nn.Module):
    """Map `(B, in, H, W)` to the hidden states `(B, features, H, W)`.

    Args:
        in_groups: colour group of each input map.
        groups: colour group of each LSTM feature; each of the four gates is masked by these.
        kernel_size: width k of both convolutions, odd.

    Example:
        >>> layer = RowLSTM(torch.zeros(6).long(), torch.zeros(4).long(), kernel_size=3)
        >>> layer(torch.randn(2, 6, 5, 7)).shape
        torch.Size([2, 4, 5, 7])
    """

    groups: Tensor

    def __init__(self, in_groups: Tensor, groups: Tensor, kernel_size: int) -> None:
        super().__init__()
        self.register_buffer("groups", groups, persistent=False)
        reach = kernel_size // 2
        features = len(groups)
        self.input_to_state = MaskedConv2d(
            in_groups, groups.repeat(NUM_GATES), (1, kernel_size), "B"
        )
        start_remembering(self.input_to_state, features)
        self.recurrence = LineLSTM(features, taps=range(-reach, reach + 1))

    def matrices(self) -> Iterator[Matrices]:
        """Yield how the weights form matrices: one a gate."""
        yield from self.input_to_state.matrices(NUM_GATES)
        yield from self.recurrence.matrices()

    def forward(self, maps: Tensor) -> Tensor:
        """Run the layer over whole images."""
        order = _rows(maps.shape[2], maps.shape[3], maps.device)
        states: Tensor = self.recurrence(self.input_to_state(maps), order)[0]
        return states

    def lower(self, program: Program, source: Features) -> Features:
        """Write the layer into a program: it remembers one row of states, and its input's row."""
        above = [(-1, offset) for offset in self.recurrence.taps]
        return self.recurrence.lower(
            program, self.input_to_state, source, self.groups, [*above, (-1, 0)]
        )

    def reach(self, needed: Needed) -> Needed:
        """Return which inputs the needed hidden states depend on, bool `(groups in, H, W)`."""
        states = needed.copy()
        for row in range(states.shape[1] - 1, 0, -1):
            below = np.any(states[:, row], axis=0)
            for offset in self.recurrence.taps:
                states[:, row - 1] |= _moved(below, offset)
        return self.input_to_state.reach(states)


@kept
def _rows(height: int, width: int, device: torch.device) -> Order:
    """Return the rows of an image, whose sites are its columns."""
    lines = tuple(Line(row * width, (row + 1) * width, first=0) for row in range(height))
    return Order(torch.arange(height * width, device=device)[None], lines)


def _moved(row: np.ndarray, offset: int) -> np.ndarray:
    """Return which states of the row above are read at `offset` by the needed states of `row`."""
    width = len(row)
    padded = np.pad(row, abs(offset))
    start = abs(offset) - offset
    return padded[start : start + width]
