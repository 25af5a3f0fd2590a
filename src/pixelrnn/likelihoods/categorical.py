"""A softmax over the levels of each sub-pixel (van den Oord et al. 2016, section 3.3 "discrete").

    p(x_c = v | x_before) = exp(logit_cv) / sum_u exp(logit_cu)

With two levels it is the Bernoulli distribution. The colours are kept in order by the masks of the
network, so there is one group of parameters per colour.
"""

from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from numba import carray, njit  # type: ignore[attr-defined]

from pixelrnn.arrays import Floats
from pixelrnn.graph.curves import LOGIT_STEP_BITS
from pixelrnn.kernels.range_coder import TOTAL, TOTAL_BITS
from pixelrnn.likelihoods.base import (
    Compiled,
    Likelihood,
    LikelihoodConfig,
    Segment,
    register,
)
from pixelrnn.likelihoods.exponentials import exponentials, whole

if TYPE_CHECKING:
    from torch import Tensor


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

        >>> import torch
        >>> likelihood = Categorical(channels=1, num_levels=4)
        >>> nats = likelihood.log_prob(
        ...     torch.zeros(1, 1, 4, 2, 2), torch.zeros(1, 1, 2, 2, dtype=torch.uint8)
        ... )
        >>> round(nats.exp()[0, 0, 0, 0].item(), 6)
        0.25
    """

    has_logits: ClassVar[bool] = True

    def __init__(self, channels: int, num_levels: int) -> None:
        self.channels = self.groups = channels
        self.num_levels = num_levels
        self.layout = (Segment("logits", num_levels, 2.0**-LOGIT_STEP_BITS),)
        self.compiled = Compiled(_prepare, _bounds, _search, _update, _frequencies)

    def log_prob(self, parameters: "Tensor", images: "Tensor") -> "Tensor":
        """Return the log-probability of every sub-pixel, `(B, C, H, W)` nats."""
        import torch

        # One image at a time: its logits, copied so that the levels lie side by side, stay in cache. A GPU
        # takes all at once.
        at_once = 1 if parameters.device.type == "cpu" else max(1, len(images))
        pairs = zip(parameters.split(at_once), images.split(at_once), strict=True)
        return torch.cat([self._log_prob(logits, levels) for logits, levels in pairs])

    def _log_prob(self, logits: "Tensor", images: "Tensor") -> "Tensor":
        import torch.nn.functional as F

        by_level = logits.permute(0, 1, 3, 4, 2).reshape(-1, self.num_levels)  # (B C H W, L)
        nats = F.cross_entropy(by_level, images.reshape(-1).long(), reduction="none")
        return -nats.view(images.shape)

    def initial_bias(self) -> Floats:
        """Return zeros `(num_levels,)`: at first all levels are about equally likely."""
        return np.zeros(self.num_levels)

    def at_temperature(self, temperature: float) -> tuple[Floats, Floats]:
        """Divide the logits; see the base class."""
        return np.full(self.num_levels, 1 / temperature), np.zeros(self.num_levels)


# The same in integers: of each level the sum of the exponentials below it, times one factor.


@njit(error_model="numpy")
def categorical_factor(total: int, levels: int) -> int:
    """Return what makes sums of exponentials 24 bits long: the one division of a sub-pixel."""
    factor: int = ((TOTAL - levels) << TOTAL_BITS) // total
    return factor


@njit(error_model="numpy")
def categorical_bounds(
    level: int, levels: int, exponents: np.ndarray, factor: int
) -> tuple[int, int]:
    """Return F(level) and F(level + 1) of a softmax, given its exponentials."""
    before = whole(0)
    for v in range(level):
        before += exponents[v]
    low = ((before * factor) >> TOTAL_BITS) + level
    if level == levels - 1:
        return low, TOTAL
    return low, (((before + exponents[level]) * factor) >> TOTAL_BITS) + level + 1


@njit(error_model="numpy")
def categorical_search(
    target: int, levels: int, exponents: np.ndarray, factor: int
) -> tuple[int, int, int]:
    """Return the level with F(level) <= target < F(level + 1), and both."""
    before, low = whole(0), whole(0)
    for level in range(levels - 1):
        before += exponents[level]
        high = ((before * factor) >> TOTAL_BITS) + level + 1
        if high > target:
            return level, low, high
        low = high
    return levels - 1, low, TOTAL


@njit(error_model="numpy")
def _prepare(work: Any, at: int, channel: int, channels: int, levels: int, components: int) -> None:
    exponents = carray(work.weights, (levels,))
    total = exponentials(work.wide, at, levels, work.exponential, exponents)
    work.means[0] = categorical_factor(total, levels)


@njit(error_model="numpy")
def _bounds(work: Any, level: int, levels: int, components: int) -> tuple[int, int]:
    return categorical_bounds(level, levels, carray(work.weights, (levels,)), work.means[0])


@njit(error_model="numpy")
def _search(work: Any, target: int, levels: int, components: int) -> tuple[int, int, int]:
    return categorical_search(target, levels, carray(work.weights, (levels,)), work.means[0])


@njit(error_model="numpy")
def _update(work: Any, level: int, channel: int, levels: int, components: int) -> None:
    pass


@njit(error_model="numpy")
def _frequencies(work: Any, levels: int, components: int, out: np.ndarray) -> None:
    exponents, factor = carray(work.weights, (levels,)), work.means[0]
    before, low = whole(0), whole(0)
    for v in range(levels - 1):
        before += exponents[v]
        high = ((before * factor) >> TOTAL_BITS) + v + 1
        out[v] = high - low
        low = high
    out[levels - 1] = TOTAL - low
