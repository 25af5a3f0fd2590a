"""Which integer model a compressed file was written with."""

from pathlib import Path

from pixelrnn import shipped
from pixelrnn.coding.container import HASH_BYTES, Header
from pixelrnn.coding.program_file import CodingModel, load_program
from pixelrnn.errors import CompressedFileError, ModelFileError


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
    for name in sorted(shipped.names(), key=lambda name: name != header.model):
        try:
            model = load_program(name)
        except ModelFileError:  # a part of the package is missing: another model may still do
            continue
        if model.hash[:HASH_BYTES] == header.hash:
            return model
    raise CompressedFileError(
        f"it was compressed by {wanted}, which does not come with this pixelrnn: give --model the file "
        "that `pixelrnn models export` made, or install the pixelrnn that has it"
    )
