"""Checkpoints without pickle: every bit comes back, and damage is named."""

import math
import shutil
from pathlib import Path

import pytest
import torch
from rich.console import Console

from pixelrnn.errors import ModelFileError
from pixelrnn.models import store
from pixelrnn.training import RunFolder, checkpoint, resume

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
    checkpoint.write(path, TREE)
    equal(checkpoint.read(path), TREE)
    assert [file.name for file in tmp_path.iterdir()] == ["last.safetensors"]


def test_what_cannot_be_kept_is_refused_and_the_old_file_stays(tmp_path):
    path = tmp_path / "last.safetensors"
    checkpoint.write(path, {"a": 1})
    with pytest.raises(TypeError, match="object"):
        checkpoint.write(path, {"a": object()})
    assert checkpoint.read(path) == {"a": 1}


@pytest.mark.parametrize("content", [b"", b"\x80\x04 a pickle", b"\xff" * 64, None])
def test_damage_is_named(tmp_path, content):
    path = tmp_path / "last.safetensors"
    checkpoint.write(path, TREE)
    path.write_bytes(path.read_bytes()[:-5] if content is None else content)
    with pytest.raises(ModelFileError, match="damaged or not a checkpoint"):
        checkpoint.read(path)


OLD = Path(__file__).with_name("trainer_run")


def test_a_run_that_the_trainer_of_lightning_began_goes_on(tmp_path):
    """Written by version 0.1, stopped at step 3 of 6; Muon, averaged weights, a plateau schedule."""
    before = RunFolder(shutil.copytree(OLD, tmp_path / "run"))
    assert [row["step"] for row in before.read_metrics()] == [1, 2, 3]
    run = resume(tmp_path / "run", console=Console(quiet=True))
    expected = store.load(OLD / "at-the-end.safetensors").state_dict()
    found = store.load(run.path).state_dict()
    assert all(torch.allclose(found[name], expected[name], atol=1e-6) for name in expected)
    last = run.read_metrics()[-1]
    assert float(last["train_bits_per_dim"]) == pytest.approx(4.107658742674348, rel=1e-5)
    assert float(last["validation_bits_per_dim"]) == pytest.approx(4.101395519112249, rel=1e-5)
    assert run.result()["best"]["image_presentations"] == 96
