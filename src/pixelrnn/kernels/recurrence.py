"""The LSTM over lines of some images, forward and backward; see `layers/line_lstm.py` for equations.

Maps are packed for it: the cells of a line lie side by side, and of each cell the images of a *group*.
A row of such a map is then one line after the other, and a line is one run of lanes:

    lane = cell * images + image

so that a neighbour in the line before is as many lanes away as there are images, and the images of a
group fill vectors even where a line is short. Groups are run one after the other, or in threads.
"""

import numpy as np
from numba import njit

from pixelrnn.kernels import FINGERPRINT
from pixelrnn.kernels.compiled import compiled
from pixelrnn.kernels.convolution import spaced
from pixelrnn.kernels.lanes import add_to, cell_backward, cell_forward, pack, unpack
from pixelrnn.kernels.products import add_weight_gradient, padded, product
from pixelrnn.kernels.tiles import BEGIN_WITH_OUT, BEGIN_WITH_ZERO, END_PLAIN

LARGEST_GROUP = 8  # images

# Columns of the table of lines.
START, STOP, FIRST_SITE = 0, 1, 2


@njit()
def saved_rows(features: int, taps: int) -> int:
    """Return the rows of packed maps that the backward pass needs of one direction.

    They are the gates (4 h), the states that they read (taps h), and c_before and tanh(c) (h each).
    """
    return (6 + taps) * features


@compiled(nogil=True, error_model="numpy")
def run_forward(
    first: int, last: int, batch: int, group: int, features: int, directions: int,
    lines: np.ndarray, sites: int, taps: np.ndarray, margin: int, places: np.ndarray,
    weights: np.ndarray, spans: np.ndarray, initial_hidden: np.ndarray, initial_cell: np.ndarray,
    inputs: np.ndarray, saved: np.ndarray, out: np.ndarray, work: np.ndarray,
    fingerprint: int = FINGERPRINT,
) -> None:  # fmt: skip
    """Run groups first .. last - 1 of the images.

    Args:
        first: the first group.
        last: the end, exclusive.
        batch: images in all, B.
        group: images in a group; the last one may have fewer.
        features: h.
        directions: D.
        lines: int64 `(lines, 3)`: the first cell, the end (exclusive), and the first site.
        sites: how many there are.
        taps: int64, the sites that a cell reads, relative to its own.
        margin: sites outside the image, on either side, that may be read.
        places: int64 `(D, N)`, where each packed cell is in a map.
        weights: for each direction `(blocks of 4h outputs, taps h, BLOCK)`, flat.
        spans: int64, for `products.product`.
        initial_hidden: `(D, h)`.
        initial_cell: `(D, h)`.
        inputs: `(B, D 4h, N)`, flat.
        saved: `(groups, D, saved_rows, spaced(N group))`, flat, for the backward pass.
        out: `(D, B, h, N)`, flat.
        work: memory to work in, `work_size` numbers.
        fingerprint: left out; see `FINGERPRINT`.
    """
    cells, reads = places.shape[1], taps.size * features
    stride = spaced(cells * group)
    state_stride = spaced((sites + 2 * margin) * group)
    block = saved_rows(features, taps.size) * stride
    state_cell = features * state_stride
    hidden_at = 2 * features * state_stride
    for number in range(first, last):
        image = number * group
        images = min(group, batch - image)
        for d in range(directions):
            gates = (number * directions + d) * block
            seen = gates + 4 * features * stride
            before = seen + reads * stride
            tanhs = before + features * stride
            pack(
                saved, gates, stride, inputs, (image * directions + d) * 4 * features * cells,
                directions * 4 * features * cells, 4 * features, places[d], images,
            )  # fmt: skip
            for k in range(features):
                work[k * state_stride : (k + 1) * state_stride] = initial_hidden[d, k]
                at = state_cell + k * state_stride
                work[at : at + state_stride] = initial_cell[d, k]
            for line in range(lines.shape[0]):
                at = lines[line, START] * images
                lanes = (lines[line, STOP] - lines[line, START]) * images
                site = (margin + lines[line, FIRST_SITE]) * images
                for tap in range(taps.size):
                    reads_from = site + taps[tap] * images
                    for k in range(features):
                        to = seen + (tap * features + k) * stride + at
                        q = k * state_stride + reads_from
                        saved[to : to + lanes] = work[q : q + lanes]
                product(
                    saved, gates + at, stride, 4 * features,
                    weights, d * reads * 4 * features, 1, reads, spans, 0,
                    saved, seen + at, stride, 0, lanes,
                    BEGIN_WITH_OUT, saved, 0, END_PLAIN, saved, 0, 0, saved, 0, 0,
                )  # fmt: skip
                for k in range(features):
                    i = gates + k * stride + at
                    f, o, g = (
                        i + features * stride,
                        i + 2 * features * stride,
                        i + 3 * features * stride,
                    )
                    c = state_cell + k * state_stride + site
                    h = hidden_at + k * stride + at
                    cell_forward(
                        saved[i : i + lanes], saved[f : f + lanes], saved[o : o + lanes],
                        saved[g : g + lanes], work[c : c + lanes],
                        saved[before + k * stride + at :][:lanes],
                        saved[tanhs + k * stride + at :][:lanes], work[h : h + lanes],
                    )  # fmt: skip
                    q = k * state_stride + site
                    work[q : q + lanes] = work[h : h + lanes]
            unpack(
                out, (d * batch + image) * features * cells, features * cells,
                work, hidden_at, stride, features, places[d], images,
            )  # fmt: skip


