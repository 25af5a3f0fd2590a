"""attend: what earlier pixels say, weighted by how well their keys fit a query.

    y = sum over q of w_q v_q,    w_q = exp(Q . k_q) / (1 + sum over r of exp(Q . k_r))

(Vaswani et al. 2017, arXiv 1706.03762, equation 1; one head), q and r running over all pixels before the
one at hand, from so many rows above it on. The 1 is that of no pixel, whose key and value are zero: it is
there even where no other is.

In integers query, keys and values are narrow. All features of a query have one scale, and so have those of
keys, a power of two: a shift takes a score to the steps of the table of exponentials. Weights have 20 bits,
values 15, and their products are added up in 64: enough for the 2^27 pixels that an image may have. Results
have the scales of the values, and are never larger.
"""

from typing import Any, ClassVar

import numpy as np
from numba import njit

from pixelrnn.graph.curves import EXPONENTIAL_SIZE, LOGIT_STEP_BITS, Curves
from pixelrnn.graph.operation import Features, Numbers, Operation, Rescale
from pixelrnn.graph.program import Program
from pixelrnn.operations.attention_products import LANES, add_weighted, dot
from pixelrnn.operations.base import Kind, Reads, register
from pixelrnn.operations.bounds import INT32_MAX, Proof
from pixelrnn.operations.checks import check_array, is_whole, is_wide, require
from pixelrnn.operations.export import Exporter, moved, moved_tap
from pixelrnn.operations.gating import rounded_shift
from pixelrnn.operations.scales import Scales, fitting, of_features, set_some
from pixelrnn.operations.tables import (
    MAP_BASE,
    MAP_COLUMNS,
    MAP_FEATURES,
    MAP_PAD,
    MAP_ROWS,
    MAP_STRIDE,
    OP_COUNT,
    OP_LOW,
    OP_TAPS,
    OPERATION_COLUMNS,
    SPEC_GROUPS,
    SPEC_PARAMETERS,
    TAP_COLUMNS,
    TAP_COUNT,
    TAP_FIRST,
    TAP_MAP,
    TAP_ROW,
)
from pixelrnn.operations.work import pointer, source_of, target_of, whole, whole32

MAX_SHIFT = 30
USUAL_WIDTH = 128  # of an image, for what a pixel costs: a tile of a compressed file


