"""Training on photographs of any size, alone and mixed with small images."""

import json

import numpy as np
import pytest
import torch
from PIL import Image
from rich.console import Console

from pixelrnn.data import DataOptions, load
from pixelrnn.errors import DataError, RecipeError
from pixelrnn.evaluation import evaluate
from pixelrnn.models import store
from pixelrnn.training import dry_run, load_recipe, resume, train
from pixelrnn.training.loop import Trainee
from pixelrnn.uncertainty import standard_error

SILENT = Console(quiet=True)
TINY = (
    "model.features=4", "model.layers=1", "model.head_features=4", "training.image_presentations=200",
    "training.batch_size=10", "training.validations=2", "training.checkpoint_seconds=0",
    "training.max_minutes=1000", "schedule.kind=constant",
)  # fmt: skip


@pytest.fixture
def folder(tmp_path):
    """Twenty photographs of several sizes."""
    (tmp_path / "album").mkdir()
    draw = np.random.default_rng(0)
    for number in range(20):
        picture = draw.integers(256, size=(9 + number % 3, 8 + number % 5, 3), dtype=np.uint8)
        Image.fromarray(picture).save(tmp_path / "album" / f"{number:02}.png")
    return tmp_path / "album"


@pytest.fixture
def small(tmp_path):
    levels = np.random.default_rng(1).integers(256, size=(30, 4, 4, 3), dtype=np.uint8)
    np.save(tmp_path / "small.npy", levels)
    return tmp_path / "small.npy"


def recipe(folder, *settings):
    return load_recipe(
        "photograph-pixelcnn", [*TINY, "data.patch_size=4", *settings], data=str(folder)
    )


def weights(run):
    return store.load(run.path).state_dict()


def same(a, b):
    return all(torch.equal(a[name], b[name]) for name in a)


class Crash(BaseException):
    pass


