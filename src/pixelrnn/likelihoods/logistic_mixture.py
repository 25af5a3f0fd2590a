"""A mixture of discretised logistics for a whole pixel (Salimans et al. 2017, arXiv 1701.05517, 2.1-2.2).

With levels scaled to [-1, 1] (`scale_levels`), half a bin w = 1 / (num_levels - 1), and u the value,

    p(pixel) = sum_k pi_k * prod_c P_kc,     P_kc = sigma((u_c - m_kc + w) / s_kc)
                                                  - sigma((u_c - m_kc - w) / s_kc)

where the lowest bin reaches to minus infinity and the highest to plus infinity, so that the levels sum
to one exactly. The means of green and blue depend linearly on the colours before them.

Deviations from the source:
  * no density in place of a bin that is too small for float32: the bin is computed in log space,
    log(sigma(a) - sigma(b)) = log sigma(a) + log sigma(-b) + log(1 - exp(b - a));
  * a linear prediction q_c of the pixel from its causal neighbours (`layers/linear_prediction.py`)
    is part of the means, and the colours are coupled through its residuals e_c = u_c - q_c:
        m_red = q_red + w mu_red
        m_green = q_green + w mu_green + (1 + tanh a) e_red
        m_blue = q_blue + w mu_blue + tanh(b) e_red + (1 + tanh c) e_green
    so that a colour starts by repeating the residual of the one before it;
  * the network gives the means in units of w = `MEAN_UNIT`, about the scale of a residual. An optimiser
    whose steps have one size for all weights, as Adam's have, would else move the means ten times
    too far; docs/experiments.md has what that costs.
"""

import math
from typing import Any, Literal, cast

import numpy as np
import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor
from torch.autograd.function import once_differentiable

from pixelrnn import kernels
from pixelrnn.graph.program import Features, Floats, LikelihoodParameters
from pixelrnn.kernels import memory, mixture, threads
from pixelrnn.likelihoods.base import Likelihood, LikelihoodConfig, register, scale_levels

MIN_LOG_SCALE = -7.0
MAX_LOG_SCALE = 20.0  # wider than any image; exp(-x) of more would vanish in float32
INITIAL_LOG_SCALE = -2.5
MEAN_UNIT = 0.1  # of the means that the network gives


@register
class LogisticMixtureConfig(LikelihoodConfig):
    """A mixture of discretised logistics for the whole pixel."""

    kind: Literal["logistic-mixture"] = "logistic-mixture"
    components: int = Field(default=5, ge=1, le=64, description="logistics in the mixture")

    def build(self, channels: int, num_levels: int) -> "LogisticMixture":
        """Return the likelihood for images of `channels` colours and `num_levels` levels."""
        return LogisticMixture(channels, num_levels, self.components)


