"""Runs that differ in their seed alone are one model, and differences are asked whether seeds undo them."""

import json

import numpy as np
import pytest

from pixelrnn.report import build
from pixelrnn.runs import find_run_folders
from pixelrnn.uncertainty import over_seeds, standard_error


def with_seed(folder, seed, shift):
    """Give a run another seed, and add to all its figures."""
    recipe = folder / "recipe.toml"
    recipe.write_text(recipe.read_text().replace("seed = 7", f"seed = {seed}"))
    with np.load(folder / "evaluation.npz") as archive:
        arrays = dict(archive)
    for name in ("bits_per_dim_per_image", "bits_map"):
        arrays[name] = arrays[name] + shift
    np.savez(folder / "evaluation.npz", **arrays)
    result = json.loads((folder / "result.json").read_text())
    result["test_bits_per_dim"] += shift
    (folder / "result.json").write_text(json.dumps(result))
    return folder


@pytest.fixture
def seeds(digits, tmp_path):
    """A function that writes runs of one model, whose figures are moved by what is given for each seed."""

    def write(model, shifts, **changes):
        changes = {"as_file": False} | changes  # whose figures would not be moved
        place = tmp_path / "runs" / model
        folders = [place, *(place / f"seed-{seed}" for seed in range(1, len(shifts)))]
        return [
            with_seed(digits.run(folder, model, **changes), seed, shift)
            for seed, (folder, shift) in enumerate(zip(folders, shifts, strict=True))
        ]

    return write


CLOSE, FAR = (0.0, 0.01, -0.01), (0.0, 0.2, -0.2)  # of seeds


def test_several_seeds_are_one_model_with_means(judged, seeds):
    group, _ = judged([*seeds("pixelcnn", (0.0, 0.01, 0.05)), *seeds("row-lstm", CLOSE)])
    assert [entry.name for entry in group.models] == ["PixelCNN", "Row LSTM"]
    best, other = group.models
    assert best.seeds == "0, 1, 2"
    first = best.run.result.test_bits_per_dim
    assert best.test_bits_per_dim == pytest.approx(first + 0.02)
    assert best.deviation == pytest.approx(np.std([0.0, 0.01, 0.05], ddof=1))
    assert group.standard_error(best) == pytest.approx(standard_error(best.per_image))
    gap = group.behind(other)
    assert gap.mean == pytest.approx(other.test_bits_per_dim - best.test_bits_per_dim)
    assert gap.standard_error == pytest.approx(standard_error(other.per_image - best.per_image))
    assert gap.seeds == over_seeds(best.test_bits_per_dim_by_seed, other.test_bits_per_dim_by_seed)


def test_a_difference_that_survives_both(judged, seeds):
    group, found = judged([*seeds("pixelcnn", CLOSE), *seeds("row-lstm", CLOSE)])
    assert group.behind(group.models[1]).survives
    assert "<strong>PixelCNN</strong> is best" in found.sentence
    assert "Other seeds would hardly change that either (p = 0.00" in found.sentence
    said = " ".join(found.remarks)
    assert "means over 3 seeds" in said
    assert "above about 2.3 standard deviations of a single run" in said
    assert "each row is one training run" not in said


def test_a_difference_that_other_seeds_may_undo(judged, seeds):
    group, found = judged([*seeds("pixelcnn", FAR), *seeds("row-lstm", FAR)])
    gap = group.behind(group.models[1])
    assert gap.distinguishable
    assert not gap.survives
    assert "not distinguishable" in found.sentence
    assert "more than other images explain, but not more than other seeds (p = 0." in found.sentence


def test_a_difference_that_other_images_may_undo(judged, seeds, digits):
    first = seeds("pixelcnn", (0.0, 1e-6))
    second = seeds("diagonal-bilstm", (0.0, 1e-6))
    for folder in second:  # as far apart as they were, and by very different amounts
        with np.load(folder / "evaluation.npz") as archive:
            arrays = dict(archive)
        arrays["bits_per_dim_per_image"] += np.where(np.arange(60) % 2, 0.5, -0.5)
        np.savez(folder / "evaluation.npz", **arrays)
    group, found = judged([*first, *second])
    assert group.behind(group.models[1]).seeds.survives
    assert (
        "more than other seeds explain (p &lt; 0.001), but not more than other images"
        in found.sentence
    )
    assert "above about 4.3 standard deviations" in " ".join(found.remarks)


def test_where_not_every_model_has_several(judged, seeds):
    _, found = judged([*seeds("pixelcnn", CLOSE), *seeds("row-lstm", (0.0,))])
    assert "is best" in found.sentence
    assert "Whether other seeds would change that is not known" in found.sentence


