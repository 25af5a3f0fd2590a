"""What is kept beside an evaluation: samples and completions that any model can be held against."""

import json

import numpy as np
import pytest

from pixelrnn import assessment
from pixelrnn.assessment import assess
from pixelrnn.completion import complete, keep
from pixelrnn.data import DataSet
from pixelrnn.errors import OutputError
from pixelrnn.models import store
from pixelrnn.report.samples_file import read_samples
from pixelrnn.training import RunFolder


def data_set(shape, count=13, levels=5):
    images = np.random.default_rng(0).integers(levels, size=(count, *shape), dtype=np.uint8)
    return DataSet("made up", levels, images, images, images, "here", "none", (), "by hand")


@pytest.fixture
def run(tmp_path):
    return RunFolder(tmp_path)


@pytest.fixture
def save(tiny_model, run):
    """Put a model with fresh weights into the run folder."""

    def put(*arguments, **settings):
        store.save(tiny_model(*arguments, **settings).float(), run.path)
        return store.load(run.path)

    return put


def kept(run):
    with np.load(run.path / "samples.npz") as archive:
        return dict(archive)


def test_samples_and_completions_are_those_of_the_seed(run, save, kind, channels):
    model, data = save(kind, channels=channels, noise=0.3), data_set((channels, 6, 5))
    assess(run, data, [])
    found = kept(run)
    np.testing.assert_array_equal(found["samples"], model.sample(32, size=(6, 5), seed=0))
    np.testing.assert_array_equal(found["completed_indices"], [0, 3, 6, 9])
    np.testing.assert_array_equal(found["completed_images"], data.test[[0, 3, 6, 9]])
    known = keep("top:0.5", 6, 5)
    again = complete(model, data.test[[0, 3, 6, 9]], known, count=3, seed=0)
    np.testing.assert_array_equal(found["completions"], again.images)
    np.testing.assert_array_equal(found["known"], known)
    originals = found["completed_images"][:, None]
    assert np.where(known, found["completions"] == originals, True).all()


def test_the_hidden_half_is_over_all_test_images(run, save, likelihood, channels):
    model, data = save("pixelcnn", likelihood, channels, noise=0.3), data_set((channels, 7, 4))
    assess(run, data, [])
    result = run.result()
    scored = complete(model, data.test, keep("top:0.5", 7, 4)).hidden_bits_per_dim
    assert result["hidden_half_bits_per_dim"] == pytest.approx(scored.mean(), abs=1e-5)
    assert result["seconds_per_sample"] > 0
    first = kept(run)["hidden_bits_per_dim"]
    np.testing.assert_allclose(first, scored[[0, 3, 6, 9]], atol=1e-6)


@pytest.mark.parametrize(("side", "count"), [(32, 32), (33, 16)])
def test_fewer_samples_of_larger_images(run, save, side, count):
    save("pixelcnn", features=2, head_features=2, layers=1)
    assess(run, data_set((1, side, 2), count=1), [])
    found = kept(run)
    assert found["samples"].shape == (count, 1, side, 2)
    assert found["completed_indices"].tolist() == [0]


@pytest.mark.parametrize("shape", [(1, 1, 6), (1, 6, 1), (3, 1, 1)])
def test_narrow_images(run, save, shape):
    save("pixelcnn", channels=shape[0])
    assess(run, data_set(shape), [])
    found = read_samples(run.path / "samples.npz", image_shape=shape, num_levels=5)
    assert found.seed == 0
    assert found.completions.shape == (4, 3, *shape)


def test_a_full_disk_leaves_the_result_as_it_was(run, save, monkeypatch):
    save("pixelcnn")
    run.update_result(name="x")
    real = np.savez_compressed

    def full(file, **arrays):
        if "samples" in arrays:
            raise OSError(28, "No space left on device")
        real(file, **arrays)

    monkeypatch.setattr(assessment.np, "savez_compressed", full)
    with pytest.raises(OutputError, match=r"samples\.npz: No space left"):
        assess(run, data_set((1, 4, 4)), [])
    assert json.loads(run.result_file.read_text()) == {"format_version": 1, "name": "x"}
    assert not (run.path / "samples.npz").exists()
