"""Several seeds of each model: what is trained, what is taken as it is, what is said."""

import io
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from pixelrnn import assessment, report
from pixelrnn import compare as compare_module
from pixelrnn.baselines import Baseline
from pixelrnn.compare import compare
from pixelrnn.errors import OutputError, RecipeError, TrainingInterrupted
from pixelrnn.runs import find_run_folders
from pixelrnn.training import RunFolder, recipe_of
from pixelrnn.uncertainty import over_seeds

TINY = ("model.features=4", "model.layers=1", "training.image_presentations=32",
        "training.batch_size=16", "training.validations=2", "training.threads=1",
        "data.num_levels=9")  # fmt: skip
RECIPES = ("digits-pixelcnn", "digits-row-lstm")
SEEDS = 2
LINES = [Baseline("uniform", 3.2, "quick")]


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """Few and small, so that all of it takes seconds."""
    file = tmp_path_factory.mktemp("images") / "mine.npy"
    np.save(file, np.random.default_rng(0).integers(9, size=(60, 4, 5), dtype=np.uint8))
    return str(file)


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """Leave out what has tests of its own and takes a while."""
    without_what_takes_long(monkeypatch)


def without_what_takes_long(patch):
    patch.setattr(compare_module.baselines, "measure", lambda *_, **__: LINES)
    patch.setattr(compare_module, "require_contract", lambda *_: None)
    patch.setattr(
        assessment,
        "field_in_float64",
        lambda model, image, place: model.receptive_field(
            place, height=image.shape[1], width=image.shape[2]
        ),
    )


@pytest.fixture
def console():
    return Console(record=True, width=200, file=io.StringIO())


@pytest.fixture(scope="module")
def whole(images, tmp_path_factory):
    """Two models with two seeds; not to be changed."""
    with pytest.MonkeyPatch.context() as patch:
        without_what_takes_long(patch)
        out = tmp_path_factory.mktemp("whole") / "out"
        return run(out, images, Console(quiet=True), seeds=SEEDS)


def run(out, images, console, *settings, **options):
    return compare(
        RECIPES, out, data=images, settings=[*TINY, *settings], console=console, **options
    )


def weights(folder):
    return {
        str(file.relative_to(folder)): file.read_bytes()
        for file in sorted(folder.rglob("model.safetensors"))
    }


def test_each_seed_has_a_folder_in_that_of_its_model(whole):
    folder = whole.report.parent
    for name in RECIPES:
        for seed in range(SEEDS):
            place = folder / name / (f"seed-{seed}" if seed else "")
            assert recipe_of(RunFolder(place)).training.seed == seed
            assert RunFolder(place).result()["finished"]
    assert len(set(weights(folder).values())) == 2 * SEEDS


def test_what_is_said_of_seeds(whole):
    results = whole.results
    assert json.loads((whole.report.parent / "results.json").read_text()) == results
    assert (results["num_seeds"], results["suite"]) == (SEEDS, None)
    by_name = {}
    for model in results["models"]:
        found = [each["test_bits_per_dim"] for each in model["seeds"]]
        by_name[model["label"]] = found
        assert [each["seed"] for each in model["seeds"]] == list(range(SEEDS))
        assert model["test_bits_per_dim"] == found[0]
        assert model["mean_test_bits_per_dim"] == pytest.approx(np.mean(found))
        key = "test_bits_per_dim_standard_deviation_over_seeds"
        assert model[key] == pytest.approx(np.std(found, ddof=1))
        folder = whole.report.parent / model["name"]
        per_image = [
            np.load(place / "evaluation.npz")["bits_per_dim_per_image"]
            for place in (folder, *(folder / f"seed-{seed}" for seed in range(1, SEEDS)))
        ]
        mean = np.mean(per_image, axis=0)
        error = np.std(mean, ddof=1) / np.sqrt(len(mean))
        assert model["mean_test_bits_per_dim_standard_error"] == pytest.approx(error)
    (difference,) = results["differences"]
    expected = over_seeds(by_name[difference["lower"]], by_name[difference["higher"]])
    assert difference["bits_per_dim"] == pytest.approx(expected.mean)
    assert difference["p_value_over_seeds"] == pytest.approx(expected.p_value)
    assert difference["survives_seeds"] == expected.survives


def test_the_page_is_the_one_that_report_makes_of_the_folder(whole, tmp_path):
    page = whole.report.read_text("utf-8")
    assert "Which differences survive" in page
    folders, unfinished = find_run_folders([whole.report.parent])
    assert (len(folders), unfinished) == (2 * SEEDS, [])
    again = report.build(folders, tmp_path / "again.html").read_text("utf-8")
    assert "Which differences survive" in again


@pytest.fixture
def copy(whole, tmp_path):
    return shutil.copytree(whole.report.parent, tmp_path / "copy")


def test_a_second_call_trains_nothing(whole, copy, images, console, monkeypatch):
    monkeypatch.setattr(compare_module, "train", None)
    monkeypatch.setattr(compare_module, "assess", None)
    again = run(copy, images, console, seeds=SEEDS)
    assert again.results == whole.results
    assert console.export_text().count("already trained in") == 2 * SEEDS


