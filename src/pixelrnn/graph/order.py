"""No operation reads what comes later in the order, whatever is there."""

from pixelrnn.graph.program import Program, Section


def check_order(program: Program) -> None:
    """Refuse taps that point to what comes later, whatever is there."""
    of_image, of_row = _made_by(program, "given"), _made_by(program, "row_start")
    of_image |= {features.map for features in program.given.features}
    for name, operations in zip(program.section_names, program.sections, strict=True):
        for operation in operations:
            for tap in operation.taps:
                read = tap.features.map
                last = tap.column + (tap.features.first + tap.features.count - 1) // (
                    program.maps[read].features
                )
                if read in of_image or (read in of_row and tap.row == 0 and name != "given"):
                    continue
                if not _is_there(name, tap.row, last):
                    raise ValueError(
                        f"an operation reads row {tap.row}, column {last} of map {read}: what comes "
                        "later in the order"
                    )


def _is_there(section: Section, row: int, column: int) -> bool:
    """Return whether a section may read, at this offset, what is made pixel by pixel."""
    match section:
        case "given":
            return False
        case "row_start":
            return row < 0
        case "row_end":
            return row <= 0
        case _:
            return row < 0 or (row == 0 and column <= 0)


def _made_by(program: Program, section: Section) -> set[int]:
    """Return the maps that one section alone writes: for those after it they are there."""
    likelihood = program.likelihood
    by_machine = [program.image, *(likelihood.parameters if likelihood else ())]
    by_machine += [program.border] if program.border else []
    written = {features.map for features in by_machine}
    for name, operations in zip(program.section_names, program.sections, strict=True):
        for operation in operations if name != section else ():
            written |= {operation.out.map, (operation.cell or operation.out).map}
    return {operation.out.map for operation in program.section_of(section)} - written
