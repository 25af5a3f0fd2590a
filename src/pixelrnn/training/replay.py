"""The forward and backward passes of a training step as one launch on a GPU: a CUDA graph.

A small model is thousands of small operations a step, each done sooner than Python has named the next. They
are the same ones in every step, on batches of one shape: recorded once, they are replayed from memory.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from pixelrnn.training.batches import Batch

WARM_UP = 3  # runs before the recording, in which memory is found and algorithms are chosen


class Replay:
    """What sets the gradients of a step, recorded when made and run again by each call.

    Args:
        run: takes the parts of a step, sets the gradients of all weights anew, and returns the loss. It may
            read nothing back from the GPU.
        weights: whose gradients it sets.
        parts: of any step, on the GPU; those of others have the same shapes.
    """

    def __init__(
        self,
        run: Callable[[Sequence[Batch]], Tensor],
        weights: Sequence[nn.Parameter],
        parts: Sequence[Batch],
    ) -> None:
        self._weights = weights
        self._parts = [_cloned(part) for part in parts]
        aside = torch.cuda.Stream()
        aside.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(aside):
            for _ in range(WARM_UP):
                run(self._parts)
        torch.cuda.current_stream().wait_stream(aside)
        for weight in weights:  # so that what is recorded makes gradients in memory of its own
            weight.grad = None
        self._graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self._graph):
            self._loss = run(self._parts)
        self._gradients = [weight.grad for weight in weights]

    def __call__(self, parts: Sequence[Batch]) -> Tensor:
        """Set the gradients of a step, and return its loss; both are overwritten by the next call."""
        for held, part in zip(self._parts, parts, strict=True):
            for mine, given in zip(held, part, strict=True):
                if mine is not None and given is not None:
                    mine.copy_(given)
        self._graph.replay()
        for weight, gradient in zip(self._weights, self._gradients, strict=True):
            weight.grad = gradient
        return self._loss


def _cloned(part: Batch) -> Batch:
    given = {name: each.clone() for name, each in part._asdict().items() if each is not None}
    return Batch(**given)
