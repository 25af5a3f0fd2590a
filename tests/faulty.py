"""A block of a model, with a fault behind it."""

from torch import nn


class Then(nn.Module):
    """A block, and a layer behind it."""

    def __init__(self, block, layer):
        super().__init__()
        self.block, self.layer = block, layer

    def forward(self, *maps):
        result = self.block(*maps)
        if isinstance(result, tuple):  # of two stacks
            return *result[:-1], self.layer(result[-1])
        return self.layer(result)
