"""Bad input, as typed: one clear line, exit code 2, and nothing half-written."""

import json
import pickle
import shutil
import tomllib

import pytest
import torch
from safetensors.torch import load_file, save_file

from pixelrnn.data import load

# Recipes.


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("features = 4\nfeaturs = 4", "there is no key model.featurs; did you mean features?"),
        ("features = 0", "model.features = 0 is not allowed"),
        ("features = 2.5", "model.features = 2.5 is not allowed"),
        ("stem_kernel_size = 4", "a kernel size must be odd, not 4"),
        ("features = ", "is not valid TOML"),
        ('kind = "pixelcnn"\nkind = "row-lstm"', "is not valid TOML"),
        ('likelihood.kind = "gauss"', "model.likelihood.kind = 'gauss' is not known"),
    ],
)
def test_bad_recipes(line, message, fails, tmp_path):
    file, out = tmp_path / "mine.toml", tmp_path / "out"
    kind = "" if line.startswith("kind = ") else 'kind = "pixelcnn"\n'
    file.write_text(f'[model]\n{kind}{line}\n[data]\nsource = "digits"\n[training]\nepochs = 1\n')
    assert message in fails("train", file, "--out", out)
    assert not out.exists()


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("model.featurs=4", "did you mean features?"),
        ("epochs=4", "did you mean training.epochs?"),
        ("model.features=0", "model.features = 0 is not allowed"),
        ("training.batch_size=a lot", "training.batch_size = 'a lot' is not allowed"),
        ("model.channels=3", "but the images of digits have 1"),
        ("model.num_levels=256", "but the images of digits have 17"),
        ("data.size=[9, 9]", "data.size does not apply to digits"),
        ("training.epochs", "write table.key=value"),
    ],
)
@pytest.mark.parametrize("verb", [("train", "digits-pixelcnn"), ("compare", "digits")])
def test_bad_settings(verb, setting, message, fails, tmp_path):
    out = tmp_path / "out"
    assert message in fails(*verb, "--set", setting, "--out", out)
    assert not out.exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("train",), "name a recipe (--list shows them)"),
        (("train", "digits-pixelcn"), "did you mean digits-pixelcnn?"),
        (("train", "digits"), "`pixelrnn compare digits`"),
        (("train", "none.toml"), "there is no recipe file none.toml"),
        (("compare", "digitz"), "did you mean digits?"),
        (("compare", "digits-pixelcnn"), "`pixelrnn train digits-pixelcnn`"),
        (("compare", "digits", "--equal", "minutes"), "add --set training.max_minutes=10"),
        (("train", "digits-pixelcnn", "--max-minutes", "0"), "training.max_minutes = 0.0"),
        (("train", "digits-pixelcnn", "--max-minutes", "nan"), "training.max_minutes = nan"),
    ],
)
def test_names_that_are_not_there(arguments, message, fails, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert message in fails(*arguments)
    assert list(tmp_path.iterdir()) == []


# Model files.


def foreign(file):
    save_file({"weight": torch.zeros(3)}, file)


def rewrite(file, weights=None, **changes):
    with file.open("rb") as opened:
        length = int.from_bytes(opened.read(8), "little")
        about = json.loads(opened.read(length))["__metadata__"]
    save_file(load_file(file) if weights is None else weights, file, about | changes)


def wrong_shape(file):
    rewrite(file, load_file(file) | {"stem.bias": torch.zeros(3)})


BAD_MODELS = {
    "missing": (lambda file: file.unlink(), "there is no model"),
    "bytes": (lambda file: file.write_bytes(b"hello"), "is not a safetensors file"),
    "short": (lambda file: file.write_bytes(file.read_bytes()[:-9]), "damaged"),
    "pickle": (lambda file: file.write_bytes(pickle.dumps({})), "is not a safetensors file"),
    "foreign": (foreign, "not of a pixelrnn model"),
    "later": (lambda file: rewrite(file, format_version="2"), "install a later pixelrnn"),
    "shape": (wrong_shape, "stem.bias should be (8,) but is (3,)"),
}


@pytest.mark.parametrize("name", BAD_MODELS)
def test_bad_models(name, fails, run_folder):
    spoil, message = BAD_MODELS[name]
    spoil(run_folder / "model.safetensors")
    before = {path: path.read_bytes() for path in run_folder.iterdir() if path.is_file()}
    assert message in fails("evaluate", run_folder)
    assert message in fails(
        "evaluate", run_folder / "model.safetensors", "--data", "digits", "--json"
    )
    assert before == {path: path.read_bytes() for path in run_folder.iterdir() if path.is_file()}


def test_a_model_without_images(fails, run_folder, tmp_path):
    shutil.copy(run_folder / "model.safetensors", tmp_path)
    assert "give --data" in fails("evaluate", tmp_path / "model.safetensors")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--split", "tests"), "choose one of train, validation, test, all"),
        (("--set", "model.features=3"), "there is no option data.model.features"),
        (("--set", "data.patch_size=3"), "data.patch_size does not apply to digits"),
        (("--set", "data.pach_size=3"), "did you mean data.patch_size?"),
        (("--data", "digitz"), "did you mean digits?"),
    ],
)
def test_bad_ways_to_evaluate(options, message, fails, trained):
    assert message in fails("evaluate", trained, *options)


