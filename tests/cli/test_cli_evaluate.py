"""`pixelrnn evaluate`, as typed."""

import json
import os
import re
import shutil

import numpy as np
import pytest
import torch
from PIL import Image

from pixelrnn.data import DataOptions, load
from pixelrnn.evaluation import evaluate
from pixelrnn.models import PixelCNNConfig, build, store
from pixelrnn.uncertainty import standard_error

KEYS = {"bits_per_dim", "standard_error", "nats_per_image", "num_images", "split"}


@pytest.fixture
def ask(pixelrnn):
    """Run `pixelrnn evaluate ... --json` and return what it prints."""

    def run(*arguments):
        answer = pixelrnn("evaluate", *arguments, "--json")
        assert answer.code == 0, answer
        return json.loads(answer.out)

    return run


def result(folder):
    return json.loads((folder / "result.json").read_text())


def test_json(ask, run_folder):
    found = ask(run_folder)
    assert found.keys() >= KEYS
    expected = evaluate(store.load(run_folder), load("digits").images("test"))
    assert found["bits_per_dim"] == pytest.approx(expected.bits_per_dim, abs=1e-9)
    assert found["standard_error"] == pytest.approx(expected.standard_error, rel=1e-6)
    assert found["nats_per_image"] == pytest.approx(expected.nats_per_image, rel=1e-9)
    assert (found["num_images"], found["split"], found["data"]) == (297, "test", "digits")
    assert found["data_sha256"] == load("digits").sha256("test")


def test_nothing_but_json_is_printed(pixelrnn, run_folder):
    answer = pixelrnn("evaluate", run_folder, "--json", "--split", "validation")
    json.loads(answer.out)
    assert answer.err == ""


def test_text(pixelrnn, run_folder):
    answer = pixelrnn("evaluate", run_folder, "--split", "validation")
    assert re.fullmatch(
        r"\d\.\d{4} ± \d\.\d{4} bits/dim \(\d+\.\d\d nats/image\) on 150 validation images of digits\n",
        answer.out,
    )


def test_text_names_the_colours(pixelrnn, tiny, tmp_path):
    np.save(tmp_path / "x.npy", np.random.default_rng(0).integers(
        256, size=(20, 4, 4, 3), dtype=np.uint8))  # fmt: skip
    out = tmp_path / "run"
    pixelrnn("train", "cifar10-45k-pixelcnn", "--data", tmp_path / "x.npy", "--out", out, *tiny)
    answer = pixelrnn("evaluate", out, "--split", "all")
    assert answer.code == 0
    assert "on all 20 images of x.npy; " in answer.out
    assert re.search(r"red [\d.]+, green [\d.]+, blue [\d.]+$", answer.out)


def test_batch_size_does_not_matter(ask, run_folder):
    found = [
        ask(run_folder, "--data", "digits", "--batch-size", size)["bits_per_dim"]
        for size in (1, 7, 64, 297)
    ]
    assert max(found) - min(found) < 1e-6


@pytest.mark.parametrize(
    ("split", "count"), [("train", 1350), ("validation", 150), ("test", 297), ("all", 1797)]
)
def test_splits(split, count, ask, run_folder):
    found = ask(run_folder, "--split", split)
    assert (found["split"], found["num_images"]) == (split, count)


def test_a_model_file_needs_only_images(ask, run_folder, tmp_path):
    alone = shutil.copy(run_folder / "model.safetensors", tmp_path / "moved.safetensors")
    found = ask(alone, "--data", "digits")
    assert found["bits_per_dim"] == pytest.approx(ask(run_folder)["bits_per_dim"], abs=1e-9)


# What is kept in the run folder, for the report.


def test_the_test_images_of_the_run_are_kept(ask, run_folder):
    found = ask(run_folder)
    kept = result(run_folder)
    assert kept["test_bits_per_dim"] == found["bits_per_dim"]
    assert kept["test_bits_per_dim_standard_error"] == found["standard_error"]
    assert (run_folder / "evaluation.npz").is_file()
    assert "baselines" not in kept
    assert not (run_folder / "samples.npz").exists()


@pytest.mark.parametrize("options", [("--split", "validation"), ("--data", "digits")])
def test_nothing_else_is(options, ask, run_folder):
    before = result(run_folder)
    ask(run_folder, *options)
    assert result(run_folder) == before
    assert not (run_folder / "evaluation.npz").exists()


def test_a_run_that_is_not_finished_keeps_nothing(pixelrnn, run_folder):
    """Its weights will change, and a figure of the old ones would be taken for theirs."""
    before = result(run_folder) | {"finished": False}
    (run_folder / "result.json").write_text(json.dumps(before))
    answer = pixelrnn("evaluate", run_folder)
    assert answer.code == 0
    assert "is not kept" in answer.err
    assert "not finished" in answer.err
    assert result(run_folder) == before


def test_images_that_changed_since_keep_nothing(pixelrnn, tiny, tmp_path):
    """A figure on other images would stand in the report under the name of the first."""
    file, out = tmp_path / "x.npy", tmp_path / "run"
    drawn = np.random.default_rng(0).integers(17, size=(40, 4, 4), dtype=np.uint8)
    np.save(file, drawn)
    pixelrnn("train", "digits-pixelcnn", "--data", file, "--out", out, *tiny)
    np.save(file, drawn[::-1].copy())
    before = result(out)
    answer = pixelrnn("evaluate", out)
    assert answer.code == 0
    assert "not the test images that the run began with" in answer.err
    assert result(out) == before


