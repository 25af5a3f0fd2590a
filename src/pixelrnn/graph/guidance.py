"""Guidance by a label: a program of what a label makes likelier, and of no label makes less likely.

    log q(x) = (1 + w) log p(x | label) - w log p(x) + constant

for each sub-pixel, given all before it; the constant makes q sum to 1. (Ho and Salimans 2022, arXiv
2207.12598, do this to scores; here it is exact, for a sub-pixel has but so many levels.) The program is
there twice, once with the label and once as if there were none; its likelihood is given the parameters of
both, and weighs the levels by the two (`stepper/guided.py`).
"""

from dataclasses import replace

import numpy as np

from pixelrnn.graph.operation import Features, Operation, Tap
from pixelrnn.graph.program import Program


def guide(program: Program, strength: float) -> None:
    """Put guidance into a program of floats.

    Args:
        program: of images that may be given a label.
        strength: w; at 0 the program draws from p(x | label), at -1 from p(x).

    Raises:
        ValueError: if there is no label, or no likelihood.
    """
    likelihood = program.likelihood
    if program.given.label is None or likelihood is None:
        raise ValueError("only a program of images of classes can be guided by these")
    given = program.section_names.index("given")
    copies = _Copies(program, {operation.out.map for operation in program.sections[given]})
    for number, section in enumerate(program.sections):
        section += [copies.of(operation) for operation in section if number != given]
    parameters = []
    for group, features in enumerate(likelihood.parameters):
        both = program.new_map(2 * features.count)
        parameters.append(both)
        with program.section(group):
            program.add(both.part(0, features.count), [Tap(features)])
            program.add(both.part(features.count, features.count), [Tap(copies.moved(features))])
    program.likelihood = replace(likelihood, parameters=tuple(parameters), guidance=strength)


class _Copies:
    """Operations once more, in maps of their own, as if there were no label.

    Args:
        program: to which maps are added.
        shared: maps that are the same for both, besides those that the machine writes.
    """

    def __init__(self, program: Program, shared: set[int]) -> None:
        given = (
            program.image,
            *program.given.features,
            *([program.border] if program.border else []),
        )
        self._shared = shared | {features.map for features in given}
        self._program, self._numbers = program, dict[int, int]()

    def moved(self, features: Features) -> Features:
        """Return the same features of the copy of their map."""
        number = features.map
        if number in self._shared:
            return features
        if number not in self._numbers:
            source = self._program.maps[number]
            self._numbers[number] = self._program.new_map(source.features, source.fill.copy()).map
        return replace(features, map=self._numbers[number])

    def of(self, operation: Operation) -> Operation:
        """Return the copy of an operation; one that looks a class up finds what stands for none."""
        table = operation.table
        if table is not None and operation.taps[0].features == self._program.given.label:
            table = np.repeat(table[-1:], len(table), axis=0)
        return replace(
            operation,
            out=self.moved(operation.out),
            taps=tuple(replace(tap, features=self.moved(tap.features)) for tap in operation.taps),
            cell=self.moved(operation.cell) if operation.cell else None,
            table=table,
        )
