"""What may be done to the blocks of a model in training: less memory, or fewer launches on a GPU.

A block is what the model repeats; nothing else in it has activations that count.
"""

from collections.abc import Callable, Iterable
from typing import Any, cast

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from pixelrnn.layers import DiagonalBiLSTM, RowLSTM
from pixelrnn.models import AutoregressiveModel


def checkpoint_activations(model: AutoregressiveModel) -> None:
    """Have each block keep its inputs alone, and run again in the backward pass.

    Chen et al. 2016 (arXiv 1604.06174): of L blocks' activations one block's and L inputs are kept, for a
    second forward pass. The gradients stay the same to the last bit.

    Args:
        model: in training; copies made before are left as they are.
    """
    for block in _blocks(model):
        block.forward = _recomputed(block.forward)


def compile_blocks(model: AutoregressiveModel, backend: str = "inductor") -> None:
    """Compile each block when it first runs (`torch.compile`): the same sums, in another order.

    Recurrences are left as they are: a loop over lines is as many operations as the image has.

    Args:
        model: in training; copies share nothing of it.
        backend: of torch.compile.
    """
    for block in _blocks(model):
        recurrent: list[nn.Module] = [
            layer for layer in block.modules() if isinstance(layer, RowLSTM | DiagonalBiLSTM)
        ]
        for layer in recurrent:
            layer.forward = torch.compiler.disable(layer.forward)
        block.compile(backend=backend)


def _recomputed(forward: Callable[..., Any]) -> Callable[..., Any]:
    def run(*maps: Any) -> Any:
        if not torch.is_grad_enabled():
            return forward(*maps)
        # The reentrant kind frees what our own autograd functions keep, too, which are no tensors.
        return checkpoint(forward, *maps, use_reentrant=True, preserve_rng_state=False)

    return run


def _blocks(model: AutoregressiveModel) -> Iterable[nn.Module]:
    return cast(Iterable[nn.Module], model.blocks)
