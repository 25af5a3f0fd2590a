"""Training on images that are in memory, and what its folder says of them afterwards."""

import numpy as np
import pytest
import torch
from rich.console import Console
from torch.utils.data import TensorDataset

from pixelrnn.data import DataSet, load
from pixelrnn.errors import DataError
from pixelrnn.training import dry_run, load_recipe, recipe_of, resume, train

SILENT = Console(quiet=True)
IMAGES = np.random.default_rng(0).integers(17, size=(40, 8, 8), dtype=np.uint8)


def brief(name="digits-pixelcnn"):
    settings = ["training.image_presentations=16", "model.features=4", "model.layers=1"]
    return load_recipe(name, settings)


@pytest.mark.parametrize(
    "data",
    [
        IMAGES,
        torch.from_numpy(IMAGES),
        TensorDataset(torch.from_numpy(IMAGES[:, None]), torch.zeros(40)),
        DataSet.from_array(IMAGES, num_levels=17),
    ],
    ids=["array", "tensor", "torch", "DataSet"],
)
def test_the_recipe_says_that_the_images_were_in_memory(tmp_path, data):
    run = train(brief(), tmp_path / "run", data=data, console=SILENT)
    assert recipe_of(run).data.source == "in memory"
    assert run.result()["data"] == "in memory"
    assert run.result()["image_shape"] == [1, 8, 8]


def test_going_on_needs_the_images_again(tmp_path):
    run = train(brief(), tmp_path / "run", data=IMAGES, console=SILENT)
    run.update_result(finished=False)
    with pytest.raises(DataError, match=r"in memory.*data="):
        resume(run.path, console=SILENT)
    assert resume(run.path, data=IMAGES, console=SILENT).result()["finished"]


def test_the_recipe_names_what_was_loaded_and_not_what_it_had(tmp_path):
    other = brief("photos-pixelcnn")
    run = train(other, tmp_path / "run", data=load("digits"), console=SILENT)
    assert recipe_of(run).data.source == "digits"


def test_what_is_no_data_is_refused_before_a_folder_is_made(tmp_path):
    for data in ("digits", 3, IMAGES / 17, {}):
        with pytest.raises(DataError):
            train(brief(), tmp_path / "run", data=data, console=SILENT)
    assert not (tmp_path / "run").exists()


def test_dry_run_takes_them_too():
    assert "parameters" in dry_run(brief(), IMAGES)
