"""The whole path: train a suite, evaluate it once, write results and page; stopped, it goes on."""

import dataclasses
import io
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from pixelrnn import assessment
from pixelrnn import compare as compare_module
from pixelrnn.assessment import FILE_KEYS
from pixelrnn.baselines import Baseline
from pixelrnn.coding import Album, Codec, load_program, write
from pixelrnn.compare import compare
from pixelrnn.data import load
from pixelrnn.errors import OutputError, RecipeError, TrainingInterrupted
from pixelrnn.evaluation import evaluate
from pixelrnn.models import store
from pixelrnn.training import recipes_for, suite_recipes

EXCERPT = Path(__file__).resolve().parents[1] / "../shared/data/cifar-10-binary-3000.tar.gz"
MODELS = list(suite_recipes("digits"))
TINY = ("model.features=4", "model.layers=1", "training.image_presentations=128",
        "training.batch_size=64", "training.validations=2")  # fmt: skip
MODEL_KEYS = {
    "name", "test_bits_per_dim", "test_bits_per_dim_standard_error", "validation_bits_per_dim",
    "parameters", "image_presentations", "images_per_second", "minutes", "peak_memory_mb",
    "file_num_images", "float_bits_per_dim", "integer_bits_per_dim", "message_bits_per_dim",
    "file_bits_per_dim", "file_bytes", "seconds_per_image_compressing",
}  # fmt: skip


