"""Products of small integers, exact on every machine.

    out_j = clamp((bias_j + sum over i of w_ij x_i) >> shift_j)

Inputs and weights have 16 bits, sums 32, which the exporter has proved to be enough. Two inputs are
multiplied and added at once: processors have an instruction for it (x86: pmaddwd), and LLVM replaces it by
others where there is none. The sums are integers, so that no order of adding them changes a bit.
"""

import functools
import re
from collections.abc import Callable
from typing import Any

import llvmlite.binding as llvm
import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic

LANES = 8  # outputs of a vector: weights are stored for this many at a time
MAX_VECTORS = 8  # sums in registers
BLOCK = LANES * MAX_VECTORS

_INDEX, _WHOLE, _HALF = ir.IntType(64), ir.IntType(32), ir.IntType(16)
_WHOLES, _HALVES = ir.VectorType(_WHOLE, LANES), ir.VectorType(_HALF, 2 * LANES)

# x86 does these sums in one register, called ymm, where it has AVX2, and so pmaddwd of 32 bytes.
_SUMS_OF_32_BYTES = """
define <8 x i32> @sums(<8 x i32> %a, <8 x i32> %b) {
  %sums = add <8 x i32> %a, %b
  ret <8 x i32> %sums
}
"""


@functools.cache
def has_paired_products(triple: str, processor: str, features: str) -> bool:
    """Return whether code for a processor may use pmaddwd of 32 bytes.

    The processor that numba compiles for counts: the user may have named another than is here
    (NUMBA_CPU_NAME, NUMBA_CPU_FEATURES). What a name stands for only LLVM knows, so it is asked.

    Args:
        triple: kind of machine, as LLVM names it.
        processor: its name, likewise.
        features: what it has beyond that, or lacks, likewise.

    Example:
        >>> [has_paired_products("x86_64-linux-gnu", name, "") for name in ("nehalem", "haswell")]
        [False, True]
    """
    if not triple.startswith("x86_64"):
        return False
    target = llvm.Target.from_triple(triple)
    machine = target.create_target_machine(cpu=processor, features=features)
    module = llvm.parse_assembly(_SUMS_OF_32_BYTES)
    return bool(re.search(r"vpaddd\s[^\n]*ymm", machine.emit_assembly(module)))


