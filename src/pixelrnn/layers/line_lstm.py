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
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from pixelrnn.layers.masked_conv import MaskedConv2d
from pixelrnn.stepper.program import Features, Program, Tap

NUM_GATES = 4  # input, forget, output, candidate: the order of the gate maps everywhere


@dataclass(frozen=True)
class Line:
    """The cells start .. stop - 1 of a packed map, at sites first, first + 1, ..."""

    start: int
    stop: int
    first: int

    @property
    def cells(self) -> slice:
        """Where the line's cells are in a packed map."""
        return slice(self.start, self.stop)

    def sites(self, offset: int = 0) -> slice:
        """Where the line's sites, moved by `offset`, are in the state of a line."""
        first = self.first + offset
        return slice(first, first + self.stop - self.start)


class LineLSTM(nn.Module):
    """The recurrence over the lines of packed maps, in one or two directions side by side.

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

    def lower(
        self,
        program: Program,
        input_to_state: MaskedConv2d,
        source: Features,
        groups: Tensor,
        places: Sequence[tuple[int, int]],
        *,
        direction: int = 0,
        row_end: bool = False,
    ) -> Features:
        """Write one direction of the recurrence, with its input-to-state product, into a program.

        Args:
            program: where to write.
            input_to_state: gives the gate maps of all directions, one after the other.
            source: the input maps.
            groups: colour group of each LSTM feature.
            places: (row, column) of each tap, and last that of the cell before.
            direction: which recurrence.
            row_end: run it over finished rows, from right to left.

        Returns:
            The maps of hidden states.
        """
        size = len(groups)
        weight = self.state_to_state[direction].detach().double().cpu().numpy()
        outside = [
            state[direction].detach().double().cpu().numpy()
            for state in (self.initial_hidden, self.initial_cell)
        ]
        hidden, cell = (program.new_map(size, fill=fill) for fill in outside)
        for group in range(program.groups):
            features = np.flatnonzero(groups.cpu().numpy() == group)
            part = (int(features[0]), len(features))
            of_group = np.concatenate([gate * size + features for gate in range(NUM_GATES)])
            taps = input_to_state.taps(source, direction * NUM_GATES * size + of_group)
            for tap, place in enumerate(places[:-1]):
                seen = weight[tap * size : (tap + 1) * size, of_group]
                taps.append(Tap(hidden, *place, np.ascontiguousarray(seen)))
            gates = program.new_map(NUM_GATES * len(features))
            with program.section("row_end" if row_end else group):
                bias = input_to_state.biases(direction * NUM_GATES * size + of_group)
                program.linear(gates, taps, bias)
                before = Tap(cell.part(*part), *places[-1])
                program.lstm(hidden.part(*part), cell.part(*part), gates, before)
        return hidden

    def forward(self, inputs: Tensor, lines: Sequence[Line]) -> Tensor:
        """Run the recurrence.

        Args:
            inputs: input-to-state products `(directions, cells, B, 4 * features)`, each line's cells
                side by side.
            lines: the lines, in the order in which they are run.

        Returns:
            Hidden states `(directions, cells, B, features)`.
        """
        # Under mixed precision the recurrence stays in the precision of its weights.
        with torch.autocast(inputs.device.type, enabled=False):
            hidden = _Recurrence.apply(  # type: ignore[no-untyped-call]
                inputs.to(self.state_to_state.dtype),
                self.state_to_state,
                self.initial_hidden,
                self.initial_cell,
                self.taps,
                lines,
            )
        return cast(Tensor, hidden)


def start_remembering(input_to_state: MaskedConv2d, features: int) -> None:
    """Start the forget gates at a bias of 1, so that gradients reach far from the first step on."""
    if input_to_state.bias is None:
        raise ValueError("the gates need a bias")
    with torch.no_grad():
        input_to_state.bias.view(-1, NUM_GATES, features)[:, 1] = 1.0


class _Recurrence(torch.autograd.Function):
    """The recurrence with its own backward pass: a few operations a line, in memory taken once.

    Shapes: D directions, N cells of the packed map, B images, S sites, h features, K taps.
    """

    @staticmethod
    def forward(
        ctx: Any,
        inputs: Tensor,  # (D, N, B, 4h)
        weight: Tensor,  # (D, K h, 4h)
        initial_hidden: Tensor,  # (D, h)
        initial_cell: Tensor,  # (D, h)
        taps: tuple[int, ...],
        lines: Sequence[Line],
    ) -> Tensor:
        directions, cells, batch, _ = inputs.shape
        features = initial_hidden.shape[1]
        gates = torch.empty_like(inputs)
        seen = inputs.new_empty(directions, cells, batch, len(taps) * features)
        cell_before = inputs.new_empty(directions, cells, batch, features)
        cell_tanh = torch.empty_like(cell_before)
        hidden = torch.empty_like(cell_before)
        margin, state_hidden, state_cell = _states(lines, taps, batch, initial_hidden, initial_cell)
        for line in lines:
            for tap, offset in enumerate(taps):
                reads = state_hidden[:, line.sites(margin + offset)]
                seen[:, line.cells, :, tap * features : (tap + 1) * features] = reads
            gate = gates[:, line.cells]  # (D, n, B, 4h)
            product = torch.baddbmm(
                inputs[:, line.cells].flatten(1, 2), seen[:, line.cells].flatten(1, 2), weight
            )
            gate.copy_(product.view(gate.shape))
            gate[..., : 3 * features].sigmoid_()
            gate[..., 3 * features :].tanh_()
            i, f, o, g = gate.chunk(NUM_GATES, dim=-1)
            cell = state_cell[:, line.sites()]
            cell_before[:, line.cells] = cell
            cell.mul_(f).addcmul_(i, g)
            tanh = torch.tanh(cell)
            cell_tanh[:, line.cells] = tanh
            result = o * tanh
            hidden[:, line.cells] = result
            state_hidden[:, line.sites(margin)] = result
        ctx.save_for_backward(weight, gates, seen, cell_before, cell_tanh)
        ctx.taps, ctx.lines, ctx.margin = taps, lines, margin
        ctx.state_shapes = state_hidden.shape, state_cell.shape
        return hidden

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_hidden: Tensor) -> tuple[Tensor | None, ...]:
        weight, gates, seen, cell_before, cell_tanh = ctx.saved_tensors
        features = grad_hidden.shape[-1]
        weight_transposed = weight.transpose(1, 2).contiguous()
        grad_gates = torch.empty_like(gates)
        # Gradients that flow to the states of the line before; what is never consumed by a line
        # belongs to the initial state.
        hidden_shape, cell_shape = ctx.state_shapes
        grad_state_hidden = gates.new_zeros(hidden_shape)
        grad_state_cell = gates.new_zeros(cell_shape)
        for line in reversed(ctx.lines):
            i, f, o, g = gates[:, line.cells].chunk(NUM_GATES, dim=-1)
            d_i, d_f, d_o, d_g = grad_gates[:, line.cells].chunk(NUM_GATES, dim=-1)
            tanh = cell_tanh[:, line.cells]
            state_hidden = grad_state_hidden[:, line.sites(ctx.margin)]
            d_hidden = grad_hidden[:, line.cells] + state_hidden
            state_hidden.zero_()
            d_cell = grad_state_cell[:, line.sites()]
            d_cell.addcmul_(d_hidden * o, 1 - tanh * tanh)
            torch.mul(d_hidden * tanh, o * (1 - o), out=d_o)
            torch.mul(d_cell * g, i * (1 - i), out=d_i)
            torch.mul(d_cell * cell_before[:, line.cells], f * (1 - f), out=d_f)
            torch.mul(d_cell * i, 1 - g * g, out=d_g)
            d_cell.mul_(f)
            d_seen = torch.bmm(grad_gates[:, line.cells].flatten(1, 2), weight_transposed)
            d_taps = d_seen.view(*d_hidden.shape[:3], -1).split(features, dim=-1)
            for offset, d_tap in zip(ctx.taps, d_taps, strict=True):
                grad_state_hidden[:, line.sites(ctx.margin + offset)] += d_tap
        grad_weight = torch.bmm(seen.flatten(1, 2).transpose(1, 2), grad_gates.flatten(1, 2))
        grad_initial_hidden = grad_state_hidden.sum(dim=(1, 2))
        grad_initial_cell = grad_state_cell.sum(dim=(1, 2))
        return grad_gates, grad_weight, grad_initial_hidden, grad_initial_cell, None, None


def _states(
    lines: Sequence[Line],
    taps: tuple[int, ...],
    batch: int,
    initial_hidden: Tensor,
    initial_cell: Tensor,
) -> tuple[int, Tensor, Tensor]:
    """Return the margin beside the sites, and the states h `(D, margins + S, B, h)` and c `(D, S, B, h)`.

    Both start as the initial state everywhere. A line overwrites its own sites only, so that the
    margins, and the sites that no line has reached, stay outside the image.
    """
    margin = max(abs(offset) for offset in taps)
    sites = max(line.sites().stop for line in lines)
    hidden = initial_hidden[:, None, None].repeat(1, sites + 2 * margin, batch, 1)
    cell = initial_cell[:, None, None].repeat(1, sites, batch, 1)
    return margin, hidden, cell
