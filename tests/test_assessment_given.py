"""What is looked at of models that are given something: their samples, completions, files."""

import numpy as np
import pytest
from rich.console import Console

from pixelrnn.assessment import assess
from pixelrnn.coding import load_program
from pixelrnn.evaluation import conditioned
from pixelrnn.models import store
from pixelrnn.runs import SamplesArrays
from pixelrnn.training import train
from tests.training.test_conditions import photographs, recipe_given
from tests.training.test_labels import labelled_data, labelled_recipe

SILENT = Console(quiet=True)


def assessed(recipe, data, folder):
    """Train a run and look at it; the run and its samples."""
    run = train(recipe, folder, data=data, console=SILENT)
    assess(run, data, baselines=[])
    return run, SamplesArrays.read(run.samples_file, num_levels=data.num_levels)


@pytest.fixture(scope="module")
def labelled(tmp_path_factory):
    data = labelled_data()
    return data, *assessed(labelled_recipe(), data, tmp_path_factory.mktemp("labels") / "run")


def test_samples_have_the_classes_of_test_images(labelled):
    data, _, arrays = labelled
    spread = np.linspace(0, 11, len(arrays.samples)).astype(int)
    labels = data.labels_of("test")[spread]
    read = np.abs(arrays.samples.mean(axis=(1, 2, 3))[:, None] - [0.5, 2.5, 4.5]).argmin(axis=1)
    assert (read == labels).mean() > 0.9


def test_files_are_coded_with_classes(labelled):
    """So the figures of floats, integers and files are of the same, and no alarm is raised."""
    _, run, _ = labelled
    result = run.result()
    assert result["alarms"] == []
    assert result["float_bits_per_dim"] == pytest.approx(result["test_bits_per_dim"])
    assert result["message_bits_per_dim"] < result["integer_bits_per_dim"] + 0.2
    assert load_program(run.integer_file).program.given.num_labels == 4


def test_completions_are_of_the_class_too(labelled):
    data, _, arrays = labelled
    labels = data.labels_of("test")[arrays.completed_indices]
    hidden = arrays.completions[..., 2:, :].mean(axis=(1, 2, 3, 4))
    assert (np.abs(hidden[:, None] - [0.5, 2.5, 4.5]).argmin(axis=1) == labels).mean() > 0.7


@pytest.mark.parametrize("kind", ["grey", "small"])
def test_samples_are_given_what_test_images_are(kind, tmp_path):
    data = photographs()
    run, arrays = assessed(recipe_given(kind, training__epochs=2), data, tmp_path / "run")
    model, spread = store.load(run.path), np.linspace(0, 4, len(arrays.samples)).astype(int)
    again = conditioned(model, data, "test", spread).sample(len(spread), seed=0)
    np.testing.assert_array_equal(arrays.samples, again)
    if kind == "small":
        images = data.images("test")[spread]
        np.testing.assert_array_equal(arrays.samples[..., ::2, ::2], images[..., ::2, ::2])
    result = run.result()
    assert result["alarms"] == []
    assert "file_bits_per_dim" not in result
    assert load_program(run.integer_file).program.given.is_part == (kind == "small")