@pytest.mark.parametrize("mix", [False, True])
def test_stopped_anywhere_and_resumed_is_the_same_bit_for_bit(
    mix, folder, small, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    also = [f"data.also=['{small.name}']"] if mix else []
    mine = recipe(folder.name, *also)
    assert mine.data.random_crops
    whole = train(mine, tmp_path / "whole", console=SILENT)
    loss = Trainee.loss

    def crash(self, images):
        if self.steps == 7:
            raise Crash
        return loss(self, images)

    with monkeypatch.context() as patch:
        patch.setattr(Trainee, "loss", crash)
        with pytest.raises(Crash):
            train(mine, tmp_path / "run", console=SILENT)
    monkeypatch.chdir(tmp_path / "run")  # the recipe's paths lead there from anywhere
    assert same(weights(resume(tmp_path / "run", console=SILENT)), weights(whole))
    still = recipe(folder, "data.random_crops=false", *also)
    monkeypatch.chdir(tmp_path)
    grid = train(still, tmp_path / "grid", console=SILENT)
    assert not same(weights(grid), weights(whole)), "crops do change what is learnt"


def test_every_set_of_a_mixture_has_its_validation_figure(folder, small, tmp_path):
    run = train(recipe(folder, f"data.also=['{small}']"), tmp_path / "run", console=SILENT)
    result, model = run.result(), store.load(run.path)
    parts = result["validation_parts"]
    assert [part["data"] for part in parts] == ["album (4x4 patches)", "small.npy"]
    assert [part["num_pictures"] for part in parts] == [2, 3]
    data = [load(folder, DataOptions(patch_size=4)), load(small)]
    for part, alone in zip(parts, data, strict=True):
        found = evaluate(
            model, alone.images("validation"), pictures=alone.pictures_of("validation")
        )
        assert part["num_images"] == found.num_images
        assert part["bits_per_dim"] == pytest.approx(found.bits_per_dim, rel=1e-12)
        assert part["standard_error"] == pytest.approx(found.standard_error, rel=1e-9)
        values = found.bits_per_dim_per_image
        assert part["standard_error"] != standard_error(values) or found.pictures is None
    mean = np.average([p["bits_per_dim"] for p in parts], weights=[p["num_images"] for p in parts])
    assert result["validation_bits_per_dim"] == pytest.approx(mean, rel=1e-12)
    assert "validation_parts" not in json.dumps(
        train(recipe(folder), tmp_path / "alone", console=SILENT).result()
    )


def test_a_run_whose_other_images_are_gone_says_so(folder, small, tmp_path):
    mine = recipe(folder, f"data.also=['{small}']", "training.image_presentations=10")
    run = train(mine, tmp_path / "run", console=SILENT)
    run.update_result(finished=False)
    small.rename(tmp_path / "elsewhere.npy")
    with pytest.raises(DataError, match=r"small\.npy, and there is nothing now"):
        resume(run.path, console=SILENT)


def test_a_run_is_not_resumed_with_what_the_grid_leaves_out_changed(folder, tmp_path):
    run = train(recipe(folder, "training.image_presentations=10"), tmp_path / "run", console=SILENT)
    run.update_result(finished=False)
    picture = np.array(Image.open(folder / "00.png"))
    picture[-1, -1] = 255 - picture[-1, -1]
    Image.fromarray(picture).save(folder / "00.png")
    with pytest.raises(RecipeError, match="are not those that the run"):
        resume(run.path, console=SILENT)


def test_a_dry_run_takes_crops(folder, monkeypatch):
    taken = []
    monkeypatch.setattr(
        "pixelrnn.data.patches.Uncut.patch", lambda self, index, *_, **__: taken.append(index)
    )
    assert "PixelCNN" in dry_run(recipe(folder))
    assert taken


# What stays of the recipe's `[data]` where other images are given.


def test_patches_stay_where_pictures_are_given(folder, tmp_path):
    def table(data):
        found = load_recipe("photograph-pixelcnn", data=str(data)).data
        return found.patch_size, found.random_crops

    assert table(folder) == (64, True)
    assert table("photos") == (64, True)
    (tmp_path / "album.pxr").write_bytes(b"")
    assert table(tmp_path / "album.pxr") == (64, True)
    for other in ("cifar10", "digits", tmp_path / "none", tmp_path / "x.npy"):
        assert table(other) == (None, None)
    assert load_recipe("photograph-pixelcnn").data.source == "photos"
    assert load_recipe("photos-pixelcnn", data=str(folder)).data.patch_size is None


def test_patches_that_small_images_are_no_part_of_are_refused_in_one_line(folder, tmp_path):
    np.save(tmp_path / "cifar.npy", np.zeros((20, 32, 32, 3), np.uint8))
    Image.fromarray(np.zeros((70, 70, 3), np.uint8)).save(folder / "00.png")
    for path in sorted(folder.iterdir())[1:]:
        path.unlink()
    mine = load_recipe(
        "photograph-pixelcnn",
        [*TINY, f"data.also=['{tmp_path / 'cifar.npy'}']"],
        data=str(folder),
    )
    with pytest.raises(DataError, match=r"are 64x64, RGB, .* those of cifar\.npy 32x32") as caught:
        train(mine, tmp_path / "run", console=SILENT)
    assert len(str(caught.value).splitlines()) == 1
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("data.also=cifar10", "data.also = 'cifar10' is not allowed: input should be a list"),
        ("data.also=[3]", r"data.also.0 = 3 is not allowed"),
        ("data.random_crops=maybe", "data.random_crops = 'maybe' is not allowed"),
        ("data.random_crop=true", "did you mean random_crops"),
    ],
)
def test_settings_that_are_refused(setting, message):
    with pytest.raises(RecipeError) as caught:
        load_recipe("photograph-pixelcnn", [setting])
    assert message in str(caught.value)


def test_a_recipe_without_mixture_has_the_fingerprint_that_it_had():
    """Runs that were begun before there were mixtures go on."""
    assert load_recipe("digits-pixelcnn").fingerprint() == FINGERPRINT
    mixture = load_recipe("digits-pixelcnn", ["data.also=['a']"])
    assert mixture.fingerprint() != FINGERPRINT
    assert (
        mixture.fingerprint() == load_recipe("digits-pixelcnn", ["data.also=['b']"]).fingerprint()
    )


FINGERPRINT = "c811e560ab2ffc93ea9f523c996e193cfcd91fdc259c1ea5dce10ef8d39dc315"
