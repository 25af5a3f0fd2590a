"""Products of attention, exact on every machine: a query with a key, weights with values.

Inputs have 16 bits. Eight features at a time are multiplied side by side; the sums are integers, so that no
order of adding them changes a bit.
"""

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

LANES = 8  # features that are multiplied at once
_WHOLE, _LONG = ir.IntType(32), ir.IntType(64)
_HALVES, _WHOLES, _LONGS = (ir.VectorType(ir.IntType(bits), LANES) for bits in (16, 32, 64))


def _eight(builder: ir.IRBuilder, numbers: ir.Value, at: ir.Value, kind: ir.Type) -> ir.Value:
    """Return eight 16-bit numbers side by side, made wider."""
    place = builder.bitcast(builder.gep(numbers, [at]), _HALVES.as_pointer())
    return builder.sext(builder.load(place, align=2), kind)


@intrinsic
def _dot(typing_context, numbers, a, b):  # type: ignore[no-untyped-def]
    """Return the sum of eight products of numbers from a and from b on, in 32 bits."""
    signature = types.int32(numbers, types.intp, types.intp)

    def generate(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> Any:
        numbers, *places = arguments
        products = builder.mul(*(_eight(builder, numbers, at, _WHOLES) for at in places))
        kind = ir.FunctionType(_WHOLE, [_WHOLES])
        name = f"llvm.vector.reduce.add.v{LANES}i32"
        return builder.call(cgutils.get_or_insert_function(builder.module, kind, name), [products])

    return signature, generate


@intrinsic
def _add_weighted(  # type: ignore[no-untyped-def]
    typing_context, sums, at, weights, first, count, numbers, source, size,
):  # fmt: skip
    """Add eight features of `count` pixels, times their weights, to sums of 64 bits."""
    place = types.intp
    signature = types.void(sums, place, weights, place, place, numbers, place, place)

    def generate(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> Any:
        sums, at, weights, first, count, numbers, source, size = arguments
        place = builder.bitcast(builder.gep(sums, [at]), _LONGS.as_pointer())
        total = cgutils.alloca_once(builder, _LONGS)
        builder.store(builder.load(place, align=8), total)
        nothing = ir.Constant(_LONGS, ir.Undefined)
        with cgutils.for_range(builder, count) as loop:
            weight = builder.load(builder.gep(weights, [builder.add(first, loop.index)]))
            weight = builder.insert_element(nothing, builder.sext(weight, _LONG), _WHOLE(0))
            alike = builder.shuffle_vector(weight, nothing, ir.Constant(_WHOLES, [0] * LANES))
            values = builder.add(source, builder.mul(loop.index, size))
            products = builder.mul(alike, _eight(builder, numbers, values, _LONGS))
            builder.store(builder.add(builder.load(total), products), total)
        builder.store(builder.load(total), place, align=8)
        return context.get_dummy_value()

    return signature, generate


dot: Callable[..., int] = _dot
add_weighted: Callable[..., None] = _add_weighted
