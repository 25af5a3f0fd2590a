"""Exact coding: trained models as integer programs, and images as files that any machine can read."""

from pixelrnn.coding.album import Album
from pixelrnn.coding.codec import Codec
from pixelrnn.coding.program_file import (
    CodingModel,
    fitting_name,
    load_program,
    name_model,
    save_program,
)
from pixelrnn.coding.tiles import DEFAULT_TILE
from pixelrnn.coding.writing import write

__all__ = [
    "DEFAULT_TILE",
    "Album",
    "Codec",
    "CodingModel",
    "fitting_name",
    "load_program",
    "name_model",
    "save_program",
    "write",
]