@register
class Attend(Kind):
    """One head of attention to earlier pixels: a query, keys and values, which are those of all of them."""

    name: ClassVar[str] = "attend"
    uses: ClassVar[frozenset[str]] = frozenset(["rescale"])

    def oracle(
        self, operation: Operation, read: Reads, curves: Curves | None
    ) -> tuple[Numbers, ...]:
        """Return the weighted values; see the base class."""
        query, keys, values = (read(tap) for tap in operation.taps)
        scores = keys @ query
        if curves is None:
            highest = scores.max(initial=0.0)
            weights = np.exp(scores - highest)
            return (np.asarray(weights @ values / (np.exp(-highest) + weights.sum())),)
        steps = rounded_shift(np.append(scores, 0), score_shift(operation))
        places = np.minimum(steps.max() - steps, EXPONENTIAL_SIZE - 1)
        weights = curves.exponential[places]
        total = weights.sum()
        return ((2 * (weights[:-1] @ values) + total) // (2 * total),)

    def find_scales(self, operation: Operation, program: Program, scales: Scales) -> None:
        """Let query, keys and values fit: they are wide sums that are made narrow for it."""
        query, key, value = (tap.features for tap in operation.taps)
        found = _fitting(value, program, scales)
        set_some(scales.narrow, program, value, found)
        set_some(scales.narrow, program, operation.out, found)
        of_key = _fitting(key, program, scales).max()
        # Scores that are no finer than the table: queries that large are clamped.
        finest = 2.0 ** -(LOGIT_STEP_BITS + 1) / of_key
        of_query = min(_fitting(query, program, scales).max(), finest)
        for features, scale in ((key, of_key), (query, of_query)):
            set_some(scales.narrow, program, features, np.full(features.count, scale))

    def steps(self, operation: Operation) -> int:
        """Return what a result costs in an image as wide as a tile, and as tall; see the base class."""
        _, keys, values = operation.taps
        pixels = USUAL_WIDTH * min(USUAL_WIDTH, -keys.row)
        return pixels * -(-(keys.features.count + values.features.count) // operation.out.count)

    def export(self, operation: Operation, to: Exporter) -> None:
        """Write the same with integers; see the base class."""
        taps = tuple(moved_tap(to.narrow, tap) for tap in operation.taps)
        query, keys = (of_features(to.scales.narrow, t.features)[0] for t in operation.taps[:2])
        shift = min(round(-np.log2(query * keys)) - LOGIT_STEP_BITS, MAX_SHIFT)
        rescale = Rescale(np.full(1, shift, np.int32), shift, 0)
        out = moved(to.narrow, operation.out)
        to.result.append(Operation(self.name, out, taps, rescale=rescale))

    def check(self, operation: Operation, program: Program) -> None:
        """Require a narrow query, and keys and values of one map that later pixels read alone."""
        require(len(operation.taps) == 3, "attention")
        query, keys, values = operation.taps
        narrow = [is_wide(program, each.features) for each in operation.taps]
        require(not any(narrow) and not is_wide(program, operation.out), "attention")
        require(query.features.count == keys.features.count, "a query and keys")
        require(values.features.count == operation.out.count, "values that are weighted")
        alike = keys.features.map == values.features.map and keys.row == values.row < 0
        require(alike and keys.column == values.column == 0, "the pixels that are attended to")
        shift, rescale = score_shift(operation), operation.rescale
        if rescale is None:
            raise ValueError("scores without a shift")
        check_array(rescale.shifts, np.int32, (1,))
        require(is_whole(shift, 1, MAX_SHIFT), "the shift of scores")
        said_twice = int(rescale.shifts[0]) == shift and is_whole(rescale.high, 0, 0)
        require(said_twice, "the shift of scores")

    def bound(self, operation: Operation, proof: Proof) -> None:
        """Require scores that fit 32 bits; results are no larger than values."""
        query, keys, values = (of_features(proof.bounds, t.features) for t in operation.taps)
        if int(query @ keys) + (1 << score_shift(operation)) > INT32_MAX:
            raise ValueError("a score of this program may need more than 32 bits")
        proof.widen(operation.out, values)

    @property
    def step(self) -> Any:
        """See the base class."""
        return _step


def score_shift(operation: Operation) -> int:
    """Return by how many bits a score is shifted, to be in steps of the table of exponentials."""
    if operation.rescale is None:
        raise ValueError("scores without a shift")
    return operation.rescale.low


def _fitting(features: Features, program: Program, scales: Scales) -> Numbers:
    """Return the scales at which wide features fit as narrow ones, each a power of two times its unit."""
    found = np.ones(program.maps[features.map].features)
    for each in program.operations:
        if each.out.map == features.map:
            unit = of_features(scales.wide, each.out)
            shifts = np.ceil(np.log2(fitting(each, scales.widths) / unit)).clip(0)
            found[each.out.first : each.out.first + each.out.count] = unit * 2.0**shifts
    return np.asarray(found[features.first : features.first + features.count])


@njit(inline="always")
def _score(narrow: Any, query: int, key: int, inputs: int) -> int:
    score: int = whole32(0)
    j = 0
    while j + LANES <= inputs:
        score = whole32(score + dot(narrow, query + j, key + j))
        j += LANES
    while j < inputs:
        score = whole32(score + whole32(narrow[query + j]) * whole32(narrow[key + j]))
        j += 1
    return score


@njit(error_model="numpy")
def _step(work: Any, n: int, column: int) -> None:
    operations, taps, maps, narrow = work.operations, work.taps, work.maps, work.narrow
    row = n * OPERATION_COLUMNS
    count, tap, shift = (
        operations[row + OP_COUNT], operations[row + OP_TAPS], operations[row + OP_LOW],
    )  # fmt: skip
    query, out = source_of(work, tap, column), target_of(work, n, column)
    of_keys, of_values = (tap + 1) * TAP_COLUMNS, (tap + 2) * TAP_COLUMNS
    inputs, where = taps[of_keys + TAP_COUNT], taps[of_keys + TAP_MAP] * MAP_COLUMNS
    size, stride = maps[where + MAP_FEATURES], maps[where + MAP_STRIDE]
    start, kept = maps[where + MAP_BASE] + maps[where + MAP_PAD] * size, maps[where + MAP_ROWS]
    here = work.spec[SPEC_PARAMETERS + 3 * work.spec[SPEC_GROUPS]]  # the row at hand
    above = min(here, -taps[of_keys + TAP_ROW])
    width = stride // size - 2 * maps[where + MAP_PAD]
    pixels = above * width + column
    room = np.empty(pixels, np.int32), np.zeros(count, np.int64)
    weights, sums = pointer(room[0]), pointer(room[1])
    highest, i = whole32(0), 0
    for r in range(here - above, here + 1):
        at = start + r % kept * stride + taps[of_keys + TAP_FIRST]
        for _ in range(width if r < here else column):
            weights[i] = _score(narrow, query, at, inputs)
            highest = max(highest, weights[i])
            at += size
            i += 1
    half = whole(1) << (shift - 1)
    top = (highest + half) >> shift
    total = whole(work.exponential[min(top, EXPONENTIAL_SIZE - 1)])
    for i in range(pixels):
        below = top - ((weights[i] + half) >> shift)
        weights[i] = work.exponential[min(below, EXPONENTIAL_SIZE - 1)]
        total += weights[i]
    for r in range(here - above, here + 1):
        first, some = (r - here + above) * width, width if r < here else column
        at = start + r % kept * stride + taps[of_values + TAP_FIRST]
        for j in range(0, count - LANES + 1, LANES):
            add_weighted(sums, j, weights, first, some, narrow, at + j, size)
        for j in range(count // LANES * LANES, count):
            for i in range(some):
                sums[j] += whole(weights[first + i]) * whole(narrow[at + i * size + j])
    for j in range(count):
        narrow[out + j] = (2 * room[1][j] + total) // (2 * total)
