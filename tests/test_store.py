"""Model files: what is saved comes back, here and in a fresh process, and no file can do harm."""

import io
import json
import pickle
import struct
import subprocess
import sys
import textwrap
import tomllib
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from pixelrnn.errors import ModelFileError, OutputError
from pixelrnn.models import CONFIGS, MODELS, PixelCNNConfig, ResidualModel, build, store
from pixelrnn.models.config import ConditionConfig

ROOT = Path(__file__).resolve().parents[1]
SMALL = PixelCNNConfig(
    channels=1, num_levels=5, features=2, layers=1, head_features=2, stem_kernel_size=3,
    likelihood={"kind": "categorical"},
)  # fmt: skip


@pytest.fixture
def saved(tmp_path):
    """A small model in a folder."""
    torch.manual_seed(0)
    store.save(build(SMALL), tmp_path)
    return tmp_path / "model.safetensors"


def parts(file):
    """The weights and the metadata of a model file."""
    content = file.read_bytes()
    (length,) = struct.unpack("<Q", content[:8])
    return load_file(file), json.loads(content[8 : 8 + length])["__metadata__"]


def rewrite(file, *, weights=None, **metadata):
    """Write a model file again, with other weights or metadata; None takes an entry away."""
    held, about = parts(file)
    about = {key: value for key, value in (about | metadata).items() if value is not None}
    save_file(held if weights is None else weights, file, about)


def configured(file, **changes):
    """Change keys of the configuration inside a model file."""
    config = json.loads(parts(file)[1]["config"]) | changes
    rewrite(file, config=json.dumps(config))


def refused(path):
    """Return the one line with which a file is refused."""
    with pytest.raises(ModelFileError) as caught:
        store.load(path)
    message = str(caught.value)
    assert len(message.splitlines()) == 1
    assert len(message) < 600
    assert path.name in message
    return message


# What is saved comes back.


def test_round_trip(kind, likelihood, channels, tiny_model, random_images, tmp_path):
    model = tiny_model(kind, likelihood, channels, noise=0.2, dtype=torch.float32)
    store.save(model, tmp_path)
    images = random_images(3, channels, 5, 7)
    for path in (tmp_path, tmp_path / "model.safetensors", str(tmp_path)):
        loaded = store.load(path)
        assert type(loaded) is type(model)
        assert loaded.config == model.config
        assert not loaded.training
        assert torch.equal(loaded.log_prob(images), model.log_prob(images))


def test_a_fresh_process_gives_the_same_bits(tiny_model, random_images, tmp_path):
    expected = {}
    images = random_images(3, 3, 5, 7)
    np.save(tmp_path / "images.npy", images.numpy())
    for kind in MODELS:
        model = tiny_model(kind, "logistic-mixture", 3, noise=0.2, dtype=torch.float32)
        (tmp_path / kind).mkdir()
        store.save(model, tmp_path / kind)
        expected[kind] = [value.hex() for value in model.log_prob(images).tolist()]
    script = """
        import json, sys
        from pathlib import Path
        import numpy as np, torch
        from pixelrnn.models import store
        torch.set_num_threads(1)
        folder = Path(sys.argv[1])
        images = torch.from_numpy(np.load(folder / "images.npy"))
        kinds = sorted(path.name for path in folder.iterdir() if path.is_dir())
        nats = {kind: store.load(folder / kind).log_prob(images).tolist() for kind in kinds}
        print(json.dumps({kind: [value.hex() for value in nats[kind]] for kind in kinds}))
    """
    assert json.loads(in_fresh_process(script, tmp_path)) == expected


def in_fresh_process(script, *arguments):
    result = subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(script), *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_the_file_alone_is_enough(saved, tmp_path):
    (tmp_path / "config.json").write_text("not even JSON")
    assert store.load(saved).config == SMALL


def test_config_json_is_for_people(saved):
    assert json.loads(saved.with_name("config.json").read_text())["features"] == 2


def test_saving_over_a_model_that_is_loaded(saved):
    loaded = store.load(saved)
    before = [parameter.clone() for parameter in loaded.parameters()]
    store.save(build(SMALL), saved.parent)
    assert all(map(torch.equal, before, loaded.parameters()))


def test_a_disk_that_fills_up_leaves_the_old_model(saved, monkeypatch):
    old = saved.read_bytes()

    def half(file, content):
        with file.open("wb") as stream:
            stream.write(content[:100])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(type(saved), "write_bytes", half)
    with pytest.raises(OutputError, match="No space left"):
        store.save(build(SMALL), saved.parent)
    assert saved.read_bytes() == old
    assert len(list(saved.parent.iterdir())) == 2


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_only_float32_is_saved(dtype, tmp_path):
    with pytest.raises(ModelFileError, match=r"use model\.float\(\)"):
        store.save(build(SMALL).to(dtype), tmp_path)
    assert list(tmp_path.iterdir()) == []


# What is not ours is refused.


def test_nothing_there(tmp_path):
    assert "there is no model" in refused(tmp_path / "none")
    assert "model.safetensors" in refused(tmp_path)


