"""Images of 16 bits, as typed: a folder is trained on, and its images are compressed exactly."""

import json

import imagecodecs
import numpy as np
import pytest
from PIL import Image

from pixelrnn.coding import name_model
from pixelrnn.coding.program_file import save_program
from pixelrnn.models import store
from pixelrnn.training import load_recipe, train

FEW = ("training.image_presentations=64", "training.batch_size=32", "training.validations=1",
       "model.features=6", "model.layers=1", "model.head_features=6")  # fmt: skip
LEVELS = 65536


def smooth(channels, height=12, width=16, seed=0):
    """Return an image that no image of 8 bits is, uint16 `(H, W)` or `(H, W, 3)`."""
    random = np.random.default_rng(seed)
    rows, columns = np.mgrid[:height, :width]
    waves = [
        np.sin((rows * a + columns * b) / 9 + c) for a, b, c in random.normal(size=(channels, 3))
    ]
    image = 30000 + 12000 * np.stack(waves, axis=2) + random.normal(size=(height, width, 1)) * 40
    return image.clip(0, LEVELS - 1).astype(np.uint16).squeeze()


def encoded(image, suffix):
    encode = imagecodecs.png_encode if suffix == "png" else imagecodecs.tiff_encode
    return encode(image)


@pytest.fixture(scope="module", params=[1, 3], ids=["grey", "rgb"])
def deep(request, tmp_path_factory):
    """A folder of images, and an integer program of such images."""

    folder = tmp_path_factory.mktemp("deep")
    (folder / "images").mkdir()
    for n in range(20):
        suffix = ("png", "tif")[n % 2]
        image = smooth(request.param, seed=n)
        (folder / "images" / f"{n:02}.{suffix}").write_bytes(encoded(image, suffix))
    settings = [*FEW, "data.patch_size=12", f"data.num_levels={LEVELS}"]
    recipe = load_recipe("photograph-pixelcnn", settings, data=str(folder / "images"))
    model = store.load(train(recipe, folder / "run").path)
    assert model.config.num_levels == LEVELS
    save_program(name_model("deep", model.coder().program), folder / "deep.safetensors")
    return request.param, folder, folder / "deep.safetensors"


def test_they_come_back_exactly(deep, pixelrnn, tmp_path):
    _, folder, model = deep
    album, out = tmp_path / "a.pxr", tmp_path / "out"
    images = folder / "images"
    answer = pixelrnn("compress", images, "--model", model, "-o", album, "--verify", "--json")
    assert answer.code == 0, answer
    assert json.loads(answer.out)["bits_per_dim"] < 16
    assert pixelrnn("decompress", album, "--model", model, "-o", out).code == 0
    for path in sorted(images.iterdir()):
        read = imagecodecs.png_decode if path.suffix == ".png" else imagecodecs.tiff_decode
        back = imagecodecs.png_decode((out / f"{path.stem}.png").read_bytes())
        assert back.dtype == np.uint16
        np.testing.assert_array_equal(back, read(path.read_bytes()))


def test_noise_is_kept_as_it_is(deep, pixelrnn, tmp_path):
    """Levels that cost more than 16 bits are bare, two bytes each."""
    channels, _, model = deep
    noise = np.random.default_rng(0).integers(LEVELS, size=(40, 50, 3)[: 2 + (channels > 1)])
    (tmp_path / "x.png").write_bytes(imagecodecs.png_encode(noise.astype(np.uint16)))
    answer = pixelrnn("compress", tmp_path / "x.png", "--model", model, "--json")
    assert json.loads(answer.out)["bits_per_dim"] < 16.5
    assert (
        pixelrnn("decompress", tmp_path / "x.pxr", "--model", model, "-o", tmp_path / "o").code == 0
    )
    back = imagecodecs.png_decode((tmp_path / "o" / "x.png").read_bytes())
    np.testing.assert_array_equal(back, noise)


def test_other_depths_are_refused(deep, fails, tmp_path):
    channels, folder, model = deep
    Image.new("L" if channels == 1 else "RGB", (9, 8), 7).save(tmp_path / "x.png")
    said = fails("compress", tmp_path / "x.png", "--model", model)
    assert "8-bit PNG, not 16-bit PNG or TIFF" in said
    first = folder / "images" / "00.png"
    assert "16-bit" in fails("compress", first, "-o", tmp_path / "y.pxr")
    wanted = "train", "photograph-pixelcnn", "--out", tmp_path / "r", "--data"
    assert "16-bit" in fails(*wanted, folder / "images")
    (tmp_path / "images").mkdir()
    Image.new("RGB", (64, 64), 7).save(tmp_path / "images" / "x.png")
    said = fails(*wanted, tmp_path / "images", "--set", f"data.num_levels={LEVELS}")
    assert "8-bit PNG" in said
    assert not (tmp_path / "r").exists()


@pytest.mark.parametrize("keep", [60, 120, -30])
def test_damaged_files_are_named(keep, deep, fails, tmp_path):
    _, folder, model = deep
    whole = (folder / "images" / "00.png").read_bytes()
    (tmp_path / "cut.png").write_bytes(whole[:keep])
    said = fails("compress", tmp_path / "cut.png", "--model", model)
    assert "cut.png" in said
    assert not (tmp_path / "cut.pxr").exists()


def test_another_number_of_channels_is_refused(deep, fails, tmp_path):
    channels, _, model = deep
    if channels == 3:
        pytest.skip("a model of colours codes grey images, as the red of one")
    (tmp_path / "a.png").write_bytes(imagecodecs.png_encode(smooth(1)[:, ::-1].copy()))
    Image.fromarray(np.zeros((4, 4, 4), np.uint8)).save(tmp_path / "b.png")
    assert "8-bit" in fails("compress", tmp_path / "b.png", "--model", model)