@compiled(nogil=True, error_model="numpy")
def run_backward(
    first: int, last: int, batch: int, group: int, features: int, directions: int,
    lines: np.ndarray, sites: int, taps: np.ndarray, margin: int, places: np.ndarray,
    weights: np.ndarray, spans: np.ndarray, weight_spans: np.ndarray,
    saved: np.ndarray, grad_out: np.ndarray, grad_inputs: np.ndarray, grad_weights: np.ndarray,
    grad_hidden: np.ndarray, grad_cell: np.ndarray, work: np.ndarray,
    fingerprint: int = FINGERPRINT,
) -> None:  # fmt: skip
    """Run groups first .. last - 1 backward; see `run_forward`.

    Args:
        first: the first group.
        last: the end, exclusive.
        batch: images in all, B.
        group: images in a group.
        features: h.
        directions: D.
        lines: as forward.
        sites: as forward.
        taps: as forward.
        margin: as forward.
        places: as forward.
        weights: for each direction `(blocks of taps h, 4h, BLOCK)`, flat.
        spans: int64, for the product with these.
        weight_spans: int64, for the product of the forward pass.
        saved: what the forward pass left.
        grad_out: gradient of `out`.
        grad_inputs: gets that of the inputs.
        grad_weights: gets that of the weights, for each group and direction, laid out as in the
            forward pass.
        grad_hidden: gets that of the initial hidden state, `(groups, D, h)`.
        grad_cell: gets that of the initial cell, `(groups, D, h)`.
        work: memory to work in, `work_size` numbers.
        fingerprint: left out; see `FINGERPRINT`.
    """
    cells, reads = places.shape[1], taps.size * features
    stride = spaced(cells * group)
    state_stride = spaced((sites + 2 * margin) * group)
    block = saved_rows(features, taps.size) * stride
    zero = grad_out.dtype.type(0)
    d_state_cell = features * state_stride
    d_out = 2 * features * state_stride
    d_gates = d_out + features * stride
    d_seen = d_gates + 4 * features * stride
    for number in range(first, last):
        image = number * group
        images = min(group, batch - image)
        for d in range(directions):
            gates = (number * directions + d) * block
            seen = gates + 4 * features * stride
            before = seen + reads * stride
            tanhs = before + features * stride
            pack(
                work, d_out, stride, grad_out, (d * batch + image) * features * cells,
                features * cells, features, places[d], images,
            )  # fmt: skip
            work[: 2 * features * state_stride] = zero
            for line in range(lines.shape[0] - 1, -1, -1):
                at = lines[line, START] * images
                lanes = (lines[line, STOP] - lines[line, START]) * images
                site = (margin + lines[line, FIRST_SITE]) * images
                for k in range(features):
                    i = gates + k * stride + at
                    f, o, g = (
                        i + features * stride,
                        i + 2 * features * stride,
                        i + 3 * features * stride,
                    )
                    d_i = d_gates + k * stride + at
                    d_f, d_o = d_i + features * stride, d_i + 2 * features * stride
                    d_g = d_i + 3 * features * stride
                    h, c = k * state_stride + site, d_state_cell + k * state_stride + site
                    cell_backward(
                        saved[i : i + lanes], saved[f : f + lanes], saved[o : o + lanes],
                        saved[g : g + lanes], saved[before + k * stride + at :][:lanes],
                        saved[tanhs + k * stride + at :][:lanes],
                        work[d_out + k * stride + at :][:lanes],
                        work[h : h + lanes], work[c : c + lanes],
                        work[d_i : d_i + lanes], work[d_f : d_f + lanes],
                        work[d_o : d_o + lanes], work[d_g : d_g + lanes],
                    )  # fmt: skip
                product(
                    work, d_seen, state_stride, reads,
                    weights, d * padded(reads) * 4 * features, 1, 4 * features, spans, 0,
                    work, d_gates + at, stride, 0, lanes,
                    BEGIN_WITH_ZERO, work, 0, END_PLAIN, work, 0, 0, work, 0, 0,
                )  # fmt: skip
                for tap in range(taps.size):
                    for k in range(features):
                        q = k * state_stride + site + taps[tap] * images
                        from_ = d_seen + (tap * features + k) * state_stride
                        add_to(work[q : q + lanes], work[from_ : from_ + lanes])
            of_weights = (number * directions + d) * 4 * features * reads
            grad_weights[of_weights : of_weights + 4 * features * reads] = zero
            add_weight_gradient(
                grad_weights, of_weights, 1, reads, weight_spans, 0,
                work, d_gates, stride, 4 * features, saved, seen, stride, 0, cells * images,
            )  # fmt: skip
            for k in range(features):
                # What no line has consumed went to the state outside the image.
                grad_hidden[number, d, k] = np.sum(work[k * state_stride :][:state_stride])
                at = d_state_cell + k * state_stride
                grad_cell[number, d, k] = np.sum(work[at : at + state_stride])
            unpack(
                grad_inputs, (image * directions + d) * 4 * features * cells,
                directions * 4 * features * cells, work, d_gates, stride, 4 * features,
                places[d], images,
            )  # fmt: skip


def work_size(features: int, taps: int, cells: int, sites: int, margin: int, group: int) -> int:
    """Return the numbers of memory that one thread works in, for both passes."""
    state, row = int(spaced((sites + 2 * margin) * group)), int(spaced(cells * group))
    return (2 + taps) * features * state + 5 * features * row
