"""`pixelrnn models`, as typed: what comes with the package, and integers of one's own."""

import json
import re
import shutil

import numpy as np
import pytest
import torch
from PIL import Image

from pixelrnn import shipped
from pixelrnn.coding import Codec, load_program
from pixelrnn.compiling import make_loop_ready
from pixelrnn.data import load
from pixelrnn.models import CONFIGS, MODELS, store

TINY = {"features": 4, "head_features": 4, "layers": 1, "stem_kernel_size": 3, "num_levels": 256}


@pytest.fixture(scope="module", autouse=True)
def _ready():
    """The loops are compiled, so that no test meets the line which says that they are."""
    make_loop_ready()
    Codec(load_program(shipped.DEFAULT_MODELS[shipped.SMALL_IMAGES])).make_ready()


def save(folder, kind="pixelcnn", channels=3, **settings):
    """Write a tiny model that was never trained into a folder."""
    mixture = {"kind": "logistic-mixture", "components": 2}
    keys = {"kind": kind, "channels": channels, "likelihood": mixture} | TINY | settings
    config = CONFIGS[kind].model_validate(keys)
    folder.mkdir()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        store.save(MODELS[kind](config), folder)
    return folder


@pytest.fixture
def model(tmp_path):
    """A folder with a tiny model of colours."""
    return save(tmp_path / "tiny")


@pytest.fixture
def data(tmp_path):
    """An .npy of forty colour images, ramps with a little noise."""
    ramps = np.arange(8)[:, None, None] * 9 + np.arange(10)[:, None] * 5
    noise = np.random.default_rng(0).integers(9, size=(40, 8, 10, 3))
    np.save(tmp_path / "images.npy", (ramps + noise).astype(np.uint8))
    return tmp_path / "images.npy"


def photos(folder, mode="RGB", count=2):
    """Write images of noise; their paths."""
    folder.mkdir()
    generator = np.random.default_rng(1)
    paths = [folder / f"{n}.png" for n in range(count)]
    for path in paths:
        shape = (7, 9, 3) if mode == "RGB" else (7, 9)
        Image.fromarray(generator.integers(256, size=shape, dtype=np.uint8)).save(path)
    return paths


# What comes with the package.


def test_list(pixelrnn):
    answer = pixelrnn("models", "list")
    assert (answer.code, answer.err) == (0, "")
    head, *lines = answer.out.splitlines()
    assert re.match(r"name +images +weights +integers +what it is", head)
    for name in shipped.names():
        assert any(line.startswith(name[:10]) for line in lines)


def test_list_json(pixelrnn):
    listed = json.loads(pixelrnn("models", "list", "--json").out)
    assert [about["name"] for about in listed] == shipped.names()
    assert {"colour-pixelcnn", "digits-pixelcnn"} <= set(shipped.names())
    for about in listed:
        model, program = store.load(about["name"]), load_program(about["name"])
        config = model.config
        assert (about["channels"], about["num_levels"]) == (config.channels, config.num_levels)
        assert about["kind"] == config.kind
        assert about["image_size"] == (list(config.image_size) if config.image_size else None)
        assert about["likelihood"] == config.likelihood.kind
        assert about["program_hash"] == program.hash.hex()
        assert program.name == about["name"]
        for key, suffix in (("weights_bytes", shipped.WEIGHTS), ("program_bytes", shipped.PROGRAM)):
            assert about[key] == shipped.file_of(about["name"], suffix).stat().st_size
        assert about["summary"]


@pytest.mark.parametrize("name", shipped.names())
def test_info(name, pixelrnn):
    answer = pixelrnn("models", "info", name)
    assert (answer.code, answer.err) == (0, "")
    assert answer.out.startswith(shipped.card(name).rstrip())
    assert f"program {load_program(name).hash.hex()}" in answer.out
    about = json.loads(pixelrnn("models", "info", name, "--json").out)
    assert about["card"] == shipped.card(name)
    assert about["program_hash"] == load_program(name).hash.hex()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nonsense", "there is no model at nonsense"),
        ("colour-pixelcn", "did you mean colour-pixelcnn?"),
        (".", "not a model that comes with the package"),
        ("../weights/colour-pixelcnn", "there is no model at"),
    ],
)
def test_info_of_what_does_not_come_with_the_package(name, message, fails):
    assert message in fails("models", "info", name)


