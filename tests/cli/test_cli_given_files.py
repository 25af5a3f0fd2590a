"""Files that carry what decoding needs, as typed: `compress --label`, `--labels`, `--small`, and `info`."""

import json
import shutil

import numpy as np
import pytest
from PIL import Image

from pixelrnn.coding import Album, load_program
from pixelrnn.data import load
from pixelrnn.scoring.sources import of_album
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
        assert (len(opened), len(opened.all_entries)) == (count, 2 * count)
        sizes = [entry.size for entry in opened.all_entries]
        for n, image in enumerate(about["images"]):
            assert image["num_bytes"] == sizes[2 * n] + sizes[2 * n + 1]
            assert image["bits_per_dim"] == 8 * image["num_bytes"] / opened.entries[n].num_dims
        assert [image["name"] for image in about["images"]] == opened.names
    said = pixelrnn("info", album, "--model", model).out
    assert f"{2 * count} images, {count} of them small ones of others" in said
    assert "small/cat/" in said
    assert "image 0, 2 times smaller" in said
    assert f"{about['bits_per_dim']:.4f} bits/dim" in said


def test_only_what_went_in_comes_out(program, pictures, compressed, pixelrnn, tmp_path):
    """The small images are there for the others; and the same command writes over its own file."""
    model = program("scales")
    album, _ = compressed(pictures, "--model", model, "--small", "2")
    again = pixelrnn("compress", pictures, "--model", model, "--small", "2", "-o", album)
    assert again.code == 0, again
    assert "it is written again" in again.err
    out = tmp_path / "out"
    answer = pixelrnn("decompress", album, "--model", model, "-o", out, "--json")
    about = json.loads(answer.out)
    names = sorted(str(path.relative_to(pictures)) for path in pictures.rglob("*.png"))
    assert sorted(str(path.relative_to(out)) for path in out.rglob("*.png")) == names
    assert sorted(about["names"]) == sorted(about["files"]) == names
    assert (about["num_images"], about["finished"]) == (len(names), True)
    for name in names:
        with Image.open(out / name) as back, Image.open(pictures / name) as image:
            np.testing.assert_array_equal(np.asarray(back), np.asarray(image))


def test_an_album_with_small_images_is_data_of_one_size(program, pictures, compressed, monkeypatch):
    """Wherever the images of an album are read, they are those that went in."""
    model = program("scales")
    album, about = compressed(pictures, "--model", model, "--small", "2")
    monkeypatch.setattr("pixelrnn.coding.album.find_model", lambda *_: load_program(model))
    data = load(str(album))
    assert sum(map(data.count, ("train", "validation", "test"))) == about["num_images"]
    source = of_album(album)
    assert len(source.names) == about["num_images"]
    assert {source.read(n).shape for n in range(3)} == {(1, 8, 8)}


@pytest.mark.parametrize(
    ("run", "arguments", "trouble"),
    [
        ("labelled", ("--label", "horse"), "there is no class 'horse'"),
        ("labelled", ("--label", "all"), "an image has one class"),
        ("labelled", ("--label", "cat", "--labels"), "give one of them"),
        ("labelled", ("--small", "2"), "is given no pixels of the image itself: leave --small out"),
        ("scales", ("--label", "cat"), "this model knows no classes"),
        ("scales", ("--small", "1"), "a factor of 2 to 64"),
        ("scales", ("--small", "65"), "a factor of 2 to 64"),
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
