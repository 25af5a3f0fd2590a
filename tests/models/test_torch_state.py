"""Models do not follow torch's default type and device; they run where they are told to."""

import numpy as np
import pytest
import torch

from pixelrnn import shipped
from pixelrnn.data import DataSet, load
from pixelrnn.errors import DeviceError
from pixelrnn.evaluation import evaluate
from pixelrnn.models import PixelCNNConfig, build, store
from pixelrnn.models.torch_state import find_device
from pixelrnn.operations.export import export
from pixelrnn.training import dry_run, load_recipe, train


@pytest.fixture(params=["bfloat16", "float64", "meta by default", "meta in a with"])
def unusual_torch(request):
    dtype = getattr(torch, request.param, torch.float32)
    device = torch.device("meta" if "meta" in request.param else "cpu")
    torch.set_default_dtype(dtype)
    try:
        if "default" in request.param:
            torch.set_default_device(device)
            yield dtype, device
        else:
            with device:
                yield dtype, device
        assert torch.get_default_dtype() == dtype
    finally:
        torch.set_default_dtype(torch.float32)
        torch.set_default_device(None)


def images_for(model, count=2):
    shape = (count, model.config.channels, 6, 5)
    levels = model.config.num_levels
    return np.random.default_rng(0).integers(levels, size=shape, dtype=np.uint8)


def figures(name):
    """Return all that a model says of a few images."""
    model = store.load(name)
    images = images_for(model)
    assert (model.dtype, model.device.type) == (torch.float32, "cpu")
    return (
        model.log_prob(images).tolist(),
        float(model.nats(images).detach()),
        evaluate(model, images).bits_per_dim,
        model.sample(1, size=(3, 4)).tolist(),
    )


@pytest.fixture(scope="module")
def usual_figures():
    return {name: figures(name) for name in shipped.names()}


@pytest.mark.parametrize("name", shipped.names())
def test_a_loaded_model_says_the_same(usual_figures, unusual_torch, name):
    assert figures(name) == usual_figures[name]


def test_so_does_its_export(unusual_torch):
    model = store.load("digits-row-lstm")
    assert export(model.lower(images_for(model, 8))) is not None


def small_digits():
    images = load("digits").images("train")[:40]
    return DataSet.from_array(images, images[:8], images[:8], num_levels=17, name="few")


@pytest.mark.parametrize("model", ["pixelcnn", "row-lstm", "diagonal-bilstm"])
def test_so_does_training(tmp_path_factory, unusual_torch, model, usual_training):
    assert train_briefly(model, tmp_path_factory.mktemp("run") / "run") == usual_training[model]


def train_briefly(model, folder):
    settings = [
        "training.image_presentations=32", "model.features=4", "model.layers=1",
        "training.accelerator=cpu",
    ]  # fmt: skip
    recipe = load_recipe(f"digits-{model}", settings)
    run = train(recipe, folder, data=small_digits())
    weights = [value.tolist() for value in store.load(run.path).parameters()]
    assert "parameters" in dry_run(recipe, small_digits())
    return weights, run.result()["validation_bits_per_dim"]


@pytest.fixture(scope="module")
def usual_training(tmp_path_factory):
    models = ("pixelcnn", "row-lstm", "diagonal-bilstm")
    return {each: train_briefly(each, tmp_path_factory.mktemp("usual") / "run") for each in models}


def test_a_new_model_is_usual_too(unusual_torch):
    model = build(PixelCNNConfig(channels=1, features=4, layers=1))
    assert (model.dtype, model.device.type) == (torch.float32, "cpu")


def test_where_torch_is_usual_nothing_is_touched(monkeypatch):
    def refuse(dtype):
        raise AssertionError("the default type was set")

    monkeypatch.setattr(torch, "set_default_dtype", refuse)
    store.load("digits-pixelcnn")


@pytest.mark.parametrize(
    ("asked", "there", "found"),
    [
        ("cpu", {}, "cpu"),
        ("auto", {}, "cpu"),
        ("auto", {"mps": 1}, "mps"),
        ("auto", {"cuda": 1, "mps": 1}, "cuda"),
        ("cuda", {"cuda": 1}, "cuda"),
        ("cuda:1", {"cuda": 2}, "cuda:1"),
        ("mps", {"mps": 1}, "mps"),
    ],
)
def test_devices_by_name(monkeypatch, asked, there, found):
    pretend(monkeypatch, there)
    assert find_device(asked) == torch.device(found)


@pytest.mark.parametrize(
    ("asked", "there", "named"),
    [
        ("cuda", {}, "no cuda"),
        ("cuda:1", {"cuda": 1}, "1 of cuda"),
        ("mps", {"cuda": 1}, "no mps"),
        ("gpu", {"cuda": 1}, "auto, cpu, cuda"),
        ("cuda:-1", {"cuda": 1}, "auto, cpu, cuda"),
        ("cuda:x", {"cuda": 1}, "auto, cpu, cuda"),
        ("", {}, "auto, cpu, cuda"),
        ("meta", {}, "no meta"),
        ("xpu", {}, "no xpu"),
        (None, {}, "auto, cpu, cuda"),
    ],
)
def test_a_device_that_is_not_here_is_one_clear_line(monkeypatch, asked, there, named):
    pretend(monkeypatch, there)
    with pytest.raises(DeviceError, match=named) as caught:
        store.load("digits-pixelcnn", device=asked)
    assert "\n" not in str(caught.value)


def pretend(monkeypatch, there):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: "cuda" in there)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: there.get("cuda", 0))
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: "mps" in there)


def test_load_takes_a_device():
    assert store.load("digits-pixelcnn", device=torch.device("cpu")).device.type == "cpu"
