"""What is kept beside an evaluation: samples and completions, and the model in integers, as a file."""

import dataclasses
import io
import json
import logging

import numpy as np
import pytest

from pixelrnn import assessment
from pixelrnn.assessment import FILE_KEYS, assess, record
from pixelrnn.coding import Album, Codec, fitting_name, load_program, write
from pixelrnn.completion import complete, keep
from pixelrnn.data import DataSet
from pixelrnn.data.splits import Part
from pixelrnn.errors import OutputError
from pixelrnn.evaluation import evaluate
from pixelrnn.models import store
from pixelrnn.operations.export import export
from pixelrnn.runs import EvaluationArrays, RunFolder, SamplesArrays
from pixelrnn.uncertainty import evenly_spread, standard_error


def data_set(shape, count=13, levels=5):
    images = np.random.default_rng(0).integers(levels, size=(count, *shape), dtype=np.uint8)
    return DataSet.from_array(
        images, images, images, num_levels=levels, channels="first", name="made up"
    )


def of_pictures(data, numbers):
    """The same images, cut from so many pictures."""
    parts = {split: Part(part.images, pictures=numbers) for split, part in data.parts.items()}
    return dataclasses.replace(data, parts=parts)


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
    np.testing.assert_array_equal(found["completed_images"], data.images("test")[[0, 3, 6, 9]])
    known = keep("top:0.5", 6, 5)
    again = complete(model, data.images("test")[[0, 3, 6, 9]], known, count=3, seed=0)
    np.testing.assert_array_equal(found["completions"], again.images)
    np.testing.assert_array_equal(found["known"], known)
    originals = found["completed_images"][:, None]
    assert np.where(known, found["completions"] == originals, True).all()


def test_the_hidden_half_is_over_all_test_images(run, save, likelihood, channels):
    model, data = save("pixelcnn", likelihood, channels, noise=0.3), data_set((channels, 7, 4))
    assess(run, data, [])
    result = run.result()
    scored = complete(model, data.images("test"), keep("top:0.5", 7, 4)).hidden_bits_per_dim
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
    lengths = dict(zip("CHW", shape, strict=True))
    found = SamplesArrays.read(run.samples_file, num_levels=5, **lengths)
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

    monkeypatch.setattr(np, "savez_compressed", full)
    with pytest.raises(OutputError, match=r"samples\.npz: No space left"):
        assess(run, data_set((1, 4, 4)), [])
    assert json.loads(run.result_file.read_text()) == {"format_version": 1, "name": "x"}
    assert not (run.path / "samples.npz").exists()


# As a file.


def file_of(model, images):
    """Return the bytes of a file of all these images."""
    file = io.BytesIO()
    write(Codec(model, tile=0), [("", image.transpose(1, 2, 0)) for image in images], file)
    return file.getvalue()


def test_the_file_is_one_that_the_kept_integers_write_and_read(run, save, kind, channels):
    model, data = save(kind, channels=channels, noise=0.3), data_set((channels, 6, 5))
    assess(run, data, [])
    result, kept_model = run.result(), load_program(run.path / "integer.safetensors")
    file = file_of(kept_model, data.images("test"))
    dims = data.images("test").size
    assert result["file_num_images"] == 13
    assert result["file_bytes"] == len(file)
    assert result["file_bits_per_dim"] == pytest.approx(8 * len(file) / dims)
    with Album(io.BytesIO(file), coding_model=kept_model) as album:
        np.testing.assert_array_equal(np.stack(list(album)), data.images("test"))
        message_bytes = sum(entry.size for entry in album.entries)
    assert result["message_bits_per_dim"] == pytest.approx(8 * message_bytes / dims)
    assert result["seconds_per_image_compressing"] > 0
    assert kept_model.name == run.path.name
    assert load_program(run.path / "integer.safetensors").program.channels == model.config.channels


