"""`pixelrnn audit` of trained models, and what one that breaks the contract does to other verbs."""

import json

import pytest
import torch.nn.functional as F

from pixelrnn import assessment, shipped
from pixelrnn.graph.traced import Traced
from pixelrnn.models import pixel_cnn, store
from pixelrnn.training import load_recipe, train

LEARNS = ("model.features=4", "model.layers=1", "training.image_presentations=8000",
          "training.batch_size=16", "training.validations=1", "training.ema_decay=0",
          "optimizer.learning_rate=0.01")  # fmt: skip
CHECKS = ["causal", "normalised", "alone as in a batch", "steps as it forwards"]
FULL = [*CHECKS, "draws what it scores", "codes exactly"]
AT_FAULT = "not causal: the parameters of row 0, column 0, colour 0 changed with its own value"


@pytest.fixture
def peeking(monkeypatch):
    """Every PixelCNN looks one pixel to the right, and its program does not."""
    honest = pixel_cnn.PixelCNNBlock.forward

    def forward(self, maps):
        result = honest(self, maps)
        return result if isinstance(maps, Traced) else result + F.pad(maps, (0, 1))[..., 1:]

    monkeypatch.setattr(pixel_cnn.PixelCNNBlock, "forward", forward)


@pytest.fixture
def believed(monkeypatch):
    """Nobody looks whether a model keeps the contract."""
    monkeypatch.setattr(assessment, "require_contract", lambda *_: None)


@pytest.mark.parametrize("what", ["run", "weights", "shipped"])
def test_a_model_that_keeps_it(what, pixelrnn, run_folder):
    model = {
        "run": run_folder,
        "weights": run_folder / "model.safetensors",
        "shipped": "digits-row-lstm",
    }[what]
    answer = pixelrnn("audit", model)
    assert answer.code == 0, answer
    *lines, last = answer.out.splitlines()
    checks = [line.partition(":")[0] for line in lines if line.startswith("holds")]
    assert checks[: len(FULL)] == [f"holds           {check}" for check in FULL]
    assert "causal in training mode" in answer.out
    assert "what row 6, column 4, colour 0 really depends on:" in lines
    assert last.startswith(f"{model}: nothing fails, on ")
    assert ("training images of digits" in last) == (what != "shipped")
    assert answer.err == ""


def test_quickly_and_as_json(pixelrnn, run_folder):
    answer = pixelrnn("audit", run_folder, "--quick", "--json")
    found = json.loads(answer.out)
    assert (answer.code, found["holds"], found["images"]) == (
        0,
        True,
        "training images of digits and random ones",
    )
    assert [each["check"] for each in found["findings"]] == CHECKS
    assert "64 of 64 of 8 x 8" in found["findings"][0]["covered"]


def test_of_images_that_are_not_here_random_ones_are_taken(pixelrnn, run_folder):
    recipe = run_folder / "recipe.toml"
    recipe.write_text(recipe.read_text().replace('source = "digits"', 'source = "./gone"'))
    answer = pixelrnn("audit", run_folder, "--quick")
    assert answer.code == 0
    assert answer.err.startswith("random images are taken instead of the run's own: ")
    assert answer.out.endswith(": nothing fails, on random images\n")


@pytest.mark.parametrize("given", ["no-such-model", "digits-pixelcn"])
def test_what_is_no_model(given, fails):
    assert "there is no model" in fails("audit", given)


@pytest.mark.parametrize("options", [(), ("--quick",)], ids=["full", "quick"])
def test_a_model_that_breaks_it(options, pixelrnn, run_folder, peeking):
    answer = pixelrnn("audit", run_folder, *options)
    assert answer.code == 1
    (line,) = answer.err.splitlines()
    assert line.startswith(f"error: {run_folder} fails: causal: {AT_FAULT}")
    assert "it uses its own value" in line
    assert "! must not be used, and is" in answer.out


def test_a_model_that_breaks_it_as_json(pixelrnn, run_folder, peeking):
    answer = pixelrnn("audit", run_folder, "--json")
    found = json.loads(answer.out)
    assert (answer.code, found["holds"]) == (1, False)
    assert found["findings"][0]["text"].startswith(AT_FAULT)
    assert found["findings"][0]["counterexample"]["moves_by"] > 0


@pytest.mark.parametrize("option", ["--shape", "--levels", "--layout"])
def test_what_is_said_of_others_models_is_refused_of_ours(option, fails, run_folder):
    value = {"--shape": "1x8x8", "--levels": "17", "--layout": "(B, K, H, W)"}[option]
    assert fails("audit", run_folder, option, value).startswith(f"{option} is for models of others")


