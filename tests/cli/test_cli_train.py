"""`pixelrnn train`, as typed."""

import json
import os
import re
import signal
import subprocess
import sys

import pytest
import torch
from safetensors.torch import load_file

from pixelrnn.errors import NonFiniteLossError
from pixelrnn.models import store
from pixelrnn.training import progress, shipped_recipes
from pixelrnn.training.loop import Trainee

SECONDS_TO_HANG = 300  # what takes so long on a busy machine will never end


def files(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_run_and_what_it_leaves(pixelrnn, tiny, tmp_path):
    out = tmp_path / "new" / "run"
    answer = pixelrnn("train", "digits-pixelcnn", "--out", out, *tiny)
    assert answer.code == 0
    assert re.fullmatch(
        rf"{out}: \d\.\d{{4}} bits/dim on train, \d\.\d{{4}} bits/dim on validation\n", answer.out
    )
    assert files(out) == [
        "checkpoint", "config.json", "environment.json", "metrics.csv", "model.safetensors",
        "recipe.toml", "result.json", "tensorboard",
    ]  # fmt: skip
    result = json.loads((out / "result.json").read_text())
    assert result["finished"] is True
    assert result["image_presentations"] == 128
    assert result["command"].startswith("pixelrnn train digits-pixelcnn --out ")
    assert "test_bits_per_dim" not in result  # training never looks at the test images


def test_progress_goes_to_standard_error(pixelrnn, tiny, tmp_path):
    answer = pixelrnn("train", "digits-row-lstm", "--out", tmp_path / "run", *tiny)
    lines = answer.err.splitlines()
    assert re.match(
        r"Row LSTM: [\d,]+ parameters, 128 image presentations of 1,350 images", lines[0]
    )
    assert len(lines) == 3  # and one for each validation


def test_the_default_folder_is_named_after_the_recipe(pixelrnn, tiny, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert pixelrnn("train", "digits-pixelcnn", *tiny).code == 0
    assert (tmp_path / "runs" / "digits-pixelcnn" / "result.json").is_file()
    (tmp_path / "mine.toml").write_text(
        '[model]\nkind = "pixelcnn"\n[data]\nsource = "digits"\n[training]\nepochs = 1\n'
    )
    assert pixelrnn("train", "mine.toml", *tiny).code == 0
    assert (tmp_path / "runs" / "mine" / "result.json").is_file()


def test_list(pixelrnn):
    answer = pixelrnn("train", "--list")
    assert (answer.code, answer.err) == (0, "")
    assert answer.out.split() == shipped_recipes()


def test_dry_run_writes_nothing(pixelrnn, tiny, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    answer = pixelrnn("train", "digits-pixelcnn", "--dry-run", *tiny)
    assert (answer.code, answer.err) == (0, "")
    assert re.match(r"PixelCNN: [\d,]+ parameters, .* the whole recipe, 2 steps of 64,", answer.out)
    assert files(tmp_path) == []


def test_max_minutes_ends_a_run(pixelrnn, tiny, tmp_path):
    long = ["--set", "training.image_presentations=100000000"]
    answer = pixelrnn(
        "train", "digits-pixelcnn", "--out", tmp_path, *tiny, *long, "--max-minutes", "0.01"
    )
    assert answer.code == 0
    result = json.loads((tmp_path / "result.json").read_text())
    assert result["finished"] is True
    assert 0.01 <= result["minutes"] < 0.5


@pytest.mark.parametrize("verb", ["train", "compare", "evaluate", "report"])
def test_help_names_every_option(verb, pixelrnn):
    answer = pixelrnn(verb, "--help")
    assert answer.code == 0
    expected = {
        "train": ["--data", "--out", "--set", "--max-minutes", "--resume", "--dry-run", "--list"],
        "compare": ["--data", "--out", "--set", "--equal", "--dry-run", "--json"],
        "evaluate": ["--data", "--split", "--batch-size", "--set", "--json"],
        "report": ["--out", "--title"],
    }
    for option in expected[verb]:
        assert option in answer.out
    if verb in ("train", "compare"):
        assert "by default runs/" in re.sub(r"[\s│]+", " ", answer.out)


@pytest.mark.parametrize("arguments", [["trian"], ["train", "--epochs", "3"], ["compare"]])
def test_wrong_usage(arguments, pixelrnn):
    answer = pixelrnn(*arguments)
    assert (answer.code, answer.out) == (2, "")
    assert "--help" in answer.err or "-h" in answer.err


def press_ctrl_c_at(monkeypatch, validation):
    """Have Ctrl-C pressed when a run shows its n-th validation."""
    shown = []

    def validated(self, *figures):
        shown.append(figures)
        if len(shown) == validation:
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(progress.TrainingProgress, "validated", validated)


def test_ctrl_c_and_going_on(pixelrnn, tiny, tmp_path, monkeypatch):
    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    assert pixelrnn("train", "digits-pixelcnn", "--out", whole, *tiny).code == 0
    with monkeypatch.context() as patch:
        press_ctrl_c_at(patch, 1)
        answer = pixelrnn("train", "digits-pixelcnn", "--out", stopped, *tiny)
    assert answer.code == 130
    assert answer.out == ""
    line = answer.err.splitlines()[-1]
    assert line == (f"error: stopped at step 1 of 2; go on with: pixelrnn train --resume {stopped}")
    assert json.loads((stopped / "result.json").read_text())["finished"] is False
    answer = pixelrnn("train", "--resume", stopped)
    assert answer.code == 0
    assert answer.out.startswith(f"{stopped}: ")
    assert (stopped / "recipe.toml").read_bytes() == (whole / "recipe.toml").read_bytes()
    weights = [load_file(folder / "model.safetensors") for folder in (whole, stopped)]
    assert weights[0].keys() == weights[1].keys()
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])


def test_a_loss_that_is_not_finite_keeps_the_last_good_weights(
    pixelrnn, tiny, tmp_path, monkeypatch
):
    loss = Trainee.loss

    def bad_second_step(self, images):
        if self.steps == 1:
            raise NonFiniteLossError("the loss became nan at step 1: lower the rate")
        return loss(self, images)

    monkeypatch.setattr(Trainee, "loss", bad_second_step)
    answer = pixelrnn("train", "digits-pixelcnn", "--out", tmp_path, *tiny)
    assert answer.code == 2
    assert answer.err.splitlines()[-1] == (
        "error: the loss became nan at step 1: lower the rate. "
        f"The last good weights are in {tmp_path / 'model.safetensors'}"
    )
    assert store.load(tmp_path).num_parameters() > 0


@pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals")
def test_ctrl_c_in_a_real_process(tmp_path, pixelrnn):
    """What a terminal does: SIGINT to a running program, then --resume."""
    out = tmp_path / "run"
    settings = ["training.image_presentations=200000", "training.batch_size=50",
                "model.features=4", "model.layers=1", "training.validations=400"]  # fmt: skip
    command = [sys.executable, "-W", "error", "-m", "pixelrnn", "train", "digits-pixelcnn",
               "--out", str(out), *(part for each in settings for part in ("--set", each))]  # fmt: skip
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    for line in process.stderr:
        if "validation" in line:
            break
    process.send_signal(signal.SIGINT)
    stdout, stderr = process.communicate(timeout=SECONDS_TO_HANG)
    assert process.returncode == 130
    assert stdout == ""
    assert "Traceback" not in stderr
    assert f"go on with: pixelrnn train --resume {out}" in stderr.splitlines()[-1]
    assert store.load(out).num_parameters() > 0
    assert not list(out.rglob("*.part"))
