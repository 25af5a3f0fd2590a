"""The operations of a program on one pixel, compiled: plain loops over places in the state.

Divisions are numpy's (`error_model`): a check for zero would keep the compiler from vectorising them.
"""

import numpy as np
from numba import njit

from pixelrnn.kernels.elementary import sigmoid, tanh


@njit(error_model="numpy")
def begin(
    state: np.ndarray, out: int, count: int, weights: np.ndarray, bias: int, residual: int
) -> None:
    """Set the outputs to bias + residual, each a place, or negative where there is none."""
    sums = state[out : out + count]
    if bias >= 0:
        biases = weights[bias : bias + count]
        for j in range(count):
            sums[j] = biases[j]
    else:
        for j in range(count):
            sums[j] = 0
    if residual >= 0:
        more = state[residual : residual + count]
        for j in range(count):
            sums[j] += more[j]


@njit(fastmath={"contract"}, error_model="numpy")
def accumulate(
    state: np.ndarray, out: int, outputs: int, source: int, count: int, weights: np.ndarray, at: int
) -> None:
    """Add weights^T features to the outputs.

    Inputs outside, outputs inside, so that weights are read as they lie and every output is summed in
    one order on all machines; eight inputs at a time, since sums that are seldom stored take half the
    time; slices, since indices into them need no check for being negative.
    """
    sums, inputs = state[out : out + outputs], state[source : source + count]
    in_eights = count - count % 8
    for i in range(0, in_eights, 8):
        a, b, c, d = inputs[i], inputs[i + 1], inputs[i + 2], inputs[i + 3]
        e, f, g, h = inputs[i + 4], inputs[i + 5], inputs[i + 6], inputs[i + 7]
        start = at + i * outputs
        w = weights[start : start + 8 * outputs]
        for j in range(outputs):
            sums[j] += (
                a * w[j] + b * w[j + outputs] + c * w[j + 2 * outputs] + d * w[j + 3 * outputs]
            ) + (
                e * w[j + 4 * outputs]
                + f * w[j + 5 * outputs]
                + g * w[j + 6 * outputs]
                + h * w[j + 7 * outputs]
            )
    for i in range(in_eights, count):
        a = inputs[i]
        start = at + i * outputs
        w = weights[start : start + outputs]
        for j in range(outputs):
            sums[j] += a * w[j]


@njit(error_model="numpy")
def rectify(state: np.ndarray, out: int, count: int, source: int) -> None:
    """Set the outputs to max(source, 0)."""
    outputs, inputs = state[out : out + count], state[source : source + count]
    for j in range(count):
        outputs[j] = max(inputs[j], state.dtype.type(0))  # of NaN, NaN


@njit(error_model="numpy")
def add(state: np.ndarray, out: int, count: int, source: int) -> None:
    """Add the source to the outputs."""
    outputs, inputs = state[out : out + count], state[source : source + count]
    for j in range(count):
        outputs[j] += inputs[j]


@njit(fastmath={"contract"}, error_model="numpy")
def lstm(state: np.ndarray, hidden: int, cell: int, count: int, gates: int, before: int) -> None:
    """C = f c_before + i g, h = o tanh(c); see `layers/line_lstm.py`. The gates are written to."""
    sigmoids, candidates = state[gates : gates + 3 * count], state[gates + 3 * count :][:count]
    cells_before = state[before : before + count]
    cells, hiddens = state[cell : cell + count], state[hidden : hidden + count]
    for j in range(3 * count):
        sigmoids[j] = sigmoid(sigmoids[j])
    for j in range(count):
        candidates[j] = tanh(candidates[j])
        cells[j] = sigmoids[count + j] * cells_before[j] + sigmoids[j] * candidates[j]
    for j in range(count):
        hiddens[j] = sigmoids[2 * count + j] * tanh(cells[j])


@njit(error_model="numpy")
def widen(largest: np.ndarray, which: int, state: np.ndarray, out: int, count: int) -> None:
    """Keep the largest magnitude that each feature of an operation's result has had."""
    seen, outputs = largest[which], state[out : out + count]
    for j in range(count):
        seen[j] = max(seen[j], abs(outputs[j]))
