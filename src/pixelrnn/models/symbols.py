"""How levels come into a network: scaled where they have an order, and else looked up.

A symbol, such as the code of an autoencoder, is a number that is near to no other. It becomes a row of a
table that is learnt with the rest, one table for each channel; and it is predicted by a softmax.
"""

import numpy as np
import torch
from torch import Tensor, nn

from pixelrnn.graph.operation import Features
from pixelrnn.graph.program import Program
from pixelrnn.models.config import ModelConfig

SYMBOLS = "symbols"  # what a model calls its tables


class SymbolTables(nn.Module):
    """A table `(C, L, F)`: F features for each symbol of each channel.

    Example:
        >>> tables = SymbolTables(ModelConfig(channels=2, num_levels=5, symbol_features=3))
        >>> tables(torch.zeros(1, 2, 4, 6, dtype=torch.uint8)).shape
        torch.Size([1, 6, 4, 6])
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        shape = config.channels, config.num_levels, config.symbol_features
        self.rows = nn.Parameter(torch.randn(shape))

    def forward(self, images: Tensor) -> Tensor:
        """Return the features of symbols `(B, C, H, W)`, channel by channel, `(B, C F, H, W)`."""
        of_channels = [
            table[symbols].movedim(-1, 1)
            for table, symbols in zip(self.rows, images.long().unbind(dim=1), strict=True)
        ]
        return torch.cat(of_channels, dim=1)

    def trace(self, program: Program, symbols: Features, out: Features) -> None:
        """Write the tables into a program: each is looked up once its channel is known."""
        rows = self.rows.detach().double().cpu().numpy()
        count = rows.shape[2]
        for channel, table in enumerate(rows):
            with program.section(program.section_after(channel)):
                place = out.part(channel * count, count)
                program.embed(place, symbols.part(channel, 1), np.ascontiguousarray(table))
