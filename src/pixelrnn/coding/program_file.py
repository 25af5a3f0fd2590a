"""Integer programs as files: safetensors, with the program's structure in the metadata.

A file is trusted as little as any: what it says is checked before it is run (`checks.py`), sums are proved
anew, and its *hash* is computed from what was read, never believed. The hash is the SHA-256 of the
structure and of every tensor; it is what compressed files name, and neither the name of the model
nor the order of tensors in the file is in it.
"""

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save as to_bytes

from pixelrnn.coding.bounds import largest_magnitudes
from pixelrnn.coding.checks import check_program
from pixelrnn.coding.container import MAX_NAME_BYTES
from pixelrnn.errors import ModelFileError
from pixelrnn.files import replacing
from pixelrnn.shipped import PROGRAM, file_of
from pixelrnn.stepper.integer_tables import CURVES, Curves
from pixelrnn.stepper.program import (
    ADD,
    LINEAR,
    LSTM,
    REQUANTISE,
    FeatureMap,
    Features,
    LikelihoodParameters,
    Operation,
    Program,
    Rescale,
    Tap,
)

FORMAT = "pixelrnn-integer-program"
FORMAT_VERSION = 1
MAX_BYTES = 1 << 26
CODES = {"linear": LINEAR, "add": ADD, "lstm": LSTM, "requantise": REQUANTISE}
CODE_NAMES = {code: name for name, code in CODES.items()}

Arrays = dict[str, npt.NDArray[Any]]


@dataclass(frozen=True)
class CodingModel:
    """An integer program with the name that it goes by.

    Attributes:
        name: 1 to 64 characters.
        program: the program.
        hash: SHA-256 of the program, 32 bytes.
    """

    name: str
    program: Program
    hash: bytes


def name_model(name: str, program: Program) -> CodingModel:
    """Return a program with its name and its hash.

    Raises:
        ModelFileError: if the name is empty, too long or not printable.
    """
    check_name(name)
    return CodingModel(name, program, _hash(*_taken_apart(program)))


def check_name(name: str) -> str:
    """Return a name if a model can be called so; raises as `name_model` does."""
    if not (name.isprintable() and 1 <= len(name.encode()) <= MAX_NAME_BYTES):
        raise ModelFileError(
            f"a model's name has 1 to {MAX_NAME_BYTES} bytes of printable characters, not {name!r}"
        )
    return name


def save_program(model: CodingModel, path: Path) -> None:
    """Write an integer program.

    Raises:
        OutputError: if the file cannot be written.
    """
    structure, arrays = _taken_apart(model.program)
    metadata = {
        "format": FORMAT,
        "format_version": str(FORMAT_VERSION),
        "name": model.name,
        "structure": _canonical(structure),
    }
    with replacing(path) as beside:
        beside.write_bytes(to_bytes(arrays, metadata))


def load_program(name_or_path: str | Path) -> CodingModel:
    """Read an integer program, checked.

    Args:
        name_or_path: of a model that comes with the package, or of a file from `pixelrnn models export`.

    Raises:
        ModelFileError: if there is none, or it is not ours, damaged, of a later version, or could do
            anything but code images.
    """
    file = file_of(name_or_path, PROGRAM)
    if file.is_dir():
        raise ModelFileError(
            f"{file} is a folder; integers are made of a run by `pixelrnn models export {file} -o "
            "model.safetensors`: give that file"
        )
    try:
        if file.stat().st_size > MAX_BYTES:
            raise ModelFileError(f"{file} is larger than any integer program: {MAX_BYTES:,} bytes")
        with safe_open(file, framework="np") as opened:
            metadata = opened.metadata() or {}
            _check_format(file, metadata)
            arrays = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
    except (SafetensorError, OSError, TypeError, AttributeError) as error:
        raise ModelFileError(
            f"{file} is not a safetensors file, or it is damaged ({error}); get it again"
        ) from error
    try:
        structure = json.loads(metadata["structure"])
        program = _put_together(structure, arrays)
        check_program(program)
        largest_magnitudes(program)
        model = name_model(metadata["name"], program)
    except (
        KeyError,
        ValueError,
        TypeError,
        IndexError,
        AttributeError,
        RecursionError,
        OverflowError,
    ) as error:
        raise ModelFileError(f"{file} holds no sound program ({error}); get it again") from error
    return model


