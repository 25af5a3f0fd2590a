"""Chains of masked convolutions as one differentiable operation.

    y_1 = b_1 + W_1 * [relu] x      y_2 = b_2 + W_2 * relu(y_1)      ...      out = y_n + residual

`kernels/convolution.py` runs a chain on a processor, an image at a time, its backward pass too; on
every other device, for other types of numbers, and in mixed precision, it is a few operations of torch.
"""

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from pixelrnn import kernels
from pixelrnn.kernels import convolution, memory, threads
from pixelrnn.kernels.convolution import spaced, work_size
from pixelrnn.kernels.products import padded
from pixelrnn.kernels.tiles import BLOCK

if TYPE_CHECKING:
    from pixelrnn.layers.masked_conv import MaskedConv2d

Integers = npt.NDArray[np.int64]


def run_chain(
    convs: Sequence["MaskedConv2d"],
    maps: Tensor,
    *,
    rectified: bool = False,
    residual: Tensor | None = None,
) -> Tensor:
    """Run masked convolutions one after the other, with max(y, 0) in between.

    Args:
        convs: the layers.
        maps: `(B, in, H, W)`.
        rectified: whether the first layer reads max(maps, 0).
        residual: `(B, out, H, W)`, added to the result; it may be `maps` itself.

    Returns:
        `(B, out, H, W)`.
    """
    weight = convs[0].weight
    if not kernels.take(weight) or torch.is_autocast_enabled(weight.device.type):
        return chain_in_torch(convs, maps, rectified=rectified, residual=residual)
    plan = chained(*(conv.plan for conv in convs))
    parameters = [parameter for conv in convs for parameter in (conv.weights(), conv.bias)]
    result = _Chain.apply(  # type: ignore[no-untyped-call]
        plan,
        rectified,
        maps.to(weight.dtype),
        None if residual is None else residual.to(weight.dtype),
        *parameters,
    )
    return cast(Tensor, result)


def chain_in_torch(
    convs: Sequence["MaskedConv2d"],
    maps: Tensor,
    *,
    rectified: bool = False,
    residual: Tensor | None = None,
) -> Tensor:
    """Do the same with operations of torch, on any device."""
    result = maps
    for n, conv in enumerate(convs):
        result = conv.in_torch(result.relu() if rectified or n else result)
    return result if residual is None else result + residual


@dataclass(frozen=True, eq=False)
class LayerPlan:
    """Where the weights of one masked convolution lie for the compiled loops.

    Attributes:
        shape: (outputs, inputs, causal rows, columns) of the kernel.
        dilation: between its taps.
        forward: place of each weight in `(rows, blocks of outputs, columns inputs, BLOCK)`.
        backward: place of each in `(rows, blocks of inputs, columns outputs, BLOCK)`.
        spans_forward: the first and last but one input that a block of outputs reads, flat.
        spans_backward: the same of the outputs that a block of inputs is read by.
    """

    shape: tuple[int, int, int, int]
    dilation: int
    forward: Integers
    backward: Integers
    spans_forward: Integers
    spans_backward: Integers

    def __deepcopy__(self, memo: Any) -> "LayerPlan":
        """Return itself: it never changes."""
        return self

    @property
    def sizes(self) -> tuple[int, int]:
        """Numbers of all weights, zeros included, forward and backward."""
        outputs, inputs, rows, columns = self.shape
        taps = rows * columns
        return taps * inputs * padded(outputs), taps * outputs * padded(inputs)


def plan_layer(mask: npt.NDArray[np.bool_], dilation: int) -> LayerPlan:
    """Return the plan of a convolution with a mask `(out, in, causal rows, columns)`."""
    outputs, inputs, rows, columns = mask.shape
    o, i, row, column = np.nonzero(mask)  # in the order of the weights
    by_output = mask.transpose(2, 0, 3, 1).reshape(rows, outputs, -1)
    by_input = mask.transpose(2, 1, 3, 0).reshape(rows, inputs, -1)
    return LayerPlan(
        shape=(outputs, inputs, rows, columns),
        dilation=dilation,
        forward=_places(row, o, padded(outputs), column * inputs + i, columns * inputs),
        backward=_places(row, i, padded(inputs), column * outputs + o, columns * outputs),
        spans_forward=_spans(by_output),
        spans_backward=_spans(by_input),
    )


