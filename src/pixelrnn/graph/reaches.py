"""How far each map of a program is read: what a loop over pixels has to remember of it."""

from dataclasses import dataclass

from pixelrnn.graph.program import AROUND_PIXELS, Program


@dataclass(frozen=True)
class Reach:
    """How far from the pixel at hand a map is read.

    Attributes:
        rows: that are kept, the one at hand among them; of a whole map, those kept beside the image's.
        columns: kept beside the image, on each side.
        is_row: whether whole rows are kept, or the pixel at hand alone.
        is_whole: whether all rows of the image are, or all that are looked at.
        most: of a whole map, the most rows of the image that are kept.
    """

    rows: int
    columns: int
    is_row: bool
    is_whole: bool
    most: int | None = None

    def rows_kept(self, height: int) -> int:
        """Return how many rows are kept for an image of this height."""
        if not self.is_whole:
            return self.rows
        return self.rows + (height if self.most is None else min(height, self.most))


def reaches(program: Program) -> list[Reach]:
    """Return how far each map is read, in one walk through the program."""
    sizes = [feature_map.features for feature_map in program.maps]
    above, columns = [0] * len(sizes), [0] * len(sizes)
    walks = {name: set[int]() for name in ("pixels", *AROUND_PIXELS)}
    attended = dict[int, int]()
    walks["pixels"] |= _used_by_the_machine(program)
    for name, operations in zip(program.section_names, program.sections, strict=True):
        used = walks["pixels" if isinstance(name, int) or name == "pixel_end" else name]
        for operation in operations:
            used |= {operation.out.map, *(tap.features.map for tap in operation.taps)}
            used |= {operation.cell.map} if operation.cell else set()
            for tap in operation.attended:
                rows = 1 - tap.row
                attended[tap.features.map] = max(attended.get(tap.features.map, 0), rows)
            for tap in operation.at_offsets:
                number = tap.features.map
                last = tap.column + (tap.features.count - 1) // sizes[number]
                above[number] = max(above[number], abs(tap.row))
                columns[number] = max(columns[number], -tap.column, last)
    # A whole row is kept of what is used in more than one walk over it, and of what is made at its start.
    of_row = walks["row_start"] | (walks["row_end"] & walks["pixels"])
    of_image = walks["given"] | {features.map for features in program.given.maps}
    whole = of_image | attended.keys()
    return [
        Reach(
            above[n] if n in whole else 1 + above[n],
            columns[n],
            is_row=above[n] > 0 or columns[n] > 0 or n in of_row or n in whole,
            is_whole=n in whole,
            most=None if n in of_image else attended.get(n),
        )
        for n in range(len(sizes))
    ]


def _used_by_the_machine(program: Program) -> set[int]:
    parameters = program.likelihood.parameters if program.likelihood else ()
    border = (program.border,) if program.border else ()
    return {features.map for features in (program.image, *border, *parameters)}
