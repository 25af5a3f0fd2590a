"""No operation reads what comes later in the order, whatever is there."""

from pixelrnn.graph.program import Program


def check_order(program: Program) -> None:
    """Refuse taps that point to what comes later, whatever is there."""
    for section, operations in enumerate(program.sections):
        at_row_end = section == program.groups
        for operation in operations:
            for tap in operation.taps:
                size = program.maps[tap.features.map].features
                last = tap.column + (tap.features.first + tap.features.count - 1) // size
                later = tap.row > 0 or (tap.row == 0 and last > 0 and not at_row_end)
                if later:
                    raise ValueError(
                        f"an operation reads row {tap.row}, column {last} of map "
                        f"{tap.features.map}: what comes later in the order"
                    )