@intrinsic
def _block(  # type: ignore[no-untyped-def]
    typing_context, inputs, inputs_at, pairs, weights, weights_at, numbers, numbers_at, stride,
    low, high, sums, sums_at, vectors,
):  # fmt: skip
    """Write the results of `vectors` times 8 outputs to `sums`; see `product`."""
    place = types.intp
    signature = types.void(
        inputs, place, place, weights, place, numbers, place, place,
        types.int32, types.int32, sums, place, place,
    )  # fmt: skip

    def generate(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> Any:
        values = [
            context.make_array(kind)(context, builder, value).data
            if isinstance(kind, types.Array)
            else value
            for kind, value in zip(signature.args, arguments, strict=True)
        ]

        is_paired = has_paired_products(*context.codegen().magic_tuple())

        def write(count: int) -> None:
            """Write the code of `count` vectors where there are as many, else of fewer."""
            if count == 1:
                _write_block(builder, values, 1, is_paired)
                return
            fits = builder.icmp_signed("==", values[-1], _INDEX(count))
            with builder.if_else(fits) as (then, otherwise):
                with then:
                    _write_block(builder, values, count, is_paired)
                with otherwise:
                    write(count - 1)

        write(MAX_VECTORS)
        return context.get_dummy_value()

    return signature, generate


def _write_block(
    builder: ir.IRBuilder, values: list[ir.Value], count: int, is_paired: bool
) -> None:
    (inputs, inputs_at, pairs, weights, weights_at, numbers, numbers_at, stride,
     low, high, sums, sums_at, _) = values  # fmt: skip
    totals = [cgutils.alloca_once(builder, _WHOLES) for _ in range(count)]
    for k, total in enumerate(totals):
        builder.store(_load(builder, numbers, builder.add(numbers_at, _INDEX(k * LANES))), total)
    with cgutils.for_range(builder, pairs) as loop:
        both = _both(builder, inputs, builder.add(inputs_at, builder.mul(loop.index, _INDEX(2))))
        start = builder.mul(loop.index, _INDEX(2 * LANES * count))
        start = builder.add(weights_at, start)
        for k, total in enumerate(totals):
            place = builder.gep(weights, [builder.add(start, _INDEX(2 * LANES * k))])
            of_outputs = builder.load(builder.bitcast(place, _HALVES.as_pointer()), align=2)
            products = _paired_products(builder, of_outputs, both, is_paired)
            builder.store(builder.add(builder.load(total), products), total)
    for k, total in enumerate(totals):
        shift = _load(builder, numbers, _sum(builder, numbers_at, stride, _INDEX(k * LANES)))
        result = builder.ashr(builder.load(total), shift)
        for bound, is_outside in ((_spread(builder, low), "<"), (_spread(builder, high), ">")):
            outside = builder.icmp_signed(is_outside, result, bound)
            result = builder.select(outside, bound, result)
        place = builder.gep(sums, [builder.add(sums_at, _INDEX(k * LANES))])
        builder.store(result, builder.bitcast(place, _WHOLES.as_pointer()), align=4)


def _sum(builder: ir.IRBuilder, *values: ir.Value) -> ir.Value:
    total, *more = values
    for value in more:
        total = builder.add(total, value)
    return total


def _load(builder: ir.IRBuilder, numbers: ir.Value, at: ir.Value) -> ir.Value:
    place = builder.bitcast(builder.gep(numbers, [at]), _WHOLES.as_pointer())
    return builder.load(place, align=4)


def _spread(builder: ir.IRBuilder, value: ir.Value) -> ir.Value:
    """Return a vector of one number."""
    nothing = ir.Constant(_WHOLES, ir.Undefined)
    vector = builder.insert_element(nothing, value, _WHOLE(0))
    return builder.shuffle_vector(vector, nothing, ir.Constant(_WHOLES, [0] * LANES))


def _both(builder: ir.IRBuilder, inputs: ir.Value, at: ir.Value) -> ir.Value:
    """Return two inputs that lie side by side, over and over."""
    place = builder.bitcast(builder.gep(inputs, [at]), _WHOLE.as_pointer())
    return builder.bitcast(_spread(builder, builder.load(place, align=2)), _HALVES)


def _paired_products(builder: ir.IRBuilder, a: ir.Value, b: ir.Value, is_paired: bool) -> ir.Value:
    """Return a_0 b_0 + a_1 b_1, a_2 b_2 + a_3 b_3, ... of 16-bit integers, in 32 bits."""
    if is_paired:
        kind = ir.FunctionType(_WHOLES, [_HALVES, _HALVES])
        function = cgutils.get_or_insert_function(builder.module, kind, "llvm.x86.avx2.pmadd.wd")
        return builder.call(function, [a, b])
    wide = ir.VectorType(_WHOLE, 2 * LANES)
    products = builder.mul(builder.sext(a, wide), builder.sext(b, wide))
    nothing = ir.Constant(wide, ir.Undefined)
    even, odd = (
        builder.shuffle_vector(
            products, nothing, ir.Constant(_WHOLES, list(range(first, 2 * LANES, 2)))
        )
        for first in (0, 1)
    )
    return builder.add(even, odd)


block: Callable[..., None] = _block


@njit(error_model="numpy")
def product(
    inputs: Any,
    inputs_at: int,
    pairs: int,
    weights: Any,
    weights_at: int,
    numbers: Any,
    numbers_at: int,
    vectors: int,
    low: int,
    high: int,
    sums: Any,
) -> None:
    """Write clamp((bias + weights^T inputs) >> shift) of `vectors` times 8 outputs to `sums`.

    What is an array here may as well be a pointer.

    Args:
        inputs: int16.
        inputs_at: where the inputs start.
        pairs: how many pairs of inputs there are.
        weights: int16, as `packed` has them.
        weights_at: where the weights of the operation start.
        numbers: int32: biases, then shifts, each `8 * vectors`.
        numbers_at: where those of the operation start.
        vectors: how many times 8 outputs there are.
        low: smallest result.
        high: largest result.
        sums: int32, at least `8 * vectors`.
    """
    stride = LANES * vectors
    done = 0
    while done < vectors:
        some = min(vectors - done, MAX_VECTORS)
        block(inputs, inputs_at, pairs, weights, weights_at, numbers, numbers_at + LANES * done,
              stride, low, high, sums, LANES * done, some)  # fmt: skip
        weights_at += 2 * LANES * pairs * some
        done += some


def packed(weights: np.ndarray) -> np.ndarray:
    """Return int16 weights `(inputs, outputs)` in the order in which `product` reads them.

    Outputs in blocks of 64, the last filled up to a multiple of 8; in a block, pairs of inputs; in a
    pair, outputs; and of each output the weights of both inputs.
    """
    inputs, outputs = weights.shape
    whole = np.zeros((inputs + inputs % 2, -(-outputs // LANES) * LANES), np.int16)
    whole[:inputs, :outputs] = weights
    blocks = [
        whole[:, first : first + BLOCK].reshape(len(whole) // 2, 2, -1).transpose(0, 2, 1)
        for first in range(0, whole.shape[1], BLOCK)
    ]
    return np.concatenate([part.reshape(-1) for part in blocks] or [np.zeros(0, np.int16)])
