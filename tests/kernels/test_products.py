"""Products over lanes against numpy's, for all shapes of tiles, spans, beginnings and ends."""

import os
import subprocess
import sys
import textwrap

import numpy as np
import pytest
from numba import njit

from pixelrnn.kernels import products
from pixelrnn.kernels.tiles import (
    BEGIN_WITH_BIAS,
    BEGIN_WITH_OUT,
    BEGIN_WITH_ZERO,
    BLOCK,
    END_GATED,
    END_PLAIN,
    END_RECTIFIED,
    VECTOR_BYTES,
    VECTORS,
)

DTYPES = pytest.mark.parametrize("dtype", [np.float32, np.float64])
# Whole tiles, two vectors, one, single lanes, and more than a strip.
LANES = pytest.mark.parametrize("lanes", [1, 3, 8, 19, 35, 96, 131, 1100])
TOLERANCE = {np.float32: 2e-4, np.float64: 1e-11}
MARGIN = 5  # numbers around every array that must stay as they are


def in_blocks(weights):
    """`(taps, outputs, inputs)` as the loops want them: `(taps, blocks, inputs, BLOCK)`."""
    taps, outputs, inputs = weights.shape
    whole = np.zeros((taps, int(products.padded(outputs)), inputs), weights.dtype)
    whole[:, :outputs] = weights
    return whole.reshape(taps, -1, BLOCK, inputs).transpose(0, 1, 3, 2).reshape(-1).copy()


def full_spans(taps, outputs, inputs):
    blocks = int(products.padded(outputs)) // BLOCK
    return np.tile(np.array([0, inputs], np.int64), taps * blocks)


class Case:
    """Rows of inputs, weights and what the product of them must be."""

    def __init__(self, dtype, lanes, outputs=6, inputs=5, taps=2, step=7):
        draw = np.random.default_rng(0)
        self.shape = (outputs, inputs, taps, lanes, step)
        self.stride = lanes + step * taps + 3
        self.source = draw.normal(size=(inputs, self.stride)).astype(dtype)
        self.weights = draw.normal(size=(taps, outputs, inputs)).astype(dtype)
        self.bias = draw.normal(size=outputs).astype(dtype)
        self.out, self.gate, self.more = draw.normal(size=(3, outputs, lanes + 2)).astype(dtype)
        self.spans = full_spans(taps, outputs, inputs)

    @property
    def moved(self):
        """The inputs of each tap, `(taps, inputs, lanes)`."""
        _, _, taps, lanes, step = self.shape
        return np.stack([self.source[:, tap * step :][:, :lanes] for tap in range(taps)])

    def run(self, begin, end, add, offset=0):
        outputs, inputs, taps, lanes, step = self.shape
        out = np.full(self.out.size + 2 * MARGIN, 77, self.out.dtype)
        out[MARGIN:-MARGIN] = self.out.reshape(-1)
        products.product(
            out, MARGIN, lanes + 2, outputs, in_blocks(self.weights), 0, taps, inputs,
            self.spans, 0, self.source.reshape(-1), 0, self.stride, step, lanes,
            begin, self.bias, 0, end, self.gate.reshape(-1), 0, lanes + 2,
            self.more.reshape(-1), 0, lanes + 2 if add else 0,
        )  # fmt: skip
        assert (out[:MARGIN] == 77).all()
        assert (out[-MARGIN:] == 77).all()
        result = out[MARGIN:-MARGIN].reshape(self.out.shape)
        np.testing.assert_array_equal(result[:, lanes:], self.out[:, lanes:])
        return result[:, :lanes]


@DTYPES
@LANES
@pytest.mark.parametrize("outputs", [1, 2, 3, 4, 9])
def test_product_of_every_shape(dtype, lanes, outputs):
    case = Case(dtype, lanes, outputs)
    expected = np.einsum("toi,til->ol", case.weights, case.moved)
    result = case.run(BEGIN_WITH_ZERO, END_PLAIN, add=False)
    np.testing.assert_allclose(result, expected, atol=TOLERANCE[dtype])


@DTYPES
@LANES
@pytest.mark.parametrize("begin", [BEGIN_WITH_ZERO, BEGIN_WITH_BIAS, BEGIN_WITH_OUT])
@pytest.mark.parametrize("end", [END_PLAIN, END_RECTIFIED, END_GATED])
@pytest.mark.parametrize("add", [False, True])
def test_every_beginning_and_end(dtype, lanes, begin, end, add):
    case = Case(dtype, lanes)
    sums = np.einsum("toi,til->ol", case.weights, case.moved)
    start = {BEGIN_WITH_ZERO: 0, BEGIN_WITH_BIAS: case.bias[:, None]}
    sums = sums + start.get(begin, case.out[:, :lanes])
    ends = {END_PLAIN: sums, END_RECTIFIED: np.maximum(sums, 0)}
    expected = ends.get(end, np.where(case.gate[:, :lanes] > 0, sums, 0))
    if add:
        expected = expected + case.more[:, :lanes]
    result = case.run(begin, end, add)
    np.testing.assert_allclose(result, expected, atol=TOLERANCE[dtype])


