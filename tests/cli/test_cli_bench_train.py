"""`pixelrnn bench train`, as typed."""

import json
import re

import pytest

from benchmarks import in_turn
from benchmarks.steps import Steps

QUICK = ("--size", "4x5", "--batch", 2, "--repeats", 1)
LABELS = ("PixelCNN", "Row LSTM", "Diagonal BiLSTM")


@pytest.fixture(autouse=True)
def fast(monkeypatch):
    monkeypatch.setattr(in_turn, "SECONDS_EACH", 0.0)


@pytest.fixture
def recipe_file(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(
        '[model]\nkind = "pixelcnn"\nfeatures = 4\nlayers = 1\n'
        '[data]\nsource = "pictures"\n[training]\nepochs = 1\nbatch_size = 3\nthreads = 1\n'
    )
    return path


def test_table(pixelrnn):
    answer = pixelrnn("bench", "train", "digits", *QUICK, "--scaling", "--threads", 2)
    assert (answer.code, answer.err) == (0, "")
    for label in LABELS:
        assert re.search(rf"{label} +│ +4x5 │ +2 │ +2 │ +[\d,.]+ │ +[\d,.]+ │", answer.out)
        for change in ("twice the layers", "twice the features", "twice the image side"):
            assert re.search(rf"{label} +│ {change} +│ +[\d.]+ │ +[\d.]+ │ +[\d.]+ │", answer.out)
    assert "Medians of 1 repetition in turn" in answer.out
    assert "Plain: the same network and weights" in answer.out
    assert re.search(r"The machine: .+; [\d.,]+ GFLOP/s .+, 2 threads\.", answer.out)


def test_json(pixelrnn, tmp_path):
    out = tmp_path / "new" / "speed.json"
    answer = pixelrnn("bench", "train", "digits", *QUICK, "--json", "--out", out)
    found = json.loads(answer.out)
    assert json.loads(out.read_text()) == found
    assert (found["format_version"], found["kind"]) == (1, "training benchmark")
    assert found["suite"] == "digits"
    assert found["environment"]["processor"]
    assert found["finished"] is True
    assert [each["label"] for each in found["timings"]] == list(LABELS)
    for each in found["timings"]:
        assert each["image_shape"] == [1, 4, 5]
        assert each["batch_size"] == 2
        assert each["flops_per_image"] > 0
        assert each["speed_up"] == each["images_per_second"] / each["plain_images_per_second"]


def test_one_recipe_without_the_plain_version(pixelrnn):
    answer = pixelrnn(
        "bench", "train", "cifar10-45k-softmax-pixelcnn", *QUICK, "--no-plain", "--json"
    )
    (timing,) = json.loads(answer.out)["timings"]
    assert (timing["speed_up"], timing["plain_images_per_second"]) == (None, None)
    assert timing["image_shape"] == [3, 4, 5]
    assert timing["likelihood_kind"] == "categorical"


def test_no_plain_version_is_spoken_of_where_none_is_measured(pixelrnn):
    answer = pixelrnn("bench", "train", "digits-pixelcnn", *QUICK, "--no-plain")
    assert "Plain:" not in answer.out


def test_a_file(pixelrnn, recipe_file):
    answer = pixelrnn("bench", "train", recipe_file, "--size", "6x4", "--repeats", 1, "--json")
    (timing,) = json.loads(answer.out)["timings"]
    assert (timing["recipe"], timing["batch_size"], timing["threads"]) == ("mine", 3, 1)
    assert timing["image_shape"] == [3, 6, 4]


def test_ctrl_c_shows_what_is_measured(pixelrnn, tmp_path, monkeypatch):
    real, calls = Steps.step, []

    def stopped(self):
        calls.append(self)
        if len(calls) == 6:  # of the second model; the first took four
            raise KeyboardInterrupt
        real(self)

    monkeypatch.setattr(Steps, "step", stopped)
    out = tmp_path / "speed.json"
    answer = pixelrnn("bench", "train", "digits", *QUICK, "--json", "--out", out)
    assert answer.code == 130
    assert "stopped" in answer.err
    found = json.loads(answer.out)
    assert [each["label"] for each in found["timings"]] == ["PixelCNN"]
    assert found["finished"] is False
    assert json.loads(out.read_text()) == found


def test_ctrl_c_at_once(pixelrnn, tmp_path, monkeypatch):
    def stopped(self):
        raise KeyboardInterrupt

    monkeypatch.setattr(Steps, "step", stopped)
    answer = pixelrnn("bench", "train", "digits", *QUICK, "--out", tmp_path / "speed.json")
    assert answer.code == 130
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--size", "32"), "'32' is not a size"),
        (("--batch", "0"), "give a whole number, 1 or more"),
        (("--repeats", "x"), "give a whole number, 1 or more"),
        (("--threads", "0"), "give a whole number, 1 or more"),
        (("--out", "a.txt"), "give a name that ends in .json"),
    ],
)
def test_bad_options(arguments, message, fails, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert message in fails("bench", "train", "digits", *arguments)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("suite", "message"),
    [
        ("digit", "did you mean digits?"),
        ("cifar10-45k-pixelcn", "did you mean cifar10-45k-pixelcnn?"),
        ("none.toml", "there is no recipe file none.toml"),
        ("runs/none", "runs/none is not a recipe"),
    ],
)
def test_no_such_suite(suite, message, fails, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert message in fails("bench", "train", suite)


def test_images_of_unknown_size(fails, recipe_file):
    assert "give --size" in fails("bench", "train", recipe_file)


def test_a_batch_that_cannot_be_computed_in_parts(fails, recipe_file):
    recipe_file.write_text(recipe_file.read_text() + "accumulate = 3\n")
    message = fails("bench", "train", recipe_file, "--size", "4x4", "--batch", 4)
    assert "must be a multiple of accumulate" in message
