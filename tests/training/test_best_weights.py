"""The weights of the best validation are kept beside the last, or in their place, come what may."""

import json
import shutil
from types import SimpleNamespace

import numpy as np
import pytest
from rich.console import Console

from pixelrnn.data import DataSet
from pixelrnn.errors import NonFiniteLossError, RecipeError
from pixelrnn.evaluation import evaluate
from pixelrnn.models import store
from pixelrnn.training import RunFolder, checkpoint, good_weights, resume, train
from pixelrnn.training.loop import Trainee
from pixelrnn.units import bits_per_dim
from tests.training.test_runs import same, stopped_run, tiny_data, tiny_recipe, weights

SILENT = Console(quiet=True)
FIGURES = [
    5.0,
    3.0,
    4.0,
    3.0,
    6.0,
]  # of five validations, if they are played: the second is the best


def recipe(keep="last", **changes):
    # The plateau schedule follows the validations, and so do the weights after them.
    return tiny_recipe(
        training__keep=keep, training__validations=5, schedule__kind="plateau", **changes
    )


@pytest.fixture
def played(monkeypatch):
    """Validations that find what is written above, by their number; returns the weights that they saw."""
    seen = {}

    def found(model, images, **options):
        real = evaluate(model, images, **options).bits_per_dim  # tells which validation it is
        seen.setdefault(real, {key: value.clone() for key, value in model.state_dict().items()})
        nats = FIGURES[list(seen).index(real)] / bits_per_dim(1.0, images.size)
        return SimpleNamespace(nats=np.array([nats]))

    monkeypatch.setattr(good_weights, "evaluate", found)
    return seen


def of(file):
    return store.load(file).state_dict()


def whole(path, keep, played):
    run = train(recipe(keep), path, data=tiny_data(3), console=SILENT)
    assert len(played) == 5
    return run, list(played.values())


@pytest.mark.parametrize("keep", ["last", "best"])
def test_both_are_kept_and_said(tmp_path, played, keep):
    run, seen = whole(tmp_path / "run", keep, played)
    beside = {"last": "best", "best": "last"}[keep]
    kept = {keep: "model.safetensors", beside: f"{beside}.safetensors"}
    assert same(of(run.path / kept["best"]), seen[1])
    assert same(of(run.path / kept["last"]), seen[4])
    assert not (run.path / f"{keep}.safetensors").exists()
    result = run.result()
    assert result["kept"] == keep
    assert result["last"] == {"image_presentations": 80, "validation_bits_per_dim": 6.0}
    assert result["best"] == {"image_presentations": 32, "validation_bits_per_dim": 3.0}
    # The figures of the result are those of the weights that are its.
    measured = evaluate(store.load(run.path), tiny_data(3).images("validation")).bits_per_dim
    assert result["validation_bits_per_dim"] == measured
    assert result["image_presentations"] == 80


@pytest.mark.parametrize("keep", ["last", "best"])
def test_where_the_last_is_the_best_there_is_one_file(tmp_path, keep):
    run = train(recipe(keep), tmp_path / "run", data=tiny_data(), console=SILENT)
    result = run.result()
    assert result["best"] == result["last"]
    assert result["last"]["validation_bits_per_dim"] == result["validation_bits_per_dim"]
    assert {file.name for file in run.path.glob("*.safetensors")} == {"model.safetensors"}


def test_what_is_kept_changes_nothing_in_the_run(tmp_path, played):
    last, _ = whole(tmp_path / "last", "last", played)
    best, _ = whole(tmp_path / "best", "best", played)
    assert same(of(last.path / "best.safetensors"), of(best.path))
    assert same(of(best.path / "last.safetensors"), of(last.path))


@pytest.mark.parametrize("keep", ["last", "best"])
def test_crashes_anywhere_change_nothing(tmp_path, monkeypatch, played, keep):
    run, _ = whole(tmp_path / "whole", keep, played)
    again = stopped_run(tmp_path / "run", recipe(keep), monkeypatch, after_steps=(9, 12, 19))
    for file in ("model.safetensors", f"{'best' if keep == 'last' else 'last'}.safetensors"):
        assert same(of(run.path / file), of(again.path / file))
    keys = ("kept", "last", "best", "validation_bits_per_dim", "train_bits_per_dim")
    assert [run.result()[key] for key in keys] == [again.result()[key] for key in keys]