def test_only_what_the_spans_name_is_read():
    case = Case(np.float64, 30, outputs=8, inputs=6, taps=1)
    case.spans = np.array([0, 2, 3, 6], np.int64)
    case.weights[0, :4, 2:] = case.weights[0, 4:, :3] = 0
    expected = np.einsum("toi,til->ol", case.weights, case.moved)
    np.testing.assert_allclose(
        case.run(BEGIN_WITH_ZERO, END_PLAIN, add=False), expected, atol=1e-12
    )
    case.weights[0, 0, 4] = np.nan  # outside the span of its block
    np.testing.assert_allclose(
        case.run(BEGIN_WITH_ZERO, END_PLAIN, add=False), expected, atol=1e-12
    )


@pytest.mark.parametrize("end", [END_PLAIN, END_RECTIFIED])
def test_nan_is_not_hidden(end):
    case = Case(np.float32, 40)
    case.source[:] = np.nan
    assert np.isnan(case.run(BEGIN_WITH_ZERO, end, add=False)).all()


@DTYPES
@LANES
@pytest.mark.parametrize(("outputs", "inputs"), [(1, 1), (4, 2), (6, 5), (9, 3)])
def test_gradient_of_the_weights(dtype, lanes, outputs, inputs):
    case = Case(dtype, lanes, outputs, inputs)
    _, _, taps, _, step = case.shape
    gradient = np.ones(in_blocks(case.weights).size, dtype)
    products.add_weight_gradient(
        gradient, 0, taps, inputs, case.spans, 0, case.out.reshape(-1), 0, lanes + 2, outputs,
        case.source.reshape(-1), 0, case.stride, step, lanes,
    )  # fmt: skip
    result = gradient.reshape(taps, -1, inputs, BLOCK).transpose(0, 1, 3, 2)
    result = result.reshape(taps, -1, inputs)[:, :outputs]
    expected = 1 + np.einsum("ol,til->toi", case.out[:, :lanes], case.moved)
    np.testing.assert_allclose(result, expected, atol=10 * TOLERANCE[dtype])


@DTYPES
def test_sums_of_rows(dtype):
    rows = np.random.default_rng(0).normal(size=(3, 50)).astype(dtype)
    sums = np.ones(5, dtype)
    products.add_row_sums(sums, 1, rows.reshape(-1), 2, 50, 3, 40)
    expected = [1, *(1 + rows[:, 2:42].sum(axis=1)), 1]
    np.testing.assert_allclose(sums, expected, rtol=1e-5)


def test_a_tile_fits_the_registers():
    """Sums, inputs and a weight: sixteen vectors, as many as most processors have."""
    assert BLOCK * VECTORS + VECTORS + 1 == 16
    assert VECTOR_BYTES in (32, 64)


def test_the_tile_is_compiled_to_vectors():
    """Without them it would be right and four times slower."""

    @njit(error_model="numpy")
    def use(*arguments):
        products.product(*arguments)

    case = Case(np.float32, 96)
    outputs, inputs, taps, lanes, step = case.shape
    use(
        case.out.reshape(-1), 0, lanes + 2, outputs, in_blocks(case.weights), 0, taps, inputs,
        case.spans, 0, case.source.reshape(-1), 0, case.stride, step, lanes,
        BEGIN_WITH_ZERO, case.bias, 0, END_PLAIN, case.gate.reshape(-1), 0, lanes + 2,
        case.more.reshape(-1), 0, 0,
    )  # fmt: skip
    (code,) = (
        products.product.inspect_llvm().values()
        if len(products.product.signatures) == 1
        else (products.product.inspect_llvm(products.product.signatures[0]),)
    )
    assert "llvm.fmuladd.v" in code


def test_loops_that_are_compiled_and_loaded_are_the_same(tmp_path):
    """Or a run would go on elsewhere than it was, and a recipe end elsewhere the second time."""
    script = """
        import hashlib, torch
        from pixelrnn.data import load
        from pixelrnn.training import load_recipe
        from pixelrnn.training.fit import initial_model

        torch.set_num_threads(1)
        digits = load("digits")
        model = initial_model(load_recipe("digits-row-lstm").for_data(digits))
        images = torch.tensor(digits.images("train")[:16])
        model.log_prob(images).sum().backward()
        gradients = b"".join(each.grad.numpy().tobytes() for each in model.parameters())
        print(hashlib.sha256(gradients).hexdigest())
    """
    compiled, loaded = (
        subprocess.run(
            [sys.executable, "-c", textwrap.dedent(script)],
            env={**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for _ in range(2)
    )
    assert list(tmp_path.rglob("*.nbc"))
    assert compiled == loaded
