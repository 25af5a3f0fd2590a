"""Averaged weights: the exponential moving average (EMA) of a run, which is what is evaluated.

    average <- average + (1 - d_n) (weights - average),     d_n = min(decay, (1 + n) / (10 + n))

after the n-th step. The rise of d_n lets short runs forget their start.
"""

import copy

import torch
from torch import Tensor

from pixelrnn.models import AutoregressiveModel


class MovingAverage:
    """The moving average of a model's weights.

    Args:
        model: whose weights they are.
        decay: of the average; 0 keeps the last weights.

    Attributes:
        model: one with the averaged weights.
        count: how many steps are in them.
    """

    def __init__(self, model: AutoregressiveModel, decay: float) -> None:
        self.model, self.count = copy.deepcopy(model), 0
        self._decay = decay
        # Walking over the modules in every step would take longer than the update.
        self._averages: list[Tensor] = list(self.model.parameters())
        self._weights: list[Tensor] = list(model.parameters())

    @torch.no_grad()
    def update(self) -> None:
        """Take in the weights after an optimiser step."""
        decay = min(self._decay, (1 + self.count) / (10 + self.count)) if self.count else 0.0
        torch._foreach_lerp_(self._averages, self._weights, 1 - decay)
        self.count += 1
