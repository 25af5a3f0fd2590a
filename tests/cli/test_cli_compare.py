"""`pixelrnn compare`, as typed."""

import json
import re

import numpy as np
import pytest

from pixelrnn.baselines import Baseline

LABELS = ("PixelCNN", "Row LSTM", "Diagonal BiLSTM")


@pytest.fixture
def images(tmp_path):
    """Few and small, so that all of it takes a second."""
    file = tmp_path / "mine.npy"
    np.save(file, np.random.default_rng(0).integers(256, size=(40, 4, 5), dtype=np.uint8))
    return file


@pytest.fixture
def quick(images, tiny, monkeypatch):
    """The end of a command that compares in no time."""
    from pixelrnn import compare

    lines = [Baseline("PNG", 9.25, "quick"), Baseline("uniform", 8.0, "quick")]
    monkeypatch.setattr(compare.baselines, "measure", lambda *_, **__: lines)
    return ("--data", images, *tiny)


def test_a_table_and_a_page(pixelrnn, quick, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    answer = pixelrnn("compare", "digits", *quick)
    assert answer.code == 0
    assert "mine.npy: 4 test images, bits/dim" in answer.out
    for word in (*LABELS, "parameters", "images/s", "minutes", "PNG", "9.2500", "uniform"):
        assert word in answer.out
    assert re.search(r"\d\.\d{4} ± \d\.\d{4}", answer.out)
    assert answer.out.index("uniform") < answer.out.index("PNG")  # the better one first
    assert answer.out.splitlines()[-1] == "The report: runs/digits/report.html"
    assert (tmp_path / "runs" / "digits" / "report.html").is_file()
    for label in LABELS:
        assert f"{label}: evaluating 4 test images" in answer.err


def test_json_is_that_of_the_file(pixelrnn, quick, tmp_path):
    answer = pixelrnn("compare", "digits", "--json", "--out", tmp_path / "out", *quick)
    assert answer.code == 0
    results = json.loads(answer.out)
    assert results == json.loads((tmp_path / "out" / "results.json").read_text())
    assert [model["label"] for model in results["models"]] == list(LABELS)
    again = pixelrnn("compare", "digits", "--json", "--out", tmp_path / "out", *quick)
    assert json.loads(again.out) == results
    assert again.err.count("already trained in") == 3


def test_report_of_what_compare_wrote(pixelrnn, quick, tmp_path):
    pixelrnn("compare", "digits", "--out", tmp_path / "out", *quick)
    page = tmp_path / "again.html"
    answer = pixelrnn("report", tmp_path / "out", "--out", page, "--title", "Mine")
    assert answer.code == 0
    assert answer.out.strip() == str(page)
    assert "<h1>Mine</h1>" in page.read_text(encoding="utf-8")


def test_dry_run_writes_nothing(pixelrnn, images, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    answer = pixelrnn("compare", "digits", "--data", images, "--dry-run")
    assert answer.code == 0
    lines = answer.out.splitlines()
    assert [line.partition(":")[0] for line in lines] == [*LABELS, "all"]
    assert all("would take" in line for line in lines)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.npy"]


def test_equal_minutes(pixelrnn, quick, tmp_path):
    answer = pixelrnn(
        "compare", "digits", "--equal", "minutes", "--set", "training.max_minutes=0.01", "--json",
        "--out", tmp_path / "out", *quick,
    )  # fmt: skip
    assert answer.code == 0
    assert all(0.01 <= model["minutes"] < 0.5 for model in json.loads(answer.out)["models"])


def test_equal_to_something_else(pixelrnn):
    answer = pixelrnn("compare", "digits", "--equal", "steps")
    assert (answer.code, answer.out) == (2, "")
    assert "presentations" in answer.err


def test_ctrl_c_and_the_same_command(pixelrnn, quick, tmp_path, monkeypatch):
    import signal

    from pixelrnn.training import progress

    shown = []

    def validated(self, *figures):
        shown.append(figures)
        if len(shown) == 3:  # the first of the second model
            signal.raise_signal(signal.SIGINT)

    command = ("compare", "digits", "--out", tmp_path / "out", *quick)
    monkeypatch.setattr(progress.TrainingProgress, "validated", validated)
    answer = pixelrnn(*command)
    assert answer.code == 130
    assert answer.err.splitlines()[-1] == (
        "error: stopped at step 1 of 2; the same command goes on from there"
    )
    assert not (tmp_path / "out" / "results.json").exists()
    answer = pixelrnn(*command)
    assert answer.code == 0
    assert answer.err.count("already trained in") == 1
    assert "The report: " in answer.out


def test_brackets_in_names_are_no_markup(pixelrnn, images, quick, tmp_path):
    images = images.rename(tmp_path / "[bold]x.npy")
    command = ("compare", "digits", "--out", tmp_path / "d[/red]", *quick, "--data", images)
    assert "[bold]x.npy: 4 test images" in pixelrnn(*command).out
    again = pixelrnn(*command)
    assert again.code == 0
    assert f"already trained in {tmp_path / 'd[/red]' / 'pixelcnn'}" in again.err


# Several recipes, several seeds.


@pytest.fixture
def quicker(quick, tmp_path):
    """The same with few levels."""
    file = tmp_path / "few.npy"
    np.save(file, np.random.default_rng(0).integers(9, size=(40, 4, 5), dtype=np.uint8))
    return (*quick, "--data", file, "--set", "data.num_levels=9")


@pytest.fixture
def wide(tmp_path):
    """A recipe of the same model as digits-pixelcnn, in a file."""
    file = tmp_path / "wide.toml"
    file.write_text(
        '[model]\nkind = "pixelcnn"\nhead_features = 6\n[data]\nsource = "digits"\n'
        "[training]\nepochs = 1\n"
    )
    return file


def test_two_recipes_of_one_model_and_two_seeds(pixelrnn, quicker, wide, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    command = ("compare", wide, "digits-pixelcnn", "--seeds", "2", *quicker)
    answer = pixelrnn(*command)
    assert answer.code == 0, answer
    labels = ("PixelCNN (wide)", "PixelCNN (digits-pixelcnn)")
    lines = answer.out.splitlines()
    assert "(± standard error over images; mean and standard deviation of 2 seeds)" in lines[0]
    for label in labels:
        (row,) = [line for line in lines if line.startswith(label) and "above" not in line]
        assert re.search(r"\d\.\d{4} ± \d\.\d{4} +± \d\.\d{4}", row)
        assert f"{label}, seed 1: in runs/wide-vs-digits-pixelcnn/" in answer.err
    (said,) = [line for line in lines if " above " in line]
    assert re.search(r"by Welch's t-test over seeds\)$", said)
    assert "there are too few pictures for a verdict" in said  # four images
    folder = tmp_path / "runs" / "wide-vs-digits-pixelcnn"
    assert lines[-1] == "The report: runs/wide-vs-digits-pixelcnn/report.html"
    assert (folder / "wide" / "seed-1" / "result.json").is_file()
    page = (folder / "report.html").read_text("utf-8")
    for label in labels:
        assert label in page
    again = pixelrnn(*command)
    assert again.err.count("already trained in") == 4
    one = pixelrnn(*command[:3], *command[5:])
    assert "over images" not in one.out.splitlines()[0]
    assert one.err.count("already trained in") == 2


def test_recipes_that_differ_in_their_seed_alone_are_told_apart(pixelrnn, quicker, wide, tmp_path):
    other = tmp_path / "other.toml"
    other.write_text(wide.read_text() + "seed = 3\n")
    answer = pixelrnn("compare", wide, other, "--out", tmp_path / "a=b", *quicker)
    assert answer.code == 0
    page = (tmp_path / "a=b" / "report.html").read_text("utf-8")
    assert "PixelCNN (wide)" in page
    assert "PixelCNN (other)" in page
    assert "Over seeds" not in page


def test_what_cannot_be_compared_is_one_line(fails, wide, tmp_path):
    assert "is one recipe" in fails("compare", wide)
    assert "is one recipe" in fails("compare", "digits-pixelcnn")
    assert "named twice" in fails("compare", wide, wide)
    assert "photos is a suite" in fails("compare", wide, "photos")
    assert "did you mean digits-row-lstm?" in fails("compare", wide, "digits-row-lst")
    assert "say with --data" in fails("compare", wide, "photos-pixelcnn")
    assert sorted(file.name for file in tmp_path.iterdir()) == ["wide.toml"]


@pytest.mark.parametrize("seeds", ["0", "-1", "x", "1.5"])
def test_a_number_of_seeds_that_is_none(pixelrnn, seeds):
    answer = pixelrnn("compare", "digits", "--seeds", seeds)
    assert (answer.code, answer.out) == (2, "")
    assert "--seeds" in answer.err


def test_dry_run_of_seeds_says_what_all_take(pixelrnn, images, wide, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    answer = pixelrnn(
        "compare", wide, "digits-row-lstm", "--data", images, "--seeds", "3", "--dry-run",
        "--set", "training.epochs=1e6", "--set", "training.max_minutes=2",
    )  # fmt: skip
    *lines, last = answer.out.splitlines()
    assert [line.partition(":")[0] for line in lines] == ["PixelCNN", "Row LSTM"]
    assert all("training.max_minutes ends it after 2 min 0 s" in line for line in lines)
    assert last == "all: 2 models, 3 times each, would take 12 min 0 s"
    assert not (tmp_path / "runs").exists()