class LogisticMixture(Likelihood):
    """K logistics a pixel, coupled red -> green -> blue; see the module for the equations.

    Parameters along the third axis of `(B, 1, P, H, W)`, in this order: K mixture logits, C K means,
    C K log-scales, C (C - 1) / 2 K couplings, C predictions.

    Example:
        >>> likelihood = LogisticMixture(channels=1, num_levels=3, components=2)
        >>> parameters = torch.randn(1, 1, 7, 1, 1, dtype=torch.float64)
        >>> image = torch.zeros(1, 1, 1, 1, dtype=torch.uint8)
        >>> round(likelihood.log_pmf(parameters, image, channel=0).exp().sum().item(), 9)
        1.0
    """

    def __init__(self, channels: int, num_levels: int, components: int) -> None:
        self.channels = channels
        self.num_levels = num_levels
        self.components = components
        self.num_couplings = channels * (channels - 1) // 2
        self.groups = 1
        self.head_maps = components * (1 + 2 * channels + self.num_couplings)
        self.prediction_maps = channels

    def log_prob(self, parameters: Tensor, images: Tensor) -> Tensor:
        """Return the log-probability of every sub-pixel given those before it, `(B, C, H, W)` nats."""
        if kernels.take(parameters) and len(images):
            return cast(Tensor, _Compiled.apply(self, parameters, images))  # type: ignore[no-untyped-call]
        return self.in_torch(parameters, images)

    def in_torch(self, parameters: Tensor, images: Tensor) -> Tensor:
        """Do the same with operations of torch, on any device."""
        logits, offsets, log_scales, couplings, prediction = self._split(parameters)
        values = scale_levels(images, self.num_levels, parameters.dtype)
        residuals = values - prediction  # (B, C, H, W)
        means = self._means(offsets, couplings, residuals)
        bins = self._log_bins(residuals.unsqueeze(2) - means, log_scales, images.unsqueeze(2))
        # log p(colour | those before) = log sum_k pi_k P_kc, with pi_k given the colours before.
        weights = F.log_softmax(logits, dim=1)
        nats = []
        for of_colour in bins.unbind(dim=1):
            joint = weights + of_colour
            nats.append(torch.logsumexp(joint, dim=1))
            weights = F.log_softmax(joint, dim=1)
        return torch.stack(nats, dim=1)

    def _split(self, parameters: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        k, c = self.components, self.channels
        sizes = [k, c * k, c * k, self.num_couplings * k, c]
        logits, means, log_scales, couplings, prediction = parameters[:, 0].split(sizes, dim=1)
        by_component = (-1, k)
        return (
            logits,  # (B, K, H, W)
            MEAN_UNIT * means.unflatten(1, by_component),  # (B, C, K, H, W)
            log_scales.unflatten(1, by_component).clamp(
                MIN_LOG_SCALE, MAX_LOG_SCALE
            ),  # (B, C, K, H, W)
            couplings.unflatten(1, (self.num_couplings, k)).tanh(),  # (B, C (C - 1) / 2, K, H, W)
            prediction,  # (B, C, H, W)
        )

    def _means(self, offsets: Tensor, couplings: Tensor, residuals: Tensor) -> Tensor:
        """Return the means of the residuals, `(B, C, K, H, W)`."""
        if self.channels == 1:
            return offsets
        red, green = residuals[:, 0:1], residuals[:, 1:2]  # (B, 1, H, W), for all components alike
        return torch.stack(
            [
                offsets[:, 0],
                offsets[:, 1] + (1 + couplings[:, 0]) * red,
                offsets[:, 2] + couplings[:, 1] * red + (1 + couplings[:, 2]) * green,
            ],
            dim=1,
        )

    def _log_bins(self, centred: Tensor, log_scales: Tensor, images: Tensor) -> Tensor:
        """Return log P_kc of the bin around each value, `(B, C, K, H, W)`."""
        half_bin = 1 / (self.num_levels - 1)
        inverse_scales = torch.exp(-log_scales)
        log_below_upper = F.logsigmoid(inverse_scales * (centred + half_bin))
        log_above_lower = F.logsigmoid(-inverse_scales * (centred - half_bin))
        log_inside = torch.log(-torch.expm1(-2 * half_bin * inverse_scales))
        between = log_below_upper + log_above_lower + log_inside
        highest_or_between = torch.where(images == self.num_levels - 1, log_above_lower, between)
        return torch.where(images == 0, log_below_upper, highest_or_between)

    def lower(self, parameters: Features) -> LikelihoodParameters:
        """Tell the stepper how to read the parameters."""
        return LikelihoodParameters("logistic-mixture", (parameters,), self.components, MEAN_UNIT)

    def at_temperature(self, temperature: float) -> tuple[Floats, Floats]:
        """Divide the logits of the components, and widen their scales; see the base class."""
        k, c = self.components, self.channels
        factors = np.ones(self.head_maps + self.prediction_maps)
        terms = np.zeros(len(factors))
        factors[:k] = 1 / temperature
        terms[k + c * k : k + 2 * c * k] = math.log(temperature)
        return factors, terms

    def initial_bias(self) -> Tensor:
        """Return zeros but for the log-scales, which start narrow: `(head_maps,)`."""
        k, c = self.components, self.channels
        bias = torch.zeros(self.head_maps)
        bias[k + c * k : k + 2 * c * k] = INITIAL_LOG_SCALE
        return bias


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
            MEAN_UNIT, (MIN_LOG_SCALE, MAX_LOG_SCALE), values, images.flatten(2).numpy(),
            scores, gradient, result, memory.empty((size,), values.dtype),
        )  # fmt: skip

    threads.share(share, len(images), torch.get_num_threads())
