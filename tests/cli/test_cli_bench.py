"""`pixelrnn bench sample`, as typed."""

import json
import re
import subprocess
import sys

import pytest

from benchmarks import in_turn, sampling

FAST = ("--repeats", 1, "--batches", "1,2")
KEYS = {
    "stepper_seconds_1_thread", "stepper_seconds_all_threads", "whole_image_seconds_scaled",
    "speed_up", "gflops_per_core", "thread_scaling", "size", "batch",
}  # fmt: skip


@pytest.fixture(autouse=True)
def fast(monkeypatch):
    monkeypatch.setattr(in_turn, "SECONDS_EACH", 0.0)


def test_table(pixelrnn, trained):
    answer = pixelrnn("bench", "sample", trained, "--sizes", "4x4,8x4", *FAST, "--threads", 2)
    assert answer.code == 0
    assert all(line.startswith("compiling the pixel loop") for line in answer.err.splitlines())
    for size in ("4x4", "8x4"):
        assert len(re.findall(rf"{size} │ +[12] │", answer.out)) == 2
    assert re.search(r"8x4 takes [\d.]+ times as long as 4x4 \(2 times the pixels\)", answer.out)
    assert "once per pixel" in answer.out
    assert "timed and scaled" in answer.out
    assert "to load or compile the loop" in answer.out


def test_json(pixelrnn, trained, tmp_path):
    out = tmp_path / "new" / "bench.json"
    answer = pixelrnn("bench", "sample", trained, "--sizes", "4x4", *FAST, "--json", "--out", out)
    found = json.loads(answer.out)
    assert json.loads(out.read_text()) == found
    assert [timing["batch"] for timing in found["timings"]] == [1, 2]
    assert all(timing.keys() >= KEYS for timing in found["timings"])
    assert found["weights"] == "trained"
    assert found["parameters"] > 0
    assert found["finished"] is True


def test_usual_sizes_are_those_of_the_model(pixelrnn, trained):
    answer = pixelrnn("bench", "sample", trained, *FAST, "--json")
    sizes = [timing["size"] for timing in json.loads(answer.out)["timings"]]
    assert sizes == [[8, 8], [8, 8], [16, 16], [16, 16]]


@pytest.mark.parametrize(
    ("recipe", "kind", "parameters"),
    [("cifar10-45k-row-lstm", "row-lstm", 44_704), ("digits-pixelcnn", "pixelcnn", 50_000)],
)
def test_a_recipe_needs_no_training_and_no_images(recipe, kind, parameters, pixelrnn):
    answer = pixelrnn("bench", "sample", recipe, "--sizes", "4x4", *FAST, "--json")
    found = json.loads(answer.out)
    assert found["weights"] == "fresh weights"
    assert found["kind"] == kind
    assert 20_000 < found["parameters"] <= parameters


def test_training_is_imported_for_a_recipe_only(trained):
    arguments = ["pixelrnn", "bench", "sample", str(trained), "--sizes", "4x4", *map(str, FAST)]
    program = (
        "import sys; from pixelrnn.cli.main import main\n"
        f"sys.argv = {arguments!r}\n"
        "try: main()\nexcept SystemExit: pass\n"
        "sys.exit('pixelrnn.training' in sys.modules or 'lightning_fabric' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_ctrl_c_shows_what_is_measured(pixelrnn, trained, monkeypatch):
    real, calls = sampling.measure_in_turn, []

    def stopped(*arguments):
        calls.append(arguments)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return real(*arguments)

    monkeypatch.setattr(sampling, "measure_in_turn", stopped)
    answer = pixelrnn("bench", "sample", trained, "--sizes", "4x4", *FAST, "--json")
    assert answer.code == 130
    assert "stopped" in answer.err
    found = json.loads(answer.out)
    assert len(found["timings"]) == 1
    assert found["finished"] is False


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--sizes", "32"), "'32' is not a size"),
        (("--sizes", "8x8,"), "'' is not a size"),
        (("--batches", "1,x"), "'x' is not allowed"),
        (("--batches", "0"), "give a whole number, 1 or more"),
        (("--repeats", "0"), "give a whole number, 1 or more"),
        (("--threads", "0"), "give a whole number, 1 or more"),
        (("--out", "a.txt"), "give a name that ends in .json"),
    ],
)
def test_bad_options(arguments, message, fails, trained, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert message in fails("bench", "sample", trained, *arguments)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("digits-pixelcn", "did you mean digits-pixelcnn?"),
        ("runs/none", "there is no model at runs/none"),
        ("none.toml", "there is no recipe file none.toml"),
    ],
)
def test_no_such_model(model, message, fails, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert message in fails("bench", "sample", model)
