"""The Diagonal BiLSTM layer (van den Oord et al. 2016, section 3.2).

The LSTM of `line_lstm.py` runs along the diagonals of the image: line t holds the pixels with
row + column = t, the columns of the paper's skewed map. The input-to-state product is 1 x 1, the
state-to-state product 2 x 1: each cell reads the states of its left and its upper neighbour, both on
the diagonal before. A second LSTM does the same from right to left; its map is moved *down one row*
before the two are added, or else it would show the pixels to the right.

    left to right        right to left, moved down      together: all earlier pixels

    x x x . .            . . x x x                      x x x x x
    x x x . .            . . x x x                      x x x x x
    x x x . .            . . . . .                      x x x . .
        ^ the pixel

Only cells inside the image are computed, so the skewed map is never stored with its empty half.

The layer sees the features of all earlier pixels. Features hide their own pixel (mask A of the first
layer), so that in a wide image the last pixel of the row above, whose value only later features
hold, stays unseen, in the paper's model as in this one.
"""

from collections.abc import Iterator

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pixelrnn.graph.operation import Tap
from pixelrnn.graph.traced import Maps, Traced, parts
from pixelrnn.layers.line_lstm import LineLSTM, start_remembering
from pixelrnn.layers.lines import NUM_GATES, Line, Order, kept
from pixelrnn.layers.masked_conv import pointwise
from pixelrnn.layers.matrices import Matrices


class DiagonalBiLSTM(nn.Module):
    """Map `(B, in, H, W)` to the hidden states `(B, features, H, W)`, both directions added.

    Args:
        in_groups: colour group of each input map.
        groups: colour group of each LSTM feature; each of the four gates is masked by these.

    Example:
        >>> layer = DiagonalBiLSTM(torch.zeros(6).long(), torch.zeros(4).long())
        >>> layer(torch.randn(2, 6, 5, 7)).shape
        torch.Size([2, 4, 5, 7])
    """

    groups: Tensor

    def __init__(self, in_groups: Tensor, groups: Tensor) -> None:
        super().__init__()
        self.features = len(groups)
        self.register_buffer("groups", groups, persistent=False)
        self.input_to_state = pointwise(in_groups, groups.repeat(2 * NUM_GATES))
        start_remembering(self.input_to_state, self.features)
        self.recurrence = LineLSTM(self.features, taps=(-1, 0), directions=2)

    def matrices(self) -> Iterator[Matrices]:
        """Yield how the weights form matrices: one a gate and direction."""
        yield from self.input_to_state.matrices(2 * NUM_GATES)
        yield from self.recurrence.matrices()

    def forward(self, maps: Maps) -> Maps:
        """Run the layer over whole images."""
        if isinstance(maps, Traced):
            return self._trace(maps)
        order = _diagonals(maps.shape[2], maps.shape[3], maps.device)
        from_left, from_right = self.recurrence(self.input_to_state(maps), order)
        moved_down = F.pad(from_right[:, :, :-1], (0, 0, 1, 0))
        both: Tensor = from_left + moved_down
        return both

    def _trace(self, maps: Traced) -> Traced:
        """Write the layer down.

        Left to right, it remembers the state row above and the left neighbour. Right to left runs
        over each row once it is finished, and is read one row further down.
        """
        program, groups = maps.program, self.groups.cpu().numpy()
        up, left, right = (-1, 0), (0, -1), (0, 1)
        from_left = self.recurrence.trace(self.input_to_state, maps, groups, [up, left, left])
        from_right = self.recurrence.trace(
            self.input_to_state, maps, groups, [up, right, right], direction=1, row_end=True
        )
        # Above the first row the map that was moved down is zero, not the state outside the image.
        moved_down, out = program.new_map(self.features), program.new_map(self.features)
        for group, _, part in parts(groups):
            with program.section("row_end"):
                program.add(moved_down.part(*part), [Tap(from_right.part(*part))])
            with program.section(group):
                both = [Tap(from_left.part(*part)), Tap(moved_down.part(*part), row=-1)]
                program.add(out.part(*part), both)
        return Traced(program, out, groups, None if maps.value is None else self(maps.value))


@kept
def _diagonals(height: int, width: int, device: torch.device) -> Order:
    """Return the diagonals of an image, from the left and from the right, whose sites are its rows."""
    lines: list[Line] = []
    places: list[tuple[int, int]] = []
    for diagonal in range(height + width - 1):
        first, last = max(0, diagonal - width + 1), min(height - 1, diagonal)
        rows = np.arange(first, last + 1)
        lines.append(Line(len(places), len(places) + len(rows), first))
        places.extend(zip(rows, diagonal - rows, strict=True))
    rows, columns = np.array(places).T
    to_packed = np.stack([rows, rows]) * width + np.stack([columns, width - 1 - columns])
    return Order(torch.tensor(to_packed, device=device), tuple(lines))
