"""A run folder that is incomplete or damaged gives a named error in one line, and no page."""

import re

import numpy as np
import pytest

from pixelrnn.errors import ModelFileError, RecipeError
from pixelrnn.report import build


@pytest.mark.parametrize("name", ["result.json", "recipe.toml", "metrics.csv", "environment.json"])
def test_a_missing_file_is_named(digits, tmp_path, name):
    folder = digits.run(tmp_path / "a")
    (folder / name).unlink()
    with pytest.raises(ModelFileError, match=re.escape(name)) as caught:
        build([folder], tmp_path / "report.html")
    assert "\n" not in str(caught.value)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a"]


@pytest.mark.parametrize(
    "name", ["result.json", "metrics.csv", "environment.json", "evaluation.npz", "samples.npz"]
)
@pytest.mark.parametrize("content", [b"", b"[]", b"{", b"\xff\xfe\x00"])
def test_a_malformed_file_is_named(digits, tmp_path, name, content):
    folder = digits.run(tmp_path / "a")
    (folder / name).write_bytes(content)
    with pytest.raises(ModelFileError, match=re.escape(name)) as caught:
        build([folder], tmp_path / "report.html")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "report.html").exists()


def test_a_malformed_recipe_is_named(digits, tmp_path):
    folder = digits.run(tmp_path / "a")
    (folder / "recipe.toml").write_text("[model\n")
    with pytest.raises(RecipeError, match=r"recipe\.toml"):
        build([folder], tmp_path / "report.html")


def test_an_evaluation_that_is_a_single_array_is_named(digits, tmp_path):
    folder = digits.run(tmp_path / "a")
    with (folder / "evaluation.npz").open("wb") as file:
        np.save(file, np.zeros(3))
    with pytest.raises(ModelFileError, match=r"evaluation\.npz is truncated or damaged"):
        build([folder], tmp_path / "report.html")


def test_a_damaged_byte_in_an_evaluation_is_named(digits, tmp_path):
    folder = digits.run(tmp_path / "a")
    content = bytearray((folder / "evaluation.npz").read_bytes())
    content[200] ^= 0xFF
    (folder / "evaluation.npz").write_bytes(content)
    with pytest.raises(ModelFileError, match=r"evaluation\.npz is truncated or damaged"):
        build([folder], tmp_path / "report.html")


def test_a_truncated_evaluation_is_named(digits, tmp_path):
    folder = digits.run(tmp_path / "a")
    whole = (folder / "evaluation.npz").read_bytes()
    (folder / "evaluation.npz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ModelFileError, match=r"evaluation\.npz"):
        build([folder], tmp_path / "report.html")


@pytest.mark.parametrize(
    ("key", "value", "word"),
    [
        ("format_version", 2, "upgrade"),
        ("parameters", "many", "parameters"),
        ("data_sha256", None, "data_sha256"),
        ("test_bits_per_dim", float("nan"), "test_bits_per_dim"),
        ("test_nats_per_image", None, "test_nats_per_image"),
        ("test_bits_per_dim", 2.5, "evaluate that run again"),
        ("test_bits_per_dim_by_channel", [1.0, 2.0], "each channel"),
        ("image_shape", [8, 8], "image_shape"),
        ("num_levels", 8, "above 7"),
        ("num_images", 59, "shape"),
        ("file_bits_per_dim", float("inf"), "file_bits_per_dim"),
        ("file_num_images", 0, "file_num_images"),
        ("file_bytes", None, "needs the other figures of the file"),
        ("integer_bits_per_dim", None, "needs the other figures of the file"),
    ],
)
def test_a_wrong_result_is_named(digits, tmp_path, key, value, word):
    folder = digits.run(tmp_path / "a", **{key: value})
    with pytest.raises(ModelFileError, match=word):
        build([folder], tmp_path / "report.html")


@pytest.mark.parametrize(
    ("name", "value", "word"),
    [
        ("bits_map", np.full((1, 8, 8), np.nan), "not finite"),
        ("bits_map", np.ones((1, 8, 8)), "mean of bits_map"),
        ("bits_map", None, "no array bits_map"),
        ("receptive_field", np.ones((8, 8), dtype=bool), "receptive_field has the shape"),
        ("receptive_field_at", np.array([8, 0, 0]), "outside the image"),
        ("hardest_images", np.zeros((8, 1, 8, 8)), "not uint8"),
        ("easiest_indices", np.arange(3), "easiest_indices"),
        ("bits_per_dim_per_image", np.array([None] * 60), "is object, not float64"),
    ],
)
def test_a_wrong_array_is_named(digits, tmp_path, name, value, word):
    folder = digits.run(tmp_path / "a")
    with np.load(folder / "evaluation.npz") as archive:
        arrays = dict(archive)
    arrays[name] = value
    if value is None:
        del arrays[name]
    np.savez(folder / "evaluation.npz", **arrays)
    with pytest.raises(ModelFileError, match=word):
        build([folder], tmp_path / "report.html")


@pytest.mark.parametrize(
    ("name", "value", "word"),
    [
        ("samples", np.zeros((32, 3, 8, 8), np.uint8), "samples has the shape"),
        ("samples", np.full((32, 1, 8, 8), 17, np.uint8), "samples has values above 16"),
        ("samples", np.zeros((32, 1, 8, 8)), "samples is float64, not uint8"),
        ("samples", np.zeros((0, 1, 8, 8), np.uint8), "has the shape"),
        ("completions", np.zeros((4, 0, 1, 8, 8), np.uint8), "has the shape"),
        ("completions", np.zeros((3, 2, 1, 8, 8), np.uint8), "completions has the shape"),
        ("completions", None, "no array completions"),
        ("known", np.ones((8, 7), bool), "known has the shape"),
        ("known", None, "no array known"),
        ("hidden_bits_per_dim", np.full(4, np.nan), "not finite"),
        ("completed_indices", np.arange(3), "completed_indices"),
        ("seed", np.array(None), "is object, not int64"),
    ],
)
def test_a_wrong_array_of_samples_is_named(digits, tmp_path, name, value, word):
    folder = digits.run(tmp_path / "a")
    with np.load(folder / "samples.npz") as archive:
        arrays = dict(archive)
    arrays[name] = value
    if value is None:
        del arrays[name]
    np.savez(folder / "samples.npz", **arrays)
    with pytest.raises(ModelFileError, match=word) as caught:
        build([folder], tmp_path / "report.html")
    assert "samples.npz" in str(caught.value)
    assert "assess that run again" in str(caught.value)


def test_a_cell_that_is_not_a_number_is_named(digits, tmp_path):
    folder = digits.run(tmp_path / "a")
    with (folder / "metrics.csv").open("a") as metrics:
        metrics.write("1,2,3,4,oops,6,7\n")
    with pytest.raises(ModelFileError, match=r"line 213: train_bits_per_dim: .*oops"):
        build([folder], tmp_path / "report.html")
