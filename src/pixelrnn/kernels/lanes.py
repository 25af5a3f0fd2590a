"""What the LSTM over lines does with a run of lanes: packing maps, and the cell forward and backward."""

import numpy as np
from numba import njit

from pixelrnn.kernels.elementary import sigmoid, tanh
from pixelrnn.kernels.products import SUMS


@njit()
def pack(
    to: np.ndarray, to_at: int, stride: int, source: np.ndarray, source_at: int, step: int,
    rows: int, places: np.ndarray, images: int,
) -> None:  # fmt: skip
    """Copy `rows` maps of each image into rows of lanes.

    Args:
        to: where to write.
        to_at: place of the first row.
        stride: from row to row.
        source: the maps of the first image, one after the other.
        source_at: place of the first.
        step: from an image to the next.
        rows: how many maps.
        places: where each cell is in a map.
        images: how many there are.
    """
    cells = places.size
    for row in range(rows):
        lanes = to[to_at + row * stride : to_at + row * stride + cells * images]
        for image in range(images):
            values = source[source_at + image * step + row * cells :][:cells]
            for cell in range(cells):
                lanes[cell * images + image] = values[places[cell]]


@njit()
def unpack(
    to: np.ndarray, to_at: int, step: int, source: np.ndarray, source_at: int, stride: int,
    rows: int, places: np.ndarray, images: int,
) -> None:  # fmt: skip
    """Undo `pack`."""
    cells = places.size
    for row in range(rows):
        lanes = source[source_at + row * stride : source_at + row * stride + cells * images]
        for image in range(images):
            values = to[to_at + image * step + row * cells :][:cells]
            for cell in range(cells):
                values[places[cell]] = lanes[cell * images + image]


# Sums must not be reordered here: rounding by adding and taking away would be left out.
@njit(fastmath={"contract"}, error_model="numpy", forceinline=True)
def cell_forward(
    i: np.ndarray, f: np.ndarray, o: np.ndarray, g: np.ndarray,
    cell: np.ndarray, cell_before: np.ndarray, cell_tanh: np.ndarray, hidden: np.ndarray,
) -> None:  # fmt: skip
    """Turn sums into gates, c_before into c, and set h, for one feature of a line."""
    for p in range(i.size):
        i[p] = sigmoid(i[p])
        f[p] = sigmoid(f[p])
        o[p] = sigmoid(o[p])
        g[p] = tanh(g[p])
        before = cell[p]
        cell_before[p] = before
        now = f[p] * before + i[p] * g[p]
        cell[p] = now
        cell_tanh[p] = tanh(now)
        hidden[p] = o[p] * cell_tanh[p]


@njit(fastmath=SUMS, error_model="numpy", forceinline=True)
def cell_backward(
    i: np.ndarray, f: np.ndarray, o: np.ndarray, g: np.ndarray,
    cell_before: np.ndarray, cell_tanh: np.ndarray,
    d_out: np.ndarray, d_hidden: np.ndarray, d_cell: np.ndarray,
    d_i: np.ndarray, d_f: np.ndarray, d_o: np.ndarray, d_g: np.ndarray,
) -> None:  # fmt: skip
    """Set the gradients of the gates' sums, and those of the states before, for one feature of a line."""
    one, zero = i.dtype.type(1), i.dtype.type(0)
    for p in range(i.size):
        of_hidden = d_out[p] + d_hidden[p]
        d_hidden[p] = zero
        of_cell = d_cell[p] + of_hidden * o[p] * (one - cell_tanh[p] * cell_tanh[p])
        d_o[p] = of_hidden * cell_tanh[p] * o[p] * (one - o[p])
        d_i[p] = of_cell * g[p] * i[p] * (one - i[p])
        d_f[p] = of_cell * cell_before[p] * f[p] * (one - f[p])
        d_g[p] = of_cell * i[p] * (one - g[p] * g[p])
        d_cell[p] = of_cell * f[p]


@njit(fastmath={"contract"}, error_model="numpy", forceinline=True)
def add_to(sums: np.ndarray, values: np.ndarray) -> None:
    """Add one row to another."""
    for p in range(sums.size):
        sums[p] += values[p]