def test_one_seed_is_as_it_was_and_more_are_added(whole, copy, images, console, monkeypatch):
    """The run of the first seed stays as it is; what the others left does not show in one seed's page."""
    monkeypatch.setattr(compare_module, "train", None)
    single = run(copy, images, console)
    assert "num_seeds" not in single.results
    assert "differences" not in single.results
    assert not any("seeds" in model for model in single.results["models"])
    assert "Over seeds" not in single.report.read_text("utf-8")
    monkeypatch.undo()
    without_what_takes_long(monkeypatch)
    monkeypatch.setattr(compare_module.baselines, "measure", None)  # kept with the first
    for name in RECIPES:
        shutil.rmtree(copy / name / "seed-1")
    before = weights(copy)
    trained, train = [], compare_module.train

    def count(recipe, out, **options):
        trained.append(str(Path(out).relative_to(copy)))
        return train(recipe, out, **options)

    monkeypatch.setattr(compare_module, "train", count)
    added = run(copy, images, console, seeds=SEEDS)
    assert trained == [f"{name}/seed-1" for name in RECIPES]
    assert weights(copy).items() >= before.items()
    measured = [model["seeds"] for model in added.results["models"]]
    for found, expected in zip(measured, whole.results["models"], strict=True):
        for one, other in zip(found, expected["seeds"], strict=True):
            assert one["test_bits_per_dim"] == other["test_bits_per_dim"]


def test_stopped_anywhere_it_goes_on(whole, copy, images, console, monkeypatch):
    for place in (RECIPES[1], f"{RECIPES[0]}/seed-1"):
        for file in ("recipe.toml", "result.json"):
            (copy / place / file).unlink()
        shutil.rmtree(copy / place / "checkpoint")
    train, begun = compare_module.train, []

    def stop(recipe, out, **options):
        begun.append(str(Path(out).relative_to(copy)))
        if len(begun) in (1, 3):
            raise TrainingInterrupted("stopped at step 1 of 2; go on with: pixelrnn train --resume")
        return train(recipe, out, **options)

    monkeypatch.setattr(compare_module, "train", stop)
    for _ in range(2):
        with pytest.raises(TrainingInterrupted, match="the same command goes on from there"):
            run(copy, images, console, seeds=SEEDS)
    found = run(copy, images, console, seeds=SEEDS)
    assert begun == [RECIPES[1]] * 2 + [f"{RECIPES[0]}/seed-1"] * 2
    for model, expected in zip(found.results["models"], whole.results["models"], strict=True):
        assert model["mean_test_bits_per_dim"] == expected["mean_test_bits_per_dim"]


def test_a_run_of_an_earlier_version_is_taken_together_with_new_ones(
    copy, images, console, monkeypatch
):
    """Its recipe lacks a key that came later."""
    monkeypatch.setattr(compare_module, "train", None)
    file = copy / RECIPES[0] / "recipe.toml"
    file.write_text(file.read_text().replace('keep = "last"\n', ""))
    found = run(copy, images, console, seeds=SEEDS)
    assert [len(model["seeds"]) for model in found.results["models"]] == [SEEDS, SEEDS]


def test_another_run_in_the_folder_of_a_seed(copy, images, console, monkeypatch):
    monkeypatch.setattr(compare_module, "train", None)
    file = copy / RECIPES[1] / "seed-1" / "recipe.toml"
    file.write_text(file.read_text().replace("seed = 1", "seed = 2"))
    with pytest.raises(OutputError, match="seed-1 holds a run with other settings"):
        run(copy, images, console, seeds=2)


def test_alarms_of_all_seeds_are_said(copy, images, console):
    file = copy / RECIPES[0] / "seed-1" / "result.json"
    result = json.loads(file.read_text())
    file.write_text(json.dumps(result | {"alarms": ["it is strange"]}))
    found = run(copy, images, console, seeds=2)
    assert [model["alarms"] for model in found.results["models"]] == [["seed 1: it is strange"], []]


def test_the_seeds_follow_that_of_the_recipe(images, tmp_path, console, monkeypatch):
    last = 2**63 - 1
    with pytest.raises(RecipeError, match="leaves no room"):
        run(tmp_path / "out", images, console, f"training.seed={last}", seeds=2)
    with pytest.raises(RecipeError, match="give 1 or more"):
        run(tmp_path / "out", images, console, seeds=0)
    assert not (tmp_path / "out").exists()
    monkeypatch.setattr(compare_module, "_compare", lambda _, __, contestants, *___: contestants)
    found = run(tmp_path / "out", images, console, "training.seed=7", seeds=2)
    assert [str(each.run.path.relative_to(tmp_path / "out")) for each in found] == [
        *RECIPES, f"{RECIPES[0]}/seed-8", f"{RECIPES[1]}/seed-8"
    ]  # fmt: skip
