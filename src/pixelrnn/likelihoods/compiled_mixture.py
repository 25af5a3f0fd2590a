"""The mixture's log-probabilities on a processor, differentiable, by `kernels/mixture.py`."""

from typing import Any, cast

import numpy as np
import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from pixelrnn.kernels import memory, mixture, threads
from pixelrnn.likelihoods.logistic_mixture import (
    MEAN_UNIT,
    LogisticMixture,
)


def log_prob(likelihood: LogisticMixture, parameters: Tensor, images: Tensor) -> Tensor:
    """Return the log-probability of every sub-pixel; see `LogisticMixture.log_prob`."""
    return cast(Tensor, _Compiled.apply(likelihood, parameters, images))  # type: ignore[no-untyped-call]


class _Compiled(torch.autograd.Function):
    """The log-probabilities on a processor, by `kernels/mixture.py`."""

    @staticmethod
    def forward(
        ctx: Any, likelihood: LogisticMixture, parameters: Tensor, images: Tensor
    ) -> Tensor:
        parameters, images = parameters.contiguous(), images.contiguous()
        out = memory.empty(images.shape, parameters.detach().numpy().dtype)
        _run(likelihood, parameters, images, log_probs=out)
        ctx.likelihood = likelihood
        ctx.save_for_backward(parameters, images)
        return torch.from_numpy(out)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_out: Tensor) -> tuple[Any, ...]:
        parameters, images = ctx.saved_tensors
        gradient = grad_out.contiguous().numpy()
        result = memory.empty(parameters.shape, gradient.dtype)
        _run(ctx.likelihood, parameters, images, grad_log_probs=gradient, grad_parameters=result)
        return None, torch.from_numpy(result), None


def _run(
    likelihood: LogisticMixture,
    parameters: Tensor,
    images: Tensor,
    *,
    log_probs: np.ndarray | None = None,
    grad_log_probs: np.ndarray | None = None,
    grad_parameters: np.ndarray | None = None,
) -> None:
    """Run the compiled loop over images; see there what it is to read or write besides."""
    values = parameters.detach().flatten(3)[:, 0].numpy()
    empty = values[:0]
    scores, gradient, result = (
        empty if array is None else array.reshape(len(images), -1, values.shape[2])
        for array in (log_probs, grad_log_probs, grad_parameters)
    )
    size = mixture.work_size(likelihood.channels, likelihood.components)

    def share(first: int, last: int) -> None:
        mixture.run(
            first, last, likelihood.components, likelihood.num_levels,
            MEAN_UNIT, likelihood.log_scale_range, values, images.flatten(2).numpy(),
            scores, gradient, result, memory.empty((size,), values.dtype),
        )  # fmt: skip

    threads.share(share, len(images), torch.get_num_threads())
