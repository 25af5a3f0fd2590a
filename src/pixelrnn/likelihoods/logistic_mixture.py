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
    so that a colour starts by repeating the residual of the one before it; and so on, if there are more
    channels than three;
  * the network gives the means in units of w = `MEAN_UNIT`, about the scale of a residual. An optimiser
    whose steps have one size for all weights, as Adam's have, would else move the means ten times
    too far; docs/experiments.md has what that costs.
"""

import math
from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import Field

from pixelrnn import kernels
from pixelrnn.arrays import Floats
from pixelrnn.graph.curves import (
    COUPLING_STEP_BITS,
    LOG_SCALE_STEP_BITS,
    LOGIT_STEP_BITS,
    level_bits,
    lowest_log_scale,
)
from pixelrnn.likelihoods.base import Likelihood, LikelihoodConfig, Segment, register, scale_levels
from pixelrnn.likelihoods.mixture_frequencies import COMPILED

if TYPE_CHECKING:
    from torch import Tensor

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
    """K logistics for a pixel, coupled red -> green -> blue; see the module for the equations.

    Example:
        >>> import torch
        >>> likelihood = LogisticMixture(channels=1, num_levels=3, components=2)
        >>> [part.name for part in likelihood.layout]
        ['logits', 'means', 'log-scales', 'couplings', 'predictions']
        >>> parameters = torch.randn(1, 1, 7, 1, 1, dtype=torch.float64)
        >>> image = torch.zeros(1, 1, 1, 1, dtype=torch.uint8)
        >>> round(likelihood.log_pmf(parameters, image, channel=0).exp().sum().item(), 9)
        1.0
    """

    def __init__(self, channels: int, num_levels: int, components: int) -> None:
        self.channels = channels
        self.num_levels = num_levels
        self.components = k = components
        self.num_couplings = channels * (channels - 1) // 2
        self.groups = 1
        lowest = lowest_log_scale(num_levels) * 2.0**-LOG_SCALE_STEP_BITS
        self.log_scale_range = lowest, MAX_LOG_SCALE
        level = 2 / (num_levels - 1) * 2.0 ** -level_bits(num_levels)
        self.layout = (
            Segment("logits", k, 2.0**-LOGIT_STEP_BITS),
            Segment("means", channels * k, level / MEAN_UNIT),
            Segment("log-scales", channels * k, 2.0**-LOG_SCALE_STEP_BITS),
            Segment("couplings", self.num_couplings * k, 2.0**-COUPLING_STEP_BITS),
            Segment("predictions", channels, level),
        )
        self.compiled = COMPILED

    def log_prob(self, parameters: "Tensor", images: "Tensor") -> "Tensor":
        """Return the log-probability of every sub-pixel given those before it, `(B, C, H, W)` nats."""
        if kernels.is_supported(parameters) and len(images):
            from pixelrnn.likelihoods.compiled_mixture import log_prob

            return log_prob(self, parameters, images)
        return self.in_torch(parameters, images)

    def in_torch(self, parameters: "Tensor", images: "Tensor") -> "Tensor":
        """Do the same with operations of torch, on any device."""
        import torch

        logits, offsets, log_scales, couplings, prediction = self._split(parameters)
        values = scale_levels(images, self.num_levels, parameters.dtype)
        residuals = values - prediction  # (B, C, H, W)
        means = self._means(offsets, couplings, residuals)
        bins = self._log_bins(residuals.unsqueeze(2) - means, log_scales, images.unsqueeze(2))
        # log p(colour | those before) = log sum_k pi_k P_kc, with pi_k given the colours before.
        weights = logits.log_softmax(dim=1)
        nats = []
        for of_colour in bins.unbind(dim=1):
            joint = weights + of_colour
            nats.append(joint.logsumexp(dim=1))
            weights = joint.log_softmax(dim=1)
        return torch.stack(nats, dim=1)

    def _split(self, parameters: "Tensor") -> tuple["Tensor", ...]:
        sizes = [part.count for part in self.layout]
        logits, means, log_scales, couplings, prediction = parameters[:, 0].split(sizes, dim=1)
        by_component = (-1, self.components)
        return (
            logits,  # (B, K, H, W)
            MEAN_UNIT * means.unflatten(1, by_component),  # (B, C, K, H, W)
            log_scales.unflatten(1, by_component).clamp(*self.log_scale_range),  # (B, C, K, H, W)
            couplings.unflatten(
                1, (self.num_couplings, self.components)
            ).tanh(),  # (B, C (C - 1) / 2, K, H, W)
            prediction,  # (B, C, H, W)
        )

    def _means(self, offsets: "Tensor", couplings: "Tensor", residuals: "Tensor") -> "Tensor":
        """Return the means of the residuals, `(B, C, K, H, W)`."""
        import torch

        means = list(offsets.unbind(dim=1))
        for channel in range(1, self.channels):
            for other in range(channel):
                coupling = couplings[:, channel * (channel - 1) // 2 + other]
                start = 1 if other == channel - 1 else 0
                means[channel] = means[channel] + (start + coupling) * residuals[:, other, None]
        return torch.stack(means, dim=1)

    def _log_bins(self, centred: "Tensor", log_scales: "Tensor", images: "Tensor") -> "Tensor":
        """Return log P_kc of the bin around each value, `(B, C, K, H, W)`."""
        import torch
        import torch.nn.functional as F

        half_bin = 1 / (self.num_levels - 1)
        inverse_scales = (-log_scales).exp()
        log_below_upper = F.logsigmoid(inverse_scales * (centred + half_bin))
        log_above_lower = F.logsigmoid(-inverse_scales * (centred - half_bin))
        log_inside = (-(-2 * half_bin * inverse_scales).expm1()).log()
        between = log_below_upper + log_above_lower + log_inside
        highest_or_between = torch.where(images == self.num_levels - 1, log_above_lower, between)
        return torch.where(images == 0, log_below_upper, highest_or_between)

    def initial_bias(self) -> Floats:
        """Return zeros but for the log-scales, which start narrow: `(head_maps,)`."""
        bias = np.zeros(self.head_maps)
        bias[self.part("log-scales")] = INITIAL_LOG_SCALE
        return bias

    def at_temperature(self, temperature: float) -> tuple[Floats, Floats]:
        """Divide the logits of the components, and widen their scales; see the base class."""
        factors, terms = np.ones(self.num_parameters), np.zeros(self.num_parameters)
        factors[self.part("logits")] = 1 / temperature
        terms[self.part("log-scales")] = math.log(temperature)
        return factors, terms
