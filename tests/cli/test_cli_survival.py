"""What must not take memory, give NaN or overwrite: as typed; and the keys of a recipe."""

import json

import torch

from pixelrnn.models import PixelCNNConfig, build, store


def test_a_stored_size_is_not_believed(fails, tmp_path):
    config = PixelCNNConfig(channels=3, features=4, layers=1, image_size=(65536, 65536))
    store.save(build(config), tmp_path)
    assert "65536 x 65536 pixels are more than" in (line := fails("sample", tmp_path))
    assert "--size" in line


def test_weights_that_score_nan_give_no_result(fails, run_folder):
    model = store.load(run_folder)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.fill_(1e30)
    store.save(model, run_folder)
    before = (run_folder / "result.json").read_bytes()
    assert "which is no result" in fails("evaluate", run_folder)
    assert (run_folder / "result.json").read_bytes() == before
    assert not (run_folder / ".lock").exists()


def test_the_keys_of_a_recipe(pixelrnn, fails):
    text = pixelrnn("train", "--explain", "digits-pixelcnn", "--set", "training.seed=5").out
    assert "training.seed = 5\n" in text
    assert "(integer >= 1, by default 16)" in text
    keys = json.loads(pixelrnn("train", "--explain", "digits-pixelcnn", "--json").out)
    assert {"name", "type", "range", "default", "meaning", "value"} == set(keys[0])
    assert "--explain" in fails("train", "digits-pixelcnn", "--json")