def test_what_lies_in_the_folder_after_a_kill_is_not_believed(tmp_path, monkeypatch, played):
    """The best weights come from the checkpoint: those in the folder may be of another."""
    run, _ = whole(tmp_path / "whole", "last", played)
    crash_before(12, monkeypatch, tmp_path / "run")
    shutil.copy(run.path / "model.safetensors", tmp_path / "run" / "best.safetensors")
    (tmp_path / "run" / "model.safetensors").unlink()
    monkeypatch.setattr("pixelrnn.training.fit.load", lambda *_: tiny_data(3))
    again = resume(tmp_path / "run", console=SILENT)
    for file in ("model.safetensors", "best.safetensors"):
        assert same(of(run.path / file), of(again.path / file))


class Crash(BaseException):
    """Stands for a crash: nothing of the program may handle it."""


def crash_before(step, monkeypatch, path):
    loss = Trainee.loss

    def crash(self, images):
        if self.steps == step:
            raise Crash
        return loss(self, images)

    with monkeypatch.context() as patch:
        patch.setattr(Trainee, "loss", crash)
        with pytest.raises(Crash):
            train(recipe(), path, data=tiny_data(3), console=SILENT)


def test_a_run_of_an_earlier_version_goes_on(tmp_path, monkeypatch, played):
    """Its best weights are lost if they came before, but not what they found."""
    run, _ = whole(tmp_path / "whole", "last", played)
    crash_before(13, monkeypatch, tmp_path / "run")
    old = RunFolder(tmp_path / "run")
    old.recipe_file.write_text(old.recipe_file.read_text().replace('keep = "last"\n', ""))
    (old.path / "best.safetensors").unlink()
    state = checkpoint.read(old.checkpoint_file)
    checkpoint.write(old.checkpoint_file, state | {"best": {}})
    monkeypatch.setattr("pixelrnn.training.fit.load", lambda *_: tiny_data(3))
    again = resume(old.path, console=SILENT)
    assert same(weights(run), weights(again))
    assert again.result()["best"] == run.result()["best"]
    assert not (old.path / "best.safetensors").exists()


def test_recipes_of_earlier_versions_have_the_fingerprint_that_they_had():
    # Computed before there was the key.
    assert (
        tiny_recipe().fingerprint()
        == "a5374a36ee72e16fb380de3e44b9cfb76657ba22e8efb83867fdd6a3ecd42b0f"
    )
    assert tiny_recipe(training__keep="last").fingerprint() == tiny_recipe().fingerprint()
    assert tiny_recipe(training__keep="best").fingerprint() != tiny_recipe().fingerprint()


def test_a_loss_that_is_not_finite_leaves_both(tmp_path, monkeypatch, played):
    loss = Trainee.loss

    def broken(self, images):
        return loss(self, images) * (float("nan") if self.steps == 14 else 1)

    monkeypatch.setattr(Trainee, "loss", broken)
    with pytest.raises(NonFiniteLossError, match=r"last good weights are in .*model\.safetensors"):
        train(recipe(), tmp_path / "run", data=tiny_data(3), console=SILENT)
    seen = list(played.values())
    assert same(of(tmp_path / "run" / "model.safetensors"), seen[2])
    assert same(of(tmp_path / "run" / "best.safetensors"), seen[1])


def test_the_best_of_no_validation_is_refused_before_anything_is_written(tmp_path):
    full = tiny_data()
    data = DataSet("tiny", 5, full.parts | {"validation": full.parts["train"][:0]}, "made")
    with pytest.raises(RecipeError, match=r"training\.keep = best needs validation images"):
        train(recipe("best"), tmp_path / "run", data=data, console=SILENT)
    assert not (tmp_path / "run").exists()
    run = train(recipe("last"), tmp_path / "run", data=data, console=SILENT)
    assert "kept" not in json.loads(run.result_file.read_text())


@pytest.mark.parametrize("keep", ["last", "best"])
def test_the_result_is_calibrated_on_training_images(keep, tmp_path):
    """So that it samples alike wherever it is loaded, without the images."""
    run = train(recipe(keep), tmp_path / "run", data=tiny_data(), console=SILENT)
    model = store.load(run.path)
    again = store.load(run.path)
    again.calibrate(tiny_data().images("train"))
    np.testing.assert_allclose(model.calibration, again.calibration, rtol=1e-6)
