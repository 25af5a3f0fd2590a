"""The structure of an integer program for JSON, its arrays beside it by name, and back."""

from dataclasses import asdict
from typing import Any

import numpy as np
import numpy.typing as npt

from pixelrnn.arrays import MAX_CHANNELS
from pixelrnn.graph.curves import CURVES, Curves
from pixelrnn.graph.given import GivenMaps
from pixelrnn.graph.operation import Features, Operation, Rescale, Tap
from pixelrnn.graph.program import FeatureMap, LikelihoodParameters, Program
from pixelrnn.operations import OPERATIONS

Arrays = dict[str, npt.NDArray[Any]]


def take_apart(program: Program) -> tuple[dict[str, Any], Arrays]:
    """Return the structure of a program, for JSON, and its arrays by name."""
    likelihood = program.likelihood
    if likelihood is None or program.curves is None or likelihood.guidance is not None:
        raise ValueError("only a finished integer program that nothing guides can be stored")
    arrays: Arrays = {f"curve.{name}": getattr(program.curves, name) for name in CURVES}
    for number, feature_map in enumerate(program.maps):
        arrays[f"map.{number}.fill"] = feature_map.fill
    sections, number = [], 0
    for section in _used_sections(program):
        lines = []
        for operation in section:
            lines.append(_line(operation, f"operation.{number}", arrays))
            number += 1
        sections.append(lines)
    structure = {
        "channels": program.channels,
        "num_levels": program.num_levels,
        "groups": program.groups,
        "wide": [feature_map.wide for feature_map in program.maps],
        "image": _triple(program.image),
        "border": _triple(program.border) if program.border else None,
        "likelihood": likelihood.kind,
        "components": likelihood.components,
        "parameters": [_triple(each) for each in likelihood.parameters],
        "sections": sections,
    }
    if program.symbols:  # which came later to the format
        structure["symbols"] = True
    given = program.given
    if given.features:  # which came later to the format
        parts = [
            _triple(part) if part else None for part in (given.label, given.image, given.known)
        ]
        structure["given"] = [given.num_labels, *parts]
        if given.is_part:  # which came later still
            structure["given_is_part"] = True
    return structure, {name: np.ascontiguousarray(array) for name, array in arrays.items()}


def _used_sections(program: Program) -> list[list[Operation]]:
    """Return the sections but for the last ones that are empty, which came later to the format."""
    used = len(program.sections)
    while used > program.groups + 1 and not program.sections[used - 1]:
        used -= 1
    return program.sections[:used]


def _triple(features: Features) -> list[int]:
    return list(asdict(features).values())


def _line(operation: Operation, name: str, arrays: Arrays) -> dict[str, Any]:
    """Return an operation for JSON, and put its arrays to the others."""
    rescale = operation.rescale
    for number, tap in enumerate(operation.taps):
        if tap.weights is not None:
            arrays[f"{name}.tap.{number}"] = tap.weights
    if operation.bias is not None:
        arrays[f"{name}.bias"] = operation.bias
    if rescale is not None:
        arrays[f"{name}.shifts"] = rescale.shifts
    if operation.table is not None:
        arrays[f"{name}.table"] = operation.table
    return {
        "code": operation.kind,
        "out": _triple(operation.out),
        "taps": [[*_triple(tap.features), tap.row, tap.column] for tap in operation.taps],
        "residual": operation.residual,
        "cell": _triple(operation.cell) if operation.cell else None,
        "bounds": [rescale.low, rescale.high] if rescale else None,
    }


def put_together(structure: dict[str, Any], arrays: Arrays) -> Program:
    """Return the program of a structure; `take_apart` the other way round.

    What it says besides is not looked at: take the program apart again, and compare.
    """
    groups = structure["groups"]
    if not (type(groups) is int and 1 <= groups <= MAX_CHANNELS):
        raise ValueError(f"{groups} colour groups")
    arrays = dict(arrays)
    program = Program(structure["channels"], structure["num_levels"], groups)
    program.symbols = bool(structure.get("symbols"))
    program.curves = Curves(*(arrays.pop(f"curve.{name}") for name in CURVES))
    for number, wide in enumerate(structure["wide"]):
        fill = arrays.pop(f"map.{number}.fill")
        program.maps.append(FeatureMap(fill.size, fill, bool(wide)))
    program.image = Features(*structure["image"])
    program.border = Features(*structure["border"]) if structure["border"] else None
    if "given" in structure:
        num_labels, *parts = structure["given"]
        label, image, known = (Features(*part) if part else None for part in parts)
        is_part = structure.get("given_is_part") is True
        program.given = GivenMaps(label, num_labels, image, known, is_part)
    parameters = tuple(Features(*each) for each in structure["parameters"])
    program.likelihood = LikelihoodParameters(
        structure["likelihood"], parameters, structure["components"]
    )
    number = 0
    for section, lines in zip(program.sections, structure["sections"], strict=False):
        for line in lines:
            section.append(_operation(line, f"operation.{number}", arrays))
            number += 1
    if arrays:
        raise ValueError(f"there is no use for {min(arrays)}")
    return program


def _operation(line: dict[str, Any], name: str, arrays: Arrays) -> Operation:
    if line["code"] not in OPERATIONS:
        raise ValueError(f"an operation called {line['code']!r}")
    taps = tuple(
        Tap(Features(*features), row, column, arrays.pop(f"{name}.tap.{number}", None))
        for number, (*features, row, column) in enumerate(line["taps"])
    )
    shifts = arrays.pop(f"{name}.shifts", None)
    if (shifts is None) != (line["bounds"] is None):
        raise ValueError("shifts without bounds, or bounds without shifts")
    return Operation(
        line["code"],
        Features(*line["out"]),
        taps,
        arrays.pop(f"{name}.bias", None),
        bool(line["residual"]),
        cell=Features(*line["cell"]) if line["cell"] else None,
        rescale=None if shifts is None else Rescale(shifts, *line["bounds"]),
        table=arrays.pop(f"{name}.table", None),
    )
