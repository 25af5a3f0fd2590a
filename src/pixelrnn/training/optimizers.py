"""The optimiser of a recipe."""

from typing import Any

import torch
from torch.optim import Optimizer

from pixelrnn.models import AutoregressiveModel
from pixelrnn.training.muon import Muon
from pixelrnn.training.tables import OptimizerTable


def make_optimizer(table: OptimizerTable, model: AutoregressiveModel) -> Optimizer:
    """Return the optimiser of a model's weights; the learning rate is set anew for every step."""
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
