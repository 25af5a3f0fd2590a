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
from pixelrnn.models.torch_state import usual_torch

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
    """Return a freshly initialised model of this configuration: float32, on the processor.

    Example:
        >>> build(PixelCNNConfig(channels=1, features=4)).num_parameters() > 0
        True
    """
    with usual_torch():
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
