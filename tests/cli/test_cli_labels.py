"""Labels, as typed: `sample --label`, and what `evaluate` says of them."""

import json

import numpy as np
import pytest
from PIL import Image

from pixelrnn.cli.given import label_number, label_numbers
from pixelrnn.errors import RecipeError
from pixelrnn.training import load_recipe, train

TINY = ("model.features=4", "model.layers=1", "training.image_presentations=128",
        "training.batch_size=64", "training.validations=2")  # fmt: skip


@pytest.fixture(scope="session")
def labelled(tmp_path_factory):
    """A finished run on the digits with their labels."""
    settings = (*TINY, "data.labels=true")
    folder = tmp_path_factory.mktemp("labelled") / "run"
    return train(load_recipe("digits-pixelcnn", settings), folder).path


def sampled(pixelrnn, model, tmp_path, *labels, count=6):
    arguments = [part for label in labels for part in ("--label", label)]
    out = tmp_path / f"{'-'.join(labels)}.npz"
    answer = pixelrnn(
        "sample", model, "-n", count, "--out", tmp_path / "s.png", "--npz", out, "--force", "--json",
        *arguments,
    )  # fmt: skip
    assert answer.code == 0, answer
    return np.load(out)["images"], json.loads(answer.out)


def test_images_of_classes_take_turns(pixelrnn, labelled, tmp_path):
    both, about = sampled(pixelrnn, labelled, tmp_path, "7", "2")
    assert about["labels"] == [7, 2]
    sevens, _ = sampled(pixelrnn, labelled, tmp_path, "7")
    twos, _ = sampled(pixelrnn, labelled, tmp_path, "2")
    np.testing.assert_array_equal(both[::2], sevens[::2])
    np.testing.assert_array_equal(both[1::2], twos[1::2])
    assert (sevens != twos).any()


def test_all_classes_are_a_column_each(pixelrnn, labelled, tmp_path):
    _, about = sampled(pixelrnn, labelled, tmp_path, "all", count=20)
    assert about["labels"] == list(range(10))
    with Image.open(tmp_path / "s.png") as sheet:
        assert sheet.width > 4 * sheet.height  # ten columns, two rows


def test_a_class_that_is_called_all():
    config = {"num_labels": 3, "label_names": ["some", "all", "none"]}
    assert label_number("all", config) == 1
    assert label_numbers(["all", "2"], config) == [1, 2]
    unnamed = {"num_labels": 3}
    assert label_numbers(["all"], unnamed) == [0, 1, 2]
    with pytest.raises(RecipeError, match="an image has one class"):
        label_number("all", unnamed)


def test_completions_of_a_class(pixelrnn, fails, labelled, tmp_path):
    def completed(*arguments):
        command = ("complete", labelled, "--images", "digits", "--first", 8, "-n", 20, "--json")
        files = ("--out", tmp_path / "c.png", "--force")
        answer = pixelrnn(*command, *files, *arguments)
        assert answer.code == 0, answer
        return json.loads(answer.out)

    of_sevens, of_any = completed("--label", 7), completed()
    assert (of_sevens["label"], of_any["label"]) == ("7", None)
    assert of_sevens["hidden_bits_per_dim"] != of_any["hidden_bits_per_dim"]
    said = fails("complete", labelled, "--images", "digits", "--label", "all")
    assert said == "an image has one class: give --label the name of one"


def test_images_without_labels_are_said_to_be(pixelrnn, labelled, tmp_path):
    images = np.zeros((12, 8, 8), np.uint8)
    np.savez(tmp_path / "images.npz", images=images, labels=np.full(12, 0.5))
    settings = ("--split", "all", "--set", "data.num_levels=17")
    answer = pixelrnn("evaluate", labelled, "--data", tmp_path / "images.npz", *settings)
    assert (
        "images.npz has no labels; left aside: labels (no whole numbers from 0): the figures are those "
        "of images of no class" in answer.err
    )


def test_a_class_that_there_is_not(fails, labelled, tmp_path):
    said = fails("sample", labelled, "--label", "cat", "--out", tmp_path / "s.png")
    assert said.startswith("there is no class 'cat'")
    assert not (tmp_path / "s.png").exists()


def test_a_model_without_classes(fails, trained, tmp_path):
    said = fails("sample", trained, "--label", "3", "--out", tmp_path / "s.png")
    assert said == "this model knows no classes: leave --label out, or give another model"


def test_evaluate_with_and_without_labels(pixelrnn, labelled):
    about = json.loads(pixelrnn("evaluate", labelled, "--json").out)
    saved = about["bits_per_dim_without_labels"] - about["bits_per_dim"]
    assert about["bits_per_dim_saved_by_labels"] == pytest.approx(saved)
    assert about["saved_by_labels_standard_error"] > 0
    assert "without its class, which saves" in pixelrnn("evaluate", labelled).out
