"""Products of small matrices with the rows of a map: where a processor's multiplications are.

    out[o, p]     = begin[o, p] + sum over tap rows r and inputs k of   W_r[o, k] x[k, p + r step]
    dW_r[o, k]   += sum over p of   dout[o, p] x[k, p + r step]

p runs over *lanes*: pixels, or pixels of several images, that lie side by side. Weights are few and
lanes are many, so vectors run over lanes. Outputs go in blocks of four, whose weights lie side by side;
those of an absent output are zero.

A mask leaves zeros at the ends of the rows of W: `spans` tells where the others begin and end.
"""

import numpy as np
from numba import njit

from pixelrnn.kernels.tiles import BLOCK, tile

STRIP = 96  # lanes at a time, whose inputs stay in the nearest cache while all outputs are summed
LONG_STRIP = 1024  # ... where the sums are over lanes

# Sums may be reordered (vectors) and fused; NaN and infinity stay what they are.
# Such functions are inlined by force: one that is not is compiled by itself, too, and which of the two a
# process calls hangs on whether it compiled the loop or loaded it. Their sums differ in the last bit.
SUMS = {"contract", "reassoc", "nsz"}


@njit()
def padded(count: int) -> int:
    """Return `count` rounded up to whole blocks.

    Example:
        >>> padded(19)
        20
    """
    return (count + BLOCK - 1) // BLOCK * BLOCK


@njit(error_model="numpy")
def product(
    out: np.ndarray, out_at: int, out_stride: int, outputs: int,
    weights: np.ndarray, weights_at: int, tap_rows: int, inputs: int,
    spans: np.ndarray, spans_at: int,
    source: np.ndarray, source_at: int, source_stride: int, step: int,
    lanes: int,
    begin: int, bias: np.ndarray, bias_at: int,
    end: int, gate: np.ndarray, gate_at: int, gate_stride: int,
    add: np.ndarray, add_at: int, add_stride: int,
) -> None:  # fmt: skip
    """Set the rows of `out` to the product; see the module.

    Args:
        out: where to write, `outputs` rows of `lanes`.
        out_at: place of the first row.
        out_stride: from row to row.
        outputs: how many rows.
        weights: `(tap_rows, blocks of outputs, inputs, BLOCK)`, zero where an output is absent.
        weights_at: place of the first weight.
        tap_rows: how many W_r there are.
        inputs: how many rows of inputs there are for each.
        spans: int64 `(tap_rows, blocks of outputs, 2)`: the inputs that a block of outputs reads.
        spans_at: place of the first span.
        source: the rows of inputs.
        source_at: place of the first row, for the first tap row.
        source_stride: from row to row.
        step: from a tap row to the next; 0 or more, or less.
        lanes: length of a row.
        begin: what the sums begin with: zero, the bias, or what is in `out`.
        bias: one number for each output, if asked for.
        bias_at: place of the first.
        end: what is done with the sums: nothing, max(sum, 0), or zero where `gate` is not positive.
        gate: rows like those of `out`, if asked for.
        gate_at: place of the first row.
        gate_stride: from row to row.
        add: rows to add at the end, if `add_stride` is not 0.
        add_at: place of the first row.
        add_stride: from row to row.
    """
    blocks = (outputs + BLOCK - 1) // BLOCK
    weights_step, spans_step = blocks * BLOCK * inputs, 2 * blocks
    for first in range(0, lanes, STRIP):
        for block in range(blocks):
            o = block * BLOCK
            there = min(BLOCK, outputs - o)
            w, span = weights_at + o * inputs, spans_at + 2 * block
            at, stop = first, min(first + STRIP, lanes)
            while at < stop:
                at += tile(
                    stop - at, out, out_at + o * out_stride + at, out_stride, there,
                    weights, w, tap_rows, weights_step, spans, span, spans_step,
                    source, source_at + at, source_stride, step,
                    begin, bias, bias_at + o, end, gate, gate_at + o * gate_stride + at, gate_stride,
                    add, add_at + o * add_stride + at, add_stride,
                )  # fmt: skip


@njit(fastmath=SUMS, error_model="numpy", forceinline=True)
def add_weight_gradient(
    gradient: np.ndarray, gradient_at: int, tap_rows: int, inputs: int,
    spans: np.ndarray, spans_at: int,
    grad_out: np.ndarray, out_at: int, out_stride: int, outputs: int,
    source: np.ndarray, source_at: int, source_stride: int, step: int,
    lanes: int,
) -> None:  # fmt: skip
    """Add the gradient of the weights to `gradient`, laid out as they are; see `product`.

    What absent outputs and the mask leave out gets numbers that mean nothing.
    """
    zero = gradient.dtype.type(0)
    blocks = (outputs + BLOCK - 1) // BLOCK
    for first in range(0, lanes, LONG_STRIP):
        count = min(LONG_STRIP, lanes - first)
        for tap in range(tap_rows):
            in_at = source_at + first + tap * step
            for block in range(blocks):
                o = block * BLOCK
                at = out_at + o * out_stride + first
                more = out_stride if o + 1 < outputs else 0
                d1 = grad_out[at + more : at + more + count]
                more += out_stride if o + 2 < outputs else 0
                d2 = grad_out[at + more : at + more + count]
                more += out_stride if o + 3 < outputs else 0
                d3 = grad_out[at + more : at + more + count]
                d0 = grad_out[at : at + count]
                span = spans_at + 2 * (tap * blocks + block)
                to = gradient_at + (tap * blocks + block) * BLOCK * inputs
                stop = spans[span + 1]
                for k in range(spans[span], stop, 2):
                    q = in_at + k * source_stride
                    x0 = source[q : q + count]
                    q += source_stride if k + 1 < stop else 0
                    x1 = source[q : q + count]
                    a0, a1, b0, b1 = zero, zero, zero, zero
                    c0, c1, e0, e1 = zero, zero, zero, zero
                    for p in range(count):
                        u0, u1 = x0[p], x1[p]
                        a0 += d0[p] * u0
                        a1 += d0[p] * u1
                        b0 += d1[p] * u0
                        b1 += d1[p] * u1
                        c0 += d2[p] * u0
                        c1 += d2[p] * u1
                        e0 += d3[p] * u0
                        e1 += d3[p] * u1
                    q = to + k * BLOCK
                    gradient[q] += a0
                    gradient[q + 1] += b0
                    gradient[q + 2] += c0
                    gradient[q + 3] += e0
                    if k + 1 < stop:
                        gradient[q + 4] += a1
                        gradient[q + 5] += b1
                        gradient[q + 6] += c1
                        gradient[q + 7] += e1


@njit(fastmath=SUMS, error_model="numpy", forceinline=True)
def add_row_sums(
    sums: np.ndarray, sums_at: int, rows: np.ndarray, at: int, stride: int, count: int, lanes: int
) -> None:
    """Add the sum over lanes of each row: the gradient of biases."""
    for row in range(count):
        values = rows[at + row * stride : at + row * stride + lanes]
        total = sums.dtype.type(0)
        for p in range(lanes):
            total += values[p]
        sums[sums_at + row] += total