def _places(row: Integers, to: Integers, num_to: int, source: Integers, num: int) -> Integers:
    """Return the places of weights in `(rows, blocks of num_to, num, BLOCK)`."""
    block, within = np.divmod(to, BLOCK)
    return ((row * (num_to // BLOCK) + block) * num + source) * BLOCK + within


def _spans(mask: npt.NDArray[np.bool_]) -> Integers:
    """Return where each block of rows begins and ends to read: `(tap rows, blocks, 2)`, flat."""
    spans = []
    for rows in mask:
        for start in range(0, len(rows), BLOCK):
            read = np.flatnonzero(rows[start : start + BLOCK].any(axis=0))
            spans += [read[0], read[-1] + 1] if len(read) else [0, 0]
    return np.array(spans, dtype=np.int64)


@dataclass(frozen=True, eq=False)
class _ChainPlan:
    """The plans of some layers, one after the other, as the compiled loops want them."""

    layers: tuple[LayerPlan, ...]
    table: Integers
    forward: Integers
    backward: Integers
    spans: Integers
    num_weights: int  # as the forward pass has them, zeros included

    @property
    def maps_between(self) -> int:
        return sum(layer.shape[0] for layer in self.layers[:-1])

    def weights(self, parameters: Sequence[Tensor]) -> npt.NDArray[np.floating]:
        """Return the weights of all layers for both passes, where the loops look for them."""
        values = [parameter.detach().numpy() for parameter in parameters]
        return np.concatenate([*values, np.zeros(1, values[0].dtype)])[self._sources]

    @functools.cached_property
    def _sources(self) -> Integers:
        """Which weight each number is; where there is none, the zero behind them all."""
        size = self.num_weights + sum(layer.sizes[1] for layer in self.layers)
        sources = np.full(size, len(self.forward))
        sources[self.forward] = sources[self.backward] = np.arange(len(self.forward))
        return sources

    def biases(
        self, parameters: Sequence[Tensor | None], dtype: npt.DTypeLike
    ) -> npt.NDArray[np.floating]:
        """Return the biases of all layers, zeros for a layer without."""
        return np.concatenate(
            [
                np.zeros(layer.shape[0], dtype) if bias is None else bias.detach().numpy()
                for layer, bias in zip(self.layers, parameters, strict=True)
            ]
        )


@functools.lru_cache(maxsize=4096)
def chained(*layers: LayerPlan) -> _ChainPlan:
    """Return the plan of layers that are run one after the other."""
    table = np.zeros((len(layers), convolution.NUM_COLUMNS), dtype=np.int64)
    starts_forward = _starts([layer.sizes[0] for layer in layers])
    num_weights = starts_forward[-1]
    starts_backward = num_weights + _starts([layer.sizes[1] for layer in layers])
    spans = [array for layer in layers for array in (layer.spans_forward, layer.spans_backward)]
    starts_spans = _starts([len(array) for array in spans])
    starts_biases = _starts([layer.shape[0] for layer in layers])
    for n, layer in enumerate(layers):
        outputs, inputs, rows, columns = layer.shape
        table[n, convolution.INPUTS], table[n, convolution.OUTPUTS] = inputs, outputs
        table[n, convolution.ROWS], table[n, convolution.COLUMNS] = rows, columns
        table[n, convolution.DILATION] = layer.dilation
        table[n, convolution.WEIGHTS_FORWARD] = starts_forward[n]
        table[n, convolution.WEIGHTS_BACKWARD] = starts_backward[n]
        table[n, convolution.SPANS_FORWARD] = starts_spans[2 * n]
        table[n, convolution.SPANS_BACKWARD] = starts_spans[2 * n + 1]
        table[n, convolution.BIAS] = starts_biases[n]
    return _ChainPlan(
        layers,
        table,
        np.concatenate([starts_forward[n] + layer.forward for n, layer in enumerate(layers)]),
        np.concatenate([starts_backward[n] + layer.backward for n, layer in enumerate(layers)]),
        np.concatenate(spans),
        int(num_weights),
    )


def _starts(sizes: Sequence[int]) -> Integers:
    return np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)


class _Chain(torch.autograd.Function):
    """A chain on the processor."""

    @staticmethod
    def forward(
        ctx: Any,
        plan: _ChainPlan,
        rectified: bool,
        maps: Tensor,
        residual: Tensor | None,
        *parameters: Tensor | None,
    ) -> Tensor:
        maps = maps.contiguous()
        batch, _, height, width = maps.shape
        source = _flat(maps)
        weights = plan.weights(cast(Sequence[Tensor], parameters[::2]))
        biases = plan.biases(parameters[1::2], source.dtype)
        between = memory.empty((batch * plan.maps_between, spaced(height * width)), source.dtype)
        out = memory.empty((batch, plan.layers[-1].shape[0], height, width), source.dtype)
        added = source[:0] if residual is None else _flat(residual.contiguous())
        numbers = work_size(plan.table, height, width)

        def share(first: int, last: int) -> None:
            convolution.run_forward(
                first, last, height, width, plan.table, weights, plan.spans, biases,
                source, rectified, added, between.reshape(-1), out.reshape(-1),
                memory.empty((numbers,), source.dtype),
            )  # fmt: skip

        threads.share(share, batch, torch.get_num_threads())
        ctx.plan, ctx.rectified, ctx.weights, ctx.between = plan, rectified, weights, between
        ctx.residual_is_maps = residual is not None and residual.data_ptr() == maps.data_ptr()
        ctx.save_for_backward(maps)
        return torch.from_numpy(out)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_out: Tensor) -> tuple[Any, ...]:
        plan: _ChainPlan = ctx.plan
        (maps,) = ctx.saved_tensors
        grad_out = grad_out.contiguous()
        batch, _, height, width = maps.shape
        source, gradient = _flat(maps), _flat(grad_out)
        wants_maps, wants_residual = ctx.needs_input_grad[2:4]
        grad_maps = memory.empty(maps.shape if wants_maps else (0,), source.dtype)
        num_biases = sum(layer.shape[0] for layer in plan.layers)
        grad_weights = memory.empty((batch, plan.num_weights), source.dtype)
        grad_biases = memory.empty((batch, num_biases), source.dtype)
        numbers = work_size(plan.table, height, width)

        def share(first: int, last: int) -> None:
            convolution.run_backward(
                first, last, height, width, plan.table, ctx.weights, plan.spans,
                source, ctx.rectified, ctx.between.reshape(-1), gradient, grad_weights.reshape(-1),
                grad_biases.reshape(-1), grad_maps.reshape(-1), ctx.residual_is_maps,
                memory.empty((numbers,), source.dtype),
            )  # fmt: skip

        threads.share(share, batch, torch.get_num_threads())
        of_weights = torch.from_numpy(grad_weights.sum(axis=0)[plan.forward])
        of_biases = torch.from_numpy(grad_biases.sum(axis=0))
        by_layer = zip(
            of_weights.split([len(layer.forward) for layer in plan.layers]),
            of_biases.split([layer.shape[0] for layer in plan.layers]),
            strict=True,
        )
        parameters = [
            gradient if wanted else None
            for gradient, wanted in zip(chain(*by_layer), ctx.needs_input_grad[4:], strict=True)
        ]
        of_residual = grad_out if wants_residual and not ctx.residual_is_maps else None
        of_maps = torch.from_numpy(grad_maps) if wants_maps else None
        return None, None, of_maps, of_residual, *parameters


def _flat(maps: Tensor) -> npt.NDArray[np.floating]:
    array: npt.NDArray[np.floating] = maps.detach().numpy().reshape(-1)
    return array