@pytest.fixture
def console():
    """What a user sees on standard error."""
    return Console(record=True, width=200, file=io.StringIO())


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A comparison of the digits from beginning to end; not to be changed."""
    out = tmp_path_factory.mktemp("whole") / "new" / "digits"
    return compare("digits", out, settings=TINY, console=Console(quiet=True), command="typed")


@pytest.fixture
def copy(whole, tmp_path):
    """A copy of it."""
    return shutil.copytree(whole.report.parent, tmp_path / "copy")


@pytest.fixture
def quick_baselines(monkeypatch):
    """Lines to beat that take no time, and how often they were measured."""
    measured = []

    def measure(train, test, num_levels, pictures=None):
        measured.append((len(train), len(test), num_levels))
        return [Baseline("uniform", float(np.log2(num_levels)), "quick")]

    monkeypatch.setattr(compare_module.baselines, "measure", measure)
    return measured


@pytest.fixture
def no_training(monkeypatch):
    """Training and evaluating again is an error."""

    def refuse(*_, **__):
        raise AssertionError("this was already done")

    monkeypatch.setattr(compare_module, "train", refuse)
    monkeypatch.setattr(compare_module, "assess", refuse)


def run(out, console, *settings, suite="digits", **options):
    return compare(suite, out, settings=[*TINY, *settings], console=console, **options)


def contents(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name not in ("report.html", "results.json")
    }


# What it gives.


def test_results_have_what_is_promised(whole):
    results = whole.results
    assert (results["data"], results["split"], results["num_images"]) == ("digits", "test", 297)
    assert [model["name"] for model in results["models"]] == MODELS
    for model in results["models"]:
        assert model.keys() >= MODEL_KEYS
        for key in MODEL_KEYS - {"name"}:
            assert model[key] > 0, key
        assert model["image_presentations"] == 128
        assert model["test_bits_per_dim"] < 4.2
    assert all(line.keys() >= {"name", "test_bits_per_dim"} for line in results["baselines"])
    lines = {line["name"]: line["test_bits_per_dim"] for line in results["baselines"]}
    assert lines["uniform"] == pytest.approx(np.log2(17))
    assert {"histogram", "PNG", "WebP", "JPEG XL"} <= lines.keys()


def test_a_real_file_is_a_little_larger_than_ideal(whole):
    for model in whole.results["models"]:
        assert model["file_num_images"] == 297
        assert model["float_bits_per_dim"] == pytest.approx(model["test_bits_per_dim"], abs=1e-9)
        assert model["integer_bits_per_dim"] == pytest.approx(model["float_bits_per_dim"], abs=0.01)
        assert model["integer_bits_per_dim"] < model["message_bits_per_dim"]
        assert model["message_bits_per_dim"] < model["file_bits_per_dim"]
        dims = 297 * 8 * 8
        assert model["file_bits_per_dim"] == pytest.approx(8 * model["file_bytes"] / dims)


def test_the_models_are_kept_ready_to_compress(whole):
    images = load("digits").images("test")
    for model in whole.results["models"]:
        kept = load_program(whole.report.parent / model["name"] / "integer.safetensors")
        assert kept.name == model["name"]
        file = io.BytesIO()
        write(Codec(kept, tile=0), [("", image[0][:, :, None]) for image in images], file)
        assert len(file.getvalue()) == model["file_bytes"]
        with Album(file, coding_model=kept) as album:
            np.testing.assert_array_equal(np.stack(list(album)), images)


def test_results_are_also_a_file(whole):
    folder = whole.report.parent
    assert json.loads((folder / "results.json").read_text()) == whole.results
    assert sorted(path.name for path in folder.iterdir()) == sorted(
        [*MODELS, "report.html", "results.json"]
    )
    assert whole.results["command"] == "typed"


def test_results_are_those_of_the_saved_models(whole):
    data = load("digits")
    for model in whole.results["models"]:
        saved = store.load(whole.report.parent / model["name"])
        found = evaluate(saved, data.images("test"), batch_size=64)
        assert model["test_bits_per_dim"] == pytest.approx(found.bits_per_dim, abs=1e-6)
        assert model["test_nats_per_image"] == pytest.approx(found.nats_per_image, rel=1e-6)
        validation = evaluate(saved, data.images("validation"))
        assert model["validation_bits_per_dim"] == pytest.approx(validation.bits_per_dim, abs=1e-6)
        assert model["parameters"] == saved.num_parameters()


def test_the_page_has_all_models_and_needs_no_network(whole):
    page = whole.report.read_text(encoding="utf-8")
    for word in ("PixelCNN", "Row LSTM", "Diagonal BiLSTM", "histogram", "297", "As a file"):
        assert word in page
    assert "typed" in page
    assert 'src="http' not in page


# A second time, and after a stop.


def test_a_second_call_trains_nothing_and_says_the_same(
    whole, copy, no_training, quick_baselines, console
):
    before = contents(copy)
    again = run(copy, console)
    assert quick_baselines == []
    assert again.results | {"command": ""} == whole.results | {"command": ""}
    assert contents(copy) == before
    assert console.export_text().count("already trained in") == 3


def test_stopped_in_the_second_model_it_goes_on(tmp_path, console, quick_baselines, monkeypatch):
    train = compare_module.train
    begun = []

    def stop_the_second(recipe, out, **options):
        begun.append(Path(out).name)
        if len(begun) == 2:
            raise TrainingInterrupted("stopped at step 1 of 2; go on with: pixelrnn train --resume")
        return train(recipe, out, **options)

    with monkeypatch.context() as patch:
        patch.setattr(compare_module, "train", stop_the_second)
        with pytest.raises(TrainingInterrupted, match=r"^stopped at step 1 of 2; the same command"):
            run(tmp_path, console)
    assert not (tmp_path / "results.json").exists()
    first = contents(tmp_path)
    assert {name.split("/")[0] for name in first} == {"pixelcnn"}
    found = run(tmp_path, console)
    assert [model["name"] for model in found.results["models"]] == MODELS
    assert "already trained in" in console.export_text()
    weights = "pixelcnn/model.safetensors"
    assert contents(tmp_path)[weights] == first[weights]
    assert quick_baselines == [(1350, 297, 17)]


@pytest.mark.parametrize(
    ("error", "raised"), [(KeyboardInterrupt, TrainingInterrupted), (MemoryError, MemoryError)]
)
def test_stopped_while_evaluating_it_goes_on(
    error, raised, whole, copy, console, quick_baselines, monkeypatch
):
    """All are trained, one is evaluated: the other two are evaluated, and nothing is trained."""
    for name in MODELS:
        file = copy / name / "result.json"
        result = json.loads(file.read_text())
        kept = {k: v for k, v in result.items() if not k.startswith("test_") and k != "baselines"}
        file.write_text(json.dumps(kept))
    assess, seen = compare_module.assess, []

    def stop_the_second(model_run, *arguments, **options):
        seen.append(model_run.path.name)
        if len(seen) == 2:
            raise error
        return assess(model_run, *arguments, **options)

    monkeypatch.setattr(compare_module, "train", None)
    monkeypatch.setattr(compare_module, "assess", stop_the_second)
    with pytest.raises(raised):
        run(copy, console)
    found = run(copy, console)
    assert seen == ["pixelcnn", "row-lstm", "row-lstm", "diagonal-bilstm"]
    for model, expected in zip(found.results["models"], whole.results["models"], strict=True):
        assert model["test_bits_per_dim"] == expected["test_bits_per_dim"]
    assert len(quick_baselines) == 1  # kept with the first model


def test_an_evaluation_whose_file_is_gone_is_made_again(whole, copy, console, quick_baselines):
    (copy / "row-lstm" / "evaluation.npz").unlink()
    found = run(copy, console)
    assert (copy / "row-lstm" / "evaluation.npz").is_file()
    for model, expected in zip(found.results["models"], whole.results["models"], strict=True):
        assert model["test_bits_per_dim"] == expected["test_bits_per_dim"]


def test_runs_from_before_there_were_files_are_left_as_they_are(
    whole, copy, no_training, quick_baselines, console
):
    for name in MODELS:
        file = copy / name / "result.json"
        result = json.loads(file.read_text())
        file.write_text(json.dumps({k: v for k, v in result.items() if k not in FILE_KEYS}))
        (copy / name / "integer.safetensors").unlink()
    found = run(copy, console)
    for model, expected in zip(found.results["models"], whole.results["models"], strict=True):
        assert model == expected | dict.fromkeys(FILE_KEYS)
    assert "As a file" not in found.report.read_text(encoding="utf-8")


# Other settings or images in the same folder.


@pytest.mark.parametrize("setting", ["training.seed=1", "optimizer.learning_rate=1e-4"])
def test_other_settings_in_the_same_folder(setting, copy, console, no_training):
    before = contents(copy)
    with pytest.raises(OutputError, match="with other settings or images: choose another --out"):
        run(copy, console, setting)
    assert contents(copy) == before


def test_other_settings_are_seen_before_anything_is_trained(copy, console, no_training):
    """Also where it is the last model's folder that is in the way."""
    shutil.rmtree(copy / "pixelcnn")
    shutil.rmtree(copy / "row-lstm")
    with pytest.raises(OutputError, match="diagonal-bilstm holds a run with other settings"):
        run(copy, console, "training.seed=1")
    assert not (copy / "pixelcnn").exists()


