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

import torch
from torch import Tensor, nn

from pixelrnn.graph.traced import Maps, Traced
from pixelrnn.layers.line_lstm import LineLSTM, start_remembering
from pixelrnn.layers.lines import NUM_GATES, Line, Order, kept
from pixelrnn.layers.masked_conv import MaskedConv2d
from pixelrnn.layers.matrices import Matrices


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

    def forward(self, maps: Maps) -> Maps:
        """Run the layer over whole images."""
        if isinstance(maps, Traced):
            return self._trace(maps)
        order = _rows(maps.shape[2], maps.shape[3], maps.device)
        states: Tensor = self.recurrence(self.input_to_state(maps), order)[0]
        return states

    def _trace(self, maps: Traced) -> Traced:
        """Write the layer down: it remembers one row of states, and its input's row."""
        above = [(-1, offset) for offset in self.recurrence.taps]
        groups = self.groups.cpu().numpy()
        states = self.recurrence.trace(self.input_to_state, maps, groups, [*above, (-1, 0)])
        return Traced(
            maps.program, states, groups, None if maps.value is None else self(maps.value)
        )


@kept
def _rows(height: int, width: int, device: torch.device) -> Order:
    """Return the rows of an image, whose sites are its columns."""
    lines = tuple(Line(row * width, (row + 1) * width, first=0) for row in range(height))
    return Order(torch.arange(height * width, device=device)[None], lines)
