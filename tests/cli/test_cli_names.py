"""A name that is also a path here, images that were in memory, and the device, as typed."""

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from pixelrnn import shipped
from pixelrnn.errors import ModelFileError
from pixelrnn.models import store
from pixelrnn.training import load_recipe, train


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A working folder in which names of sets, recipes and models are folders and files too."""
    monkeypatch.chdir(tmp_path)
    for name in ("photos", "digits", "digits-pixelcnn"):
        (tmp_path / name).mkdir()
    (tmp_path / "mnist").write_bytes(b"")
    Image.new("L", (8, 8)).save(tmp_path / "digits" / "0.png")
    return tmp_path


@pytest.mark.parametrize(
    "command",
    [
        ("data", "info", "digits"),
        ("train", "digits-pixelcnn", "--data", "photos"),
        ("train", "digits-pixelcnn", "--data", "mnist"),
        ("compare", "digits", "--data", "digits"),
        ("evaluate", "digits-row-lstm", "--data", "digits", "--split", "all"),
        ("complete", "digits-row-lstm", "--images", "digits"),
    ],
)
def test_a_set_that_is_also_a_path_is_refused(here, fails, command):
    line = fails(*command)
    assert "is the name of a set of images and also a file or folder here: write ./" in line


@pytest.mark.parametrize(
    "command", [("sample",), ("evaluate",), ("complete", "--images", "./digits")]
)
def test_a_model_that_is_also_a_path_is_refused(here, fails, command):
    verb, *options = command
    assert "write ./digits-pixelcnn" in fails(verb, "digits-pixelcnn", *options)
    assert "there is no model in" in fails(verb, "./digits-pixelcnn", *options)


def test_in_python_too(here):
    with pytest.raises(ModelFileError, match=r"write \./digits-pixelcnn"):
        store.load("digits-pixelcnn")
    with pytest.raises(ModelFileError, match="there is no model in"):
        store.load("./digits-pixelcnn")
    assert shipped.file_of("digits-row-lstm", shipped.WEIGHTS).is_file()


def test_what_a_recipe_names_is_what_it_means(here, pixelrnn, tiny):
    answer = pixelrnn("train", "digits-pixelcnn", *tiny, "--out", "digits/run")
    assert answer.code == 0, answer
    answer = pixelrnn("evaluate", "digits/run", "--split", "validation")
    assert "150 validation images of digits" in answer.out


def test_a_path_that_is_written_as_one_is_read(here, pixelrnn):
    answer = pixelrnn("data", "info", "./digits")
    assert answer.code == 0, answer
    assert "1 x 8 x 8" in answer.out


def test_images_that_were_in_memory_must_be_given(tmp_path, fails, pixelrnn):
    images = np.random.default_rng(0).integers(256, size=(30, 6, 6), dtype=np.uint8)
    settings = ["training.image_presentations=16", "model.features=4", "model.layers=1"]
    run = train(
        load_recipe("digits-pixelcnn", settings), tmp_path / "run",
        data=images, console=Console(quiet=True),
    )  # fmt: skip
    line = fails("evaluate", run.path)
    assert "were in memory" in line
    assert "--data" in line
    np.save(tmp_path / "images.npy", images)
    answer = pixelrnn("evaluate", run.path, "--data", tmp_path / "images.npy")
    assert answer.code == 0, answer


def test_device(fails, pixelrnn):
    for device in ("cpu", "auto"):
        assert (
            pixelrnn("evaluate", "digits-pixelcnn", "--data", "digits", "--device", device).code
            == 0
        )
    for device in ("cuda:9", "gpu", "meta"):
        line = fails("evaluate", "digits-pixelcnn", "--data", "digits", "--device", device)
        assert f"there is no device {device}" in line.replace("'", "")
