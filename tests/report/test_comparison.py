import json

import numpy as np
import pytest

from pixelrnn.report.compared import ComparedModel, Difference, difference
from pixelrnn.report.comparison import group_by_data
from pixelrnn.runs import read_run


def entries(folders):
    return [ComparedModel(read_run(folder), folder.name, 0) for folder in folders]


def test_differences_are_paired_image_by_image(digits, tmp_path):
    best, other = entries(digits.runs(tmp_path)[:2])
    gaps = other.per_image - best.per_image
    found = difference(best, other)
    assert found.paired
    assert found.mean == pytest.approx(gaps.mean())
    assert found.standard_error == pytest.approx(np.std(gaps, ddof=1) / np.sqrt(len(gaps)))
    # Most of the spread is shared between the models: pairing must have removed it.
    assert found.standard_error < 0.5 * best.run.result.test_bits_per_dim_standard_error


def test_without_single_images_the_errors_add(digits, tmp_path):
    folders = digits.runs(tmp_path)
    (folders[1] / "evaluation.npz").unlink()
    best, other = entries(folders[:2])
    found = difference(best, other)
    assert not found.paired
    errors = [entry.run.result.test_bits_per_dim_standard_error for entry in (best, other)]
    assert found.standard_error == pytest.approx(np.hypot(*errors))


@pytest.mark.parametrize(
    ("mean", "error", "expected"),
    [
        (0.0, 0.0, False),
        (0.1, 0.0, True),
        (0.02, 0.01, True),
        (0.0199, 0.01, False),
        (-0.03, 0.01, True),
        (0.1, float("nan"), False),
    ],
)
def test_distinguishable(mean, error, expected):
    assert Difference(mean, error, paired=True).distinguishable is expected


def test_the_verdict_names_the_best_and_the_next(judged, digits, tmp_path):
    group, found = judged(digits.runs(tmp_path))
    assert [entry.name for entry in group.models] == ["PixelCNN", "Diagonal BiLSTM", "Row LSTM"]
    gap = difference(*group.models[:2])
    assert "<strong>PixelCNN</strong> is best" in found.sentence
    assert f"{gap.mean:.4f} ± {gap.standard_error:.4f} less than Diagonal BiLSTM" in found.sentence
    assert "clear difference" in found.sentence
    assert found.warnings == ()


def test_equal_models_are_not_distinguishable(judged, digits, tmp_path):
    folders = [digits.run(tmp_path / "a"), digits.run(tmp_path / "b", label="Twin")]
    folders.append(digits.run(tmp_path / "c", "row-lstm"))
    _, found = judged(folders)
    assert "<strong>PixelCNN</strong> and <strong>Twin</strong> are not distin" in found.sentence
    assert "is best" not in found.sentence
    assert "Row LSTM" not in found.sentence


def test_a_clear_next_does_not_hide_a_noisy_third(judged, digits, tmp_path):
    folders = digits.runs(tmp_path)
    with np.load(folders[1] / "evaluation.npz") as archive:
        arrays = dict(archive)
    values = arrays["bits_per_dim_per_image"]
    values += np.where(np.arange(len(values)) % 2, 3.0, -3.0)
    np.savez(folders[1] / "evaluation.npz", **arrays)
    _, found = judged(folders)
    assert "<strong>PixelCNN</strong> and <strong>Row LSTM</strong> are not" in found.sentence


def test_what_makes_a_comparison_unfair_is_said(judged, digits, tmp_path):
    hashes = {"train": "dd" * 32, "validation": "ee" * 32}
    first = digits.run(tmp_path / "a")
    test = json.loads((first / "result.json").read_text())["data_sha256"]["test"]
    other = digits.run(
        tmp_path / "b",
        "row-lstm",
        image_presentations=100,
        finished=False,
        data_sha256={**hashes, "test": test},
    )
    waiting = digits.run(tmp_path / "c", "diagonal-bilstm", evaluated=False)
    _, found = judged([first, other, waiting])
    said = " ".join(found.warnings)
    assert "Not measured on test: Diagonal BiLSTM" in said
    assert "not finished: Row LSTM" in said
    assert "trained on different images" in said
    assert "Validation bits/dim are of different images" in said
    assert "PixelCNN 67,500" in said
    assert "Row LSTM 100" in said


def test_the_best_line_to_beat_is_named_even_if_it_wins(judged, digits, tmp_path):
    digits.baselines = [{"name": "Oracle", "test_bits_per_dim": 1.0}]
    _, found = judged([digits.run(tmp_path / "a")])
    assert "Oracle at 1.0000 bits/dim; PixelCNN does not beat it" in " ".join(found.remarks)


@pytest.mark.parametrize(
    "changes",
    [
        {"num_levels": 18},
        {"split": "validation"},
        {"data_sha256": {"train": "a", "validation": "b", "test": "other"}},
    ],
)
def test_other_data_is_another_group(digits, tmp_path, changes):
    folders = [digits.run(tmp_path / "a"), digits.run(tmp_path / "b", "row-lstm", **changes)]
    groups = group_by_data([read_run(folder) for folder in folders])
    assert [len(group.models) for group in groups] == [1, 1]


def test_a_run_without_test_joins_its_data(digits, tmp_path):
    folders = [
        digits.run(tmp_path / "a", evaluated=False),
        digits.run(tmp_path / "b", "row-lstm"),
    ]
    (group,) = group_by_data([read_run(folder) for folder in folders])
    assert [entry.name for entry in group.models] == ["Row LSTM", "PixelCNN"]
    assert [entry.colour for entry in group.models] == [1, 0]


def test_namesakes_are_told_apart(digits, tmp_path):
    runs = [read_run(digits.run(tmp_path / name)) for name in ("seed-1", "seed-2")]
    (group,) = group_by_data(runs)
    assert {entry.name for entry in group.models} == {"PixelCNN (seed-1)", "PixelCNN (seed-2)"}


def test_baselines_that_disagree_name_their_runs(digits, tmp_path):
    first = digits.run(tmp_path / "a")
    digits.baselines = [{"name": "histogram", "test_bits_per_dim": 2.7}]
    second = digits.run(tmp_path / "b", "row-lstm")
    (group,) = group_by_data([read_run(folder) for folder in (first, second)])
    names = [line.name for line in group.baselines]
    assert names[:2] == ["histogram (as in PixelCNN)", "histogram (as in Row LSTM)"]
    assert names.count("PNG") == 1
