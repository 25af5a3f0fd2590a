"""Products of small integers against numpy's in 64 bits, with the paired instruction and without."""

import numpy as np
import pytest
from numba import njit

from pixelrnn.operations import products as integer_products
from pixelrnn.operations.products import BLOCK, LANES, MAX_VECTORS, packed

INT32_MAX = 2**31 - 1
INT16_MAX = 2**15 - 1
PAIRED = "llvm.x86.avx2.pmadd.wd"
MARGIN = 3  # numbers around every array that must not matter, or must stay as they are
OUTPUTS = (1, 2, 7, 8, 9, 16, 40, 63, 64, 65, 72, 127, 128, 129, 200)
INPUTS = (1, 2, 3, 5, 16, 33)


@pytest.fixture(scope="module")
def compiled():
    """The product as it is compiled here, and as it is where no instruction adds pairs."""

    def compile_with(has_paired_products):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(integer_products, "has_paired_products", lambda *_: has_paired_products)
            fresh = njit(error_model="numpy")(integer_products.product.py_func)
            Case(3, 9).run(fresh)  # compiles it
        (code,) = fresh.inspect_llvm().values()
        assert (PAIRED in code) == has_paired_products
        return fresh

    target = integer_products.product.targetctx.codegen().magic_tuple()
    has_them = integer_products.has_paired_products(*target)
    return {"plain": compile_with(False), "paired": compile_with(True) if has_them else None}


@pytest.fixture(params=["paired", "plain"])
def product(request, compiled):
    if compiled[request.param] is None:
        pytest.skip("this processor has no such instruction")
    return compiled[request.param]


class Case:
    """One product: inputs, weights, biases and shifts, among other numbers in memory."""

    def __init__(self, inputs, outputs, seed=0):
        draw = np.random.default_rng(seed)
        largest = min(INT16_MAX, int((INT32_MAX // 2 // inputs) ** 0.5))
        self.inputs = draw.integers(-largest, largest, inputs, np.int16, endpoint=True)
        self.weights = draw.integers(-largest, largest, (inputs, outputs), np.int16, endpoint=True)
        self.bias = draw.integers(-(2**30), 2**30, outputs, np.int32)
        self.shifts = draw.integers(0, 32, outputs, np.int32)
        self.low, self.high = -(2 ** int(draw.integers(31))), 2 ** int(draw.integers(31))

    def expected(self):
        sums = self.bias + self.inputs.astype(np.int64) @ self.weights.astype(np.int64)
        assert np.abs(sums).max() <= INT32_MAX
        return np.clip(sums >> self.shifts, self.low, self.high)

    def run(self, product):
        inputs, outputs = self.weights.shape
        vectors = -(-outputs // LANES)
        filled = LANES * vectors - outputs
        numbers = np.concatenate([np.pad(part, (0, filled)) for part in (self.bias, self.shifts)])
        sums = np.full(LANES * vectors + MARGIN, 77, np.int32)
        product(
            among_others(self.inputs), MARGIN, (inputs + 1) // 2,
            among_others(packed(self.weights)), MARGIN,
            among_others(numbers), MARGIN,
            vectors, np.int32(self.low), np.int32(self.high), sums,
        )  # fmt: skip
        assert (sums[-MARGIN:] == 77).all()
        return sums[:outputs]

    def check(self, product):
        np.testing.assert_array_equal(self.run(product), self.expected())


def among_others(numbers):
    """The numbers, and before and behind them the largest there are."""
    return np.pad(numbers, MARGIN, constant_values=np.iinfo(numbers.dtype).max)


@pytest.mark.parametrize("outputs", OUTPUTS)
@pytest.mark.parametrize("inputs", INPUTS)
def test_every_shape(product, inputs, outputs):
    for seed in range(3):
        Case(inputs, outputs, seed).check(product)


@pytest.mark.parametrize("signs", [(1, 1), (1, -1), (-1, 1), (-1, -1)])
def test_the_largest_numbers(product, signs):
    """Two products of the largest numbers just fit into 32 bits, and so do many smaller ones."""
    for inputs, largest in ((1, INT16_MAX), (2, INT16_MAX), (8, 2**14 - 1), (32768, 255)):
        case = Case(inputs, 20)
        case.inputs[:], case.weights[:] = signs[0] * largest, signs[1] * largest
        room = INT32_MAX - inputs * largest**2
        case.bias[:] = signs[0] * signs[1] * room  # as large as a sum can become
        case.low, case.high = -INT32_MAX, INT32_MAX
        case.shifts[0] = 0
        assert abs(case.expected()[0]) == INT32_MAX
        case.check(product)


@pytest.mark.parametrize("shift", range(32))
def test_a_shift_rounds_down(product, shift):
    """Also below 0: the half that makes it round to the nearest is in the bias."""
    case = Case(4, 64, seed=shift)
    case.shifts[:], case.low, case.high = shift, -INT32_MAX, INT32_MAX
    case.bias[:4] = -1, 1, (1 << shift) // 2, -((1 << shift) // 2)
    case.weights[:, :4] = 0
    case.check(product)
    assert case.expected()[0] == -1


@pytest.mark.parametrize(("low", "high"), [(0, 0), (0, 4095), (-4095, 4095), (-5, 0)])
def test_results_are_clamped(product, low, high):
    case = Case(9, 70)
    case.shifts[:], case.low, case.high = 4, low, high
    assert {low, high} <= set(case.expected().tolist())
    case.check(product)


@pytest.mark.parametrize("outputs", [1, BLOCK, BLOCK + 1, 3 * BLOCK])
def test_weights_are_packed_once_each(outputs):
    weights = 1 + np.arange(7 * outputs, dtype=np.int16).reshape(7, outputs)
    found = packed(weights)
    assert len(found) == 8 * -(-outputs // LANES) * LANES
    assert sorted(found[found != 0]) == sorted(weights.reshape(-1))


def test_the_case_notices_weights_in_another_order(product):
    case = Case(6, 24)
    wrong = Case(6, 24)
    wrong.weights = wrong.weights[[1, 0, 3, 2, 5, 4]]
    assert (case.expected() != wrong.run(product)).any()


@pytest.mark.parametrize(
    ("triple", "processor", "features", "has_them"),
    [
        ("x86_64-unknown-linux-gnu", "generic", "", False),
        ("x86_64-unknown-linux-gnu", "x86-64-v2", "", False),
        ("x86_64-unknown-linux-gnu", "sandybridge", "", False),  # AVX, but for floats only
        ("x86_64-unknown-linux-gnu", "sandybridge", "+avx2", True),
        ("x86_64-unknown-linux-gnu", "x86-64-v3", "", True),
        ("x86_64-unknown-linux-gnu", "haswell", "-avx2", False),
        ("x86_64-unknown-linux-gnu", "skylake-avx512", "", True),
        ("x86_64-unknown-linux-gnu", "znver4", "", True),
        ("x86_64-pc-windows-msvc", "haswell", "", True),
        ("x86_64-apple-darwin", "nehalem", "", False),
        ("aarch64-unknown-linux-gnu", "generic", "", False),
        ("arm64-apple-darwin", "apple-m1", "", False),
    ],
)
def test_the_processor_compiled_for_is_asked(triple, processor, features, has_them):
    found = integer_products.has_paired_products(triple, processor, features)
    assert found == has_them


def test_a_block_fills_the_registers():
    """Sums, two inputs and two weights: half the vectors of the smallest processors at most."""
    assert MAX_VECTORS * LANES == BLOCK
    assert MAX_VECTORS + 2 <= 16