# One's own.


def test_export_compress_decompress(pixelrnn, fails, model, data, tmp_path):
    own = tmp_path / "own.safetensors"
    answer = pixelrnn("models", "export", model, "--data", data, "-o", own, "--json")
    assert (answer.code, answer.err) == (0, "")
    about = json.loads(answer.out)
    program = load_program(own)
    assert about["out"] == str(own)
    assert about["name"] == program.name == "tiny"
    assert about["program_hash"] == program.hash.hex()
    assert about["num_bytes"] == own.stat().st_size
    assert about["num_images"] == load(data).count("validation")
    assert about["integer_bits_per_dim"] == pytest.approx(about["float_bits_per_dim"], rel=0.02)
    assert about["file_bits_per_dim"] > about["integer_bits_per_dim"] - 1e-9
    album, out = tmp_path / "x.pxr", tmp_path / "out"
    paths = photos(tmp_path / "photos")
    said = json.loads(pixelrnn("compress", *paths, "--model", own, "-o", album, "--json").out)
    assert (said["model"], said["program_hash"]) == ("tiny", about["program_hash"])
    wanted = f"compressed by tiny (program {program.hash[:16].hex()})"
    assert wanted in fails("decompress", album, "-o", out)
    assert pixelrnn("decompress", album, "--model", own, "-o", out).code == 0
    for path in paths:
        with Image.open(path) as one, Image.open(out / path.name) as other:
            np.testing.assert_array_equal(np.array(one), np.array(other))


@pytest.mark.parametrize("kind", MODELS)
@pytest.mark.parametrize("likelihood", ["categorical", "logistic-mixture"])
def test_export_of_every_model(kind, likelihood, pixelrnn, tmp_path):
    about = {"kind": likelihood} | ({"components": 2} if likelihood == "logistic-mixture" else {})
    folder = save(tmp_path / "grey", kind, 1, num_levels=17, likelihood=about)
    digits = load("digits")
    own = tmp_path / "own.safetensors"
    answer = pixelrnn("models", "export", folder / "model.safetensors", "--data",
                      "digits", "-o", own, "--name", "Grau 1")  # fmt: skip
    assert (answer.code, answer.err) == (0, "")
    number = r"\d\.\d{4}"
    assert re.fullmatch(
        rf"{re.escape(str(own))}: [\d,]+ bytes, program {load_program(own).hash.hex()[:32]}; on "
        rf"{digits.count('validation')} validation images {number} bits/dim in floats, "
        rf"{number} in integers, {number} in a file\n",
        answer.out,
    )
    assert load_program(own).name == "Grau 1"
    digit = digits.images("test")[0, 0]
    Image.fromarray(digit).save(tmp_path / "a.png")
    assert pixelrnn("compress", tmp_path / "a.png", "--model", own).code == 0
    options = ("--model", own, "-o", tmp_path / "out")
    assert pixelrnn("decompress", tmp_path / "a.pxr", *options).code == 0
    with Image.open(tmp_path / "out" / "a.png") as opened:
        np.testing.assert_array_equal(np.array(opened), digit)


def test_a_run_is_exported_with_its_own_images_and_name(pixelrnn, run_folder, tmp_path):
    own = tmp_path / "own.safetensors"
    answer = pixelrnn("models", "export", run_folder, "-o", own, "--json")
    assert (answer.code, answer.err) == (0, "")
    about = json.loads(answer.out)
    assert about["name"] == "run"
    assert about["num_images"] == load("digits").count("validation")
    digit = load("digits").images("test")[0, 0]
    Image.fromarray(digit).save(tmp_path / "digit.png")
    assert pixelrnn("compress", tmp_path / "digit.png", "--model", own).code == 0
    options = ("--model", own, "-o", tmp_path / "out")
    assert pixelrnn("decompress", tmp_path / "digit.pxr", *options).code == 0
    with Image.open(tmp_path / "out" / "digit.png") as opened:
        np.testing.assert_array_equal(np.array(opened), digit)


