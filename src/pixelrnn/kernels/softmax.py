"""The last layer of a network and a softmax over its outputs, forward and backward in one pass.

    logits_c = b_c + W_c max(h, 0)
    nats = sum over pixels and colours c of   logsumexp(logits_c) - logits_c[level]

Logits are many times larger than the features h they come from. So they are computed for a strip of pixels
and one colour at a time, and while they are in the cache, so is all that their gradient

    dlogit_v = exp(logit_v) / sum_u exp(logit_u) - [v is the level]

is needed for: the gradients of h, W and b. The sum of nats is what training needs, and its gradient is
known up to a factor before the backward pass begins.
"""

import numpy as np
from numba import njit

from pixelrnn.kernels import FINGERPRINT
from pixelrnn.kernels.compiled import compiled
from pixelrnn.kernels.convolution import spaced
from pixelrnn.kernels.elementary import exponential, logarithm
from pixelrnn.kernels.products import add_row_sums, add_weight_gradient, product
from pixelrnn.kernels.tiles import (
    BEGIN_WITH_BIAS,
    BEGIN_WITH_OUT,
    BEGIN_WITH_ZERO,
    BLOCK,
    END_GATED,
    END_PLAIN,
)

STRIP = 192  # pixels at a time
# Less than this below the highest logit a level adds nothing that float64 holds to the sum of 256; let
# alone, its probability ends among the subnormal numbers, with which a processor is ten times as slow.
LOWEST = -50.0


@njit(fastmath={"contract"}, error_model="numpy")
def to_gradient(
    logits: np.ndarray, stride: int, levels: np.ndarray, num_levels: int, work: np.ndarray
) -> float:
    """Turn the logits of one colour into their gradient; return the nats of the levels.

    Args:
        logits: rows of `levels.size` numbers, one a level; written to.
        stride: from row to row.
        levels: of the pixels.
        num_levels: how many there are.
        work: twice as many numbers as pixels, to work in.
    """
    count = levels.size
    number = logits.dtype.type
    highest, total, lowest = work[:count], work[count : 2 * count], number(LOWEST)
    for p in range(count):
        highest[p], total[p] = logits[p], number(0)
    for level in range(1, num_levels):
        row = logits[level * stride : level * stride + count]
        for p in range(count):
            highest[p] = max(highest[p], row[p])
    nats = 0.0
    for p in range(count):
        nats -= logits[levels[p] * stride + p] - highest[p]
    for level in range(num_levels):
        row = logits[level * stride : level * stride + count]
        for p in range(count):
            row[p] = exponential(max(row[p] - highest[p], lowest))
            total[p] += row[p]
    for p in range(count):
        nats += logarithm(total[p])
        total[p] = number(1) / total[p]
    for level in range(num_levels):
        row = logits[level * stride : level * stride + count]
        for p in range(count):
            row[p] *= total[p]
    for p in range(count):
        logits[levels[p] * stride + p] -= number(1)
    return nats


@compiled(nogil=True, error_model="numpy")
def run(
    first: int, last: int, pixels: int, features: int, colours: int, num_levels: int,
    weights: np.ndarray, backward_at: int, spans: np.ndarray, backward_spans: np.ndarray,
    biases: np.ndarray, maps: np.ndarray, levels: np.ndarray, nats: np.ndarray,
    grad_maps: np.ndarray, grad_weights: np.ndarray, grad_biases: np.ndarray, work: np.ndarray,
    fingerprint: int = FINGERPRINT,
) -> None:  # fmt: skip
    """Run over images first .. last - 1.

    Args:
        first: the first image.
        last: the end, exclusive.
        pixels: of an image.
        features: maps in.
        colours: of a pixel, each with weights of its own.
        num_levels: of a sub-pixel; a multiple of BLOCK, or there is one colour.
        weights: of the layer, for both passes; see `layers/chain.py`.
        backward_at: place of the first weight for the backward pass.
        spans: int64, for the forward product, all colours.
        backward_spans: int64, for the backward product of each colour.
        biases: `(colours * num_levels,)`.
        maps: `(B, features, pixels)`, flat, before max(h, 0).
        levels: uint8 `(B, colours, pixels)`, flat.
        nats: float64 `(B,)`, gets the sum of each image.
        grad_maps: gets the gradient of `maps`.
        grad_weights: gets that of each image's weights, laid out as in the forward pass.
        grad_biases: gets that of each image's biases.
        work: memory to work in, `work_size` numbers.
        fingerprint: left out; see `FINGERPRINT`.
    """
    zero = maps.dtype.type(0)
    images = nats.size
    stride = spaced(STRIP)
    logits, spare = features * stride, (features + num_levels) * stride
    size, bias_size = grad_weights.size // images, grad_biases.size // images
    blocks = (num_levels + BLOCK - 1) // BLOCK
    for image in range(first, last):
        nats[image] = 0.0
        grad_weights[image * size : (image + 1) * size] = zero
        grad_biases[image * bias_size : (image + 1) * bias_size] = zero
        for start in range(0, pixels, STRIP):
            count = min(STRIP, pixels - start)
            at = image * features * pixels + start
            for k in range(features):
                source = maps[at + k * pixels :][:count]
                row = work[k * stride : k * stride + count]
                for p in range(count):
                    row[p] = max(source[p], zero)
            for c in range(colours):
                product(
                    work, logits, stride, num_levels,
                    weights, c * num_levels * features, 1, features, spans, 2 * c * blocks,
                    work, 0, stride, 0, count, BEGIN_WITH_BIAS, biases, c * num_levels,
                    END_PLAIN, work, 0, 0, work, 0, 0,
                )  # fmt: skip
                nats[image] += to_gradient(
                    work[logits:], stride, levels[(image * colours + c) * pixels + start :][:count],
                    num_levels, work[spare:],
                )  # fmt: skip
                add_weight_gradient(
                    grad_weights, image * size + c * num_levels * features, 1, features,
                    spans, 2 * c * blocks, work, logits, stride, num_levels,
                    work, 0, stride, 0, count,
                )  # fmt: skip
                add_row_sums(
                    grad_biases, image * bias_size + c * num_levels,
                    work, logits, stride, num_levels, count,
                )  # fmt: skip
                product(
                    grad_maps, at, pixels, features,
                    weights, backward_at + c * num_levels * BLOCK, 1, colours * num_levels,
                    backward_spans, 2 * c * ((features + BLOCK - 1) // BLOCK),
                    work, logits, stride, 0, count,
                    BEGIN_WITH_OUT if c else BEGIN_WITH_ZERO, biases, 0,
                    END_GATED if c == colours - 1 else END_PLAIN, maps, at, pixels, work, 0, 0,
                )  # fmt: skip


def work_size(features: int, num_levels: int) -> int:
    """Return the numbers of memory that one thread works in."""
    return (features + num_levels + 2) * int(spaced(STRIP))
