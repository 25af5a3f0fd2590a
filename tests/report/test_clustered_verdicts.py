"""Test images that are patches of pictures: the page counts pictures, and has no verdict on few."""

import json

import numpy as np
import pytest

from pixelrnn.report import build
from pixelrnn.uncertainty import standard_error


def cut(folder, pictures):
    """Say in a run's folder which picture each test image was cut from."""
    with np.load(folder / "evaluation.npz") as archive:
        arrays = dict(archive)
    np.savez(folder / "evaluation.npz", **arrays, pictures=pictures)
    result = json.loads((folder / "result.json").read_text())
    result["num_pictures"] = len(set(pictures.tolist()))
    (folder / "result.json").write_text(json.dumps(result))
    return arrays["bits_per_dim_per_image"]


def shift(folder, by):
    """Add figures to those of a run's test images, and keep its files in agreement."""
    with np.load(folder / "evaluation.npz") as archive:
        arrays = dict(archive)
    arrays["bits_per_dim_per_image"] += by - by.mean()
    np.savez(folder / "evaluation.npz", **arrays)


@pytest.fixture
def two(digits, tmp_path):
    """Two runs, the second 0.06 bits/dim behind, by very different amounts from picture to picture."""
    pictures = np.repeat(np.arange(10), 6)
    folders = [digits.run(tmp_path / "a"), digits.run(tmp_path / "b", "row-lstm")]
    shift(folders[1], np.where(pictures % 2, 0.13, -0.13))
    return folders, pictures


def test_a_difference_is_clustered_by_picture(judged, two):
    folders, pictures = two
    _, found = judged(folders)
    assert "clear difference" in found.sentence  # if each patch is taken for independent
    first, second = [cut(folder, pictures) for folder in folders]
    group, found = judged(folders)
    gap = group.behind(group.evaluated[1])
    assert gap.standard_error == standard_error(second - first, pictures)
    assert "not distinguishable" in found.sentence
    assert "the 60 test images (patches of 10 pictures) of digits" in found.sentence
    assert "60 test images (patches of 10 pictures)" in " ".join(found.remarks)


def test_few_pictures_are_no_verdict(judged, two):
    folders, _ = two
    for folder in folders:
        cut(folder, np.repeat(np.arange(5), 12))
    _, found = judged(folders)
    assert found.sentence.startswith("No verdict: only 5 pictures, and 8 are needed")
    assert "is best" not in found.sentence
    assert " ± " in found.sentence


def test_one_picture_has_no_standard_error(judged, digits, tmp_path):
    folder = digits.run(tmp_path / "a", test_bits_per_dim_standard_error=None)
    cut(folder, np.zeros(60, int))
    group, found = judged([folder])
    assert group.standard_error(group.models[0]) is None
    assert " ± \N{EN DASH} bits/dim" in found.sentence
    assert "No verdict: only 1 picture" in " ".join(found.remarks)
    page = build([folder], tmp_path / "report.html").read_text()
    assert "± 0.0000" not in page.replace("&nbsp;", " ")


def test_a_run_that_does_not_say_is_judged_like_one_that_does(judged, two):
    folders, pictures = two
    cut(folders[0], pictures)
    group, found = judged(folders)
    assert group.num_pictures == 10
    assert "not distinguishable" in found.sentence
    entry = next(each for each in group.models if each.run.path == folders[1])
    values = entry.run.evaluation.bits_per_dim_per_image
    assert group.standard_error(entry) == standard_error(values, pictures)


def test_runs_of_earlier_versions_count_images(judged, digits, tmp_path):
    group, found = judged([digits.run(tmp_path / "a")])
    assert group.num_pictures == 60
    assert group.standard_error(group.models[0]) == pytest.approx(
        group.first.result.test_bits_per_dim_standard_error
    )
    assert "patches" not in found.sentence
