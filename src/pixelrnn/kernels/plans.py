"""Where the weights of masked convolutions lie for the compiled loops: planned once for each chain."""

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pixelrnn.arrays import Integers
from pixelrnn.kernels import convolution
from pixelrnn.kernels.products import padded
from pixelrnn.kernels.tiles import BLOCK

Values = npt.NDArray[np.floating]


@dataclass(frozen=True, eq=False)
class LayerPlan:
    """Where the weights of one masked convolution lie for the compiled loops.

    Attributes:
        shape: (outputs, inputs, causal rows, columns) of the kernel.
        dilation: between its taps.
        forward: place of each weight in `(rows, blocks of outputs, columns inputs, BLOCK)`.
        backward: place of each in `(rows, blocks of inputs, columns outputs, BLOCK)`.
        spans_forward: the first and last but one input that a block of outputs reads, flat.
        spans_backward: the same of the outputs that a block of inputs is read by.
    """

    shape: tuple[int, int, int, int]
    dilation: int
    forward: Integers
    backward: Integers
    spans_forward: Integers
    spans_backward: Integers

    def __deepcopy__(self, memo: Any) -> "LayerPlan":
        """Return itself: it never changes."""
        return self

    @property
    def sizes(self) -> tuple[int, int]:
        """Numbers of all weights, zeros included, forward and backward."""
        outputs, inputs, rows, columns = self.shape
        taps = rows * columns
        return taps * inputs * padded(outputs), taps * outputs * padded(inputs)


def plan_layer(mask: npt.NDArray[np.bool_], dilation: int) -> LayerPlan:
    """Return the plan of a convolution with a mask `(out, in, causal rows, columns)`."""
    outputs, inputs, rows, columns = mask.shape
    o, i, row, column = np.nonzero(mask)  # in the order of the weights
    by_output = mask.transpose(2, 0, 3, 1).reshape(rows, outputs, -1)
    by_input = mask.transpose(2, 1, 3, 0).reshape(rows, inputs, -1)
    return LayerPlan(
        shape=(outputs, inputs, rows, columns),
        dilation=dilation,
        forward=_places(row, o, padded(outputs), column * inputs + i, columns * inputs),
        backward=_places(row, i, padded(inputs), column * outputs + o, columns * outputs),
        spans_forward=_spans(by_output),
        spans_backward=_spans(by_input),
    )


def _places(row: Integers, to: Integers, num_to: int, source: Integers, num: int) -> Integers:
    """Return the places of weights in `(rows, blocks of num_to, num, BLOCK)`."""
    block, within = np.divmod(to, BLOCK)
    return ((row * (num_to // BLOCK) + block) * num + source) * BLOCK + within


def _spans(mask: npt.NDArray[np.bool_]) -> Integers:
    """Return where each block of rows begins and ends to read: `(tap rows, blocks, 2)`, flat."""
    spans = []
    for rows in mask:
        for start in range(0, len(rows), BLOCK):
            read = np.flatnonzero(rows[start : start + BLOCK].any(axis=0))
            spans += [read[0], read[-1] + 1] if len(read) else [0, 0]
    return np.array(spans, dtype=np.int64)


@dataclass(frozen=True, eq=False)
class ChainPlan:
    """The plans of some layers, one after the other, as the compiled loops want them."""

    layers: tuple[LayerPlan, ...]
    table: Integers
    forward: Integers
    backward: Integers
    spans: Integers
    num_weights: int  # as the forward pass has them, zeros included

    @property
    def maps_between(self) -> int:
        """How many maps there are between the layers."""
        return sum(layer.shape[0] for layer in self.layers[:-1])

    def weights(self, parameters: Sequence[Values | None]) -> Values:
        """Return the weights of all layers for both passes, where the loops look for them."""
        values = [each for each in parameters if each is not None]
        return np.concatenate([*values, np.zeros(1, values[0].dtype)])[self._sources]

    @functools.cached_property
    def _sources(self) -> Integers:
        """Which weight each number is; where there is none, the zero behind them all."""
        size = self.num_weights + sum(layer.sizes[1] for layer in self.layers)
        sources = np.full(size, len(self.forward))
        sources[self.forward] = sources[self.backward] = np.arange(len(self.forward))
        return sources

    def biases(self, parameters: Sequence[Values | None], dtype: npt.DTypeLike) -> Values:
        """Return the biases of all layers, zeros for a layer without."""
        return np.concatenate(
            [
                np.zeros(layer.shape[0], dtype) if bias is None else bias
                for layer, bias in zip(self.layers, parameters, strict=True)
            ]
        )


@functools.lru_cache(maxsize=4096)
def chained(*layers: LayerPlan) -> ChainPlan:
    """Return the plan of layers that are run one after the other."""
    table = np.zeros((len(layers), convolution.NUM_COLUMNS), dtype=np.int64)
    starts_forward = _starts([layer.sizes[0] for layer in layers])
    num_weights = starts_forward[-1]
    starts_backward = num_weights + _starts([layer.sizes[1] for layer in layers])
    spans = [array for layer in layers for array in (layer.spans_forward, layer.spans_backward)]
    starts_spans = _starts([len(array) for array in spans])
    starts_biases = _starts([layer.shape[0] for layer in layers])
    for n, layer in enumerate(layers):
        outputs, inputs, rows, columns = layer.shape
        table[n, convolution.INPUTS], table[n, convolution.OUTPUTS] = inputs, outputs
        table[n, convolution.ROWS], table[n, convolution.COLUMNS] = rows, columns
        table[n, convolution.DILATION] = layer.dilation
        table[n, convolution.WEIGHTS_FORWARD] = starts_forward[n]
        table[n, convolution.WEIGHTS_BACKWARD] = starts_backward[n]
        table[n, convolution.SPANS_FORWARD] = starts_spans[2 * n]
        table[n, convolution.SPANS_BACKWARD] = starts_spans[2 * n + 1]
        table[n, convolution.BIAS] = starts_biases[n]
    return ChainPlan(
        layers,
        table,
        np.concatenate([starts_forward[n] + layer.forward for n, layer in enumerate(layers)]),
        np.concatenate([starts_backward[n] + layer.backward for n, layer in enumerate(layers)]),
        np.concatenate(spans),
        int(num_weights),
    )


def _starts(sizes: Sequence[int]) -> Integers:
    return np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
