"""Checkpoints without pickle: every bit comes back, and damage is named."""

import math

import pytest
import torch

from pixelrnn.errors import ModelFileError
from pixelrnn.training.checkpoint import SafetensorsCheckpointIO

TREE = {
    "state": {0: {"step": torch.tensor(3.0), "moment": torch.randn(2, 3, dtype=torch.float64)}},
    "groups": [{"lr": 0.1 + 0.2, "betas": (0.9, 0.99), "name": "ä", "none": None, "flag": True}],
    "shared": torch.arange(4, dtype=torch.uint8),
    "transposed": torch.randn(3, 2).T,
    "numbers": [1, -(2**62), 1e-320, math.inf],
    "empty": {"list": [], "dict": {}, "tuple": ()},
}


def equal(a, b):
    assert type(a) is type(b)
    if isinstance(a, torch.Tensor):
        assert a.dtype == b.dtype
        assert torch.equal(a, b)
    elif isinstance(a, dict):
        assert list(a) == list(b)
        for key in a:
            equal(a[key], b[key])
    elif isinstance(a, list | tuple):
        assert len(a) == len(b)
        for x, y in zip(a, b, strict=True):
            equal(x, y)
    else:
        assert a == b


def test_round_trip(tmp_path):
    path = tmp_path / "last.safetensors"
    SafetensorsCheckpointIO().save_checkpoint(TREE, path)
    equal(SafetensorsCheckpointIO().load_checkpoint(path), TREE)
    assert [file.name for file in tmp_path.iterdir()] == ["last.safetensors"]


def test_what_cannot_be_kept_is_refused_and_the_old_file_stays(tmp_path):
    path = tmp_path / "last.safetensors"
    SafetensorsCheckpointIO().save_checkpoint({"a": 1}, path)
    with pytest.raises(TypeError, match="object"):
        SafetensorsCheckpointIO().save_checkpoint({"a": object()}, path)
    assert SafetensorsCheckpointIO().load_checkpoint(path) == {"a": 1}


@pytest.mark.parametrize("content", [b"", b"\x80\x04 a pickle", b"\xff" * 64, None])
def test_damage_is_named(tmp_path, content):
    path = tmp_path / "last.safetensors"
    SafetensorsCheckpointIO().save_checkpoint(TREE, path)
    path.write_bytes(path.read_bytes()[:-5] if content is None else content)
    with pytest.raises(ModelFileError, match="damaged or not a checkpoint"):
        SafetensorsCheckpointIO().load_checkpoint(path)
