"""A softmax over the levels of each sub-pixel (van den Oord et al. 2016, section 3.3 "discrete").

    p(x_c = v | x_before) = exp(logit_cv) / sum_u exp(logit_cu)

With two levels it is the Bernoulli distribution. The colours are kept in order by the masks of the
network, so there is one group of parameters a colour.
"""

from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from pixelrnn.graph.program import Features, Floats, LikelihoodParameters
from pixelrnn.likelihoods.base import Likelihood, LikelihoodConfig, register


@register
class CategoricalConfig(LikelihoodConfig):
    """A softmax over all levels of each sub-pixel, as in the paper."""

    kind: Literal["categorical"] = "categorical"

    def build(self, channels: int, num_levels: int) -> "Categorical":
        """Return the likelihood for images of `channels` colours and `num_levels` levels."""
        return Categorical(channels, num_levels)


class Categorical(Likelihood):
    """A softmax over `num_levels` for each sub-pixel; parameters are logits `(B, C, L, H, W)`.

    Example:
        Equal logits give every level the same probability.

        >>> likelihood = Categorical(channels=1, num_levels=4)
        >>> nats = likelihood.log_prob(
        ...     torch.zeros(1, 1, 4, 2, 2), torch.zeros(1, 1, 2, 2, dtype=torch.uint8)
        ... )
        >>> round(nats.exp()[0, 0, 0, 0].item(), 6)
        0.25
    """

    def __init__(self, channels: int, num_levels: int) -> None:
        self.channels = channels
        self.num_levels = num_levels
        self.groups = channels
        self.head_maps = num_levels
        self.prediction_maps = 0

    def log_prob(self, parameters: Tensor, images: Tensor) -> Tensor:
        """Return the log-probability of every sub-pixel, `(B, C, H, W)` nats."""
        # One image at a time: its logits, copied so that the levels lie side by side, stay in cache.
        pairs = zip(parameters.split(1), images.split(1), strict=True)
        return torch.cat([self._log_prob(logits, levels) for logits, levels in pairs])

    def _log_prob(self, logits: Tensor, images: Tensor) -> Tensor:
        by_level = logits.permute(0, 1, 3, 4, 2).reshape(-1, self.num_levels)  # (B C H W, L)
        nats = F.cross_entropy(by_level, images.reshape(-1).long(), reduction="none")
        return -nats.view(images.shape)

    def lower(self, parameters: Features) -> LikelihoodParameters:
        """Tell the stepper how to read the logits."""
        levels = self.num_levels
        groups = [parameters.part(group * levels, levels) for group in range(self.groups)]
        return LikelihoodParameters("categorical", tuple(groups))

    def at_temperature(self, temperature: float) -> tuple[Floats, Floats]:
        """Divide the logits; see the base class."""
        return np.full(self.num_levels, 1 / temperature), np.zeros(self.num_levels)

    def initial_bias(self) -> Tensor:
        """Return zeros `(num_levels,)`: at first all levels are about equally likely."""
        return torch.zeros(self.num_levels)
