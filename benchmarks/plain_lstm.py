"""Row LSTM and Diagonal BiLSTM as they are usually written: a loop of an ordinary LSTM cell.

Each takes the input-to-state products of the whole image, `(B, gates, H, W)`, and walks over rows, or over
the columns of the skewed map; torch differentiates every operation of the loop.

    image            skewed map: row r moved right by r, H + W - 1 columns

    a b c            a b c .
    d e f            . d e f
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pixelrnn.layers import LineLSTM
from pixelrnn.layers.lines import NUM_GATES


class PlainRowLSTM(nn.Module):
    """Run down the rows; the state-to-state product is a convolution over the row of states above.

    Args:
        recurrence: the recurrence whose weights are copied.

    Attributes:
        state_to_state: `(4h, h, taps)`, the kernel of that convolution.
    """

    def __init__(self, recurrence: LineLSTM) -> None:
        super().__init__()
        self.state_to_state = _kernel(recurrence, 0)
        self.initial_hidden = _copy(recurrence.initial_hidden[0])
        self.initial_cell = _copy(recurrence.initial_cell[0])

    def forward(self, inputs: Tensor) -> Tensor:
        """Map gates `(B, 4h, H, W)` to hidden states `(B, h, H, W)`."""
        batch, _, _, width = inputs.shape
        hidden = _everywhere(self.initial_hidden, batch, width)
        cell = _everywhere(self.initial_cell, batch, width)
        outside = _everywhere(self.initial_hidden, batch, self.state_to_state.shape[2] // 2)
        rows = []
        for row in inputs.unbind(dim=2):
            above = torch.cat([outside, hidden, outside], dim=2)
            hidden, cell = lstm_cell(row + F.conv1d(above, self.state_to_state), cell)
            rows.append(hidden)
        return torch.stack(rows, dim=2)


class PlainDiagonalBiLSTM(nn.Module):
    """Run along the diagonals, from the left and from the right; the second is moved down a row.

    Args:
        recurrence: the recurrence whose weights are copied, both directions in one.
    """

    def __init__(self, recurrence: LineLSTM) -> None:
        super().__init__()
        self.directions = nn.ModuleList(_PlainDiagonalLSTM(recurrence, index) for index in range(2))

    def forward(self, inputs: Tensor) -> Tensor:
        """Map the gates of both directions `(B, 2 * 4h, H, W)` to hidden states `(B, h, H, W)`."""
        from_left, from_right = self.directions
        left_gates, right_gates = inputs.chunk(2, dim=1)
        left: Tensor = from_left(left_gates)
        right: Tensor = from_right(right_gates.flip(3)).flip(3)
        return left + F.pad(right[:, :, :-1], (0, 0, 1, 0))


class _PlainDiagonalLSTM(nn.Module):
    """One direction, from left to right."""

    def __init__(self, recurrence: LineLSTM, direction: int) -> None:
        super().__init__()
        self.state_to_state = _kernel(recurrence, direction)
        self.initial_hidden = _copy(recurrence.initial_hidden[direction])
        self.initial_cell = _copy(recurrence.initial_cell[direction])

    def forward(self, inputs: Tensor) -> Tensor:
        """Map gates `(B, 4h, H, W)` to hidden states `(B, h, H, W)`."""
        batch, _, height, width = inputs.shape
        no_hidden = _everywhere(self.initial_hidden, batch, height)
        no_cell = _everywhere(self.initial_cell, batch, height)
        hidden, cell = no_hidden, no_cell
        diagonals = []
        for index, diagonal in enumerate(skewed(inputs).unbind(dim=3)):
            neighbours = torch.cat([no_hidden[..., :1], hidden], dim=2)
            hidden, cell = lstm_cell(diagonal + F.conv1d(neighbours, self.state_to_state), cell)
            diagonals.append(hidden)
            if index + 1 < height:
                # The rows below are still left of the image, where the state is the initial one.
                # Cells right of the image may hold anything: none inside reads them.
                hidden = torch.cat([hidden[..., : index + 1], no_hidden[..., index + 1 :]], dim=2)
                cell = torch.cat([cell[..., : index + 1], no_cell[..., index + 1 :]], dim=2)
        return straightened(torch.stack(diagonals, dim=3), width)


def lstm_cell(gates: Tensor, cell_before: Tensor) -> tuple[Tensor, Tensor]:
    """Return hidden state and cell `(B, h, N)` of gates `(B, 4h, N)` (paper, equation 3)."""
    i, f, o, g = gates.chunk(NUM_GATES, dim=1)
    cell = torch.sigmoid(f) * cell_before + torch.sigmoid(i) * torch.tanh(g)
    return torch.sigmoid(o) * torch.tanh(cell), cell


def skewed(maps: Tensor) -> Tensor:
    """Move each row of `(B, C, H, W)` one place further right than the one above: `(B, C, H, H + W - 1)`.

    Example:
        >>> skewed(torch.tensor([[[[1, 2, 3], [4, 5, 6]]]]))[0, 0].tolist()
        [[1, 2, 3, 0], [0, 4, 5, 6]]
    """
    height, width = maps.shape[2:]
    # Rows of W values and H zeros, read as rows that are one shorter: each starts one place later.
    padded = F.pad(maps, (0, height)).flatten(2)
    return padded[..., :-height].view(*maps.shape[:3], height + width - 1)


def straightened(maps: Tensor, width: int) -> Tensor:
    """Undo `skewed`: `(B, C, H, H + W - 1)` to `(B, C, H, W)`.

    Example:
        >>> straightened(torch.tensor([[[[1, 2, 3, 0], [0, 4, 5, 6]]]]), width=3)[0, 0].tolist()
        [[1, 2, 3], [4, 5, 6]]
    """
    height = maps.shape[2]
    padded = F.pad(maps.flatten(2), (0, height))
    return padded.view(*maps.shape[:3], height + width)[..., :width]


def _kernel(recurrence: LineLSTM, direction: int) -> nn.Parameter:
    """Return `(taps * h, 4h)` as the kernel `(4h, h, taps)` of a convolution."""
    taps: Sequence[int] = recurrence.taps
    weight = recurrence.state_to_state[direction].detach()
    return nn.Parameter(weight.unflatten(0, (len(taps), -1)).permute(2, 1, 0).contiguous())


def _copy(state: Tensor) -> nn.Parameter:
    return nn.Parameter(state.detach().clone())


def _everywhere(state: Tensor, batch: int, count: int) -> Tensor:
    """Return a state `(h,)` as that of `count` cells, `(B, h, count)`."""
    return state[None, :, None].expand(batch, -1, count)