# Runs.


def test_resuming_what_is_no_run(fails, trained, tmp_path):
    assert "does not hold a run" in fails("train", "--resume", tmp_path)
    assert "does not hold a run" in fails("train", "--resume", tmp_path / "none")
    assert "is finished" in fails("train", "--resume", trained)


@pytest.mark.parametrize(
    "more",
    [("digits-pixelcnn",), ("--out", "x"), ("--max-minutes", "0"), ("--dry-run",)],
)
def test_resuming_with_other_settings(more, fails, trained):
    assert "give it alone" in fails("train", "--resume", trained, *more)


def test_resuming_with_another_recipe(fails, trained):
    line = fails("train", "--resume", trained, "--set", "training.epochs=9")
    assert "goes on with training.epochs as it was begun; only training.accelerator" in line


def test_a_run_already_there(fails, run_folder):
    before = {path: path.read_bytes() for path in run_folder.iterdir() if path.is_file()}
    line = fails("train", "digits-pixelcnn", "--out", run_folder)
    assert "already holds a run" in line
    assert f"--resume {run_folder}" in line
    assert before == {path: path.read_bytes() for path in run_folder.iterdir() if path.is_file()}


def test_a_damaged_checkpoint(pixelrnn, run_folder):
    result = json.loads((run_folder / "result.json").read_text())
    (run_folder / "result.json").write_text(json.dumps(result | {"finished": False}))
    checkpoint = run_folder / "checkpoint" / "last.safetensors"
    checkpoint.write_bytes(checkpoint.read_bytes()[:-1])
    answer = pixelrnn("train", "--resume", run_folder)
    assert answer.code == 2
    assert answer.out == ""
    (line,) = answer.err.splitlines()
    assert line.startswith("error: ")
    assert "is damaged or not a checkpoint of pixelrnn" in line


def test_a_recipe_of_a_later_version_in_a_run(fails, run_folder):
    recipe = run_folder / "recipe.toml"
    recipe.write_text(recipe.read_text().replace("[training]", "[training]\nnew_thing = 3"))
    for arguments in (("train", "--resume", run_folder), ("evaluate", run_folder)):
        assert "there is no key training.new_thing" in fails(*arguments)


def test_bad_run_folders_for_report(fails, run_folder, tmp_path):
    out = tmp_path / "report.html"
    assert "no such folder" in fails("report", tmp_path / "none", "--out", out)
    (tmp_path / "empty").mkdir()
    assert "no run folder" in fails("report", tmp_path / "empty", "--out", out)
    result = json.loads((run_folder / "result.json").read_text())
    (run_folder / "result.json").write_text(json.dumps(result | {"format_version": 2}))
    assert "format version 2" in fails("report", run_folder, "--out", out)
    (run_folder / "result.json").write_text("{")
    assert "is not JSON" in fails("report", run_folder, "--out", out)
    assert "is not JSON" in fails("evaluate", run_folder)
    assert not out.exists()


# Places that cannot be written to; a file is in the way, which stops an administrator too.


@pytest.mark.parametrize("place", ["file", "file/below", "file/below/it"])
@pytest.mark.parametrize("verb", [("train", "digits-pixelcnn"), ("compare", "digits")])
def test_an_output_folder_that_cannot_be_written(verb, place, fails, tiny, tmp_path):
    (tmp_path / "file").write_text("mine")
    line = fails(*verb, "--out", tmp_path / place, *tiny)
    assert "cannot write into the folder" in line
    assert "choose another" in line
    assert (tmp_path / "file").read_text() == "mine"
    assert len(list(tmp_path.iterdir())) == 1


def test_a_page_that_cannot_be_written(fails, run_folder, tmp_path):
    (tmp_path / "file").write_text("mine")
    assert "choose another --out" in fails("report", run_folder, "--out", tmp_path / "file" / "x")
    assert "is a folder" in fails("report", run_folder, "--out", tmp_path)
    assert (tmp_path / "file").read_text() == "mine"


def test_a_full_disk_while_a_result_is_kept(fails, run_folder, monkeypatch):
    from pixelrnn.runs import array_file

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    before = {path: path.read_bytes() for path in run_folder.iterdir() if path.is_file()}
    monkeypatch.setattr(array_file.np, "savez_compressed", full)
    assert "evaluation.npz: No space left" in fails("evaluate", run_folder)
    assert before == {path: path.read_bytes() for path in run_folder.iterdir() if path.is_file()}


def test_a_full_disk_while_a_run_begins(fails, tiny, tmp_path, monkeypatch):
    from pixelrnn.runs import run_folder as runs

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(runs.csv.DictWriter, "writeheader", full)
    line = fails("train", "digits-pixelcnn", "--out", tmp_path / "out", *tiny)
    assert "metrics.csv: No space left" in line
    assert not (tmp_path / "out" / "recipe.toml").exists()


def test_the_fixture_is_what_it_should_be(trained):
    """The cases above change one thing in a run that is good."""
    recipe = tomllib.loads((trained / "recipe.toml").read_text())
    assert recipe["data"]["source"] == "digits"
    assert json.loads((trained / "result.json").read_text())["finished"] is True
    assert load("digits").count("test") == 297
