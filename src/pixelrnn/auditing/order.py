"""Which sub-pixel is predicted after which: raster order, or another that a user gives."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pixelrnn import ordering
from pixelrnn.arrays import Integers
from pixelrnn.errors import DataError
from pixelrnn.npz import read_body, read_header
from pixelrnn.ordering import Place
from pixelrnn.wording import first_line

RASTER = "raster"


@dataclass(frozen=True)
class Order:
    """An order of the sub-pixels of an image.

    Attributes:
        name: of it.
        positions: of each sub-pixel the position, 0 to n - 1, int64 `(C, H, W)`.
    """

    name: str
    positions: Integers

    @property
    def tensor(self) -> Tensor:
        """The positions as a tensor."""
        return torch.from_numpy(self.positions)

    def place(self, position: int) -> Place:
        """Return where the sub-pixel at a position is."""
        channel, row, column = np.argwhere(self.positions == position)[0]
        return Place(int(row), int(column), int(channel))

    @property
    def is_raster(self) -> bool:
        """Whether it is row by row, left to right, red, green, blue."""
        channels, height, width = self.positions.shape
        usual = ordering.positions(channels=channels, height=height, width=width)
        return bool((self.positions == usual).all())


def order_of(given: Any, shape: tuple[int, int, int]) -> Order:
    """Return the order that a user gives.

    Args:
        given: "raster"; a file `.npy`; or an array of the position of each pixel `(H, W)`, whose colours
            follow each other, or of each sub-pixel `(C, H, W)`.
        shape: of an image, (channels, height, width).

    Raises:
        DataError: if it is no order of such images.

    Example:
        >>> order_of([[1, 0]], (2, 1, 2)).positions.tolist()
        [[[2, 0]], [[3, 1]]]
    """
    channels, height, width = shape
    if isinstance(given, str) and given == RASTER:
        positions = ordering.positions(channels=channels, height=height, width=width)
        return Order(RASTER, positions)
    name = str(given) if isinstance(given, str | Path) else "custom"
    array = _read(Path(given)) if isinstance(given, str | Path) else np.asarray(given)
    if array.dtype.kind not in "iu" or array.shape not in {(height, width), shape}:
        raise DataError(
            f"the order {name} is {array.dtype} {array.shape}: expected are integers {(height, width)}, "
            f"the position of each pixel, or {shape}, of each sub-pixel"
        )
    if len(np.unique(array)) != array.size:
        raise DataError(f"the order {name} gives the same position twice: each has its own")
    ranks = array.reshape(-1).argsort().argsort().reshape(array.shape).astype(np.int64)
    if array.ndim == 2:
        ranks = ranks * channels + np.arange(channels)[:, None, None]
    return Order(name, np.ascontiguousarray(ranks))


def _read(path: Path) -> Any:
    try:
        with path.open("rb") as file:
            header = read_header(file)
            if header.dtype.kind not in "iu":
                raise ValueError(f"it holds {header.dtype}")
            return read_body(file, header, path.stat().st_size)
    except (OSError, ValueError) as error:
        raise DataError(
            f"the order {path} cannot be read ({first_line(error)}): write raster, or the name of "
            "an .npy file"
        ) from error
