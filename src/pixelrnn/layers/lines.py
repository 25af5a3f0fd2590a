"""Lines of an image, one of which an LSTM runs at once: rows, or diagonals.

A map is *packed* when the cells of each line lie side by side, line after line.
"""

import functools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from pixelrnn import kernels

NUM_GATES = 4  # input, forget, output, candidate: the order of the gate maps everywhere


@dataclass(frozen=True)
class Line:
    """The cells start .. stop - 1 of a packed map, at sites first, first + 1, ..."""

    start: int
    stop: int
    first: int

    @property
    def cells(self) -> slice:
        """Where the line's cells are in a packed map."""
        return slice(self.start, self.stop)

    def sites(self, offset: int = 0) -> slice:
        """Where the line's sites, moved by `offset`, are in the state of a line."""
        first = self.first + offset
        return slice(first, first + self.stop - self.start)


@dataclass(frozen=True)
class Order:
    """In which order the pixels of an image are run, and where their neighbours are.

    Attributes:
        to_packed: int64 `(directions, H W)`, the raster index of each cell of a packed map.
        lines: the lines, in the order in which they are run.
    """

    to_packed: Tensor
    lines: tuple[Line, ...]

    @functools.cached_property
    def to_raster(self) -> Tensor:
        """The inverse of `to_packed`."""
        with torch.inference_mode(False):
            return self.to_packed.argsort(dim=1)

    @functools.cached_property
    def table(self) -> npt.NDArray[np.int64]:
        """The lines for the compiled loops, int64 `(lines, 3)`."""
        return np.array([(line.start, line.stop, line.first) for line in self.lines], np.int64)

    @property
    def sites(self) -> int:
        """How many sites a line may have."""
        return max(line.first + line.stop - line.start for line in self.lines)


def kept(
    make: Callable[[int, int, torch.device], Order],
) -> Callable[[int, int, torch.device], Order]:
    """Keep the orders that a function of height, width and device makes.

    Not while torch exports a model: its tensors are of that moment only. Tensors that are first made in
    inference mode must do in training, too.
    """
    remembering = functools.lru_cache(maxsize=64)(make)

    @functools.wraps(make)
    def order(height: int, width: int, device: torch.device) -> Order:
        if kernels.is_exporting():
            return make(height, width, device)
        with torch.inference_mode(False):
            return remembering(height, width, device)

    return order
