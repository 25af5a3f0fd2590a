"""Checkpoints of a training run in one safetensors file: no pickle, and never half-written.

Lightning hands over nested dictionaries, lists and tuples of tensors and plain values. The tensors go
into the file by number, and the structure, in which `{"tensor": number}` stands for each, into its
metadata as JSON. Floats survive JSON bit for bit (their shortest representation is exact). A checksum of
all of it finds damage; checkpoints of earlier versions have none.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from lightning.fabric.plugins import CheckpointIO
from safetensors import SafetensorError, safe_open

from pixelrnn.errors import ModelFileError
from pixelrnn.models.store import CHECKSUM, is_intact, write_tensors

_STRUCTURE = "pixelrnn-checkpoint"


class SafetensorsCheckpointIO(CheckpointIO):
    """Lightning's checkpoints as safetensors.

    Args:
        say: told a line about a checkpoint that is read without being checked.
    """

    def __init__(self, say: Callable[[str], None] | None = None) -> None:
        super().__init__()
        self._say = say

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: Any, storage_options: Any | None = None
    ) -> None:
        """Write the checkpoint beside `path`, then put it in place."""
        tensors: dict[str, torch.Tensor] = {}
        structure = json.dumps(_pack(checkpoint, tensors))
        write_tensors(Path(path), tensors, {_STRUCTURE: structure})

    def load_checkpoint(
        self, path: Any, map_location: Any | None = None, weights_only: bool | None = None
    ) -> dict[str, Any]:
        """Read a checkpoint; its tensors are on the CPU, and Lightning moves them.

        Raises:
            ModelFileError: if it is damaged or not a checkpoint of ours.
        """
        try:
            with safe_open(Path(path), framework="pt") as file:
                metadata = file.metadata() or {}
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            if metadata.keys() == {_STRUCTURE} and self._say:
                self._say(f"{path} is of an earlier version and has no checksum: it is not checked")
            if metadata.keys() - {_STRUCTURE, CHECKSUM} or not is_intact(tensors, metadata):
                raise ValueError("another checksum")
            unpacked: dict[str, Any] = _unpack(json.loads(metadata[_STRUCTURE]), tensors)
            if not isinstance(unpacked, dict):
                raise ValueError("no dictionary")
        # Whatever a damaged structure makes of itself.
        except (
            OSError,
            SafetensorError,
            LookupError,
            ValueError,
            TypeError,
            RecursionError,
        ) as error:
            raise ModelFileError(
                f"{path} is damaged or not a checkpoint of pixelrnn ({_reason(error)}); remove it to "
                "begin the run anew with --resume"
            ) from error
        return unpacked

    def remove_checkpoint(self, path: Any) -> None:
        """Remove a checkpoint."""
        Path(path).unlink(missing_ok=True)


def _pack(value: Any, tensors: dict[str, torch.Tensor]) -> Any:
    if isinstance(value, torch.Tensor):
        number = str(len(tensors))
        tensors[number] = value.detach().cpu().contiguous().clone()
        return {"tensor": number}
    if isinstance(value, dict):
        return {"dict": [[_pack(k, tensors), _pack(v, tensors)] for k, v in value.items()]}
    if isinstance(value, tuple):
        return {"tuple": [_pack(each, tensors) for each in value]}
    if isinstance(value, list):
        return [_pack(each, tensors) for each in value]
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise TypeError(f"a checkpoint cannot hold a {type(value).__name__}")


def _reason(error: Exception) -> str:
    text = " ".join(str(error).split())
    return f"{type(error).__name__} {text}" if isinstance(error, LookupError) else text


def _unpack(value: Any, tensors: dict[str, torch.Tensor]) -> Any:
    if isinstance(value, list):
        return [_unpack(each, tensors) for each in value]
    if not isinstance(value, dict):
        return value
    ((kind, content),) = value.items()
    match kind:
        case "tensor":
            return tensors[content]
        case "dict":
            return {_unpack(k, tensors): _unpack(v, tensors) for k, v in content}
        case "tuple":
            return tuple(_unpack(each, tensors) for each in content)
        case _:
            raise ValueError(f"unknown part {kind!r}")
