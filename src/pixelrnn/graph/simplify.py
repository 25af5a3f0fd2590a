"""Operations that are one.

A sum that is only read rectified is rectified where it is made; one that is only added to another is part
of the other; one that is only copied is made where the copy is. So a layer is one operation at a pixel,
however `forward` puts it.
"""

from collections import defaultdict
from dataclasses import replace

from pixelrnn.graph.operation import Features, Operation, Tap
from pixelrnn.graph.program import Program


def simplify(program: Program) -> None:
    """Join the operations of a program that are one, and drop those that nothing reads, and idle maps."""
    for section in program.sections:
        for operation in tuple(section):
            _absorb(program, section, operation)
    _drop_unread(program)
    _drop_unused(program)


def _absorb(program: Program, section: list[Operation], operation: Operation) -> None:
    """Put the sum that an operation alone reads into the operation itself."""
    rectifies = operation.kind == "relu"
    copies = operation.kind == "add" and len(operation.taps) == 1
    if not (rectifies or copies or operation.residual):
        return
    at = section.index(operation)
    source, *rest = operation.taps
    made = [each for each in section[:at] if each.out == source.features and each.kind == "linear"]
    if len(made) != 1 or made[0].relu or _readers(program, source.features) != 1:
        return
    (total,) = made
    if rectifies and total.residual:
        return  # what is added to is summed up, and made small when it is read
    if rectifies or copies:
        largest = operation.largest if rectifies else total.largest
        section[section.index(total)] = replace(
            total, out=operation.out, relu=rectifies, largest=largest
        )
        del section[at]
        return
    if _reads_pixels(program, total) != _reads_pixels(program, operation):
        return  # the steps of few levels are coarse, and one shift for both would be, too
    biases = [each.bias for each in (total, operation) if each.bias is not None]
    section[at] = replace(
        operation,
        taps=(*total.taps, *rest),
        residual=total.residual,
        bias=sum(biases[1:], biases[0]) if biases else None,
    )
    section.remove(total)


def _reads_pixels(program: Program, operation: Operation) -> bool:
    return any(tap.features.map == program.image.map for tap in operation.taps)


def _readers(program: Program, features: Features) -> int:
    """Return how many taps, and parameters of the likelihood, read any of some features."""
    parameters = program.likelihood.parameters if program.likelihood else ()
    read = [tap.features for operation in program.operations for tap in operation.taps]
    return sum(_overlap(features, each) for each in (*read, *parameters))


def _overlap(some: Features, others: Features) -> bool:
    return (
        some.map == others.map
        and some.first < others.first + others.count
        and others.first < some.first + some.count
    )


def _drop_unread(program: Program) -> None:
    """Drop operations whose results nothing reads, such as those of a stack that ends with another."""
    for section in program.sections:
        for operation in reversed(tuple(section)):
            results = {operation.out, operation.cell or operation.out}
            if not any(_readers(program, features) for features in results):
                section.remove(operation)


def _drop_unused(program: Program) -> None:
    """Number maps anew, without those that nothing reads or writes."""
    numbers: dict[int, int] = defaultdict(lambda: len(numbers))
    used = {program.image.map, *(features.map for features in program.given.features)}
    for operation in program.operations:
        used |= {operation.out.map, *(tap.features.map for tap in operation.taps)}
        used |= {operation.cell.map} if operation.cell else set()
    for number in sorted(used):
        numbers[number]
    program.maps = [each for number, each in enumerate(program.maps) if number in used]

    def moved(features: Features) -> Features:
        return replace(features, map=numbers[features.map])

    def moved_tap(tap: Tap) -> Tap:
        return replace(tap, features=moved(tap.features))

    for section in program.sections:
        section[:] = [
            replace(
                each,
                out=moved(each.out),
                taps=tuple(moved_tap(tap) for tap in each.taps),
                cell=moved(each.cell) if each.cell else None,
            )
            for each in section
        ]
    program.image = moved(program.image)
    program.border = moved(program.border) if program.border else None
    program.given = program.given.moved(moved)
    if program.likelihood:
        program.likelihood = replace(
            program.likelihood, parameters=tuple(map(moved, program.likelihood.parameters))
        )