def test_integers_cost_little_more_than_floats(run, save, kind, likelihood):
    # Its own samples: others surprise it by more bits than any level costs in integers.
    images = save(kind, likelihood, channels=3, noise=0.3).sample(13, size=(6, 5), seed=1)
    evaluation = assess(
        run, DataSet.from_array(images, images, images, num_levels=5, channels="first"), []
    )
    result = run.result()
    assert result["float_bits_per_dim"] == pytest.approx(evaluation.bits_per_dim, abs=1e-9)
    assert result["integer_bits_per_dim"] == pytest.approx(evaluation.bits_per_dim, abs=0.002)
    assert result["integer_bits_per_dim"] <= result["message_bits_per_dim"]


def test_of_many_images_the_first_are_measured(run, save, monkeypatch):
    model, data = save("pixelcnn", noise=0.3), data_set((1, 6, 5))
    monkeypatch.setattr(assessment, "FILE_IMAGES", 4)
    evaluation = assess(run, data, [])
    result, first = run.result(), data.images("test")[:4]
    assert (result["num_images"], result["file_num_images"]) == (13, 4)
    assert result["float_bits_per_dim"] == pytest.approx(evaluate(model, first).bits_per_dim)
    assert abs(result["float_bits_per_dim"] - evaluation.bits_per_dim) > 1e-3
    kept_model = load_program(run.path / "integer.safetensors")
    assert result["file_bytes"] == len(file_of(kept_model, first))


@pytest.mark.parametrize(
    ("shape", "count"),
    [((600, 1, 2, 3), 512), ((7, 1, 2, 3), 7), ((600, 1, 64, 64), 128), ((2, 1, 999, 999), 1)],
)
def test_fewer_are_measured_of_large_images(shape, count):
    images = np.broadcast_to(np.uint8(0), shape)
    assert assessment._first(images).shape == (count, *shape[1:])


def test_the_export_is_of_the_training_images(run, save, monkeypatch):
    """As that of `pixelrnn models export`: of as many, evenly spread, as `export` looks at."""
    model = save("row-lstm", noise=0.3)
    monkeypatch.setattr("pixelrnn.models.lowering.CALIBRATION_IMAGES", 3)
    data = data_set((1, 6, 5))
    looked_at = evenly_spread(data.count("train"), 3)
    train = data.images("train").copy()
    train[looked_at] = 0
    data = DataSet.from_array(train, *map(data.images, ("validation", "test")), num_levels=5)
    assess(run, data, [])
    kept_model = load_program(run.path / "integer.safetensors")
    program = export(model.lower(data.images("train")[looked_at]))
    assert kept_model.hash == assessment.name_model("x", program).hash
    other = export(model.lower(data.images("train")[1:4]))
    assert kept_model.hash != assessment.name_model("x", other).hash


@pytest.fixture
def too_large(run, save):
    """A model whose weights no sum of 32 bits can hold."""

    def put():
        model = save("pixelcnn", noise=0.3)
        for parameter in model.parameters():
            parameter.data *= 20
        store.save(model, run.path)
        return model

    return put


def test_a_model_that_has_no_integers_is_evaluated_all_the_same(run, too_large, caplog):
    model, data = too_large(), data_set((1, 4, 4))
    with caplog.at_level(logging.WARNING, "pixelrnn.assessment"):
        evaluation = assess(run, data, [])
    assert "is not measured as a file: the weights of this model" in caplog.text
    result = run.result()
    assert result["test_bits_per_dim"] == evaluation.bits_per_dim
    assert evaluation.bits_per_dim == pytest.approx(
        evaluate(model, data.images("test")).bits_per_dim
    )
    assert not result.keys() & set(FILE_KEYS)
    assert not (run.path / "integer.safetensors").exists()


def test_no_figures_of_other_weights_are_left(run, save, too_large, caplog):
    save("pixelcnn")
    assess(run, data_set((1, 4, 4)), [])
    assert run.result()["file_bytes"] > 0
    too_large()
    assess(run, data_set((1, 4, 4)), [])
    assert {run.result()[key] for key in FILE_KEYS} == {None}
    assert not (run.path / "integer.safetensors").exists()


def test_a_fault_that_is_not_the_weights_is_not_hidden(run, save, monkeypatch):
    save("pixelcnn")

    def broken(*_):
        raise ZeroDivisionError

    monkeypatch.setattr(assessment, "export", broken)
    with pytest.raises(ZeroDivisionError):
        assess(run, data_set((1, 4, 4)), [])