def test_random_bytes(tmp_path):
    file = tmp_path / "model.safetensors"
    for size in (0, 1, 7, 8, 9, 100, 10_000):
        file.write_bytes(np.random.default_rng(size).bytes(size))
        assert "damaged" in refused(file)


def test_cut_short(saved):
    content = saved.read_bytes()
    for length in sorted({*range(0, len(content), 37), *range(20), len(content) - 1}):
        saved.write_bytes(content[:length])
        assert "damaged" in refused(saved)


def test_bytes_left_over(saved):
    saved.write_bytes(saved.read_bytes() + b"\0")
    assert "damaged" in refused(saved)


def test_pickles_are_never_opened(tmp_path):
    trap = tmp_path / "sprung"

    class Trap:
        def __reduce__(self):
            return trap.touch, ()

    file = tmp_path / "model.safetensors"
    checkpoint = io.BytesIO()
    torch.save({"weight": torch.zeros(3)}, checkpoint)
    for content in (pickle.dumps(Trap()), checkpoint.getvalue()):
        file.write_bytes(content)
        assert "not a safetensors file" in refused(file)
    assert not trap.exists()


@pytest.mark.parametrize(
    "metadata", [None, {}, {"format": "pt"}, {"format": "pixelrnn-checkpoint"}]
)
def test_another_programs_file(metadata, tmp_path):
    file = tmp_path / "model.safetensors"
    save_file({"weight": torch.zeros(3)}, file, metadata)
    assert "not of a pixelrnn model" in refused(file)


def test_a_later_version(saved):
    rewrite(saved, format_version="2")
    message = refused(saved)
    assert "format version 2" in message
    assert "install a later pixelrnn" in message


@pytest.mark.parametrize("version", [None, "", "one", "1.5", "0", "-1", "9" * 5000])
def test_a_version_that_is_none(version, saved):
    rewrite(saved, format_version=version)
    refused(saved)


@pytest.mark.parametrize("config", [None, "", "{", "[]", "3", "{}", "[" * 100_000, '{"kind": 3}'])
def test_no_configuration(config, saved):
    rewrite(saved, config=config)
    assert "no usable configuration" in refused(saved)


@pytest.mark.parametrize(
    "changes",
    [
        {"kind": "transformer"},
        {"features": 10**9},
        {"features": 0},
        {"features": -3},
        {"features": "many"},
        {"layers": 10**9},
        {"num_levels": 1},
        {"num_levels": 10**6},
        {"channels": 17},
        {"stem_kernel_size": 4},
        {"kernel_size": 10**6 + 1},
        {"dilations": []},
        {"dilations": [10**9]},
        {"head_layers": 10**9},
        {"likelihood": {"kind": "gaussian"}},
        {"likelihood": {"kind": "logistic-mixture", "components": 10**9}},
        {"of_a_later_version": True},
    ],
)
def test_an_absurd_configuration(changes, saved):
    configured(saved, **changes)
    assert "no usable configuration" in refused(saved)


@pytest.mark.parametrize(
    "changes",
    [
        {"features": 3},
        {"layers": 2},
        {"layers": 256},
        {"head_features": 3},
        {"head_layers": 2},
        {"num_levels": 4},
        {"channels": 3},
        {"stem_kernel_size": 5},
        {"border_channel": False},
        {"kernel_size": 5},
        {"likelihood": {"kind": "logistic-mixture", "components": 5}},
        {"kind": "row-lstm", "dilations": None},
    ],
)
def test_a_configuration_of_another_model(changes, saved):
    config = json.loads(parts(saved)[1]["config"]) | changes
    config = {key: value for key, value in config.items() if value is not None}
    rewrite(saved, config=json.dumps(config))
    refused(saved)


# What it says of its tensors must be so.


def test_a_tensor_of_another_shape(saved):
    weights, _ = parts(saved)
    weights["stem.bias"] = torch.zeros(5)
    rewrite(saved, weights=weights)
    message = refused(saved)
    assert "stem.bias should be (4,) but is (5,)" in message


def test_a_tensor_with_another_axis(saved):
    weights, _ = parts(saved)
    weights["stem.bias"] = weights["stem.bias"][None]
    rewrite(saved, weights=weights)
    assert "stem.bias should be (4,) but is (1, 4)" in refused(saved)


def test_a_tensor_is_missing(saved):
    weights, _ = parts(saved)
    del weights["head.output.bias"]
    rewrite(saved, weights=weights)
    refused(saved)


def test_a_tensor_too_many(saved):
    weights, _ = parts(saved)
    rewrite(saved, weights=weights | {"extra": torch.zeros(2)})
    assert "extra should be absent" in refused(saved)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16, torch.int32])
def test_a_tensor_of_another_type(dtype, saved):
    weights, _ = parts(saved)
    weights["stem.bias"] = weights["stem.bias"].to(dtype)
    rewrite(saved, weights=weights)
    assert "stem.bias is of type" in refused(saved)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_a_weight_that_is_not_finite(value, saved):
    weights, _ = parts(saved)
    weights["stem.bias"][2] = value
    rewrite(saved, weights=weights)
    assert "stem.bias holds numbers that are not finite" in refused(saved)


