"""Averaged weights: the exponential moving average (EMA) of a run, which is what is evaluated.

    average <- average + (1 - d_n) (weights - average),     d_n = min(decay, (1 + n) / (10 + n))

after the n-th step. The rise of d_n lets short runs forget their start.
"""

from typing import Any, cast

import lightning
import torch
from lightning.pytorch.callbacks import WeightAveraging
from lightning.pytorch.utilities.types import STEP_OUTPUT
from torch import Tensor

from pixelrnn.models import AutoregressiveModel
from pixelrnn.training.module import TrainingModule


class MovingAverage(WeightAveraging):
    """The moving average of the weights, updated after every optimiser step and saved with the run."""

    def __init__(self, decay: float) -> None:
        self._decay = decay
        self._pairs: tuple[list[Tensor], list[Tensor]] | None = None
        super().__init__(use_buffers=False)

    @torch.no_grad()
    def on_train_batch_end(
        self,
        trainer: lightning.Trainer,
        pl_module: lightning.LightningModule,
        outputs: STEP_OUTPUT,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Update the average after an optimiser step.

        The base class walks over both models for it, which takes longer than the update itself.
        """
        average = self._average_model
        if average is None or trainer.global_step <= self._latest_update_step:
            return
        if self._pairs is None:
            self._pairs = list(average.module.parameters()), list(pl_module.parameters())
        averages, weights = self._pairs
        n = int(average.n_averaged)
        if n == 0:
            torch._foreach_copy_(averages, weights)
        else:
            decay = min(self._decay, (1 + n) / (10 + n))
            torch._foreach_lerp_(averages, weights, 1 - decay)
        average.n_averaged += 1
        self._latest_update_step = trainer.global_step

    @property
    def model(self) -> AutoregressiveModel:
        """The model with the averaged weights."""
        if self._average_model is None:
            raise RuntimeError("there is no average before training starts")
        return cast(TrainingModule, self._average_model.module).model