@pytest.mark.parametrize(
    ("folder", "name"),
    [("plain", "plain"), ("ü" * 40, "ü" * 32), ("x" + "ü" * 40, "x" + "ü" * 31), ("\n", "model")],
)
def test_any_folder_gives_a_name(folder, name):
    assert fitting_name(folder) == name
    assert 1 <= len(name.encode()) <= 64


def test_compiling_is_told(run, save, monkeypatch):
    save("pixelcnn")
    told = []
    monkeypatch.setattr(assessment, "make_loop_ready", lambda tell: tell("one"))
    monkeypatch.setattr(
        assessment.Codec, "make_ready", lambda self, tell=None: tell and tell("two")
    )
    assess(run, data_set((1, 4, 4)), [], on_compiling=told.append)
    assert told == ["one", "two"]


# What `evaluate` keeps, alone and beside an assessment.


def recorded(run, data):
    """Evaluate the model of a run, and keep the figures."""
    found = evaluate(store.load(run.path), data.images("test"))
    record(run, data, found)
    return found


def test_figures_alone_are_kept(run, save):
    save("pixelcnn", noise=0.3)
    found = recorded(run, data_set((1, 6, 5)))
    assert run.result()["test_bits_per_dim"] == found.bits_per_dim
    assert run.result().keys().isdisjoint({*FILE_KEYS, "seconds_per_sample", "baselines"})
    read = EvaluationArrays.read(run.evaluation_file, num_levels=5, N=13, C=1, H=6, W=5)
    np.testing.assert_allclose(read.bits_per_dim_per_image, found.bits_per_dim_per_image)
    assert read.receptive_field is None
    assert not run.samples_file.exists()


def test_the_same_figures_leave_an_assessment_as_it_is(run, save):
    save("pixelcnn", noise=0.3)
    assess(run, data_set((1, 6, 5)), [])
    files = (run.evaluation_file, run.samples_file, run.integer_file)
    before, result = [file.read_bytes() for file in files], run.result()
    recorded(run, data_set((1, 6, 5)))
    assert [file.read_bytes() for file in files] == before
    speed = {"images_per_second_evaluating": 0}
    assert run.result() | speed == result | speed


def test_figures_of_other_weights_remove_an_assessment(run, save):
    save("pixelcnn", noise=0.3)
    assess(run, data_set((1, 6, 5)), [])
    save("pixelcnn", noise=0.4)
    found = recorded(run, data_set((1, 6, 5)))
    result = run.result()
    assert result["test_bits_per_dim"] == found.bits_per_dim
    assert {result[key] for key in (*FILE_KEYS, "seconds_per_sample")} == {None}
    assert not run.samples_file.exists()
    assert not run.integer_file.exists()
    read = EvaluationArrays.read(run.evaluation_file, num_levels=5, N=13, C=1, H=6, W=5)
    assert read.receptive_field is None


@pytest.mark.parametrize("patches", [False, True])
def test_which_picture_each_image_is_of_is_kept(run, save, patches):
    save("pixelcnn", noise=0.3)
    data = data_set((1, 6, 5))
    numbers = np.repeat([4, 2, 7], [6, 4, 3])
    if patches:
        data = of_pictures(data, numbers)
    found = assess(run, data, [])
    result = run.result()
    with np.load(run.evaluation_file) as archive:
        pictures = archive["pictures"]
    np.testing.assert_array_equal(pictures, numbers if patches else np.arange(13))
    assert (result["num_images"], result["num_pictures"]) == (13, 3 if patches else 13)
    expected = standard_error(found.bits_per_dim_per_image, pictures)
    assert result["test_bits_per_dim_standard_error"] == pytest.approx(expected)
    read = EvaluationArrays.read(run.evaluation_file, num_levels=5, N=13, C=1, H=6, W=5)
    np.testing.assert_array_equal(read.pictures, pictures)


def test_one_picture_leaves_no_standard_error_behind(run, save):
    save("pixelcnn", noise=0.3)
    one = np.zeros(13, int)
    assess(run, of_pictures(data_set((1, 6, 5)), one), [])
    assert run.result()["test_bits_per_dim_standard_error"] is None
    assert "NaN" not in run.result_file.read_text()
