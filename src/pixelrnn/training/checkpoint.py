"""Checkpoints of a training run in one safetensors file: no pickle, and never half-written.

The state is nested dictionaries, lists and tuples of tensors and plain values. The tensors go into the
file by number, and the structure, in which `{"tensor": number}` stands for each, into its metadata as
JSON. Floats survive JSON bit for bit (their shortest representation is exact). A checksum of all of it
finds damage; checkpoints of early versions have none.
"""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open

from pixelrnn.errors import ModelFileError
from pixelrnn.models.store import CHECKSUM, is_intact, write_tensors
from pixelrnn.wording import first_line

_STRUCTURE = "pixelrnn-checkpoint"


def write(path: Path, state: Mapping[str, Any]) -> None:
    """Write a checkpoint beside `path`, then put it in place."""
    tensors: dict[str, torch.Tensor] = {}
    structure = json.dumps(_pack(dict(state), tensors))
    write_tensors(path, tensors, {_STRUCTURE: structure})


def read(path: Path, say: Callable[[str], None] = lambda _: None) -> dict[str, Any]:
    """Return the state in a checkpoint, its tensors on the processor.

    Args:
        path: the file.
        say: told a line about a checkpoint that is read without being checked.

    Raises:
        ModelFileError: if it is damaged or not a checkpoint of ours.
    """
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        if metadata.keys() == {_STRUCTURE}:
            say(f"{path} is of an earlier version and has no checksum: it is not checked")
        if metadata.keys() - {_STRUCTURE, CHECKSUM} or not is_intact(tensors, metadata):
            raise ValueError("another checksum")
        state: dict[str, Any] = _unpack(json.loads(metadata[_STRUCTURE]), tensors)
        return _of_the_trainer(state) if "callbacks" in state else state
    except Exception as error:  # whatever a damaged structure makes of itself
        raise ModelFileError(
            f"{path} is damaged or not a checkpoint of pixelrnn ({type(error).__name__}: "
            f"{first_line(error)}); remove it to begin the run anew with --resume"
        ) from error


def _of_the_trainer(state: Mapping[str, Any]) -> dict[str, Any]:
    """Return the state of a run of version 0.1, whose loop was Lightning's Trainer."""
    (records,) = (each for name, each in state["callbacks"].items() if "Recorder" in name)
    weights = {
        key: {name.removeprefix("model."): value for name, value in state[old].items()}
        for key, old in (("model", "current_model_state"), ("average", "state_dict"))
    }
    return {
        **weights,
        "steps": state["global_step"],
        "num_averaged": int(state["averaging_state"]["n_averaged"]),
        "optimizer": state["optimizer_states"][0],
        "records": records,
        "best": records.get("best", {}),
        "unrecorded": records.get("unrecorded", False),
        "recipe_sha256": records.get("recipe_sha256"),
    }


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
