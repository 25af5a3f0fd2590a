"""The recurrence over lines as one differentiable operation; its equations are in `line_lstm.py`.

`recur_compiled` is for processors, `recur_in_torch` for every other device. Both have their own backward
pass: what one line needs is a product of matrices and a few passes over its gates, and the gradient
of the weights is one product over all lines at the end.

Memory: for the backward pass (6 + taps) h numbers are kept for each pixel, image and direction, besides the
h of the result: with h = 24, a batch of 16 images of 32 x 32 and three taps, 14 MB and 1.6 MB.
"""

from collections.abc import Callable, Sequence
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from pixelrnn.kernels import memory, recurrence, threads
from pixelrnn.kernels.convolution import spaced
from pixelrnn.kernels.products import padded
from pixelrnn.kernels.tiles import BLOCK
from pixelrnn.layers.lines import NUM_GATES, Line, Order


def recur_compiled(
    inputs: Tensor,
    weight: Tensor,
    initial_hidden: Tensor,
    initial_cell: Tensor,
    taps: tuple[int, ...],
    order: Order,
) -> Tensor:
    """Run the recurrence on a processor.

    Args:
        inputs: input-to-state products `(B, D 4h, H, W)`.
        weight: state-to-state weights `(D, taps h, 4h)`.
        initial_hidden: state h outside the image `(D, h)`.
        initial_cell: state c outside the image `(D, h)`.
        taps: sites of the line before that a cell reads, relative to its own.
        order: the lines, and which pixels are on them.

    Returns:
        Hidden states `(D, B, h, H, W)`.
    """
    hidden = _Compiled.apply(inputs, weight, initial_hidden, initial_cell, taps, order)  # type: ignore[no-untyped-call]
    return cast(Tensor, hidden)


def recur_in_torch(
    inputs: Tensor,
    weight: Tensor,
    initial_hidden: Tensor,
    initial_cell: Tensor,
    taps: tuple[int, ...],
    order: Order,
) -> Tensor:
    """Run the recurrence on any device; see `recur_compiled`."""
    batch, _, height, width = inputs.shape
    directions, features = initial_hidden.shape
    maps = inputs.reshape(batch, directions, -1, height * width).permute(1, 3, 0, 2)
    packed = torch.stack([maps[d, order.to_packed[d]] for d in range(directions)])
    hidden = _InTorch.apply(packed, weight, initial_hidden, initial_cell, taps, order.lines)  # type: ignore[no-untyped-call]
    raster = torch.stack([hidden[d, order.to_raster[d]] for d in range(directions)])
    return raster.permute(0, 2, 3, 1).reshape(directions, batch, features, height, width)


class _Compiled(torch.autograd.Function):
    """The recurrence by the loops of `kernels/recurrence.py`, images in groups."""

    @staticmethod
    def forward(
        ctx: Any,
        inputs: Tensor,
        weight: Tensor,
        initial_hidden: Tensor,
        initial_cell: Tensor,
        taps: tuple[int, ...],
        order: Order,
    ) -> Tensor:
        inputs = inputs.contiguous()
        batch, _, height, width = inputs.shape
        directions, features = initial_hidden.shape
        cells, sites, margin = height * width, order.sites, max(abs(tap) for tap in taps)
        num_threads = torch.get_num_threads()
        group = max(1, min(recurrence.LARGEST_GROUP, -(-batch // num_threads)))
        groups = -(-batch // group)
        dtype = inputs.numpy().dtype
        rows = directions * int(recurrence.saved_rows(features, len(taps)))
        saved = memory.empty((groups, rows, spaced(cells * group)), dtype)
        out = memory.empty((directions, batch, features, height, width), dtype)
        geometry = (
            batch, group, features, directions,
            order.table, sites, np.array(taps, np.int64), margin, order.to_packed.numpy(),
        )  # fmt: skip
        numbers = recurrence.work_size(features, len(taps), cells, sites, margin, group)
        arguments = (
            *geometry, _in_blocks(weight), _full_spans(NUM_GATES * features, len(taps) * features),
            initial_hidden.detach().numpy(), initial_cell.detach().numpy(),
            inputs.detach().numpy().reshape(-1), saved.reshape(-1), out.reshape(-1),
        )  # fmt: skip

        run: Callable[..., None] = recurrence.run_forward

        def share(first: int, last: int) -> None:
            work = memory.empty((numbers,), dtype)
            run(first, last, *arguments, work)

        threads.share(share, groups, num_threads)
        ctx.geometry, ctx.saved, ctx.groups, ctx.numbers = geometry, saved, groups, numbers
        ctx.save_for_backward(weight)
        return torch.from_numpy(out)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_out: Tensor) -> tuple[Any, ...]:
        (weight,) = ctx.saved_tensors
        directions, batch, features, height, width = grad_out.shape
        gradient = grad_out.contiguous().numpy()
        dtype = gradient.dtype
        reads = weight.shape[1]
        grad_inputs = memory.empty((batch, directions * NUM_GATES * features, height, width), dtype)
        grad_weights = memory.empty((ctx.groups, directions, features, reads, BLOCK), dtype)
        grad_states = np.empty((2, ctx.groups, directions, features), dtype)
        arguments = (
            *ctx.geometry, _in_blocks(weight.transpose(1, 2)), _full_spans(reads, NUM_GATES * features),
            _full_spans(NUM_GATES * features, reads), ctx.saved.reshape(-1), gradient.reshape(-1),
            grad_inputs.reshape(-1), grad_weights.reshape(-1), grad_states[0], grad_states[1],
        )  # fmt: skip

        run: Callable[..., None] = recurrence.run_backward

        def share(first: int, last: int) -> None:
            work = memory.empty((ctx.numbers,), dtype)
            run(first, last, *arguments, work)

        threads.share(share, ctx.groups, torch.get_num_threads())
        of_weight = grad_weights.sum(axis=0).transpose(0, 2, 1, 3).reshape(weight.shape)
        of_hidden, of_cell = torch.from_numpy(grad_states.sum(axis=1))
        gradients = torch.from_numpy(grad_inputs), torch.from_numpy(of_weight), of_hidden, of_cell
        return *gradients, None, None


def _in_blocks(weight: Tensor) -> npt.NDArray[np.floating]:
    """Return `(D, inputs, outputs)` as `(D, blocks of outputs, inputs, BLOCK)`, flat."""
    directions, inputs, outputs = weight.shape
    blocks = np.zeros((directions, inputs, int(padded(outputs))), weight.detach().numpy().dtype)
    blocks[:, :, :outputs] = weight.detach().numpy()
    return np.ascontiguousarray(
        blocks.reshape(directions, inputs, -1, BLOCK).transpose(0, 2, 1, 3)
    ).reshape(-1)


def _full_spans(outputs: int, inputs: int) -> npt.NDArray[np.int64]:
    """Return the spans of a product without a mask: every block of outputs reads all inputs."""
    return np.tile(np.array([0, inputs], np.int64), int(padded(outputs)) // BLOCK)


class _InTorch(torch.autograd.Function):
    """The recurrence in a few operations of torch a line, in memory taken once.

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
