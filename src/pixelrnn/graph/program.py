"""Programs: a model written down as the operations on one pixel.

A program reads and writes *feature maps*. A map remembers as many rows as its readers reach back to,
and around the image it has the value `fill`. The operations run pixel by pixel in raster order, in
one section for each colour group, each when its colour is due:

    operation  reads                          writes            remembers
    ---------  -----------------------------  ----------------  ----------------------------------
    linear     taps of maps, weights, bias,   features of a map what its taps reach: (row, column)
               one map to add (residual)      max(y, 0), if so  offsets to the pixel at hand
    relu       features of a map              features of a map nothing: max(x, 0)
    add        taps of maps                   features of a map their sum
    lstm       four gates, the cell before    cell and hidden   the cell map, at its tap
    gate       pairs of features of a map     features of a map nothing: tanh(x) sigmoid(y)
    embed      a number of a map, a table     features of a map nothing: the row of the table
    attend     a query, keys and values       features of a map the rows of keys and values

An integer program (made of a trained one by `operations/export.py`) has the same operations, with
integers for weights and a shift behind each sum, and `requantise` in place of `relu`; see `operations/`.

Operations of `row_start` run before the first pixel of a row, one after the other, each over the whole row:
what they read of this row, `row_start` wrote. Those of `row_end` run over the finished row, from right to
left. Those of `given` run once an image, before its first pixel, one after the other over all of a map
that the image is given by (`GivenMaps`); their results are kept whole, and may be read at any offset.
Those of `pixel_end` run at each pixel once all its colours are known: later pixels read their results.

The likelihood is no operation: it takes the parameters of the section that has just run, and there, in the
machine, is the one place where the value of a sub-pixel comes from.

Only numpy is needed here: a program can be stored and run without torch.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Literal, get_args

import numpy as np

from pixelrnn.arrays import Floats
from pixelrnn.graph.curves import Curves
from pixelrnn.graph.given import GIVEN_NOTHING, GivenMaps
from pixelrnn.graph.levels import num_parts
from pixelrnn.graph.operation import Features, Numbers, Operation, Tap

AroundPixels = Literal["row_end", "row_start", "given", "pixel_end"]
Section = (
    int | AroundPixels
)  # the number of a colour group, or what runs behind all of them, once a row, or once an image
AROUND_PIXELS = get_args(AroundPixels)
NOWHERE = Features(0, 0, 0)
ONE_OF_SYMBOLS = 15  # of features that are looked up, and calibrated


@dataclass
class FeatureMap:
    """A map of `features` values a pixel; outside the image each has its value in `fill`."""

    features: int
    fill: Numbers
    wide: bool = False  # of an integer program: 32 bits, not 16


@dataclass(frozen=True)
class LikelihoodParameters:
    """How the likelihood reads the parameters of each section, one `Features` a colour group.

    Attributes:
        kind: which likelihood.
        parameters: where those of each group are.
        components: logistics in the mixture.
        guidance: w of `guidance.py`, of a guided program: each group has the parameters of two
            distributions, those that a label is given and then those that none is.
    """

    kind: str
    parameters: tuple[Features, ...]
    components: int = 0
    guidance: float | None = None

    @property
    def distributions(self) -> int:
        """How many distributions each group has the parameters of."""
        return 1 if self.guidance is None else 2


@dataclass
class Program:
    """A model as operations on one pixel; built by `lower`, run by `machine`.

    Attributes:
        channels: colours of a pixel.
        num_levels: levels of a sub-pixel.
        groups: sections of a pixel: one a colour, or 1.
        image: where the machine writes the scaled value of each colour once it is known, or its symbol.
        border: a feature that is 1 on pixels and 0 outside, if the model asks for one.
        given: what an image is given by.
        likelihood: how parameters become probabilities.
        sections: operations of each colour group, then those of `AROUND_PIXELS`.
        curves: the tables of an integer program; None of a program of floats.
        symbols: whether levels have no order: their numbers are looked up in tables, not multiplied.
    """

    channels: int
    num_levels: int
    groups: int
    maps: list[FeatureMap] = field(default_factory=list)
    sections: list[list[Operation]] = field(default_factory=list)
    image: Features = NOWHERE
    border: Features | None = None
    given: GivenMaps = GIVEN_NOTHING
    likelihood: LikelihoodParameters | None = None
    curves: Curves | None = None
    symbols: bool = False
    _section: int = 0

    def __post_init__(self) -> None:
        self.sections = [[] for _ in self.section_names]

    @property
    def section_names(self) -> list[Section]:
        """What the sections are called, in their order."""
        return [*range(self.groups), *AROUND_PIXELS]

    @property
    def parts(self) -> int:
        """How many features of `image` each colour has; see `graph/levels.py`."""
        return 1 if self.curves is None or self.symbols else num_parts(self.num_levels)

    @property
    def one(self) -> int:
        """What stands for the border's 1 in an integer program."""
        return ONE_OF_SYMBOLS if self.symbols else self.num_levels - 1

    def section_after(self, group: int) -> Section:
        """Return the section that runs once the levels of a colour group are known."""
        return group + 1 if group + 1 < self.groups else "pixel_end"

    def new_map(self, features: int, fill: Floats | None = None) -> Features:
        """Add a map and return all its features."""
        self.maps.append(FeatureMap(features, np.zeros(features) if fill is None else fill))
        return Features(len(self.maps) - 1, 0, features)

    @contextmanager
    def section(self, name: Section) -> Iterator[None]:
        """Write the operations inside the `with` into this section."""
        before, self._section = self._section, self.section_names.index(name)
        yield
        self._section = before

    def linear(
        self,
        out: Features,
        taps: Sequence[Tap],
        bias: Floats | None = None,
        residual: Features | None = None,
        largest: Floats | None = None,
    ) -> None:
        """Add `out = bias + residual + sum over taps of weights^T features`."""
        first = (Tap(residual),) if residual else ()
        taps = (*first, *self._joined(taps))
        self.append(Operation("linear", out, taps, bias, bool(residual), largest=largest))

    def relu(self, out: Features, source: Features, largest: Floats | None = None) -> None:
        """Add `out = max(source, 0)`."""
        self.append(Operation("relu", out, (Tap(source),), largest=largest))

    def add(self, out: Features, taps: Sequence[Tap]) -> None:
        """Add `out = sum over taps of features`."""
        self.append(Operation("add", out, tuple(taps)))

    def lstm(self, hidden: Features, cell: Features, gates: Features, cell_before: Tap) -> None:
        """Add an LSTM step; `gates` holds input, forget, output and candidate, one after the other."""
        self.append(Operation("lstm", hidden, (Tap(gates), cell_before), cell=cell))

    def gate(self, out: Features, source: Features) -> None:
        """Add `out = tanh(first half of source) * sigmoid(second half)`."""
        self.append(Operation("gate", out, (Tap(source),)))

    def embed(self, out: Features, number: Features, table: Floats) -> None:
        """Add `out = the row of the table that has this number`."""
        largest = np.abs(table).max(axis=0)
        self.append(Operation("embed", out, (Tap(number),), table=table, largest=largest))

    def append(self, operation: Operation) -> None:
        """Add an operation to the section at hand."""
        self.sections[self._section].append(operation)

    def _joined(self, taps: Sequence[Tap]) -> list[Tap]:
        """Join taps that lie side by side in memory: all features of neighbouring columns."""
        joined: list[Tap] = []
        for tap in taps:
            weights = _weights(tap)
            if joined and self._follows(joined[-1], tap):
                last = joined.pop()
                count = last.features.count + tap.features.count
                weights = np.concatenate([_weights(last), weights])
                tap = Tap(Features(tap.features.map, 0, count), tap.row, last.column, weights)  # noqa: PLW2901
            joined.append(tap)
        return joined

    def _follows(self, last: Tap, tap: Tap) -> bool:
        """Whether `tap` starts in memory where `last`, which may run over columns, ends."""
        columns, rest = divmod(last.features.count, self.maps[last.features.map].features)
        return (
            (last.features.map, last.row) == (tap.features.map, tap.row)
            and last.features.first == tap.features.first == rest == 0
            and tap.column == last.column + columns
        )

    def adapt(self, features: Features, factors: Floats, terms: Floats) -> None:
        """Multiply what is written to some features, and add to it; sums of taps write it.

        Args:
            features: which.
            factors: one for each of them.
            terms: likewise.
        """
        for section in self.sections:
            for n, operation in enumerate(section):
                first = operation.out.first - features.first
                if operation.out.map != features.map or not 0 <= first < features.count:
                    continue
                if operation.kind != "linear" or operation.residual or operation.relu:
                    raise ValueError("only the results of a product can be adapted")
                part = slice(first, first + operation.out.count)
                bias = np.zeros(operation.out.count) if operation.bias is None else operation.bias
                taps = tuple(
                    replace(t, weights=_weights(t) * factors[part]) for t in operation.taps
                )
                bias = bias * factors[part] + terms[part]
                section[n] = replace(operation, taps=taps, bias=bias)

    def section_of(self, name: Section) -> list[Operation]:
        """Return the operations of a section."""
        return self.sections[self.section_names.index(name)]

    @property
    def operations(self) -> list[Operation]:
        """All operations, in the order in which they are run."""
        names: list[Section] = ["given", "row_start", *range(self.groups), "pixel_end", "row_end"]
        return [operation for name in names for operation in self.section_of(name)]

    def largest(self) -> Floats:
        """Return the largest magnitudes of all results that have one, side by side."""
        found = [each.largest for each in self.operations if each.largest is not None]
        return np.concatenate([*found, np.zeros(0)])

    def set_largest(self, values: Floats) -> None:
        """Set what `largest` returns."""
        first = 0
        for operation in self.operations:
            if operation.largest is not None:
                operation.largest[:] = values[first : first + operation.out.count]
                first += operation.out.count

    @property
    def multiplications(self) -> int:
        """Weights that are multiplied for each pixel: half its floating-point operations."""
        return sum(
            tap.weights.size
            for operation in self.operations
            for tap in operation.taps
            if tap.weights is not None
        )


def _weights(tap: Tap) -> Numbers:
    if tap.weights is None:
        raise ValueError("a tap of a linear operation needs weights")
    return tap.weights
