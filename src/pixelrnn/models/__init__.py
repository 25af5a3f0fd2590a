"""Models: each gives every image an exact probability and keeps the contract of `base.py`.

To add one: a file in this folder with its configuration and its class, which `register` decorates.
"""

from typing import TYPE_CHECKING, Annotated, TypeAlias, Union

from pydantic import Field

from pixelrnn.models.base import AutoregressiveModel
from pixelrnn.models.config import ModelConfig
from pixelrnn.models.diagonal_bilstm import DiagonalBiLSTMConfig, DiagonalBiLSTMModel
from pixelrnn.models.pixel_cnn import PixelCNN, PixelCNNConfig
from pixelrnn.models.registry import (
    CONFIGS,
    LABELS,
    MODELS,
    build,
    register,
    require_registered,
)
from pixelrnn.models.residual import ResidualConfig, ResidualModel
from pixelrnn.models.row_lstm import RowLSTMConfig, RowLSTMModel
from pixelrnn.registry import import_all

import_all(__name__, __path__, leave=["store"])
require_registered(__name__)

if TYPE_CHECKING:
    AnyModelConfig: TypeAlias = ModelConfig
else:
    AnyModelConfig = Annotated[
        Union[tuple(CONFIGS.values())],  # noqa: UP007 - of as many as there are
        Field(discriminator="kind"),
    ]

__all__ = [
    "CONFIGS",
    "LABELS",
    "MODELS",
    "AnyModelConfig",
    "AutoregressiveModel",
    "DiagonalBiLSTMConfig",
    "DiagonalBiLSTMModel",
    "ModelConfig",
    "PixelCNN",
    "PixelCNNConfig",
    "ResidualConfig",
    "ResidualModel",
    "RowLSTMConfig",
    "RowLSTMModel",
    "build",
    "register",
]
