"""Codes and images of many channels, as typed: train, evaluate, sample, and what is refused."""

import numpy as np
import pytest

from pixelrnn.training import load_recipe, train

RANDOM = np.random.default_rng(0)
KINDS = {  # what is saved, the levels of the model, and how it is trained
    "codes": (RANDOM.integers(600, size=(40, 4, 5)).astype(np.uint16), 1024, "codes"),
    "five-channels": (RANDOM.integers(9, size=(40, 5, 6, 7)).astype(np.uint8), 256, "codes"),
    "ordinal": (
        RANDOM.integers(65536, size=(40, 4, 5)).astype(np.uint16),
        65536,
        "digits-pixelcnn",
    ),
}
FEW = ("training.image_presentations=64", "training.batch_size=32", "training.validations=1")


@pytest.fixture(scope="module", params=KINDS)
def codes(request, tmp_path_factory):
    """A run on an array of some kind, and the array's file."""
    array, _, recipe = KINDS[request.param]
    folder = tmp_path_factory.mktemp("codes")
    np.save(folder / "codes.npy", array)
    settings = [*FEW, "model.features=6", "model.layers=1", "model.head_features=6"]
    if recipe != "codes":
        settings.append("model.likelihood.kind=logistic-mixture")
    loaded = load_recipe(recipe, settings, data=str(folder / "codes.npy"))
    return request.param, train(loaded, folder / "run").path, folder / "codes.npy"


def test_they_are_evaluated_and_sampled_as_an_array(codes, pixelrnn, tmp_path):
    kind, run, path = codes
    levels = KINDS[kind][1]
    assert "bits/dim" in pixelrnn("evaluate", run).out
    assert "bits/dim" in pixelrnn("evaluate", run, "--data", path).out
    answer = pixelrnn("sample", run, "-n", 3, "--npy", tmp_path / "s.npy", *_unseen(kind, tmp_path))
    assert answer.code == 0, answer
    sampled = np.load(tmp_path / "s.npy")
    shape = np.load(path).shape[1:]
    assert sampled.shape == (3, *shape)
    assert sampled.dtype == (np.uint8 if levels <= 256 else np.uint16)
    assert sampled.max() < levels
    again = pixelrnn("evaluate", run, "--data", tmp_path / "s.npy", "--split", "all")
    assert again.code == 0, again


def test_files_of_symbols_have_as_many_as_the_model(pixelrnn, fails, tmp_path):
    """A file of bytes does not say that it holds 64 symbols."""
    np.save(tmp_path / "codes.npy", RANDOM.integers(64, size=(30, 4, 5)).astype(np.uint8))
    settings = [*FEW, "model.features=6", "model.layers=1", "model.head_features=6",
                "data.num_levels=64"]  # fmt: skip
    recipe = load_recipe("codes", settings, data=str(tmp_path / "codes.npy"))
    run = train(recipe, tmp_path / "run").path
    np.save(tmp_path / "others.npy", np.full((9, 4, 5), 63, np.uint8))
    others = ("--data", tmp_path / "others.npy", "--split", "all")
    assert "bits/dim" in pixelrnn("evaluate", run, *others).out
    arrays = ("--first", 2, "-n", 2, "--npz", tmp_path / "c.npz")
    assert pixelrnn("complete", run, "--images", tmp_path / "others.npy", *arrays).code == 0
    np.save(tmp_path / "others.npy", np.full((9, 4, 5), 64, np.uint8))
    assert "64" in fails("evaluate", run, *others)


def _unseen(kind, tmp_path):
    """A sheet besides, where a picture shows the levels."""
    return ("--out", tmp_path / "s.png") if kind == "ordinal" else ()


def test_what_no_picture_shows_wants_an_array(codes, pixelrnn, fails, tmp_path, monkeypatch):
    kind, run, _ = codes
    monkeypatch.chdir(tmp_path)
    if kind == "ordinal":
        assert pixelrnn("sample", run, "-n", 1).code == 0
        return
    assert "give --npy FILE.npy" in fails("sample", run)
    assert "leave --out and --gif out" in fails("sample", run, "--npy", "s.npy", "--out", "s.png")
    assert "leave --out and --gif out" in fails("sample", run, "--npy", "s.npy", "--gif", "s.gif")
    assert "ends in .npy" in fails("sample", run, "--npy", "s.png")
    assert not list(tmp_path.iterdir())


def test_codes_beyond_the_alphabet(codes, fails, tmp_path):
    kind, run, path = codes
    if kind == "ordinal":
        return
    shape = np.load(path).shape
    np.save(tmp_path / "more.npy", np.full(shape, 5000, np.uint16))
    said = fails("evaluate", run, "--data", tmp_path / "more.npy")
    assert "levels" in said
    said = fails(
        "train", "codes", "--data", path, "--set", "data.num_levels=5", "--out", tmp_path / "r"
    )
    assert "data.num_levels = 5 allows 0 ... 4" in said
    assert not (tmp_path / "r").exists()


@pytest.mark.parametrize(
    ("array", "trouble"),
    [
        (np.zeros((9, 4, 4), np.int64) - 1, "int64"),
        (np.zeros((9, 4, 4)), "float64"),
        (np.zeros((4, 4), np.uint16), "first axis"),
        (np.zeros((9, 2, 4, 4, 4), np.uint16), "first axis"),
        (np.zeros((9, 17, 20, 20), np.uint16), "which axis"),
        (np.zeros((9, 0, 4), np.uint16), "no pixels"),
    ],
    ids=["negative", "floats", "one-image", "five-axes", "channels", "empty"],
)
def test_what_are_no_codes(array, trouble, fails, tmp_path):
    np.save(tmp_path / "codes.npy", array)
    said = fails("train", "codes", "--data", tmp_path / "codes.npy", "--out", tmp_path / "run")
    assert trouble in said
    assert not (tmp_path / "run").exists()


def test_symbols_by_a_mixture(fails, tmp_path):
    np.save(tmp_path / "codes.npy", np.zeros((40, 4, 4), np.uint16))
    said = fails(
        "train", "codes", "--data", tmp_path / "codes.npy", "--set",
        "model.likelihood.kind=logistic-mixture", "--out", tmp_path / "run",
    )  # fmt: skip
    assert "categorical" in said
