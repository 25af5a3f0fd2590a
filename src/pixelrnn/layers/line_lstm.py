"""The LSTM over lines of an image that Row LSTM and Diagonal BiLSTM share (paper, equation 3).

    [o, f, i, g] = act(K_ss * h_before + K_is * x)     sigmoid for o, f, i; tanh for g
    c = f . c_before + i . g
    h = o . tanh(c)

A *line* is a row of the image, or a diagonal. All its cells are computed at once from the line before:
the state-to-state product reads h there at a few *taps*, and c_before is the cell at tap 0.

    Row LSTM, taps -1, 0, +1                  Diagonal BiLSTM, taps -1, 0

    line before    h  h  h                    line before    h  .         (site = row of the image)
    this line         x                                      h  x

The input-to-state products of the whole image come in ready. Outside the image the state is the
learned initial state.

Deviations: forget gates start with a bias of 1 (`start_remembering`); the paper does not say.
"""

import math
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from pixelrnn import kernels
from pixelrnn.graph.operation import Features, Tap
from pixelrnn.graph.traced import Groups, Traced, parts
from pixelrnn.layers.lines import NUM_GATES, Order
from pixelrnn.layers.masked_conv import MaskedConv2d
from pixelrnn.layers.matrices import Matrices
from pixelrnn.layers.recurrence import recur_compiled, recur_in_torch


class LineLSTM(nn.Module):
    """The recurrence over the lines of an image, in one or two directions side by side.

    Args:
        features: LSTM cells at each place, h.
        taps: sites of the line before that state-to-state reads, relative to the cell's own.
        directions: independent recurrences run together (2 for the Diagonal BiLSTM).

    Attributes:
        state_to_state: weights `(directions, taps * features, 4 * features)`.
        initial_hidden: state h outside the image `(directions, features)`, learned.
        initial_cell: state c outside the image `(directions, features)`, learned.
    """

    def __init__(self, features: int, taps: Sequence[int], directions: int = 1) -> None:
        super().__init__()
        self.taps = tuple(taps)
        fan_in = len(self.taps) * features
        self.state_to_state = nn.Parameter(
            torch.randn(directions, fan_in, NUM_GATES * features) / math.sqrt(fan_in)
        )
        self.initial_hidden = nn.Parameter(torch.zeros(directions, features))
        self.initial_cell = nn.Parameter(torch.zeros(directions, features))

    def matrices(self) -> Iterator[Matrices]:
        """Yield how state-to-state forms matrices of (taps x features) x features, one a gate."""
        weight = self.state_to_state
        directions, inputs, outputs = weight.shape
        places = torch.arange(weight.numel(), device=weight.device).view(
            directions, inputs, NUM_GATES, -1
        )
        yield Matrices(weight, places.transpose(1, 2).reshape(-1, inputs, outputs // NUM_GATES))

    def trace(
        self,
        input_to_state: MaskedConv2d,
        maps: Traced,
        groups: Groups,
        places: Sequence[tuple[int, int]],
        *,
        direction: int = 0,
        row_end: bool = False,
    ) -> Features:
        """Write one direction of the recurrence down, with its input-to-state product.

        Args:
            input_to_state: gives the gate maps of all directions, one after the other.
            maps: what it reads.
            groups: colour group of each LSTM feature.
            places: (row, column) of each tap, and last that of the cell before.
            direction: which recurrence.
            row_end: run it over finished rows, from right to left.

        Returns:
            The maps of hidden states.
        """
        program, size = maps.program, len(groups)
        weight = self.state_to_state[direction].detach().double().cpu().numpy()
        outside = [
            state[direction].detach().double().cpu().numpy()
            for state in (self.initial_hidden, self.initial_cell)
        ]
        hidden, cell = (program.new_map(size, fill=fill) for fill in outside)
        for group, features, part in parts(groups):
            of_group = np.concatenate([gate * size + features for gate in range(NUM_GATES)])
            taps, bias = input_to_state.part(maps.features, direction * NUM_GATES * size + of_group)
            for tap, place in enumerate(places[:-1]):
                seen = weight[tap * size : (tap + 1) * size, of_group]
                taps.append(Tap(hidden, *place, np.ascontiguousarray(seen)))
            gates = program.new_map(NUM_GATES * len(features))
            with program.section("row_end" if row_end else group):
                program.linear(gates, taps, bias)
                before = Tap(cell.part(*part), *places[-1])
                program.lstm(hidden.part(*part), cell.part(*part), gates, before)
        return hidden

    def forward(self, inputs: Tensor, order: Order) -> Tensor:
        """Run the recurrence.

        Args:
            inputs: input-to-state products `(B, directions * 4 * features, H, W)`.
            order: the lines, and which pixels are on them.

        Returns:
            Hidden states `(directions, B, features, H, W)`.
        """
        weights = self.state_to_state, self.initial_hidden, self.initial_cell
        # Under mixed precision the recurrence stays in the precision of its weights.
        with torch.autocast(inputs.device.type, enabled=False):
            inputs = inputs.to(self.state_to_state.dtype)
            run = recur_compiled if kernels.is_supported(inputs) else recur_in_torch
            return run(inputs, *weights, self.taps, order)


def start_remembering(input_to_state: MaskedConv2d, features: int) -> None:
    """Start the forget gates at a bias of 1, so that gradients reach far from the first step on."""
    if input_to_state.bias is None:
        raise ValueError("the gates need a bias")
    with torch.no_grad():
        input_to_state.bias.view(-1, NUM_GATES, features)[:, 1] = 1.0
