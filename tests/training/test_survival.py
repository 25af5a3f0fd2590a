"""Runs survive signals, damage, a second process, a move and weights that are of no use."""

import json
import os
import random
import signal
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from rich.console import Console
from safetensors.torch import save_file
from tensorboard.backend.event_processing.event_file_loader import EventFileLoader

from pixelrnn.errors import (
    DataError,
    InUseError,
    ModelFileError,
    NonFiniteLossError,
    NonFiniteResultError,
    RecipeError,
    TrainingInterrupted,
)
from pixelrnn.evaluation import evaluate
from pixelrnn.models import PixelCNNConfig, build, store
from pixelrnn.runs import locked_folder
from pixelrnn.training import (
    RunFolder,
    checkpoint,
    good_weights,
    keys_of,
    load_recipe,
    recipe_of,
    resume,
    train,
)
from pixelrnn.training.loop import Trainee
from pixelrnn.training.tensorboard import TensorBoardCurves
from survival import damage

SILENT = Console(quiet=True)
TINY = damage.TINY


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A whole run, and one that was stopped half-way."""
    return damage.prepare(tmp_path_factory.mktemp("runs"))


@pytest.fixture
def half(runs, tmp_path):
    return damage.shutil.copytree(runs[1], tmp_path / "run")


def test_damage_is_named_or_mended(runs, tmp_path):
    for number in range(12):
        draw = random.Random(f"suite {number}")
        file, *found = damage.trial(runs[1], runs[0], tmp_path / "run", draw)
        assert {"right", "refused"}.issuperset(found), (number, file, found)


def test_a_torn_last_row_is_left_out(half):
    run = RunFolder(half)
    rows = run.read_metrics()
    assert rows
    with run.metrics_file.open("a") as file:
        file.write("4,64,0.1")
    assert run.read_metrics() == rows


def test_a_checkpoint_of_an_earlier_version_goes_on_and_says_so(runs, half):
    run, said = RunFolder(half), Console(record=True, width=300)
    state, tensors = checkpoint.read(run.checkpoint_file), {}
    del state["records"]["metrics"]
    structure = json.dumps(checkpoint._pack(state, tensors))
    save_file(tensors, run.checkpoint_file, {checkpoint._STRUCTURE: structure})
    resume(half, console=said)
    assert "has no checksum" in said.export_text()
    assert damage.same_weights(half, runs[0])
    assert damage.curves(half) == damage.curves(runs[0])


def test_a_recipe_that_was_changed_is_refused(half):
    file = half / "recipe.toml"
    file.write_text(file.read_text().replace("batch_size = 16", "batch_size = 8"))
    (half / "result.json").unlink()  # the checkpoint knows it too
    with pytest.raises(RecipeError, match="is not the recipe that the run began with"):
        resume(half, console=SILENT)


def test_a_checkpoint_of_another_model_is_refused(half):
    (half / "result.json").unlink()
    file = RunFolder(half).checkpoint_file
    checkpoint.write(file, checkpoint.read(file) | {"model": {"another": torch.zeros(1)}})
    with pytest.raises(ModelFileError, match=r"last\.safetensors does not fit .*recipe\.toml"):
        resume(half, console=SILENT)


def test_a_second_training_is_refused(half):
    with locked_folder(half, "training"), pytest.raises(InUseError, match="in use by process"):
        resume(half, console=SILENT)
    resume(half, console=SILENT)


def test_a_signal_ends_a_validation_which_is_done_when_the_run_goes_on(runs, tmp_path, monkeypatch):
    run, asked = tmp_path / "run", []

    def send(*arguments, on_progress, **options):
        asked.append(1)
        if len(asked) == 2:
            os.kill(os.getpid(), signal.SIGTERM)
        return evaluate(*arguments, on_progress=on_progress, **options)

    with monkeypatch.context() as patch:
        patch.setattr(good_weights, "evaluate", send)
        with pytest.raises(TrainingInterrupted, match="stopped at step") as caught:
            train(load_recipe("digits-pixelcnn", TINY), run, console=SILENT)
    assert caught.value.exit_code == 143
    assert len(RunFolder(run).read_metrics()) < len(RunFolder(runs[0]).read_metrics())
    resume(run, console=SILENT)
    assert damage.same_weights(run, runs[0])
    assert damage.curves(run) == damage.curves(runs[0])


def test_a_signal_before_the_first_step_says_how_to_go_on(runs, tmp_path, monkeypatch):
    def send(*_):
        os.kill(os.getpid(), signal.SIGHUP)

    with monkeypatch.context() as patch:
        patch.setattr("pixelrnn.training.fit.make_layers_ready", send)
        with pytest.raises(
            TrainingInterrupted, match="before the first step; go on with: "
        ) as caught:
            train(load_recipe("digits-pixelcnn", TINY), tmp_path / "run", console=SILENT)
    assert caught.value.exit_code == 129
    resume(tmp_path / "run", console=SILENT)
    assert damage.same_weights(tmp_path / "run", runs[0])


def test_training_in_another_thread_listens_to_nothing(tmp_path):
    recipe, done = load_recipe("digits-pixelcnn", TINY), []
    thread = threading.Thread(
        target=lambda: done.append(train(recipe, tmp_path / "run", console=SILENT))
    )
    thread.start()
    thread.join()
    assert done[0].result()["finished"]


# Weights that are finite and of no use.


def useless():
    model = build(PixelCNNConfig(channels=1, num_levels=17, features=4, layers=1))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.fill_(1e30)
    return model


def test_a_result_that_is_not_finite_is_none(tmp_path):
    store.save(useless(), tmp_path)
    with pytest.raises(NonFiniteResultError, match="cost of image 0 is nan"):
        evaluate(store.load(tmp_path), np.zeros((2, 1, 8, 8), np.uint8))


def test_the_last_good_weights_are_those_whose_validation_was_finite(tmp_path, monkeypatch):
    loss, good = Trainee.loss, []

    def spoiled(self, images):
        if self.steps == 4:  # after the second of three validations
            good.append(store.load(tmp_path / "run").state_dict())
            for parameter in self.model.parameters():
                parameter.data.mul_(1e30)
            self.average.model.load_state_dict(self.model.state_dict())
            return 0 * sum(parameter.sum() for parameter in self.model.parameters())
        return loss(self, images)

    monkeypatch.setattr(Trainee, "loss", spoiled)
    with pytest.raises(NonFiniteLossError, match="last good weights are in"):
        train(load_recipe("digits-pixelcnn", TINY), tmp_path / "run", console=SILENT)
    kept = store.load(tmp_path / "run").state_dict()
    assert all(torch.equal(kept[name], good[0][name]) for name in kept)
    assert "NaN" not in (tmp_path / "run" / "result.json").read_text()


# Images that lie elsewhere.


def pictures(folder, count=30):
    folder.mkdir()
    for k in range(count):
        Image.new("L", (8, 8), k).save(folder / f"{k:02}.png")


def test_a_run_goes_on_from_another_folder_and_with_images_that_were_moved(tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    pictures(tmp_path / "here" / "pics")
    monkeypatch.chdir(tmp_path / "here")
    recipe = load_recipe("digits-pixelcnn", (*TINY, "training.image_presentations=16"), data="pics")

    def stop(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("pixelrnn.training.fit.make_layers_ready", stop)
        with pytest.raises(TrainingInterrupted):
            train(recipe, "run", console=SILENT)
    monkeypatch.chdir(tmp_path)
    run = tmp_path / "here" / "run"
    assert recipe_of(RunFolder(run)).data.source == str(tmp_path / "here" / "pics")
    (tmp_path / "here" / "pics").rename(tmp_path / "moved")
    with pytest.raises(DataError, match=r"were in .*pics, and there is nothing now.*--data"):
        resume(run, console=SILENT)
    resume(run, data="moved", console=SILENT)
    assert recipe_of(RunFolder(run)).data.source == str(tmp_path / "moved")


@pytest.mark.skipif(sys.platform != "linux", reason="needs file names of any bytes")
@pytest.mark.parametrize("what", ["images", "folder"])
def test_a_path_that_is_not_utf8_is_one_clear_line(tmp_path, what):
    odd = tmp_path / os.fsdecode(b"\xff\xfe")
    data, run = (odd, tmp_path / "run") if what == "images" else (tmp_path / "pics", odd)
    pictures(data)
    with pytest.raises(RecipeError, match=f"the path of the {what}, .*is not valid UTF-8"):
        train(load_recipe("digits-pixelcnn", TINY, data=str(data)), run, console=SILENT)


# TensorBoardCurves, keys and processes.


def test_the_curves_are_what_tensorboard_reads(runs):
    (file,) = (runs[0] / "tensorboard").iterdir()
    events = [event for event in EventFileLoader(str(file)).Load() if event.summary.value]
    assert [event.step for event in events] == [
        int(row["step"]) for row in RunFolder(runs[0]).read_metrics()
    ]


def test_a_full_disk_ends_the_curves_and_not_the_run(tmp_path):
    said = []
    (tmp_path / "tensorboard").write_text("no folder can be made here")
    curves = TensorBoardCurves(tmp_path / "tensorboard", said.append)
    for step in range(3):
        curves.add(step, {"a": 1.0})
    (line,) = said
    assert "the run goes on" in line
    if os.path.exists("/dev/full"):  # noqa: PTH110
        curves = TensorBoardCurves(tmp_path, said.append)
        curves._file = Path("/dev/full")
        curves.add(1, {"a": 1.0})
        assert "No space left" in said[1]


def test_every_key_of_every_recipe_is_explained():
    for name in ("digits-pixelcnn", "cifar10-paper-row-lstm"):
        keys = {key.name: key for key in keys_of(load_recipe(name))}
        assert all(key.meaning and key.type for key in keys.values())
        assert keys["training.batch_size"].range == ">= 1"
        assert keys["model.image_size"].value is None
        json.dumps([key.value for key in keys.values()])


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGHUP")
def test_the_end_of_a_terminal_is_not_the_end_of_a_run(tmp_path):
    """A real process, and the command line."""
    script = (
        "import os, signal\n"
        "from pixelrnn.cli.main import main\n"
        "from pixelrnn.training.loop import Trainee\n"
        "loss = Trainee.loss\n"
        "def hang_up(self, images):\n"
        "    if self.steps == 1: os.kill(os.getpid(), signal.SIGHUP)\n"
        "    return loss(self, images)\n"
        "Trainee.loss = hang_up\n"
        "main()\n"
    )
    settings = [part for each in TINY for part in ("--set", each)]
    done = subprocess.run(
        [sys.executable, "-c", script, "train", "digits-pixelcnn", "--out", tmp_path, *settings],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 129
    assert "stopped at step 2 of 6; go on with: " in done.stderr.splitlines()[-1]
    assert RunFolder(tmp_path).checkpoint_file.is_file()
