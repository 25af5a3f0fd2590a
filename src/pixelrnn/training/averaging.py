"""Averaged weights: the exponential moving average (EMA) of a run, which is what is evaluated.

    average <- average + (1 - d_n) (weights - average),     d_n = min(decay, (1 + n) / (10 + n))

after the n-th step. The rise of d_n lets short runs forget their start.
"""

from collections.abc import Sequence
from typing import cast

import torch
from lightning.pytorch.callbacks import WeightAveraging
from torch import Tensor

from pixelrnn.models import PixelRNN
from pixelrnn.training.module import TrainingModule


class MovingAverage(WeightAveraging):
    """The moving average of the weights, updated after every optimiser step and saved with the run."""

    def __init__(self, decay: float) -> None:
        self._decay = decay
        super().__init__(use_buffers=False, multi_avg_fn=self._update)

    @torch.no_grad()
    def _update(self, averages: Sequence[Tensor], weights: Sequence[Tensor], count: Tensor) -> None:
        n = int(count)
        decay = min(self._decay, (1 + n) / (10 + n))
        torch._foreach_lerp_(list(averages), list(weights), 1 - decay)

    @property
    def model(self) -> PixelRNN:
        """The model with the averaged weights."""
        if self._average_model is None:
            raise RuntimeError("there is no average before training starts")
        return cast(TrainingModule, self._average_model.module).model
