"""How far each map of a program is read: what a loop over pixels has to remember of it."""

from dataclasses import dataclass

from pixelrnn.graph.program import Program


@dataclass(frozen=True)
class Reach:
    """How far from the pixel at hand a map is read: rows kept, columns beside the image."""

    rows: int
    columns: int
    is_row: bool


def reaches(program: Program) -> list[Reach]:
    """Return how far each map is read, in one walk through the program."""
    sizes = [feature_map.features for feature_map in program.maps]
    rows, columns = [1] * len(sizes), [0] * len(sizes)
    # A whole row is kept of what is used in more than one walk over it, and of what is made at its start.
    at_pixels, at_row_end, at_row_start = _used_by_the_machine(program), set[int](), set[int]()
    walks = {"row_end": at_row_end, "row_start": at_row_start}
    for name, operations in zip(program.section_names, program.sections, strict=True):
        used = walks.get(str(name), at_pixels)
        for operation in operations:
            used |= {operation.out.map, *(tap.features.map for tap in operation.taps)}
            used |= {operation.cell.map} if operation.cell else set()
            for tap in operation.taps:
                number = tap.features.map
                last = tap.column + (tap.features.count - 1) // sizes[number]
                rows[number] = max(rows[number], 1 - tap.row)
                columns[number] = max(columns[number], -tap.column, last)
    of_row = at_row_start | (at_row_end & at_pixels)
    return [
        Reach(rows[n], columns[n], rows[n] > 1 or columns[n] > 0 or n in of_row)
        for n in range(len(sizes))
    ]


def _used_by_the_machine(program: Program) -> set[int]:
    parameters = program.likelihood.parameters if program.likelihood else ()
    border = (program.border,) if program.border else ()
    return {features.map for features in (program.image, *border, *parameters)}
