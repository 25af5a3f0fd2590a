"""Layers: what each sees is in its own file, with its equation and a small picture."""

from pixelrnn.layers.chain import run_chain
from pixelrnn.layers.decorrelated_conv import DecorrelatedConv2d
from pixelrnn.layers.diagonal_bilstm import DiagonalBiLSTM
from pixelrnn.layers.gate import Gate
from pixelrnn.layers.line_lstm import LineLSTM
from pixelrnn.layers.linear_prediction import LinearPrediction
from pixelrnn.layers.masked_conv import MaskedConv2d, pointwise
from pixelrnn.layers.masks import feature_groups
from pixelrnn.layers.row_lstm import RowLSTM

__all__ = [
    "DecorrelatedConv2d",
    "DiagonalBiLSTM",
    "Gate",
    "LineLSTM",
    "LinearPrediction",
    "MaskedConv2d",
    "RowLSTM",
    "feature_groups",
    "pointwise",
    "run_chain",
]