@pytest.mark.parametrize("split", ["test", "validation"])
def test_evaluate_believes_no_figure_of_it(split, pixelrnn, run_folder, peeking):
    before = {path.name: path.read_bytes() for path in run_folder.iterdir() if path.is_file()}
    answer = pixelrnn("evaluate", run_folder, "--split", split)
    assert answer.code == 1
    assert answer.out == ""
    (line,) = answer.err.splitlines()
    assert line.startswith(f"error: PixelCNN in {run_folder} breaks the contract: {AT_FAULT}")
    assert before == {
        path.name: path.read_bytes() for path in run_folder.iterdir() if path.is_file()
    }


def test_compare_believes_no_figure_of_it_and_goes_on_when_it_is_mended(
    pixelrnn, tiny, tmp_path, monkeypatch
):
    honest = pixel_cnn.PixelCNNBlock.forward
    monkeypatch.setattr(
        pixel_cnn.PixelCNNBlock,
        "forward",
        lambda self, maps: honest(self, maps) + F.pad(maps, (0, 1))[..., 1:],
    )
    out = tmp_path / "out"
    answer = pixelrnn("compare", "digits", "--out", out, *tiny)
    assert answer.code == 1
    assert answer.out == ""
    line = answer.err.splitlines()[-1]
    assert line.startswith(f"error: PixelCNN in {out / 'pixelcnn'} breaks the contract: {AT_FAULT}")
    assert not [path for path in out.iterdir() if path.is_file()]
    assert not list(out.glob("*/evaluation.npz"))
    monkeypatch.setattr(pixel_cnn.PixelCNNBlock, "forward", honest)
    answer = pixelrnn("compare", "digits", "--out", out, *tiny)
    assert answer.code == 0, answer
    assert (out / "report.html").is_file()
    assert all(
        model["alarms"] == [] for model in json.loads((out / "results.json").read_text())["models"]
    )


# --- alarms --------------------------------------------------------------------------------------


def alarmed(answer):
    assert answer.code == 1, answer
    line = answer.err.splitlines()[-1]
    assert line.startswith("error: ")
    return line


def test_sizes_that_rounding_cannot_explain_are_an_alarm(pixelrnn, peeking, believed, tmp_path):
    """The headline says what no file can hold: it learnt to peek, and nobody looked."""
    run_folder = tmp_path / "run"
    train(load_recipe("digits-pixelcnn", LEARNS), run_folder)
    answer = pixelrnn("assess", run_folder, "--json")
    assert "bits/dim in integers against" in alarmed(answer)
    (text,) = json.loads(answer.out)["alarms"]
    assert json.loads((run_folder / "result.json").read_text())["alarms"] == [text]
    answer = pixelrnn("report", run_folder, "--out", tmp_path / "page.html")
    assert text in alarmed(answer)
    assert "seen to depend on what it has yet to predict: row 6, column 4" in answer.err
    page = (tmp_path / "page.html").read_text()
    assert "Alarm: PixelCNN" in page
    assert "No verdict: the figures of" in page
    assert "alarm: not to be believed" in page


def test_compare_ends_with_the_alarm_of_one_model(
    pixelrnn, peeking, believed, monkeypatch, tmp_path
):
    monkeypatch.setattr("pixelrnn.compare.require_contract", lambda *_: None)
    settings = [part for setting in LEARNS for part in ("--set", setting)]
    answer = pixelrnn("compare", "digits", "--out", tmp_path / "out", *settings)
    assert answer.code == 1
    last = answer.err.splitlines()[-1]
    assert "PixelCNN: " in last
    assert "bits/dim in integers against" in last
    results = json.loads((tmp_path / "out" / "results.json").read_text())
    assert [bool(model["alarms"]) for model in results["models"]] == [True, False, False]
    assert "Alarm: PixelCNN" in (tmp_path / "out" / "report.html").read_text()


def test_an_honest_run_raises_none(pixelrnn, run_folder, tmp_path):
    answer = pixelrnn("assess", run_folder, "--json")
    assert answer.code == 0, answer
    assert json.loads(answer.out)["alarms"] == []
    assert json.loads((run_folder / "result.json").read_text())["alarms"] == []
    answer = pixelrnn("report", run_folder, "--out", tmp_path / "page.html")
    assert answer.code == 0, answer
    assert "Alarm" not in (tmp_path / "page.html").read_text()


@pytest.mark.parametrize("name", ["digits-pixelcnn", "colour-row-lstm"])
def test_what_is_shipped_is_looked_at_with_its_own_integers(name, pixelrnn, monkeypatch):
    seen = []
    monkeypatch.setattr(
        "pixelrnn.contract.checks", lambda *_, coding, **__: seen.append(coding) or []
    )
    assert pixelrnn("audit", name, "--quick").code == 0
    assert seen[0].name == name
    assert store.load(name).config.channels == seen[0].program.channels
    assert name in shipped.names()
