"""The command line, in this process, and a tiny trained run."""

import shutil
import signal
import sys
from dataclasses import dataclass

import pytest
import torch

from pixelrnn.cli.main import main
from pixelrnn.models import CONFIGS, MODELS, store
from pixelrnn.stopping import SIGNALS
from pixelrnn.training import load_recipe, train

TINY = ("model.features=4", "model.layers=1", "training.image_presentations=128",
        "training.batch_size=64", "training.validations=2")  # fmt: skip


@dataclass(frozen=True)
class Answer:
    """What a command left behind."""

    code: int
    out: str
    err: str


@pytest.fixture
def tiny():
    """Settings that make any recipe train in no time, as arguments."""
    return [part for setting in TINY for part in ("--set", setting)]


@pytest.fixture
def pixelrnn(monkeypatch, capsys):
    """Run `pixelrnn ARGUMENTS...` with all of `main`, but in this process."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["pixelrnn", *map(str, arguments)])
        capsys.readouterr()
        before = {number: signal.getsignal(number) for number in SIGNALS}
        try:
            main()
            code = 0
        except SystemExit as stop:
            code = stop.code or 0
        for number, handler in before.items():  # a command that was stopped ignores what follows
            signal.signal(number, handler)
        answer = capsys.readouterr()
        return Answer(code, answer.out, answer.err)

    return run


@pytest.fixture
def fails(pixelrnn):
    """Run a command that must fail: its one line on standard error, without "error: "."""

    def run(*arguments):
        answer = pixelrnn(*arguments)
        assert answer.code == 2, answer
        assert answer.out == ""
        (line,) = answer.err.splitlines()
        assert line.startswith("error: ")
        assert "Traceback" not in line
        return line.removeprefix("error: ")

    return run


@pytest.fixture(scope="session")
def trained(tmp_path_factory):
    """A finished run on the digits; copy it before changing it."""
    return train(
        load_recipe("digits-pixelcnn", TINY), tmp_path_factory.mktemp("trained") / "run"
    ).path


@pytest.fixture
def run_folder(trained, tmp_path):
    """A copy of the finished run."""
    return shutil.copytree(trained, tmp_path / "run")


@pytest.fixture(scope="session")
def save_model():
    """Write a tiny model of grey images, 6 x 5 of nine levels, never trained, into a new folder."""

    def save(folder, kind="pixelcnn", **settings):
        sizes = {"features": 6, "head_features": 6, "layers": 1, "stem_kernel_size": 3}
        images = {"channels": 1, "num_levels": 9, "image_size": [6, 5]}
        config = CONFIGS[kind].model_validate({"kind": kind} | sizes | images | settings)
        folder.mkdir()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            store.save(MODELS[kind](config), folder)
        return folder

    return save


@pytest.fixture(scope="session")
def grey(save_model, tmp_path_factory):
    """A folder with a model of grey images."""
    return save_model(tmp_path_factory.mktemp("grey") / "model")