def _check_format(file: Path, metadata: dict[str, str]) -> None:
    if metadata.get("format") == "pixelrnn-model":
        raise ModelFileError(
            f"{file} holds floats, and other machines would round them differently: "
            "make integers of a run first, by `pixelrnn models export RUN -o model.safetensors`"
        )
    if metadata.get("format") != FORMAT:
        raise ModelFileError(f"{file} is a safetensors file, but not of an integer program")
    version = metadata.get("format_version", "")
    if version != str(FORMAT_VERSION):
        raise ModelFileError(
            f"{file} has format version {version or '(none)'}, and this pixelrnn reads "
            f"{FORMAT_VERSION}: install a later pixelrnn"
        )


def _canonical(structure: dict[str, Any]) -> str:
    return json.dumps(structure, sort_keys=True, separators=(",", ":"))


def _hash(structure: dict[str, Any], arrays: Arrays) -> bytes:
    digest = hashlib.sha256(f"{FORMAT} {FORMAT_VERSION}\n{_canonical(structure)}\n".encode())
    for name in sorted(arrays):
        array = arrays[name]
        digest.update(f"{name} {array.dtype.name} {array.shape}\n".encode())
        digest.update(np.ascontiguousarray(array.astype(array.dtype.newbyteorder("<"))).tobytes())
    return digest.digest()


def _taken_apart(program: Program) -> tuple[dict[str, Any], Arrays]:
    """Return the structure of a program, for JSON, and its arrays by name."""
    likelihood = program.likelihood
    if likelihood is None or program.curves is None:
        raise ValueError("only a finished integer program can be stored")
    arrays: Arrays = {f"curve.{name}": getattr(program.curves, name) for name in CURVES}
    for number, feature_map in enumerate(program.maps):
        arrays[f"map.{number}.fill"] = feature_map.fill
    sections, number = [], 0
    for section in program.sections:
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
    return structure, {name: np.ascontiguousarray(array) for name, array in arrays.items()}


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
    return {
        "code": CODE_NAMES[operation.code],
        "out": _triple(operation.out),
        "taps": [[*_triple(tap.features), tap.row, tap.column] for tap in operation.taps],
        "residual": operation.residual,
        "cell": _triple(operation.cell) if operation.cell else None,
        "bounds": [rescale.low, rescale.high] if rescale else None,
    }


def _put_together(structure: dict[str, Any], arrays: Arrays) -> Program:
    """Return the program of a structure; `_taken_apart` the other way round."""
    groups = structure["groups"]
    if not (type(groups) is int and 1 <= groups <= 3):
        raise ValueError(f"{groups} colour groups")
    arrays = dict(arrays)
    program = Program(structure["channels"], structure["num_levels"], groups)
    program.curves = Curves(*(arrays.pop(f"curve.{name}") for name in CURVES))
    for number, wide in enumerate(structure["wide"]):
        fill = arrays.pop(f"map.{number}.fill")
        program.maps.append(FeatureMap(fill.size, fill, bool(wide)))
    program.image = Features(*structure["image"])
    program.border = Features(*structure["border"]) if structure["border"] else None
    parameters = tuple(Features(*each) for each in structure["parameters"])
    program.likelihood = LikelihoodParameters(
        structure["likelihood"], parameters, structure["components"]
    )
    if len(structure["sections"]) != groups + 1:
        raise ValueError("sections do not fit the colour groups")
    number = 0
    for section, lines in zip(program.sections, structure["sections"], strict=True):
        for line in lines:
            section.append(_operation(line, f"operation.{number}", arrays))
            number += 1
    if arrays:
        raise ValueError(f"there is no use for {min(arrays)}")
    return program


def _operation(line: dict[str, Any], name: str, arrays: Arrays) -> Operation:
    taps = tuple(
        Tap(Features(*features), row, column, arrays.pop(f"{name}.tap.{number}", None))
        for number, (*features, row, column) in enumerate(line["taps"])
    )
    shifts = arrays.pop(f"{name}.shifts", None)
    return Operation(
        CODES[line["code"]],
        Features(*line["out"]),
        taps,
        arrays.pop(f"{name}.bias", None),
        bool(line["residual"]),
        cell=Features(*line["cell"]) if line["cell"] else None,
        rescale=None if shifts is None else Rescale(shifts, *line["bounds"]),
    )