def test_the_reading_options_of_the_run_are_used(ask, pixelrnn, tiny, tmp_path):
    file, out = tmp_path / "x.npy", tmp_path / "run"
    np.save(file, np.random.default_rng(0).integers(4, size=(40, 4, 4), dtype=np.uint8))
    levels = ("--set", "data.num_levels=4")
    pixelrnn("train", "digits-pixelcnn", "--data", file, "--out", out, *levels, *tiny)
    expected = ask(out)["bits_per_dim"]
    assert ask(out, "--data", file)["bits_per_dim"] == expected
    alone = shutil.copy(out / "model.safetensors", tmp_path)
    assert ask(alone, "--data", file, *levels)["bits_per_dim"] == expected


@pytest.fixture
def scans(tmp_path):
    """A folder of pictures that differ much from one another, and little within."""
    generator = np.random.default_rng(0)
    for split, count in (("train", 2), ("test", 3)):
        (tmp_path / "scans" / split).mkdir(parents=True)
        for index in range(count):
            pixels = generator.integers(256 >> (3 * index), size=(24, 24), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / "scans" / split / f"{index}.png")
    return tmp_path / "scans"


def test_patches_are_clustered_by_picture(ask, pixelrnn, scans, tmp_path):
    model = build(PixelCNNConfig(channels=1, features=4, layers=1))
    (tmp_path / "model").mkdir()
    store.save(model, tmp_path / "model")
    patches = ("--data", scans, "--set", "data.patch_size=8")
    found = ask(tmp_path / "model", *patches)
    assert (found["num_images"], found["num_pictures"]) == (27, 3)
    data = load(scans, DataOptions(patch_size=8))
    each = evaluate(model, data.images("test")).bits_per_dim_per_image
    assert found["standard_error"] == pytest.approx(
        standard_error(each, np.repeat([0, 1, 2], 9)), rel=1e-6
    )
    assert found["standard_error"] > 1.5 * standard_error(each)
    said = pixelrnn("evaluate", tmp_path / "model", *patches).out
    assert "on 27 test images (patches of 3 pictures) of scans" in said
    assert "no verdict: only 3 pictures" in said
    (scans / "test" / "1.png").unlink()
    (scans / "test" / "2.png").unlink()
    assert ask(tmp_path / "model", *patches)["standard_error"] is None
    assert (
        "no standard error: one picture" in pixelrnn("evaluate", tmp_path / "model", *patches).out
    )


@pytest.mark.parametrize(
    "verb", ["evaluate", "assess", "audit", "sample", "complete --images digits"]
)
def test_the_folder_of_a_comparison_names_the_runs_inside(verb, pixelrnn, run_folder, tmp_path):
    for name in ("pixelcnn", "row-lstm"):
        shutil.copytree(run_folder, tmp_path / "runs" / name)
    assert "there is no model" in pixelrnn("audit", tmp_path / "runs" / "rwo-lstm").err
    answer = pixelrnn(*verb.split(), tmp_path / "runs")
    assert answer.code == 2
    assert "holds 2 run folders" in answer.err
    assert str(tmp_path / "runs" / "row-lstm") in answer.err


def test_a_run_that_cannot_be_written_to_is_evaluated_all_the_same(
    pixelrnn, run_folder, monkeypatch
):
    monkeypatch.setattr(os, "access", lambda *_: False)
    before = (run_folder / "result.json").read_bytes()
    answer = pixelrnn("evaluate", run_folder)
    assert answer.code == 0
    assert "bits/dim" in answer.out
    assert f"the result is not kept in {run_folder}: it cannot be written to" in answer.err
    assert (run_folder / "result.json").read_bytes() == before


# The weights beside a run's result.


def test_the_weights_beside_a_runs_result(ask, pixelrnn, run_folder, tmp_path):
    """They are scored on the run's own images, and what the folder says stays of its result."""
    model = store.load(run_folder)
    with torch.no_grad():
        model.head.output.weight.zero_()
    store.save(model, run_folder, name="best.safetensors")
    before = result(run_folder)
    answer = pixelrnn("evaluate", run_folder / "best.safetensors", "--json")
    expected = evaluate(model, load("digits").images("test")).bits_per_dim
    found = json.loads(answer.out)
    assert (found["bits_per_dim"], found["data"]) == (pytest.approx(expected, abs=1e-9), "digits")
    assert f"not kept in {run_folder}: what is kept there is of model.safetensors" in answer.err
    assert result(run_folder) == before
    ask(run_folder / "model.safetensors")  # is the result itself
    assert result(run_folder)["test_bits_per_dim"] != found["bits_per_dim"]
    elsewhere = shutil.copy(run_folder / "best.safetensors", tmp_path / "alone.safetensors")
    answer = pixelrnn("evaluate", elsewhere)
    assert answer.code == 2
    assert "does not say which images it is for" in answer.err
