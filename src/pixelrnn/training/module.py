"""The model as Lightning trains it: its loss, its optimiser, and what stops a run that went wrong."""

from typing import Any

import lightning
import torch
from lightning.pytorch.core.optimizer import LightningOptimizer
from torch import Tensor
from torch.optim import Optimizer

from pixelrnn.errors import NonFiniteLossError
from pixelrnn.models import AutoregressiveModel
from pixelrnn.training.muon import Muon
from pixelrnn.training.recipe import Recipe
from pixelrnn.training.tables import OptimizerTable


class TrainingModule(lightning.LightningModule):
    """One model in training; the loss is the mean negative log-likelihood in nats a sub-pixel.

    Attributes:
        model: the model.
        recipe: how it is trained.
    """

    def __init__(self, model: AutoregressiveModel, recipe: Recipe) -> None:
        super().__init__()
        self.model = model
        self.recipe = recipe
        self._all_parameters = tuple(model.parameters())  # to walk over the modules takes a while

    def training_step(self, images: Tensor, _: int) -> Tensor:
        """Return the loss of a batch, uint8 `(B, C, H, W)`.

        Raises:
            NonFiniteLossError: if the loss is not finite; the weights are still good.
        """
        loss = self.model.nats(images) / images.numel()
        self._require_finite("loss", loss)
        return loss

    def configure_optimizers(self) -> Optimizer:
        """Return the recipe's optimiser; the learning rate is set step by step elsewhere."""
        return _optimizer(self.recipe.optimizer, self.model)

    def configure_gradient_clipping(
        self,
        optimizer: Optimizer | LightningOptimizer,
        gradient_clip_val: float | None = None,
        gradient_clip_algorithm: str | None = None,
    ) -> None:
        """Clip the gradient's norm, and stop before a gradient that is not finite is applied.

        Raises:
            NonFiniteLossError: if a gradient is not finite; the weights are still good.
        """
        limit = self.recipe.training.gradient_clip or float("inf")
        norm = torch.nn.utils.clip_grad_norm_(self._all_parameters, limit)
        self._require_finite("gradient", norm)

    def _require_finite(self, what: str, value: Tensor) -> None:
        if not torch.isfinite(value):
            raise NonFiniteLossError(
                f"the {what} became {value.item()} at step {self.global_step}: lower "
                f"optimizer.learning_rate (now {self.recipe.optimizer.learning_rate:g}) "
                "or training.gradient_clip"
            )


def _optimizer(table: OptimizerTable, model: AutoregressiveModel) -> Optimizer:
    parameters = list(model.parameters())
    options: dict[str, Any] = {"lr": table.learning_rate, "weight_decay": table.weight_decay}
    match table.name:
        case "adam":
            return torch.optim.Adam(parameters, betas=(0.9, table.beta2), fused=True, **options)
        case "adamw":
            return torch.optim.AdamW(parameters, betas=(0.9, table.beta2), fused=True, **options)
        case "muon":
            return Muon(parameters, model.matrices(), beta2=table.beta2, **options)
        case "rmsprop":
            return torch.optim.RMSprop(parameters, **options)
