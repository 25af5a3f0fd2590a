"""No operation reads what comes later in the order, whatever is there."""

from pixelrnn.graph.program import Features, Program, Section


def check_order(program: Program) -> None:
    """Refuse taps that point to what comes later, whatever is there."""
    ahead = _made_at_row_start(program)
    for name, operations in zip(program.section_names, program.sections, strict=True):
        for operation in operations:
            for tap in operation.taps:
                size = program.maps[tap.features.map].features
                last = tap.column + (tap.features.first + tap.features.count - 1) // size
                is_ahead = tap.features.map in ahead
                if tap.row > 0 or (tap.row == 0 and not _is_there(name, last, is_ahead)):
                    raise ValueError(
                        f"an operation reads row {tap.row}, column {last} of map "
                        f"{tap.features.map}: what comes later in the order"
                    )


def _is_there(section: Section, column: int, is_ahead: bool) -> bool:
    """Return whether a section may read so far to the right in the row at hand."""
    if section == "row_start":
        return is_ahead
    return column <= 0 or is_ahead or section == "row_end"


def _made_at_row_start(program: Program) -> set[int]:
    """Return the maps that `row_start` alone writes: they are there for the whole row."""
    likelihood, written = program.likelihood, set[int]()
    by_machine: list[Features | None] = [program.image, program.border]
    by_machine += likelihood.parameters if likelihood else ()
    written = {features.map for features in by_machine if features}
    for section in program.sections[: program.groups + 1]:
        for operation in section:
            written |= {operation.out.map, (operation.cell or operation.out).map}
    return {operation.out.map for operation in program.section_of("row_start")} - written
