"""Models: each gives every image an exact probability and keeps the contract of `base.py`.

To add one: a file with its configuration and class, and a line in `MODELS` and `AnyModelConfig`.
"""

from typing import Annotated

from pydantic import Field

from pixelrnn.models.base import AutoregressiveModel, ModelConfig
from pixelrnn.models.diagonal_bilstm import DiagonalBiLSTMConfig, DiagonalBiLSTMModel
from pixelrnn.models.pixel_cnn import PixelCNN, PixelCNNConfig
from pixelrnn.models.pixelrnn import PixelRNN, PixelRNNConfig
from pixelrnn.models.row_lstm import RowLSTMConfig, RowLSTMModel

AnyModelConfig = Annotated[
    PixelCNNConfig | RowLSTMConfig | DiagonalBiLSTMConfig, Field(discriminator="kind")
]

MODELS: dict[str, type[PixelRNN]] = {
    "pixelcnn": PixelCNN,
    "row-lstm": RowLSTMModel,
    "diagonal-bilstm": DiagonalBiLSTMModel,
}

LABELS = {
    "pixelcnn": "PixelCNN",
    "row-lstm": "Row LSTM",
    "diagonal-bilstm": "Diagonal BiLSTM",
}


def build(config: AnyModelConfig) -> PixelRNN:
    """Return a freshly initialised model of this configuration.

    Example:
        >>> build(PixelCNNConfig(channels=1, features=4)).num_parameters() > 0
        True
    """
    return MODELS[config.kind](config)


__all__ = [
    "LABELS",
    "MODELS",
    "AnyModelConfig",
    "AutoregressiveModel",
    "DiagonalBiLSTMConfig",
    "DiagonalBiLSTMModel",
    "ModelConfig",
    "PixelCNN",
    "PixelCNNConfig",
    "PixelRNN",
    "PixelRNNConfig",
    "RowLSTMConfig",
    "RowLSTMModel",
    "build",
]