# What it claims takes no memory.

GREEDY = [  # each passes validation, and would build a model of hundreds of millions of weights
    'kind="pixelcnn", features=4096, layers=256',
    'kind="pixelcnn", features=1000, layers=1, kernel_size=15, head_features=1',
    'kind="row-lstm", features=1000, layers=1, kernel_size=15, head_features=1',
    'kind="diagonal-bilstm", features=60, layers=256, head_features=1',
    'kind="pixelcnn", features=4, layers=256, head_features=16384, skip_connections=True',
    'kind="pixelcnn", features=1, layers=1, head_features=10000, head_layers=8',
    'kind="pixelcnn", features=1000, layers=1, head_features=3, num_labels=65535',
    'kind="pixelcnn", features=4, layers=1, channels=1, alphabet="symbols", num_levels=65536, '
    'symbol_features=1024, likelihood={"kind": "categorical"}',
    'kind="pixelcnn", features=4, layers=1, condition={"features": 1024, "layers": 16}',
]


def test_a_configuration_that_claims_much_takes_no_memory(tmp_path):
    """Each file holds just what the cheap bound asks for, at most some megabytes."""
    script = """
        import resource, sys
        from pathlib import Path
        import numpy as np, torch
        from pydantic import TypeAdapter
        from safetensors.torch import save_file
        from pixelrnn.errors import ModelFileError
        from pixelrnn.models import AnyModelConfig, PixelCNNConfig, build, store

        torch.set_num_threads(1)
        file = Path(sys.argv[1]) / "model.safetensors"
        build(PixelCNNConfig())  # what every model takes

        def peak_megabytes():
            return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

        for keys in sys.argv[2:]:
            values = eval(f"dict({keys})")
            config = TypeAdapter(AnyModelConfig).validate_python(values)
            held = min(config.fewest_parameters(), 2_000_000)
            about = {"format": store.FORMAT, "format_version": "1"}
            save_file({"a": torch.zeros(held)}, file, about | {"config": config.model_dump_json()})
            before = peak_megabytes()
            try:
                store.load(file)
                raise SystemExit(f"{keys}: loaded")
            except ModelFileError as error:
                if "too few for the model" not in str(error):
                    raise SystemExit(f"{keys}: {error}")
            print(peak_megabytes() - before)
    """
    grown = [float(line) for line in in_fresh_process(script, tmp_path, *GREEDY).splitlines()]
    assert len(grown) == len(GREEDY)
    assert max(grown) < 200, dict(zip(GREEDY, grown, strict=True))


def test_the_bound_is_one(kind, likelihood, channels, tiny_model):
    """Or a good file would be refused."""
    for changes in (
        {},
        {"features": 3, "head_features": 3, "layers": 1},
        {"skip_connections": True, "head_layers": 3, "layers": 4},
        {"features": 30, "layers": 5},
        {"head_features": 64, "head_layers": 2},
        {"num_labels": 900},
        {"condition": ConditionConfig(kind="masked", features=30, layers=3)},
        {"condition": ConditionConfig(kind="small", layers=1, kernel_size=1), "num_labels": 90},
    ):
        model = tiny_model(kind, likelihood, channels, **changes)
        assert model.config.fewest_parameters() <= model.num_parameters()


@pytest.mark.parametrize("recipe", sorted(ROOT.glob("src/pixelrnn/recipes/*45k*.toml")))
def test_the_models_of_recipes_survive(recipe, tmp_path):
    table = tomllib.loads(recipe.read_text())["model"]
    model = build(CONFIGS[table["kind"]].model_validate(table))
    store.save(model, tmp_path)
    assert store.load(tmp_path).num_parameters() == model.num_parameters()


def test_the_guard_is_gone_after_a_load(saved):
    """A hook that stayed would refuse every larger model that is built later."""
    configured(saved, layers=200)
    refused(saved)
    store.save(build(SMALL), saved.parent)
    store.load(saved)
    assert build(SMALL.model_copy(update={"features": 40})).num_parameters() > 3000


# Whatever happens to a byte.


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_flipped_bytes_never_do_anything_else(data, saved):
    good = store.load(saved)
    content = bytearray(saved.read_bytes())
    (header,) = struct.unpack("<Q", content[:8])
    # Half of the flips hit the header, which is where the trouble is.
    places = st.one_of(st.integers(0, 8 + header - 1), st.integers(0, len(content) - 1))
    for place in data.draw(st.lists(places, min_size=1, max_size=4)):
        content[place] ^= data.draw(st.integers(1, 255))
    file = saved.with_name("flipped.safetensors")
    file.write_bytes(content)
    try:
        loaded = store.load(file)
    except ModelFileError:
        refused(file)
        return
    assert isinstance(loaded, ResidualModel)
    assert all(parameter.isfinite().all() for parameter in loaded.parameters())
    assert loaded.num_parameters() == good.num_parameters()
