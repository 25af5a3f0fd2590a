"""What a configuration takes, refuses and rebuilds."""

import json
import re

import pytest
import torch
from pydantic import TypeAdapter, ValidationError
from safetensors.torch import save_file

from pixelrnn.errors import ModelFileError, UnknownKindError
from pixelrnn.models import (
    CONFIGS,
    LABELS,
    MODELS,
    AnyModelConfig,
    DiagonalBiLSTMConfig,
    PixelCNNConfig,
    RowLSTMConfig,
    build,
    store,
)

ADAPTER = TypeAdapter(AnyModelConfig)


def test_registry_is_complete(kind):
    assert list(MODELS)[:3] == list(LABELS)[:3] == ["pixelcnn", "row-lstm", "diagonal-bilstm"]
    assert set(MODELS) == set(LABELS) == set(CONFIGS)
    config = ADAPTER.validate_python({"kind": kind, "channels": 1})
    model = build(config)
    assert type(model) is MODELS[kind]
    assert model.config is config


def test_configuration_and_weights_rebuild_the_model(
    kind, likelihood, channels, tiny_model, random_images
):
    model = tiny_model(kind, likelihood, channels, noise=0.1)
    config = ADAPTER.validate_json(model.config.model_dump_json())
    assert config == model.config
    twin = build(config).double()
    twin.load_state_dict(model.state_dict())
    images = random_images(2, channels, 4, 5)
    assert (twin.log_prob(images) == model.log_prob(images)).all()


def test_the_state_holds_parameters_only(kind, likelihood, tiny_model):
    """Masks follow from the configuration and are not stored."""
    model = tiny_model(kind, likelihood, 3)
    assert set(model.state_dict()) == {name for name, _ in model.named_parameters()}


@pytest.mark.parametrize(
    ("kind_of", "settings"),
    [
        (PixelCNNConfig, {"channels": 0}),
        (PixelCNNConfig, {"channels": 17}),
        (PixelCNNConfig, {"num_levels": 1}),
        (PixelCNNConfig, {"num_levels": 65537}),
        (PixelCNNConfig, {"stem_kernel_size": 4}),
        (PixelCNNConfig, {"stem_kernel_size": 1}),
        (PixelCNNConfig, {"kernel_size": 2}),
        (PixelCNNConfig, {"dilations": ()}),
        (PixelCNNConfig, {"dilations": (0,)}),
        (PixelCNNConfig, {"dilations": (65,)}),
        (PixelCNNConfig, {"features": 0}),
        (PixelCNNConfig, {"layers": 0}),
        (PixelCNNConfig, {"head_layers": 0}),
        (PixelCNNConfig, {"likelihood": {"kind": "normal"}}),
        (PixelCNNConfig, {"likelihood": {"kind": "categorical", "components": 3}}),
        (RowLSTMConfig, {"kernel_size": 4}),
        (RowLSTMConfig, {"dilations": (1,)}),
        (DiagonalBiLSTMConfig, {"kernel_size": 3}),
        (DiagonalBiLSTMConfig, {"kind": "pixelcnn"}),
    ],
    ids=lambda value: str(value) if isinstance(value, dict) else value.__name__,
)
def test_what_is_refused(kind_of, settings):
    with pytest.raises(ValidationError) as caught:
        kind_of(**settings)
    assert caught.value.errors()[0]["loc"][0] == next(iter(settings))


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        (
            {"kind": "pixelcn"},
            "there is no model 'pixelcn'; did you mean pixelcnn? Known are pixelcnn",
        ),
        (
            {"kind": "pixelcnn", "likelihood": {"kind": "categorial"}},
            "there is no likelihood 'categorial'; did you mean categorical? Known are categorical and",
        ),
    ],
)
def test_a_file_of_an_unknown_kind_names_those_known(keys, words, tmp_path):
    file = tmp_path / "model.safetensors"
    about = {"format": "pixelrnn-model", "format_version": "1", "config": json.dumps(keys)}
    save_file({"x": torch.zeros(1)}, file, about)
    with pytest.raises(ModelFileError, match=re.escape(words)):
        store.load(file)


def test_an_unknown_kind_names_those_known():
    with pytest.raises(UnknownKindError, match="no model 'rowlstm'; did you mean row-lstm"):
        build(PixelCNNConfig().model_copy(update={"kind": "rowlstm"}))
    assert UnknownKindError.exit_code == 2


def test_a_configuration_is_frozen():
    with pytest.raises(ValidationError, match="frozen"):
        PixelCNNConfig().features = 3
