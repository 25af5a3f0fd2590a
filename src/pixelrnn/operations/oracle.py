"""The oracle: a program stepped through in plain numpy, one pixel and one operation at a time.

Nothing here is fast. It says what a program means, of floats or of integers: the network on whole images
has to equal the one to 1e-10, the compiled loop the other bit for bit. It fails where a program reads what
it has not written yet.
"""

import numpy as np

from pixelrnn.arrays import Images
from pixelrnn.graph.given import NOTHING_GIVEN, GivenLevels
from pixelrnn.graph.levels import parts_of
from pixelrnn.graph.operation import Features, Numbers, Operation, Tap
from pixelrnn.graph.order import check_order
from pixelrnn.graph.program import Program
from pixelrnn.operations.base import OPERATIONS

UNWRITTEN = np.iinfo(np.int64).min  # in a map of integers; in one of floats it is NaN


class UnwrittenError(ValueError):
    """A program reads a place that was never written: a fault in how a layer was traced."""


def parameters_of(program: Program, image: Images, given: GivenLevels = NOTHING_GIVEN) -> Numbers:
    """Return the parameters of the likelihood at every position of an image.

    Args:
        program: of floats, or of integers.
        image: levels `(C, H, W)`.
        given: what it is given by.

    Returns:
        `(groups, maps, H, W)`, float64 or int64.

    Raises:
        UnwrittenError: if the program reads what it never wrote.
        ValueError: if it reads what comes later.
    """
    if program.likelihood is None:
        raise ValueError("a program without a likelihood has no parameters")
    check_order(program)
    return _Oracle(program, *image.shape[1:]).run(image, given)


class _Oracle:
    """A program, and the maps of one image, `(H, W, features)` each."""

    def __init__(self, program: Program, height: int, width: int) -> None:
        self.program, self.height, self.width = program, height, width
        self.highest = program.num_levels - 1
        self.is_real = is_real = program.curves is None
        unwritten: float = np.nan if is_real else UNWRITTEN
        self.maps: list[Numbers] = [
            np.full((height, width, each.features), unwritten) for each in program.maps
        ]

    def run(self, image: Images, given: GivenLevels) -> Numbers:
        """Step through the image; return the parameters."""
        program, values = self.program, self._scaled(image.transpose(1, 2, 0))
        parameters = program.likelihood.parameters if program.likelihood else ()
        shape = (program.groups, parameters[0].count, self.height, self.width)
        found = np.empty(shape, self.maps[0].dtype)
        self._write_given(given)
        for operation in program.section_of("given"):
            for row, column in np.ndindex(self.height, self.width):
                self._step([operation], row, column)
        for row in range(self.height):
            for operation in program.section_of("row_start"):
                for column in range(self.width):
                    self._step([operation], row, column)
            for column in range(self.width):
                if program.border:
                    one = np.array([1 if self.is_real else program.one])
                    self._of(program.border)[row, column] = self._parts(one)
                for group, features in enumerate(parameters):
                    self._step(program.section_of(group), row, column)
                    found[group, :, row, column] = self._of(features)[row, column]
                    count = program.image.count // program.groups
                    colours = slice(group * count, (group + 1) * count)
                    self._of(program.image)[row, column, colours] = values[row, column, colours]
                self._step(program.section_of("pixel_end"), row, column)
            for column in reversed(range(self.width)):
                self._step(program.section_of("row_end"), row, column)
        return found

    def _scaled(self, levels: Images) -> Numbers:
        """Map levels `(H, W, C)` evenly onto [-1, 1], or onto whole numbers a level of which is 2."""
        if self.program.symbols:
            return levels.astype(self.maps[0].dtype)
        numbers = 2 * levels.astype(np.int64) - self.highest
        return np.asarray(numbers / self.highest) if self.is_real else self._parts(numbers)

    def _parts(self, numbers: Numbers) -> Numbers:
        """Return whole numbers `(..., F)` as they lie in narrow maps."""
        split = self.program.parts > 1  # in integers alone
        return parts_of(numbers, self.program.num_levels) if split else numbers

    def _write_given(self, given: GivenLevels) -> None:
        about = self.program.given
        if about.label:
            none = about.num_labels - 1
            self._of(about.label)[:] = none if given.label is None else given.label
        if about.image and about.known:
            known = np.full((self.height, self.width), given.image is not None)
            known = known if given.known is None else given.known
            one = 1 if self.is_real else self.highest
            self._of(about.known)[:] = self._parts(one * known[..., None].astype(np.int64))
            self._of(about.image)[:] = 0
            if given.image is not None:
                self._of(about.image)[:] = self._scaled(given.image) * known[..., None]

    def _of(self, features: Features) -> Numbers:
        """Return some features at all pixels."""
        return self.maps[features.map][..., features.first : features.first + features.count]

    def _step(self, section: list[Operation], row: int, column: int) -> None:
        """Run the operations of a section at one pixel."""

        def read(tap: Tap) -> Numbers:
            if tap in operation.attended:
                found = self._read_before(tap, row, column)
            else:
                pieces = tap.pieces(self.program.maps[tap.features.map].features)
                found = np.concatenate([self._read(row + r, column + c, f) for r, c, f in pieces])
            if (np.isnan(found) | (found == UNWRITTEN)).any():
                raise UnwrittenError("the program reads a place that it has not written")
            return found

        for operation in section:
            result, *cell = OPERATIONS[operation.kind].oracle(operation, read, self.program.curves)
            self._of(operation.out)[row, column] = result
            for values in cell:
                if operation.cell:
                    self._of(operation.cell)[row, column] = values

    def _read_before(self, tap: Tap, row: int, column: int) -> Numbers:
        """Return some features of all pixels before one, from a row above it on, `(pixels, features)`."""
        first, last = max(0, row + tap.row) * self.width, row * self.width + column
        features = self._of(tap.features)
        return np.asarray(features.reshape(-1, tap.features.count)[first:last])

    def _read(self, row: int, column: int, features: Features) -> Numbers:
        if 0 <= row < self.height and 0 <= column < self.width:
            return np.asarray(self._of(features)[row, column])
        outside = self.program.maps[features.map].fill
        values = outside[features.first : features.first + features.count]
        return np.asarray(values.astype(self.maps[0].dtype))
