"""Chains of masked convolutions over an image, forward and backward.

Each convolution but the first reads max(x, 0) of what the one before it gave, the first as it is told:

    y_1 = b_1 + W_1 * [relu] x      y_2 = b_2 + W_2 * relu(y_1)      ...      out = y_n + residual

so that a residual block is one chain, and a layer by itself is a chain of one. What is between two
layers stays in the cache. Of a kernel only the rows down to the pixel's own exist; a map is copied once
for each of its columns, moved by that much, with rows of zeros above, so that all taps of a row of the
kernel are rows of one matrix, and another row of the kernel is the same matrix some lanes further on.

A chain is a table of numbers, one row a layer, with the columns below.
"""

import numpy as np
from numba import njit

from pixelrnn.kernels import FINGERPRINT
from pixelrnn.kernels.compiled import compiled
from pixelrnn.kernels.products import add_row_sums, add_weight_gradient, product
from pixelrnn.kernels.tiles import (
    BEGIN_WITH_BIAS,
    BEGIN_WITH_ZERO,
    END_GATED,
    END_PLAIN,
    END_RECTIFIED,
)

LINE = 16  # numbers of float32 in a line of the cache

(
    INPUTS,  # maps in
    OUTPUTS,  # maps out
    ROWS,  # of the kernel, causal
    COLUMNS,  # of the kernel
    DILATION,
    WEIGHTS_FORWARD,  # places, of the first weight ...
    WEIGHTS_BACKWARD,
    SPANS_FORWARD,
    SPANS_BACKWARD,
    BIAS,  # ... of the first bias; every layer has some, if only zeros
    NUM_COLUMNS,
) = range(11)


