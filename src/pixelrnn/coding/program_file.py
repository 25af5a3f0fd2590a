"""Integer programs as files: safetensors, with the program's structure in the metadata.

A file is trusted as little as any: what it says is checked before it is run (`checks.py`), sums are proved
anew, and its *hash* is computed from what was read, never believed. The hash is the SHA-256 of the
structure and of every tensor; it is what compressed files name, and neither the name of the model
nor the order of tensors in the file is in it.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save as to_bytes

from pixelrnn.coding.container import HASH_BYTES, MAX_NAME_BYTES, Header
from pixelrnn.coding.limits import MAX_PROGRAM_BYTES
from pixelrnn.coding.program_structure import Arrays, put_together, take_apart
from pixelrnn.errors import CompressedFileError, ModelFileError
from pixelrnn.files import replacing
from pixelrnn.graph.program import Program
from pixelrnn.operations.bounds import largest_magnitudes
from pixelrnn.operations.checks import check_program
from pixelrnn.shipped import PROGRAM, file_of, names
from pixelrnn.untrusted import check_safetensors, read_json

FORMAT = "pixelrnn-integer-program"
FORMAT_VERSION = 1
LABEL_NAMES = "label_names"  # in the metadata, of programs that have them
# What a structure raises that no program has.
UNSOUND = (LookupError, ValueError, TypeError, AttributeError, ArithmeticError)


@dataclass(frozen=True)
class CodingModel:
    """An integer program with the name that it goes by.

    Attributes:
        name: 1 to 64 characters.
        program: the program.
        hash: SHA-256 of the program, 32 bytes.
        label_names: what its classes are called, if they have names.
    """

    name: str
    program: Program
    hash: bytes
    label_names: tuple[str, ...] = ()


def name_model(name: str, program: Program, label_names: Sequence[str] = ()) -> CodingModel:
    """Return a program with its name and its hash, of which names are no part.

    Raises:
        ModelFileError: if the name is empty, too long or not printable.
    """
    check_name(name)
    return CodingModel(name, program, _hash(*take_apart(program)), tuple(label_names))


def check_name(name: str) -> str:
    """Return a name if a model can be called so; raises as `name_model` does."""
    if not (name.isprintable() and 1 <= len(name.encode()) <= MAX_NAME_BYTES):
        raise ModelFileError(
            f"a model's name has 1 to {MAX_NAME_BYTES} bytes of printable characters, not {name!r}"
        )
    return name


def fitting_name(text: str) -> str:
    """Return a name of a model that fits into the header of a file, as like the text as can be.

    Example:
        >>> fitting_name("mine" + chr(7)), fitting_name("")
        ('mine', 'model')
    """
    printable = "".join(letter for letter in text if letter.isprintable())
    return printable.encode()[:MAX_NAME_BYTES].decode(errors="ignore") or "model"


def save_program(model: CodingModel, path: Path) -> None:
    """Write an integer program.

    Raises:
        OutputError: if the file cannot be written.
    """
    structure, arrays = take_apart(model.program)
    metadata = {
        "format": FORMAT,
        "format_version": str(FORMAT_VERSION),
        "name": model.name,
        "structure": _canonical(structure),
        **({LABEL_NAMES: json.dumps(model.label_names)} if model.label_names else {}),
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
    check_safetensors(file, most_bytes=MAX_PROGRAM_BYTES)
    try:
        with safe_open(file, framework="np") as opened:
            metadata = opened.metadata() or {}
            _check_format(file, metadata)
            arrays = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
    except (SafetensorError, OSError, TypeError, AttributeError) as error:
        raise ModelFileError(
            f"{file} is not a safetensors file, or it is damaged ({error}); get it again"
        ) from error
    try:
        structure = read_json(metadata["structure"])
        program = put_together(structure, arrays)
        check_program(program)
        largest_magnitudes(program)
        if _canonical(take_apart(program)[0]) != _canonical(structure):
            raise ValueError("there is no use for some of what it says")
        return name_model(metadata["name"], program, _label_names(metadata, program))
    except UNSOUND as error:
        raise ModelFileError(f"{file} holds no sound program ({error}); get it again") from error


def find_model(header: Header, given: str | Path | None = None) -> CodingModel:
    """Return the integer model that a file was written with.

    Args:
        header: of the file.
        given: name or path of the model, if the user says which.

    Raises:
        CompressedFileError: if it is another one, or none that comes with the package.
        ModelFileError: if the one that was given cannot be read.
    """
    wanted = f"{header.model} (program {header.hash.hex()})"
    if given is not None:
        model = load_program(given)
        if model.hash[:HASH_BYTES] != header.hash:
            raise CompressedFileError(
                f"it was compressed by {wanted}, and {given} is another model (program "
                f"{model.hash[:HASH_BYTES].hex()}): give --model the right one"
            )
        return model
    # The name is the likeliest place to look; the hash decides.
    for name in sorted(names(), key=lambda name: name != header.model):
        try:
            model = load_program(name)
        except ModelFileError:  # a part of the package is missing: another model may still do
            continue
        if model.hash[:HASH_BYTES] == header.hash:
            return model
    raise CompressedFileError(
        f"it was compressed by {wanted}, which does not come with this pixelrnn: take its images out with "
        "`pixelrnn decompress --model` and the file that `pixelrnn models export` made, or install the "
        "pixelrnn that has it"
    )


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


def _label_names(metadata: dict[str, str], program: Program) -> list[str]:
    """Return the names of classes: none, or one for each."""
    found = read_json(metadata[LABEL_NAMES]) if LABEL_NAMES in metadata else []
    if not isinstance(found, list) or not all(isinstance(name, str) for name in found):
        raise ValueError("names of classes that are no texts")
    if len(found) not in (0, program.given.num_labels - 1):
        raise ValueError(f"{len(found)} names for {program.given.num_labels - 1} classes")
    return found


def _canonical(structure: dict[str, Any]) -> str:
    return json.dumps(structure, sort_keys=True, separators=(",", ":"))


def _hash(structure: dict[str, Any], arrays: Arrays) -> bytes:
    digest = hashlib.sha256(f"{FORMAT} {FORMAT_VERSION}\n{_canonical(structure)}\n".encode())
    for name in sorted(arrays):
        array = arrays[name]
        digest.update(f"{name} {array.dtype.name} {array.shape}\n".encode())
        in_order = array.astype(array.dtype.newbyteorder("<"), copy=False)
        digest.update(np.ascontiguousarray(in_order).data)
    return digest.digest()
