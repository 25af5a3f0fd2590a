"""Files that carry what decoding needs, as typed: `compress --label`, `--labels`, `--small`, and `info`."""

import json
import shutil

import numpy as np
import pytest
from PIL import Image

from pixelrnn.coding import Album
from pixelrnn.data import load
from pixelrnn.training import load_recipe, train
from tests.cli.conftest import TINY

NAMES = ("cat", "dog", "owl")


@pytest.fixture(scope="session")
def pictures(tmp_path_factory):
    """A folder of digits, in a sub-folder for each class."""
    root = tmp_path_factory.mktemp("pictures") / "all"
    digits = load("digits")
    for n, (image, label) in enumerate(
        zip(digits.images("train"), digits.labels_of("train"), strict=True)
    ):
        if n < 60 and label < len(NAMES):
            (root / NAMES[label]).mkdir(parents=True, exist_ok=True)
            Image.fromarray(image[0]).save(root / NAMES[label] / f"{n}.png")
    return root


@pytest.fixture(scope="session")
def runs(pictures, tmp_path_factory):
    """A run on these pictures that is given their classes, and one that is given them small."""
    folder = tmp_path_factory.mktemp("runs")
    settings = [*TINY, "data.num_levels=17"]
    for name, given in (("labelled", "data.labels=true"), ("scales", "model.condition.kind=small")):
        recipe = load_recipe("digits-pixelcnn", [*settings, given], data=str(pictures))
        train(recipe, folder / name)
    return folder


@pytest.fixture
def program(runs, pixelrnn, tmp_path):
    """A function that exports a run, and returns the file."""

    def export(run):
        out = tmp_path / f"{run}.safetensors"
        assert pixelrnn("models", "export", runs / run, "-o", out, "--force").code == 0
        return out

    return export


@pytest.fixture
def compressed(pixelrnn, tmp_path):
    """A function that compresses pictures, and returns the file and what is said of it."""

    def compress(*arguments):
        out = tmp_path / "a.pxr"
        answer = pixelrnn("compress", *arguments, "-o", out, "--force", "--verify", "--json")
        assert answer.code == 0, answer
        return out, json.loads(answer.out)

    return compress


def test_folders_are_classes(runs):
    about = json.loads((runs / "labelled" / "config.json").read_text())
    assert (about["num_labels"], about["label_names"]) == (3, list(NAMES))


def test_classes_by_folder(program, pictures, compressed, pixelrnn, tmp_path):
    model = program("labelled")
    album, _ = compressed(pictures, "--model", model, "--labels")
    about = json.loads(pixelrnn("info", album, "--model", model, "--json").out)
    for image in about["images"]:
        assert NAMES[image["label"]] == image["name"].split("/")[0]
    assert "class owl" in pixelrnn("info", album, "--model", model).out
    assert "class 2" in pixelrnn("info", album).out  # its model is not here
    answer = pixelrnn("decompress", album, "--model", model, "-o", tmp_path / "out")
    assert answer.code == 0
    for path in pictures.rglob("*.png"):
        again = np.asarray(Image.open(tmp_path / "out" / path.relative_to(pictures)))
        np.testing.assert_array_equal(again, np.asarray(Image.open(path)))


def test_one_class_for_all(program, pictures, compressed):
    model = program("labelled")
    for label in ("dog", "1"):
        album, _ = compressed(pictures / "dog", "--model", model, "--label", label)
        with Album(album, model=model) as opened:
            assert {entry.label for entry in opened.entries} == {1}
    album, _ = compressed(pictures / "dog", "--model", model)
    with Album(album, model=model) as opened:
        assert opened.header.version == 1


def test_small_images_beside_large_ones(program, pictures, compressed, pixelrnn):
    model = program("scales")
    album, about = compressed(pictures, "--model", model, "--small", "2")
    count = len(list(pictures.rglob("*.png")))
    assert about["num_images"] == count
    with Album(album, model=model) as opened:
        assert len(opened) == 2 * count
        for small, large in zip(opened[::2], opened[1::2], strict=True):
            np.testing.assert_array_equal(small, large[:, ::2, ::2])
    said = pixelrnn("info", album, "--model", model).out
    assert "small/cat/" in said
    assert "image 0, 2 times smaller" in said


@pytest.mark.parametrize(
    ("run", "arguments", "trouble"),
    [
        ("labelled", ("--label", "horse"), "there is no class 'horse'"),
        ("labelled", ("--label", "all"), "an image has one class"),
        ("labelled", ("--label", "cat", "--labels"), "give one of them"),
        ("labelled", ("--small", "2"), "is not given small images: leave --small out"),
        ("scales", ("--label", "cat"), "this model knows no classes"),
        ("scales", ("--small", "1"), "a factor of 2 or more"),
        ("scales", ("--small", "2", "--keep-smaller"), "give one of them"),
    ],
)
def test_what_a_model_is_not_given(run, arguments, trouble, program, pictures, fails, tmp_path):
    out = tmp_path / "not.pxr"
    said = fails("compress", pictures, "--model", program(run), "-o", out, *arguments)
    assert trouble in said
    assert not out.exists()


def test_folders_that_are_no_classes(program, pictures, fails, tmp_path):
    model, out = program("labelled"), tmp_path / "not.pxr"
    shutil.copytree(pictures, tmp_path / "more")
    shutil.copytree(pictures / "cat", tmp_path / "more" / "horse")
    said = fails("compress", tmp_path / "more", "--model", model, "-o", out, "--labels")
    assert said.startswith("there is no class 'horse'")
    said = fails("compress", pictures / "cat", "--model", model, "-o", out, "--labels")
    assert said.startswith("--labels takes classes from folders")
    assert not out.exists()