def test_bits_are_as_asked_for(pixelrnn, model, data, tmp_path):
    hashes = set()
    for weight_bits, activation_bits in ((16, 12), (16, 8), (13, 12)):
        own = tmp_path / f"{weight_bits} {activation_bits}.safetensors"
        options = ("--weight-bits", weight_bits, "--activation-bits", activation_bits)
        assert pixelrnn("models", "export", model, "--data", data, "-o", own, *options).code == 0
        program = load_program(own)
        hashes.add(program.hash)
        taps = [tap for operation in program.program.operations for tap in operation.taps]
        largest = max(np.abs(tap.weights).max() for tap in taps if tap.weights is not None)
        assert 1 << (weight_bits - 2) <= largest < 1 << (weight_bits - 1)
    assert len(hashes) == 3


def test_the_same_model_gives_the_same_program_whatever_its_name(pixelrnn, model, data, tmp_path):
    own = [tmp_path / "a.safetensors", tmp_path / "b.safetensors"]
    for path in own:
        options = ("--data", data, "-o", path, "--name", path.stem)
        assert pixelrnn("models", "export", model, *options).code == 0
    one, other = map(load_program, own)
    assert (one.name, other.name) == ("a", "b")
    assert one.hash == other.hash


# What is refused.


@pytest.mark.parametrize("place", ["tiny", "tiny/model.safetensors"])
@pytest.mark.parametrize("verb", ["compress", "decompress"])
def test_a_model_of_floats_says_how_to_make_integers(verb, place, pixelrnn, fails, model, tmp_path):
    (path,) = photos(tmp_path / "photos", count=1)
    assert pixelrnn("compress", path).code == 0
    given = path if verb == "compress" else path.with_suffix(".pxr")
    out = tmp_path / "new" / "x.pxr" if verb == "compress" else tmp_path / "new"
    message = fails(verb, given, "--model", tmp_path / place, "-o", out)
    assert str(tmp_path / place) in message
    assert "`pixelrnn models export" in message
    assert not (tmp_path / "new").exists() or not list((tmp_path / "new").iterdir())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("tiny", "-o", "x.safetensors"), "give --data"),
        (("tiny", "-o", "x.npy"), "give a name that ends in .safetensors"),
        (("nonsense", "-o", "x.safetensors"), "there is no model at nonsense"),
        (("tiny", "--data", "nonsense", "-o", "x.safetensors"), "nonsense"),
        (("tiny", "--data", "digits", "-o", "x.safetensors"), "digits are grey with 17 levels"),
        (("tiny", "--data", "images.npy", "-o", "x.safetensors", "--name", "x" * 65), "name"),
        (("tiny", "--data", "images.npy", "-o", "x.safetensors", "--name", "a\nb"), "name"),
        (("tiny", "--data", "images.npy", "-o", "tiny/model.safetensors"), "model.safetensors"),
    ],
)
def test_what_cannot_be_exported(arguments, message, fails, model, data, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    before = (model / "model.safetensors").read_bytes()
    assert message in fails("models", "export", *arguments)
    assert not (tmp_path / "x.safetensors").exists()
    assert (model / "model.safetensors").read_bytes() == before


def test_integers_are_not_exported_again(pixelrnn, fails, model, data, tmp_path):
    own = tmp_path / "own.safetensors"
    assert pixelrnn("models", "export", model, "--data", data, "-o", own).code == 0
    message = fails("models", "export", own, "--data", data, "-o", tmp_path / "x.safetensors")
    assert "holds integers" in message


def test_weights_that_no_integers_can_hold(fails, model, data, tmp_path):
    loaded = store.load(model)
    with torch.no_grad():
        for parameter in loaded.parameters():
            parameter.mul_(1e12)
    huge = tmp_path / "huge"
    huge.mkdir()
    store.save(loaded, huge)
    message = fails("models", "export", huge, "--data", data, "-o", tmp_path / "x.safetensors")
    assert "the weights of this model" in message
    assert not (tmp_path / "x.safetensors").exists()


def test_a_model_whose_files_are_missing_from_the_package(fails, monkeypatch, tmp_path):
    folder = shutil.copytree(shipped.FOLDER, tmp_path / "weights")
    monkeypatch.setattr(shipped, "FOLDER", folder)
    name = shipped.DEFAULT_MODELS[shipped.SMALL_IMAGES]
    (folder / f"{name}{shipped.PROGRAM}").unlink()
    assert name in fails("models", "info", name)
    (path,) = photos(tmp_path / "photos", count=1)
    assert name in fails("compress", path)
