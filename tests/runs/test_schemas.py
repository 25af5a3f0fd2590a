"""The files of a run folder are written and read by the same schemas."""

import json
import os
import sys

import numpy as np
import pytest

from pixelrnn.errors import ModelFileError, RecipeError
from pixelrnn.runs import EvaluationArrays, Result, RunFolder, SamplesArrays, read_run
from pixelrnn.runs.metrics import MetricsRow, read_metrics
from pixelrnn.runs.result import Environment


@pytest.fixture
def run(tmp_path):
    return RunFolder(tmp_path)


def content(run):
    return json.loads(run.result_file.read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    "schema", [Result, Environment, MetricsRow, EvaluationArrays, SamplesArrays]
)
def test_every_field_is_described(schema):
    assert [name for name, field in schema.model_fields.items() if not field.description] == []


def test_what_is_measured_adds_up(run):
    assert run.result() == {}
    run.update_result(name="x", finished=False)
    run.update_result(finished=True, last={"image_presentations": 8, "validation_bits_per_dim": 2})
    expected = {"image_presentations": 8, "validation_bits_per_dim": 2}
    whole = {"format_version": 1, "name": "x", "finished": True, "last": expected}
    assert run.result() == content(run) == whole


@pytest.mark.parametrize(
    ("values", "word"),
    [
        ({"test_bits_per_dimension": 2.0}, "unknown keys.*test_bits_per_dimension"),
        ({"minutes": "many"}, "minutes"),
        ({"minutes": float("nan")}, "minutes: a number that is not finite"),
        ({"last": {"image_presentations": -1, "validation_bits_per_dim": 2.0}}, "last"),
        ({"baselines": [{"name": "PNG"}] * 201}, "baselines"),
        ({"baselines": [{"test_bits_per_dim": 2.0}]}, "baselines.0.name"),
    ],
)
def test_what_could_not_be_read_is_not_written(run, values, word):
    run.update_result(name="x")
    with pytest.raises(ValueError, match=word):
        run.update_result(**values)
    assert content(run) == {"format_version": 1, "name": "x"}


def test_keys_of_later_versions_are_kept_and_not_looked_at(run):
    run.result_file.write_text('{"format_version": 1, "invented": {"later": [1]}}')
    run.update_result(name="x")
    assert content(run)["invented"] == {"later": [1]}


def test_keys_of_later_versions_are_no_trouble_for_the_report(digits, tmp_path):
    folder = digits.run(tmp_path / "a", invented=1)
    with np.load(folder / "evaluation.npz") as archive:
        arrays = dict(archive)
    np.savez(folder / "evaluation.npz", **arrays, invented=np.zeros(3))
    found = read_run(folder)
    assert found.evaluation is not None
    assert not hasattr(found.result, "invented")


def test_half_characters_are_written_as_they_are_read(run):
    run.update_result(command="pixelrnn train --out caf\udce9")
    assert run.result()["command"] == content(run)["command"] == "pixelrnn train --out caf?"


@pytest.mark.parametrize("text", ["", "[]", "{", '{"finished": 2}', '{"a": 1, "a": 2}', "[" * 9999])
def test_a_damaged_result_is_named_before_anything_is_added(run, text):
    run.result_file.write_text(text)
    for work in (run.result, lambda: run.update_result(name="x")):
        with pytest.raises(RecipeError, match=r"result\.json.*go on with --resume"):
            work()
    assert run.result_file.read_text() == text


def test_metrics_are_read_as_they_are_written(run):
    run.write_metrics([])
    row = dict.fromkeys(MetricsRow.model_fields, 2.5)
    row |= {"step": 3, "image_presentations": 48, "validation_bits_per_dim": None}
    run.append_metrics(row)
    assert [each.model_dump() for each in read_metrics(run.metrics_file)] == [row]


def samples(**changes):
    pixels = np.zeros((2, 1, 4, 3), np.uint8)
    return SamplesArrays(**{
        "seed": np.array(0), "samples": pixels, "known": np.ones((4, 3), bool),
        "completed_images": pixels, "completed_indices": np.arange(2),
        "completions": np.zeros((2, 3, 1, 4, 3), np.uint8), "hidden_bits_per_dim": np.ones(2),
    } | changes)  # fmt: skip


def test_arrays_are_read_as_they_are_written(run):
    written = samples()
    written.write(run.samples_file)
    read = SamplesArrays.read(run.samples_file, num_levels=2, C=1, H=4, W=3)
    for name in SamplesArrays.model_fields:
        np.testing.assert_array_equal(getattr(read, name), getattr(written, name))
        assert getattr(read, name).dtype == getattr(written, name).dtype


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"completed_indices": np.arange(3)}, "completed_indices has the shape"),
        ({"samples": np.zeros((2, 1, 4, 4), np.uint8)}, "samples has the shape"),
        ({"samples": np.zeros((0, 1, 4, 3), np.uint8)}, "not any x 1 x 4 x 3"),
        ({"seed": np.zeros(1, int)}, r"not one number"),
        ({"samples": np.full((2, 1, 4, 3), 2, np.uint8)}, "values above 1"),
        ({"hidden_bits_per_dim": np.array([1.0, np.inf])}, "not finite"),
    ],
)
def test_arrays_that_do_not_fit_together_are_named(run, changes, word):
    samples(**changes).write(run.samples_file)
    with pytest.raises(ModelFileError, match=word) as caught:
        SamplesArrays.read(run.samples_file, num_levels=2, C=1, H=4, W=3)
    assert str(run.samples_file) in str(caught.value)
    assert "assess that run again" in str(caught.value)


@pytest.mark.skipif(sys.platform == "win32", reason="needs pipes of Unix")
@pytest.mark.parametrize("name", ["result.json", "samples.npz", "metrics.csv"])
def test_a_pipe_is_not_opened(run, name):
    """It would be waited for, for ever."""
    os.mkfifo(run.path / name)
    with pytest.raises((ModelFileError, RecipeError), match="cannot be read: it is a pipe"):
        {
            "result.json": run.result,
            "samples.npz": lambda: SamplesArrays.read(run.samples_file, num_levels=2),
            "metrics.csv": lambda: read_metrics(run.metrics_file),
        }[name]()
