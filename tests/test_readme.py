"""What README.md shows can be typed: its commands are run with tiny models, its Python as it stands."""

import io
import re
import shlex
import sys
from contextlib import redirect_stdout
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pixelrnn import assessment
from pixelrnn.baselines import Baseline
from pixelrnn.cli.main import main

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
TINY = ("model.features=4", "model.layers=1", "training.image_presentations=64",
        "training.batch_size=32", "training.validations=1")  # fmt: skip
OTHER_PROGRAMS = {"make", "git", "cd", ".", "source"}


def blocks(language):
    """The fenced blocks of a language, each its text."""
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.M | re.S)


def commands():
    """Every command line of the shell blocks, without comments, in the order of the page."""
    text = "".join(blocks("sh")).replace("\\\n", " ")
    lines = (shlex.split(line, comments=True) for line in text.splitlines())
    return [line for line in lines if line]


@pytest.fixture
def user(tmp_path, monkeypatch):
    """Where a reader might type: with a folder of photographs and an array of images."""
    generator = np.random.default_rng(0)
    (tmp_path / "pictures").mkdir()
    for index in range(10):
        levels = generator.integers(256, size=(32, 64, 3), dtype=np.uint8)
        Image.fromarray(levels).save(tmp_path / "pictures" / f"{index}.png")
    levels = generator.integers(256, size=(20, 6, 5, 3), dtype=np.uint8)
    np.save(tmp_path / "images.npy", levels)
    monkeypatch.chdir(tmp_path)

    # Both take long for 32 x 32 images, and have tests of their own.
    def claimed_field(model, image, place):
        return model.receptive_field(place, height=image.shape[1], width=image.shape[2])

    monkeypatch.setattr(assessment, "field_in_float64", claimed_field)
    monkeypatch.setattr(
        "pixelrnn.compare.baselines.measure", lambda *_, **__: [Baseline("uniform", 8.0, "")]
    )
    return tmp_path


def run(arguments, monkeypatch):
    if arguments[1] in ("train", "compare") and "--list" not in arguments:
        arguments = [*arguments, *(part for setting in TINY for part in ("--set", setting))]
    monkeypatch.setattr(sys, "argv", arguments)
    code = 0
    try:
        main()
    except SystemExit as stop:
        code = stop.code or 0
    assert code == 0, arguments


def test_commands_in_their_order(user, monkeypatch, capsys):
    """One after the other, as later ones use what earlier ones made."""
    ours = [line for line in commands() if line[0] not in OTHER_PROGRAMS]
    assert {line[0] for line in ours} == {"pixelrnn"}
    verbs = {"compare", "train", "evaluate", "report", "data", "compress", "decompress", "models"}
    assert {line[1] for line in ours} >= verbs
    for line in ours:
        run(line, monkeypatch)
        output = capsys.readouterr()
        assert output.out.strip(), line
        assert "error" not in output.err, line
    assert (user / "mine.html").is_file()
    assert (user / "runs" / "pictures" / "report.html").is_file()


def test_python_as_it_stands(user, monkeypatch):
    run(["pixelrnn", "compress", "pictures", "-o", "album.pxr"], monkeypatch)
    pieces = blocks("python")
    assert len(pieces) >= 3
    for piece in pieces:
        names, printed = {}, io.StringIO()
        with redirect_stdout(printed):
            exec(compile(piece, "README.md", "exec"), names)
        if "album" in names:
            assert printed.getvalue() == "10 (3, 32, 64)\n"
        elif "completed" in names:
            assert printed.getvalue().startswith("(2, 3, 1, 8, 8) ")
        elif "print(" in piece:
            assert re.fullmatch(r"\d\.\d{3} ± \d\.\d{3} bits/dim\n", printed.getvalue())
        if "seen" in names:
            assert names["nats"].shape == (2,)
            assert names["seen"].shape == (3, 20, 30)


def test_make_targets_are_there():
    targets = {line[1] for line in commands() if line[0] == "make"}
    assert {"compare", "test"} <= targets
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in targets:
        assert re.search(rf"^{target}:", makefile, re.M), target


def test_suites_and_recipes_named_exist():
    from pixelrnn.training import shipped_recipes, suites

    known = {*suites(), *shipped_recipes(), "cifar10", "mnist"}
    named = set(re.findall(r"`((?:digits|photos|cifar10|mnist)(?:-[a-z0-9-]+)?)`", README))
    assert named >= set(suites())
    assert named <= known


def test_the_table_of_digits_is_in_step_with_the_one_that_is_printed():
    """The same run is shown twice: as `make compare` prints it, and rounded among the results."""
    (printed,) = blocks("text")
    for label in ("PixelCNN", "Row LSTM", "Diagonal BiLSTM"):
        found = re.search(rf"^{label} +([\d.]+) ± ([\d.]+) +([\d,]+) ", printed, re.M)
        row = re.search(rf"^\| {label} \| ([\d.]+) ± ([\d.]+) \| [\d.]+ \| ([\d,]+) ", README, re.M)
        assert float(row[1]) == pytest.approx(float(found[1]), abs=0.00055)  # rounded twice
        assert float(row[2]) == pytest.approx(float(found[2]), abs=0.00055)
        assert found[3] == row[3]


@pytest.mark.parametrize("suite", ["digits", "cifar"])
def test_results_have_their_place(suite):
    """Between these marks a table can be replaced without reading the page."""
    assert README.count(f"<!-- results:{suite} -->") == 1
    assert README.count(f"<!-- /results:{suite} -->") == 1
