"""The images that verbs read: those that are named, or those of the run, as the run reads them."""

import numpy as np
import pytest
from PIL import Image

from pixelrnn.cli.inputs import data_options, images_for
from pixelrnn.data import DataOptions
from pixelrnn.errors import DataError, RecipeError


@pytest.fixture
def scans(tmp_path):
    """A folder of grey images, 8 x 8."""
    (tmp_path / "scans").mkdir()
    for index in range(10):
        pixels = np.random.default_rng(index).integers(256, size=(8, 8), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / "scans" / f"{index}.png")
    return tmp_path / "scans"


@pytest.fixture
def run(tmp_path, scans):
    """A run folder that says that it is of those images, in patches."""
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "recipe.toml").write_text(
        f'[data]\nsource = "{scans}"\npatch_size = 4\n[training]\nepochs = 1\n'
    )
    return tmp_path / "run"


def shape(*arguments):
    return images_for(*arguments).images("all").shape


def test_images_of_a_run_are_read_as_it_reads_them(run, scans):
    assert shape(run) == shape(run, str(scans)) == (40, 1, 4, 4)
    (run / "best.safetensors").touch()
    assert shape(run / "best.safetensors") == (40, 1, 4, 4)


def test_settings_change_how(run):
    assert shape(run, None, ["data.patch_size=2"]) == (160, 1, 2, 2)


def test_other_images_are_read_as_they_are(run, tmp_path):
    np.save(tmp_path / "x.npy", np.zeros((10, 8, 8), np.uint8))
    assert shape(run, str(tmp_path / "x.npy")) == (10, 1, 8, 8)
    assert shape(run, "digits") == (1797, 1, 8, 8)


def test_images_of_the_run_that_are_elsewhere_now(run, scans, tmp_path):
    scans.rename(tmp_path / "moved")
    assert shape(run, str(tmp_path / "moved")) == (40, 1, 4, 4)
    with pytest.raises(DataError, match="there is nothing now: put them back, or say with --data"):
        images_for(run)


def test_a_named_set_is_never_elsewhere(run, scans):
    recipe = run / "recipe.toml"
    recipe.write_text('[data]\nsource = "mnist"\nbinarisation = "fixed"\n')
    assert shape(run, str(scans)) == (10, 1, 8, 8)


def test_no_images_are_named(tmp_path):
    with pytest.raises(RecipeError, match="does not say which images it is for: give --data"):
        images_for(tmp_path)


@pytest.mark.parametrize(
    "text",
    ["[data\n", "data = 3\n", "[data]\n", '[data]\nsource = "x"\npatch_size = 0\n', "[model]\n"],
)
def test_a_damaged_recipe(text, run):
    (run / "recipe.toml").write_text(text)
    with pytest.raises(RecipeError, match=r"recipe\.toml is damaged \(.+\); restore it"):
        images_for(run, "digits")


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("data.patch_siz=3", "did you mean data.patch_size?"),
        ("model.features=3", "there is no option data.model.features"),
        ("data.patch_size=big", "--set data.patch_size: Input should be a valid integer"),
        ("data.patch_size", "write it as KEY=VALUE"),
    ],
)
def test_settings_that_are_wrong(setting, message):
    with pytest.raises(RecipeError) as caught:
        data_options({}, [setting])
    assert message in str(caught.value)


def test_options_of_the_data_with_and_without_its_name():
    assert data_options({}, ["num_levels=4"]) == DataOptions(num_levels=4)
    assert data_options({"num_levels": 4}, ["data.size=[2, 3]"]) == DataOptions(
        num_levels=4, size=(2, 3)
    )
