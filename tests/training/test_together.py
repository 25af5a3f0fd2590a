"""Several processes: the weights of one, and no end but a clear one."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from rich.console import Console

from pixelrnn.errors import ProcessLostError, RecipeError, TrainingInterrupted
from pixelrnn.models import MODELS, store
from pixelrnn.training import RunFolder, devices, load_recipe, resume, together, train
from pixelrnn.training.loop import Trainee
from survival import damage
from tests.training.test_runs import tiny_data, tiny_recipe

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals")
SILENT = Console(quiet=True)
SECONDS_TO_HANG = 300  # what takes so long on a busy machine will never end
SETTINGS = ("model.features=4", "model.layers=1", "training.image_presentations=480",
            "training.batch_size=16", "training.validations=3", "training.threads=1",
            "training.checkpoint_seconds=0", "training.horizontal_flips=true",
            "training.accelerator=cpu", "training.devices=2")  # fmt: skip


def recipe(*settings):
    return load_recipe("digits-pixelcnn", (*SETTINGS, *settings))


def test_two_processes_give_the_weights_of_one():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    started = os.environ | {
        "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": "2",
    }  # fmt: skip
    both = [
        subprocess.Popen(
            [sys.executable, Path(__file__).with_name("together.py")],
            env=started | {"LOCAL_RANK": str(rank)}, stdout=subprocess.PIPE, text=True,
        )
        for rank in (0, 1)
    ]  # fmt: skip
    for process in both:
        found = json.loads(process.communicate(timeout=SECONDS_TO_HANG)[0])
        for kind in MODELS:
            assert found[kind] < 1e-9, kind
        assert found["average"] > 1e-3
        # One of them had a loss that is not finite: both took the same way.
        assert found["message"].startswith("the loss became nan at step 20")
        assert found["shared"] == [[0, 7], [1, 7]]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """A run of two processes."""
    run = train(recipe(), tmp_path_factory.mktemp("together") / "run", console=SILENT)
    assert not {"LOCAL_RANK", "WORLD_SIZE", "MASTER_PORT"} & os.environ.keys()
    assert not torch.distributed.is_initialized()
    return run


def test_a_run_of_two_is_that_of_one(undisturbed, tmp_path):
    alone = train(recipe("training.devices=1"), tmp_path / "alone", console=SILENT)
    assert closest(undisturbed, alone) < 1e-5
    ours, theirs = (
        [[float(row[key] or 0) for key in ("step", "train_bits_per_dim", "validation_bits_per_dim")]
         for row in run.read_metrics()]
        for run in (undisturbed, alone)
    )  # fmt: skip
    assert np.allclose(ours, theirs, rtol=1e-5)
    names = [sorted(file.name for file in run.path.iterdir()) for run in (undisturbed, alone)]
    assert names[0] == names[1]
    assert undisturbed.result()["image_presentations"] == 480


def closest(one, other):
    pairs = (store.load(run.path).state_dict() for run in (one, other))
    return max(float((a - b).abs().max()) for a, b in zip(*map(dict.values, pairs), strict=True))


def kill_other_at(step, number, monkeypatch):
    """Send a signal to the second process when the first one has taken some steps."""
    started, popen, loss = [], subprocess.Popen, Trainee.loss

    def start(*arguments, **options):
        started.append(popen(*arguments, **options))
        return started[-1]

    def send(self, images):
        if self.steps == step:
            os.kill(started[0].pid, number)
        return loss(self, images)

    monkeypatch.setattr(together.subprocess, "Popen", start)
    monkeypatch.setattr(Trainee, "loss", send)


def test_killed_and_stopped_anywhere_it_goes_on(undisturbed, tmp_path, monkeypatch):
    """First killed, second killed, second told to stop; then on to the end, by two and by one."""
    run = RunFolder(tmp_path / "run")
    kill_first(run)
    with monkeypatch.context() as patch:
        kill_other_at(15, signal.SIGKILL, patch)
        with pytest.raises(ProcessLostError, match=r"process 1 of 2 .*\(SIGKILL\); go on with: "):
            resume(run.path, console=SILENT)
    with monkeypatch.context() as patch:
        kill_other_at(22, signal.SIGTERM, patch)
        with pytest.raises(TrainingInterrupted, match=r"stopped at step 2\d of 30") as caught:
            resume(run.path, console=SILENT)
    assert caught.value.exit_code == 128 + signal.SIGTERM
    shutil.copytree(run.path, tmp_path / "by one")
    by_one = resume(tmp_path / "by one", settings=["training.devices=1"], console=SILENT)
    assert 0 < closest(by_one, undisturbed) < 1e-5
    assert "devices = 2" in by_one.recipe_file.read_text()
    resume(run.path, console=SILENT)
    assert damage.same_weights(run.path, undisturbed.path)
    assert damage.curves(run.path) == damage.curves(undisturbed.path)


def kill_first(run):
    """Begin a run on the command line and kill its first process; the second one has to say so."""
    settings = [part for each in SETTINGS for part in ("--set", each)]
    slow = "import time; from pixelrnn.training.loop import Trainee as T; f = T.step\n" \
           "T.step = lambda *a: (time.sleep(0.05), f(*a))[1]\n"  # fmt: skip
    with subprocess.Popen(
        [sys.executable, "-c", f"{slow}from pixelrnn.cli.main import main; main()",
         "train", "digits-pixelcnn", *settings, "--out", run.path],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        deadline = time.monotonic() + SECONDS_TO_HANG
        while not (run.checkpoint_file.is_file() and len(run.read_metrics()) > 2):
            assert time.monotonic() < deadline, "the run did not get under way"
            assert process.poll() is None, process.stderr.read()
            time.sleep(0.02)
        process.kill()
        said = process.stderr.read()  # until the second process ends
    (line,) = [each for each in said.splitlines() if each.startswith("error: ")]
    assert line.startswith("error: the first of the processes that trained together is gone; go on")
    assert "Traceback" not in said


def test_a_process_that_waits_for_ever_is_ended(tmp_path, monkeypatch, capsys):
    """As where the other one ends before they are connected, and on other devices."""
    fabric = devices.make_fabric(recipe().training, print)
    processes = together.Processes(fabric, RunFolder(tmp_path), recipe())
    processes._others = [subprocess.Popen([sys.executable, "-c", "raise SystemExit(3)"])]
    monkeypatch.setattr(together, "GRACE_SECONDS", 0)
    monkeypatch.setattr(together.os, "_exit", sys.exit)
    with pytest.raises(SystemExit, match="2"):
        processes._watch()
    assert (
        "process 1 of 2 that trained together ended (exit code 3); go on" in capsys.readouterr().err
    )


@pytest.mark.parametrize(
    ("settings", "environment", "message"),
    [
        (["training.num_nodes=2"], {}, "start the same command on every machine with torchrun"),
        ([], {}, "training.devices = 2 needs images that every process can read"),
        (["training.devices=4"], {"LOCAL_RANK": "1", "WORLD_SIZE": "2"},
         "2 processes were started, .* as in --set training.devices=2"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_said_before_anything_is_written(
    settings, environment, message, tmp_path, monkeypatch
):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    keys = {key.replace(".", "__"): int(value) for key, value in (s.split("=") for s in settings)}
    asked = tiny_recipe(**{"training__devices": 2, "training__accelerator": "cpu"} | keys)
    with pytest.raises(RecipeError, match=message):
        train(asked, tmp_path / "run", data=tiny_data(), console=SILENT)
    assert not (tmp_path / "run").exists()


def test_a_run_goes_on_as_it_was_begun(undisturbed):
    with pytest.raises(
        RecipeError, match=r"with training.seed as it was begun; only training\.acc"
    ):
        devices_of(undisturbed, "training.seed=3")
    with pytest.raises(RecipeError, match="multiple of accumulate x devices"):
        devices_of(undisturbed, "training.devices=3")


def devices_of(run, *settings):
    run.update_result(finished=False)
    try:
        resume(run.path, settings=settings, console=SILENT)
    finally:
        run.update_result(finished=True)


def test_the_threads_of_two_processes_share_the_cores(monkeypatch):
    monkeypatch.setattr(devices, "usable_cores", lambda: 4)
    torch.set_num_threads(8)
    try:
        for processes, count in ((1, 4), (2, 2), (8, 1)):
            with devices.threads(None, processes):
                assert torch.get_num_threads() == count
    finally:
        torch.set_num_threads(1)
