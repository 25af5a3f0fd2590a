"""Checkpoints of a training run in one safetensors file: no pickle, and never half-written.

Lightning hands over nested dictionaries, lists and tuples of tensors and plain values. The tensors go
into the file by number, and the structure, in which `{"tensor": number}` stands for each, into its
metadata as JSON. Floats survive JSON bit for bit (their shortest representation is exact).
"""

import json
from pathlib import Path
from typing import Any

import torch
from lightning.fabric.plugins import CheckpointIO
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from pixelrnn.errors import ModelFileError
from pixelrnn.files import replacing

_STRUCTURE = "pixelrnn-checkpoint"


class SafetensorsCheckpointIO(CheckpointIO):
    """Lightning's checkpoints as safetensors."""

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: Any, storage_options: Any | None = None
    ) -> None:
        """Write the checkpoint beside `path`, then put it in place."""
        tensors: dict[str, torch.Tensor] = {}
        structure = json.dumps(_pack(checkpoint, tensors))
        with replacing(Path(path)) as beside:
            save_file(tensors, beside, {_STRUCTURE: structure})

    def load_checkpoint(
        self, path: Any, map_location: Any | None = None, weights_only: bool | None = None
    ) -> dict[str, Any]:
        """Read a checkpoint; its tensors are on the CPU, and Lightning moves them.

        Raises:
            ModelFileError: if it is damaged or not a checkpoint of ours.
        """
        try:
            with safe_open(Path(path), framework="pt") as file:
                structure = json.loads((file.metadata() or {})[_STRUCTURE])
                unpacked: dict[str, Any] = _unpack(structure, file.get_tensor)
                return unpacked
        except (OSError, SafetensorError, KeyError, ValueError) as error:
            raise ModelFileError(
                f"{path} is damaged or not a checkpoint of pixelrnn ({error}); start the run anew"
            ) from error

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


def _unpack(value: Any, tensor: Any) -> Any:
    if isinstance(value, list):
        return [_unpack(each, tensor) for each in value]
    if not isinstance(value, dict):
        return value
    ((kind, content),) = value.items()
    match kind:
        case "tensor":
            return tensor(content)
        case "dict":
            return {_unpack(k, tensor): _unpack(v, tensor) for k, v in content}
        case "tuple":
            return tuple(_unpack(each, tensor) for each in content)
        case _:
            raise ValueError(f"unknown part {kind!r}")
