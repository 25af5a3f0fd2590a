"""One tile of a product, in registers: four outputs times some vectors of lanes.

The compiler turns a plain loop over lanes into vectors, but stores and loads the sums for every few
inputs. Here they stay in registers until all inputs are added: 4 outputs x 3 vectors are twelve sums,
and with three vectors of inputs and a weight that makes sixteen, which is what most processors have.
numba gives the code below to LLVM, which knows the processor; nothing else is needed to compile it.
"""

from collections.abc import Callable, Sequence
from typing import Any

import llvmlite.binding as llvm
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

BLOCK = 4  # outputs of a tile
VECTORS = 3  # of lanes, in a whole tile
_INDEX = ir.IntType(64)

BEGIN_WITH_ZERO, BEGIN_WITH_BIAS, BEGIN_WITH_OUT = 0, 1, 2
END_PLAIN, END_RECTIFIED, END_GATED = 0, 1, 2


def _vector_bytes() -> int:
    """Return the size of this processor's vectors, at least 32: smaller ones are used in pairs."""
    return 64 if llvm.get_host_cpu_features().get("avx512f") else 32


VECTOR_BYTES = _vector_bytes()


@intrinsic
def _tile(  # type: ignore[no-untyped-def]
    typing_context, left, out, out_at, out_stride, there,
    weights, weights_at, taps, weights_step, spans, spans_at, spans_step,
    source, source_at, source_stride, step,
    begin, bias, bias_at, end, gate, gate_at, gate_stride, add, add_at, add_stride,
):  # fmt: skip
    """Compute four outputs of as many of the `left` lanes as a tile holds; return how many.

    The other arguments are those of `products.product`, `there` being how many of the outputs exist.
    """
    integer = types.intp
    signature = integer(
        integer, out, integer, integer, integer,
        weights, integer, integer, integer, spans, integer, integer,
        source, integer, integer, integer,
        integer, bias, integer, integer, gate, integer, integer, add, integer, integer,
    )  # fmt: skip

    def generate(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> Any:
        number = context.get_value_type(out.dtype)
        whole = VECTOR_BYTES // (out.dtype.bitwidth // 8)
        done = cgutils.alloca_once(builder, _INDEX)

        def write(sizes: Sequence[tuple[int, int]]) -> None:
            """Write the code of the largest of the sizes that fits, each (vectors, lanes of one)."""
            (vectors, lanes), *smaller = sizes
            code = _TileCode(context, builder, signature, arguments, number, lanes, vectors)
            count = _INDEX(vectors * lanes)
            if not smaller:
                code.write()
                builder.store(count, done)
                return
            fits = builder.icmp_signed(">=", arguments[0], count)
            with builder.if_else(fits) as (then, otherwise):
                with then:
                    code.write()
                    builder.store(count, done)
                with otherwise:
                    write(smaller)

        write([*((vectors, whole) for vectors in range(VECTORS, 0, -1)), (1, 1)])
        return builder.load(done)

    return signature, generate


tile: Callable[..., int] = _tile


class _TileCode:
    """Writes the code of a tile; the names are those of `products.product`."""

    def __init__(
        self, context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any,
        number: ir.Type, lanes: int, vectors: int,
    ) -> None:  # fmt: skip
        self.builder, self.lanes, self.vectors = builder, lanes, vectors
        self.vector = ir.VectorType(number, lanes)
        self.number_bytes = 4 if isinstance(number, ir.FloatType) else 8
        names = (
            "left", "out", "out_at", "out_stride", "there",
            "weights", "weights_at", "taps", "weights_step", "spans", "spans_at", "spans_step",
            "source", "source_at", "source_stride", "step",
            "begin", "bias", "bias_at", "end", "gate", "gate_at", "gate_stride",
            "add", "add_at", "add_stride",
        )  # fmt: skip
        for name, kind, value in zip(names, signature.args, arguments, strict=True):
            is_array = isinstance(kind, types.Array)
            data = context.make_array(kind)(context, builder, value).data if is_array else value
            setattr(self, name, data)
        self.sums = [
            [cgutils.alloca_once(builder, self.vector) for _ in range(vectors)]
            for _ in range(BLOCK)
        ]

    def __getattr__(self, name: str) -> ir.Value:
        """Raise; for the type checker: arguments are set above, by name."""
        raise AttributeError(name)

    def write(self) -> None:
        """Write all of it."""
        rows = self.rows_there()
        self.begin_sums(rows)
        self.add_products()
        self.end_sums(rows)

    def rows_there(self) -> list[ir.Value]:
        """Return the row of each output; absent ones share the last, and are written before it."""
        builder = self.builder
        last = builder.sub(self.there, _INDEX(1))
        rows = []
        for row in range(BLOCK):
            absent = builder.icmp_signed("<", last, _INDEX(row))
            rows.append(builder.select(absent, last, _INDEX(row)))
        return rows

    def place(self, base: ir.Value, at: ir.Value, stride: ir.Value, row: ir.Value) -> ir.Value:
        """Return where a row begins."""
        builder = self.builder
        return builder.gep(base, [builder.add(at, builder.mul(row, stride))])

    def load(self, place: ir.Value, vector: int) -> ir.Value:
        """Return a vector of a row."""
        builder = self.builder
        at = builder.gep(place, [_INDEX(vector * self.lanes)])
        at = builder.bitcast(at, self.vector.as_pointer())
        return builder.load(at, align=self.number_bytes)

    def store(self, value: ir.Value, place: ir.Value, vector: int) -> None:
        """Set a vector of a row."""
        builder = self.builder
        at = builder.gep(place, [_INDEX(vector * self.lanes)])
        builder.store(value, builder.bitcast(at, self.vector.as_pointer()), align=self.number_bytes)

    def spread(self, value: ir.Value) -> ir.Value:
        """Return a vector of one number."""
        builder = self.builder
        single = builder.insert_element(ir.Constant(self.vector, ir.Undefined), value, _INDEX(0))
        mask = ir.Constant(ir.VectorType(ir.IntType(32), self.lanes), [0] * self.lanes)
        return builder.shuffle_vector(single, ir.Constant(self.vector, ir.Undefined), mask)

    def begin_sums(self, rows: list[ir.Value]) -> None:
        """Set the sums to what they begin with."""
        builder = self.builder
        zero = ir.Constant(self.vector, [0.0] * self.lanes)
        for sums in self.sums:
            for total in sums:
                builder.store(zero, total)
        with builder.if_then(builder.icmp_signed("==", self.begin, _INDEX(BEGIN_WITH_BIAS))):
            for sums, row in zip(self.sums, rows, strict=True):
                bias = self.spread(
                    builder.load(self.place(self.bias, self.bias_at, _INDEX(1), row))
                )
                for total in sums:
                    builder.store(bias, total)
        with builder.if_then(builder.icmp_signed("==", self.begin, _INDEX(BEGIN_WITH_OUT))):
            for sums, row in zip(self.sums, rows, strict=True):
                place = self.place(self.out, self.out_at, self.out_stride, row)
                for vector, total in enumerate(sums):
                    builder.store(self.load(place, vector), total)

    def add_products(self) -> None:
        """Add inputs times weights, tap row by tap row."""
        builder = self.builder
        with cgutils.for_range(builder, self.taps) as tap:
            span = builder.add(self.spans_at, builder.mul(tap.index, self.spans_step))
            first = builder.load(builder.gep(self.spans, [span]))
            last = builder.load(builder.gep(self.spans, [builder.add(span, _INDEX(1))]))
            source = builder.add(self.source_at, builder.mul(tap.index, self.step))
            weights = builder.add(self.weights_at, builder.mul(tap.index, self.weights_step))
            count = builder.sub(last, first)
            with cgutils.for_range(builder, count) as k:
                this = builder.add(first, k.index)
                place = self.place(self.source, source, self.source_stride, this)
                inputs = [self.load(place, vector) for vector in range(self.vectors)]
                place = self.place(self.weights, weights, _INDEX(BLOCK), this)
                for row, sums in enumerate(self.sums):
                    weight = self.spread(builder.load(builder.gep(place, [_INDEX(row)])))
                    for total, values in zip(sums, inputs, strict=True):
                        builder.store(self.multiply_add(weight, values, builder.load(total)), total)

    def multiply_add(self, a: ir.Value, b: ir.Value, c: ir.Value) -> ir.Value:
        """Return a b + c, in one operation where there is one."""
        name = f"llvm.fmuladd.v{self.lanes}f{8 * self.number_bytes}"
        kind = ir.FunctionType(self.vector, [self.vector] * 3)
        function = cgutils.get_or_insert_function(self.builder.module, kind, name)
        return self.builder.call(function, [a, b, c])

    def end_sums(self, rows: list[ir.Value]) -> None:
        """Rectify, gate or add to the sums, and write them."""
        builder = self.builder
        zero = ir.Constant(self.vector, [0.0] * self.lanes)

        def change(with_value: Callable[[ir.Value, int, int], ir.Value]) -> None:
            for row, sums in enumerate(self.sums):
                for vector, total in enumerate(sums):
                    builder.store(with_value(builder.load(total), row, vector), total)

        def rectified(value: ir.Value, _: int, __: int) -> ir.Value:
            negative = builder.fcmp_ordered("<", value, zero)  # NaN stays
            return builder.select(negative, zero, value)

        def gated(value: ir.Value, row: int, vector: int) -> ir.Value:
            place = self.place(self.gate, self.gate_at, self.gate_stride, rows[row])
            is_open = builder.fcmp_ordered(">", self.load(place, vector), zero)
            return builder.select(is_open, value, zero)

        def added(value: ir.Value, row: int, vector: int) -> ir.Value:
            place = self.place(self.add, self.add_at, self.add_stride, rows[row])
            return builder.fadd(value, self.load(place, vector))

        with builder.if_then(builder.icmp_signed("==", self.end, _INDEX(END_RECTIFIED))):
            change(rectified)
        with builder.if_then(builder.icmp_signed("==", self.end, _INDEX(END_GATED))):
            change(gated)
        with builder.if_then(builder.icmp_signed("!=", self.add_stride, _INDEX(0))):
            change(added)
        for row in reversed(range(BLOCK)):
            place = self.place(self.out, self.out_at, self.out_stride, rows[row])
            for vector, total in enumerate(self.sums[row]):
                self.store(builder.load(total), place, vector)
