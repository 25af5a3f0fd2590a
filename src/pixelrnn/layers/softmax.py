"""The last masked convolution and the softmax over its outputs as one operation, for training.

`kernels/softmax.py` runs both for a few pixels at a time on a processor, so that the logits of a batch, by
far the largest maps of a model with 256 levels, never exist all at once.
"""

from typing import TYPE_CHECKING, Any, cast

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from pixelrnn import kernels
from pixelrnn.kernels import memory, softmax, threads
from pixelrnn.kernels.plans import chained
from pixelrnn.kernels.tiles import BLOCK

if TYPE_CHECKING:
    from pixelrnn.layers.masked_conv import MaskedConv2d


def can_fuse(conv: "MaskedConv2d", images: Tensor, num_levels: int) -> bool:
    """Return whether `softmax_nats` can be used for these images, and has a gradient to find."""
    whole_blocks = images.shape[1] == 1 or num_levels % BLOCK == 0
    taken = kernels.is_supported(conv.weight) and conv.bias is not None
    return torch.is_grad_enabled() and taken and whole_blocks


def softmax_nats(conv: "MaskedConv2d", maps: Tensor, images: Tensor, num_levels: int) -> Tensor:
    """Return the negative log-probability of all levels together, one number.

    Args:
        conv: the 1 x 1 layer that gives the logits of each colour, `colours * num_levels` maps.
        maps: `(B, in, H, W)`; the layer reads max(maps, 0).
        images: uint8 `(B, colours, H, W)`, values below `num_levels`.
        num_levels: of a sub-pixel.
    """
    result = _SoftmaxNats.apply(  # type: ignore[no-untyped-call]
        conv.plan, num_levels, maps.to(conv.weight.dtype), images, conv.weights(), conv.bias
    )
    return cast(Tensor, result)


class _SoftmaxNats(torch.autograd.Function):
    """The sum of nats; its gradient is found at once, and multiplied by what the backward pass brings."""

    @staticmethod
    def forward(
        ctx: Any, layer: Any, num_levels: int, maps: Tensor, images: Tensor,
        weight: Tensor, bias: Tensor,
    ) -> Tensor:  # fmt: skip
        maps, images = maps.contiguous(), images.contiguous()
        plan = chained(layer)
        batch, features, height, width = maps.shape
        colours, dtype = images.shape[1], maps.detach().numpy().dtype
        nats = np.empty(batch)
        grad_maps = memory.empty(maps.shape, dtype)
        grad_weights = memory.empty((batch, plan.num_weights), dtype)
        grad_biases = memory.empty((batch, len(bias)), dtype)
        arguments = (
            plan.weights([weight.detach().numpy()]), plan.num_weights, layer.spans_forward,
            _spans_by_colour(layer.spans_backward, colours, num_levels), bias.detach().numpy(),
            maps.detach().numpy().reshape(-1), images.numpy().reshape(-1), nats,
            grad_maps.reshape(-1), grad_weights.reshape(-1), grad_biases.reshape(-1),
        )  # fmt: skip

        def share(first: int, last: int) -> None:
            work = memory.empty((softmax.work_size(features, num_levels),), dtype)
            softmax.run(
                first, last, height * width, features, colours, num_levels, *arguments, work
            )

        threads.share(share, batch, torch.get_num_threads())
        ctx.save_for_backward(
            torch.from_numpy(grad_maps),
            torch.from_numpy(grad_weights.sum(axis=0)[plan.forward]),
            torch.from_numpy(grad_biases.sum(axis=0)),
        )
        return maps.new_tensor(nats.sum())

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_out: Tensor) -> tuple[Any, ...]:
        grad_maps, grad_weight, grad_bias = (saved * grad_out for saved in ctx.saved_tensors)
        return None, None, grad_maps, None, grad_weight, grad_bias


def _spans_by_colour(
    spans: npt.NDArray[np.int64], colours: int, num_levels: int
) -> npt.NDArray[np.int64]:
    """Return which logits of each colour read a block of features, from those of all colours."""
    starts = np.arange(colours)[:, None] * num_levels
    first, last = spans.reshape(-1, 2).T
    begins = np.clip(first - starts, 0, num_levels)
    ends = np.maximum(np.clip(last - starts, 0, num_levels), begins)
    return np.ascontiguousarray(np.stack([begins, ends], axis=2)).reshape(-1)