@njit(error_model="numpy")
def stage(
    to: np.ndarray, stride: int,
    source: np.ndarray, at: int, source_stride: int, maps: int, height: int, width: int,
    columns: int, dilation: int, direction: int, rows_above: int, rows_below: int, rectified: bool,
) -> None:  # fmt: skip
    """Copy maps once for each column of a kernel, moved so that a tap reads the pixel's own lane.

    Args:
        to: where to write, `columns * maps` rows.
        stride: from row to row.
        source: the maps, rows of `height * width` numbers.
        at: place of the first.
        source_stride: from row to row.
        maps: how many.
        height: of the image.
        width: of the image.
        columns: of the kernel.
        dilation: between its taps.
        direction: 1 to read what the taps read; -1 for what is read through them.
        rows_above: of zeros.
        rows_below: of zeros.
        rectified: whether to copy max(x, 0).
    """
    zero = to.dtype.type(0)
    pixels = height * width
    for column in range(columns):
        shift = direction * (column - columns // 2) * dilation
        first = min(max(0, -shift), width)  # of the pixels in a row that have something to read
        last = max(min(width, width - shift), first)
        for n in range(maps):
            row = to[(column * maps + n) * stride :][: (rows_above + height + rows_below) * width]
            row[: rows_above * width] = zero
            row[(rows_above + height) * width :] = zero
            inside = row[rows_above * width : (rows_above + height) * width]
            values = source[at + n * source_stride :][:pixels]
            if shift == 0:
                if rectified:
                    for p in range(pixels):
                        inside[p] = max(values[p], zero)
                else:
                    for p in range(pixels):
                        inside[p] = values[p]
                continue
            for r in range(height):
                start = r * width
                inside[start : start + first] = zero
                inside[start + last : start + width] = zero
                reads = values[start + first + shift : start + last + shift]
                writes = inside[start + first : start + last]
                if rectified:
                    for p in range(last - first):
                        writes[p] = max(reads[p], zero)
                else:
                    for p in range(last - first):
                        writes[p] = reads[p]


@njit()
def spaced(lanes: int) -> int:
    """Return a stride for rows of `lanes` numbers: an odd number of lines of the cache.

    Rows that are a power of two apart would all want the same few places in it.
    """
    lines: int = (lanes + LINE - 1) // LINE | 1
    return lines * LINE


@njit()
def staged_stride(rows: int, height: int, width: int, dilation: int) -> int:
    """Return the stride of a staged map, whose rows begin or end with rows of zeros."""
    return spaced((height + (rows - 1) * dilation) * width)


@compiled(nogil=True, error_model="numpy")
def run_forward(
    first: int, last: int, height: int, width: int,
    chain: np.ndarray, weights: np.ndarray, spans: np.ndarray, biases: np.ndarray,
    source: np.ndarray, rectified: bool, residual: np.ndarray, between: np.ndarray,
    out: np.ndarray, work: np.ndarray, fingerprint: int = FINGERPRINT,
) -> None:  # fmt: skip
    """Run a chain over images first .. last - 1.

    Args:
        first: the first image.
        last: the end, exclusive.
        height: of the images.
        width: of the images.
        chain: int64 `(layers, NUM_COLUMNS)`.
        weights: of all layers, for both passes.
        spans: int64, of all layers, for both passes; see `products.product`.
        biases: of all layers.
        source: `(B, maps, H, W)`, flat.
        rectified: whether the first layer reads max(x, 0).
        residual: as `out`, to be added to it; or empty.
        between: gets what is between the layers, max(y, 0): `(B, maps of all, spaced(H W))`, flat.
        out: `(B, maps, H, W)`, flat.
        work: memory to work in, see `work_size`.
        fingerprint: left out; see `FINGERPRINT`.
    """
    pixels, apart = height * width, spaced(height * width)
    layers = chain.shape[0]
    maps_in, maps_out = chain[0, INPUTS], chain[layers - 1, OUTPUTS]
    maps_between = np.sum(chain[:-1, OUTPUTS])
    for image in range(first, last):
        x, x_at = source, image * maps_in * pixels
        y_at = image * maps_between * apart
        for n in range(layers):
            layer = chain[n]
            ends = n == layers - 1
            to, to_at, to_stride = between, y_at, apart
            if ends:
                to, to_at, to_stride = out, image * maps_out * pixels, pixels
            read, read_at, stride = x, x_at, apart
            if layer[COLUMNS] * layer[ROWS] > 1 or n == 0:
                above = (layer[ROWS] - 1) * layer[DILATION]
                stride = staged_stride(layer[ROWS], height, width, layer[DILATION])
                stage(
                    work, stride, x, x_at, pixels if n == 0 else apart,
                    layer[INPUTS], height, width,
                    layer[COLUMNS], layer[DILATION], 1, above, 0, n == 0 and rectified,
                )  # fmt: skip
                read, read_at = work, 0
            product(
                to, to_at, to_stride, layer[OUTPUTS],
                weights, layer[WEIGHTS_FORWARD], layer[ROWS], layer[COLUMNS] * layer[INPUTS],
                spans, layer[SPANS_FORWARD], read, read_at, stride, layer[DILATION] * width,
                pixels, BEGIN_WITH_BIAS, biases, layer[BIAS],
                END_PLAIN if ends else END_RECTIFIED, to, 0, 0,
                residual, to_at, pixels if ends and residual.size else 0,
            )  # fmt: skip
            x, x_at = to, to_at
            y_at += layer[OUTPUTS] * apart


@compiled(nogil=True, error_model="numpy")
def run_backward(
    first: int, last: int, height: int, width: int,
    chain: np.ndarray, weights: np.ndarray, spans: np.ndarray,
    source: np.ndarray, rectified: bool, between: np.ndarray,
    grad_out: np.ndarray, grad_weights: np.ndarray, grad_biases: np.ndarray,
    grad_source: np.ndarray, adds_grad_out: bool, work: np.ndarray, fingerprint: int = FINGERPRINT,
) -> None:  # fmt: skip
    """Run a chain backward over images first .. last - 1; see `run_forward`.

    Args:
        first: the first image.
        last: the end, exclusive.
        height: of the images.
        width: of the images.
        chain: int64 `(layers, NUM_COLUMNS)`.
        weights: of all layers, for both passes.
        spans: int64, of all layers, for both passes.
        source: `(B, maps, H, W)`, flat.
        rectified: whether the first layer reads max(x, 0).
        between: what the forward pass left there.
        grad_out: gradient of `out`.
        grad_weights: gets the gradient of each image's weights, `(B, weights of all layers)`, flat,
            laid out as in the forward pass: what the mask leaves out means nothing.
        grad_biases: gets that of the biases, `(B, biases)`, flat.
        grad_source: gets that of `source`; empty if it is not wanted.
        adds_grad_out: whether `source` is the residual too, so that `grad_out` is added.
        work: memory to work in, see `work_size`.
        fingerprint: left out; see `FINGERPRINT`.
    """
    pixels, apart = height * width, spaced(height * width)
    layers, images = chain.shape[0], grad_out.size // (chain[-1, OUTPUTS] * pixels)
    maps_in, maps_out = chain[0, INPUTS], chain[layers - 1, OUTPUTS]
    maps_between = np.sum(chain[:-1, OUTPUTS])
    most_between = 0
    for n in range(layers - 1):
        most_between = max(most_between, chain[n, OUTPUTS])
    weights_size, biases_size = grad_weights.size // images, grad_biases.size // images
    zero = grad_out.dtype.type(0)
    for image in range(first, last):
        grad_weights[image * weights_size : (image + 1) * weights_size] = zero
        grad_biases[image * biases_size : (image + 1) * biases_size] = zero
        d, d_at, d_stride = grad_out, image * maps_out * pixels, pixels
        x_at = (image + 1) * maps_between * apart
        for n in range(layers - 1, -1, -1):
            layer = chain[n]
            x, x_stride, begins = between, apart, n == 0
            if begins:
                x, x_at, x_stride = source, image * maps_in * pixels, pixels
            else:
                x_at -= layer[INPUTS] * apart
            rows, dilation, columns = layer[ROWS], layer[DILATION], layer[COLUMNS]
            # Two maps of gradients in turn, and what is staged behind them.
            staged = 2 * most_between * apart
            stride, beyond = staged_stride(rows, height, width, dilation), (rows - 1) * dilation
            read, read_at, read_stride = x, x_at, x_stride
            if columns * rows > 1 or (begins and rectified):
                stage(
                    work[staged:], stride, x, x_at, x_stride, layer[INPUTS], height, width,
                    columns, dilation, 1, beyond, 0, begins and rectified,
                )  # fmt: skip
                read, read_at, read_stride = work, staged, stride
            add_weight_gradient(
                grad_weights, image * weights_size + layer[WEIGHTS_FORWARD], rows,
                columns * layer[INPUTS], spans, layer[SPANS_FORWARD],
                d, d_at, d_stride, layer[OUTPUTS],
                read, read_at, read_stride, dilation * width, pixels,
            )  # fmt: skip
            add_row_sums(
                grad_biases, image * biases_size + layer[BIAS],
                d, d_at, d_stride, layer[OUTPUTS], pixels,
            )  # fmt: skip
            if begins and grad_source.size == 0:
                continue
            read, read_at, read_stride = d, d_at, d_stride
            if columns * rows > 1 or n == layers - 1:
                stage(
                    work[staged:], stride, d, d_at, d_stride, layer[OUTPUTS], height, width,
                    columns, dilation, -1, 0, beyond, False,
                )  # fmt: skip
                read, read_at, read_stride = work, staged, stride
            to, to_at, to_stride = work, (n % 2) * most_between * apart, apart
            if begins:
                to, to_at, to_stride = grad_source, x_at, pixels
            product(
                to, to_at, to_stride, layer[INPUTS],
                weights, layer[WEIGHTS_BACKWARD], rows, columns * layer[OUTPUTS],
                spans, layer[SPANS_BACKWARD],
                read, read_at + beyond * width, read_stride, -dilation * width,
                pixels, BEGIN_WITH_ZERO, grad_out, 0,
                END_GATED if not begins or rectified else END_PLAIN, x, x_at, x_stride,
                grad_out, x_at, pixels if begins and adds_grad_out else 0,
            )  # fmt: skip
            d, d_at, d_stride = to, to_at, to_stride


def work_size(chain: np.ndarray, height: int, width: int) -> int:
    """Return the numbers of memory that one thread works in, for both passes."""
    between = [int(layer[OUTPUTS]) for layer in chain[:-1]]
    staged = max(
        int(layer[COLUMNS])
        * max(int(layer[INPUTS]), int(layer[OUTPUTS]))
        * int(staged_stride(int(layer[ROWS]), height, width, int(layer[DILATION])))
        for layer in chain
    )
    return 2 * max(between, default=0) * int(spaced(height * width)) + staged