def test_one_model_with_several(judged, seeds):
    _, found = judged(seeds("pixelcnn", CLOSE))
    assert "the mean of 3 seeds, whose standard deviation is 0.0100; no other" in found.sentence


def test_what_differs_in_more_than_the_seed_is_another_model(judged, seeds):
    folders = seeds("pixelcnn", CLOSE)
    recipe = folders[2] / "recipe.toml"
    recipe.write_text(recipe.read_text().replace("features = 32", "features = 33"))
    group, _ = judged(folders)
    assert {entry.seeds for entry in group.models} == {"0, 1", "2"}
    assert len({entry.name for entry in group.models}) == 2


@pytest.mark.parametrize("what", ["unmeasured", "the same seed", "labels"])
def test_what_is_not_taken_together(judged, what, seeds, digits, tmp_path):
    folders, labels = seeds("pixelcnn", CLOSE), ()
    if what == "unmeasured":
        folders[2] = with_seed_alone(digits.run(tmp_path / "x", evaluated=False), 9)
        expected = {"0, 1", "9"}
    elif what == "the same seed":
        with_seed_alone(folders[2], 1)
        expected = {"0", "1"}
    else:
        labels, expected = ("a", "a", "b"), {"0, 1", "2"}
    group, _ = judged(folders, labels)
    assert {entry.seeds for entry in group.models} == expected


def with_seed_alone(folder, seed):
    text = (folder / "recipe.toml").read_text()
    number = next(line for line in text.splitlines() if line.startswith("seed"))
    (folder / "recipe.toml").write_text(text.replace(number, f"seed = {seed}"))
    return folder


def test_the_page_shows_both_and_every_run(seeds, tmp_path):
    seeds("pixelcnn", CLOSE)
    seeds("row-lstm", FAR)
    folders, _ = find_run_folders([tmp_path / "runs"])
    assert len(folders) == 6
    page = build(folders, tmp_path / "report.html", figures=tmp_path / "figures").read_text("utf-8")
    assert "<h1>2 models on digits</h1>" in page
    table = page[page.index("Which differences survive") :]
    row = table[table.index("<tbody>") : table.index("</tbody>")]
    assert row.count("<tr") == 1
    assert "<td>yes</td>" in row  # other images
    assert "<td>no, p = 0." in row  # other seeds
    assert page.count("<small>seed 2</small>") == 2
    results = (tmp_path / "figures" / "results.csv").read_text().splitlines()
    assert len(results) == 3
    assert ",3," in results[1]
    curves = (tmp_path / "figures" / "learning-curves.csv").read_text()
    assert "PixelCNN (seed 2)," in curves


def test_few_pictures_are_no_verdict_whatever_the_seeds_say(judged, seeds, tmp_path):
    folders = [*seeds("pixelcnn", CLOSE), *seeds("row-lstm", CLOSE)]
    for folder in folders:
        with np.load(folder / "evaluation.npz") as archive:
            arrays = dict(archive)
        np.savez(folder / "evaluation.npz", **arrays, pictures=np.repeat(np.arange(5), 12))
    _, found = judged(folders)
    assert found.sentence.startswith("No verdict: only 5 pictures")
    page = build(folders, tmp_path / "report.html").read_text("utf-8")
    assert "<td>no verdict</td>" in page


def test_an_alarm_of_any_seed_withholds_the_verdict(seeds, tmp_path):
    folders = [*seeds("pixelcnn", CLOSE, as_file=True), *seeds("row-lstm", CLOSE)]
    result = json.loads((folders[1] / "result.json").read_text())
    result["integer_bits_per_dim"] += 1
    (folders[1] / "result.json").write_text(json.dumps(result))
    page = build(folders, tmp_path / "report.html").read_text("utf-8")
    assert "No verdict: the figures of" in page
    assert "seed 1: " in page
    assert "Which differences survive" not in page


def test_runs_say_their_last_and_their_best_validation(digits, tmp_path):
    both = {
        "last": {"image_presentations": 67_500, "validation_bits_per_dim": 2.2},
        "best": {"image_presentations": 54_000, "validation_bits_per_dim": 2.1},
    }
    folders = [
        digits.run(tmp_path / "a", kept="best", **both),
        digits.run(tmp_path / "b", "row-lstm", kept="last", last=both["last"], best=both["last"]),
        digits.run(tmp_path / "c", "diagonal-bilstm"),  # of an earlier version
    ]
    page = build(folders, tmp_path / "report.html").read_text("utf-8")
    table = page[page.index('<table class="validations">') :]
    table = table[: table.index("</table>")]
    assert table.count("<tr>") == 3
    assert '2.1000</td><td class="number">54,000</td><td>the best</td>' in table
    assert "<td>both</td>" in table
    old = build(folders[2:], tmp_path / "old.html").read_text("utf-8")
    assert '<table class="validations">' not in old
