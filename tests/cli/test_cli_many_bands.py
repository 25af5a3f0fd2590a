"""Albums of images of more bands than a picture has, as Python writes them."""

import json

import numpy as np
import pytest

import pixelrnn as package
from pixelrnn.coding import Codec, name_model, save_program, write
from pixelrnn.models import store
from pixelrnn.operations.export import export


@pytest.fixture(scope="module")
def of_five(save_model, tmp_path_factory):
    """An album of images of five bands, its model, and the images."""
    folder = tmp_path_factory.mktemp("five")
    images = np.random.default_rng(0).integers(9, size=(3, 5, 6, 5), dtype=np.uint8)
    model = name_model(
        "five", export(store.load(save_model(folder / "model", channels=5)).lower(images))
    )
    save_program(model, folder / "five.safetensors")
    with (folder / "a.pxr").open("wb") as stream:
        named = ((f"{n}.npy", image.transpose(1, 2, 0)) for n, image in enumerate(images))
        write(Codec(model), named, stream)
    return folder / "a.pxr", folder / "five.safetensors", images


def test_they_are_no_pictures(of_five, fails, tmp_path):
    """What no PNG file holds is refused by name, before anything is decoded or written."""
    album, model, _ = of_five
    said = fails("decompress", album, "--model", model, "-o", tmp_path / "out")
    assert "0.npy has 5 bands, and a PNG file at most 4" in said
    assert f"pixelrnn.open('{album}')" in said
    assert not (tmp_path / "out").exists()


def test_python_gets_them(of_five):
    album, model, images = of_five
    with package.open(album, model=model) as opened:
        for found, image in zip(opened, images, strict=True):
            np.testing.assert_array_equal(found, image)


def test_info_counts_bands(of_five, pixelrnn):
    album, model, _ = of_five
    for more in ((), ("--model", model)):  # also where its model is not here
        answer = pixelrnn("info", album, *more)
        assert answer.code == 0, answer
        assert answer.out.count("5 bands") == 3
    about = json.loads(pixelrnn("info", album, "--json").out)
    assert [image["bands"] for image in about["images"]] == [5, 5, 5]
