"""Chains of masked convolutions as one differentiable operation.

    y_1 = b_1 + W_1 * [relu] x      y_2 = b_2 + W_2 * relu(y_1)      ...      out = y_n + residual

`kernels/convolution.py` runs a chain on a processor, an image at a time, its backward pass too; on
every other device, for other types of numbers, and in mixed precision, it is a few operations of torch.
"""

from collections.abc import Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from pixelrnn import kernels
from pixelrnn.graph.traced import Maps, Traced
from pixelrnn.kernels import convolution, memory, threads
from pixelrnn.kernels.convolution import spaced, work_size
from pixelrnn.kernels.plans import ChainPlan, chained

if TYPE_CHECKING:
    from pixelrnn.layers.masked_conv import MaskedConv2d


def run_chain(
    convs: Sequence["MaskedConv2d"],
    maps: Maps,
    *,
    rectified: bool = False,
    residual: Maps | None = None,
) -> Maps:
    """Run masked convolutions one after the other, with max(y, 0) in between.

    Args:
        convs: the layers.
        maps: `(B, in, H, W)`.
        rectified: whether the first layer reads max(maps, 0).
        residual: `(B, out, H, W)`, added to the result; it may be `maps` itself.

    Returns:
        `(B, out, H, W)`.
    """
    if isinstance(maps, Traced):
        return _trace(convs, maps, rectified, residual)
    weight = convs[0].weight
    if not kernels.is_supported(weight) or torch.is_autocast_enabled(weight.device.type):
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


def _trace(
    convs: Sequence["MaskedConv2d"], maps: Traced, rectified: bool, residual: Traced | None
) -> Traced:
    for n, conv in enumerate(convs):
        is_last = n == len(convs) - 1
        maps = conv.trace(maps.relu() if rectified or n else maps, residual if is_last else None)
    return maps


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


class _Chain(torch.autograd.Function):
    """A chain on the processor."""

    @staticmethod
    def forward(
        ctx: Any,
        plan: ChainPlan,
        rectified: bool,
        maps: Tensor,
        residual: Tensor | None,
        *parameters: Tensor | None,
    ) -> Tensor:
        maps = maps.contiguous()
        batch, _, height, width = maps.shape
        source = _flat(maps)
        values = [None if each is None else each.detach().numpy() for each in parameters]
        weights = plan.weights(values[::2])
        biases = plan.biases(values[1::2], source.dtype)
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
        plan: ChainPlan = ctx.plan
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