def test_other_images_under_the_same_name(tmp_path, console, quick_baselines):
    drawn = np.random.default_rng(0).integers(17, size=(40, 4, 4), dtype=np.uint8)
    file = tmp_path / "x.npy"
    np.save(file, drawn)
    run(tmp_path / "out", console, data=str(file))
    np.save(file, drawn[::-1].copy())
    with pytest.raises(OutputError, match="other settings or images"):
        run(tmp_path / "out", console, data=str(file))


# What the models share.


def test_equal_minutes_need_minutes(tmp_path, console):
    with pytest.raises(RecipeError, match=r"add --set training\.max_minutes=10"):
        run(tmp_path / "out", console, equal="minutes")
    assert not (tmp_path / "out").exists()


def test_equal_minutes(tmp_path, console, quick_baselines):
    found = run(tmp_path, console, "training.max_minutes=0.02", equal="minutes")
    presentations = [model["image_presentations"] for model in found.results["models"]]
    assert all(0.02 <= model["minutes"] < 0.5 for model in found.results["models"])
    assert all(count > 0 for count in presentations)
    assert presentations != [128, 128, 128]  # the time ends them, not their number


def test_recipes_of_a_suite_with_changes():
    recipes = recipes_for("digits", "photos", ["training.epochs=2"])
    assert list(recipes) == MODELS
    for recipe in recipes.values():
        assert (recipe.data.source, recipe.training.epochs) == ("photos", 2)
    with pytest.raises(RecipeError, match="did you mean digits"):
        recipes_for("digitz", None, [])


def test_nothing_is_left_where_the_images_do_not_fit(tmp_path, console):
    with pytest.raises(RecipeError, match=r"model\.channels = 3"):
        run(tmp_path / "out", console, "model.channels=3")
    assert not (tmp_path / "out").exists()


# Real images.


@pytest.fixture
def few(monkeypatch):
    """Of whatever is loaded, the first images only: enough to go all the way.

    The receptive field of a 32 x 32 image takes thousands of images; other tests measure smaller ones.
    """

    def load_few(*arguments):
        data = load(*arguments)
        counts = {"train": 48, "validation": 8, "test": 12}
        parts = {split: data.part(split)[:count] for split, count in counts.items()}
        return dataclasses.replace(data, parts=parts)

    def claimed_field(model, image, place):
        return model.receptive_field(place, height=image.shape[1], width=image.shape[2])

    monkeypatch.setattr(compare_module, "load", load_few)
    monkeypatch.setattr(assessment, "field_in_float64", claimed_field)


@pytest.mark.parametrize("suite", ["cifar10-45k", "cifar10-45k-softmax"])
def test_the_cifar_excerpt(suite, tmp_path, console, quick_baselines, few):
    if not EXCERPT.is_file():
        pytest.skip(
            f"needs {EXCERPT.name}, an excerpt of CIFAR-10 that does not come with the code"
        )
    found = run(tmp_path, console, "training.image_presentations=16", "training.batch_size=8",
                "training.validations=1", suite=suite, data=str(EXCERPT))  # fmt: skip
    results = found.results
    assert (results["data"], results["num_images"]) == (EXCERPT.name, 12)
    assert [model["name"] for model in results["models"]] == MODELS
    for model in results["models"]:
        assert 3 < model["test_bits_per_dim"] < 9
        assert len(model["test_bits_per_dim_by_channel"]) == 3
    assert any("excerpt" in note for note in results["data_notes"])
    assert found.report.stat().st_size > 10_000
