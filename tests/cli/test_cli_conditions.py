"""Pictures that images are given, as typed: `sample --condition`, and what `evaluate` says of them."""

import json

import numpy as np
import pytest
from PIL import Image

from pixelrnn.cli.given import given
from pixelrnn.data import load
from pixelrnn.errors import ImageMismatchError
from pixelrnn.models import build, store
from pixelrnn.models.pixel_cnn import PixelCNNConfig
from pixelrnn.pictures import write_png
from pixelrnn.training import load_recipe, train
from tests.cli.conftest import TINY

SIZE = HEIGHT, WIDTH = 8, 6


def save_model(folder, kind, **settings):
    """Save an untrained model of small images in colour, and return its folder."""
    condition = {"kind": kind, "factor": 2, "features": 4, "layers": 1}
    about = {"features": 4, "layers": 1, "head_features": 4, "image_size": SIZE, **settings}
    folder.mkdir()
    store.save(build(PixelCNNConfig(condition=condition, **about)), folder)
    return folder


@pytest.fixture
def models(tmp_path):
    """A function that saves a model that is given pictures of some kind."""
    return lambda kind, **settings: save_model(tmp_path / f"{kind}-model", kind, **settings)


@pytest.fixture
def picture(tmp_path):
    """A function that writes a picture, and returns its path and its levels."""

    def write(mode="RGB", height=HEIGHT, width=WIDTH, name="picture.png"):
        shape = (height, width, len(mode)) if len(mode) > 1 else (height, width)
        levels = np.random.default_rng(0).integers(256, size=shape, dtype=np.uint8)
        if mode in ("LA", "RGBA"):
            levels[..., -1] = 255
            levels[2:5, 1:4, -1] = (0, 100, 254)  # a hole, however faint what is in it
        Image.fromarray(levels, mode).save(tmp_path / name)
        return tmp_path / name, levels

    return write


@pytest.fixture
def sampled(pixelrnn, tmp_path):
    """Sample with some pictures: the images `(N, H, W, C)`, and what is said."""

    def sample(model, *arguments, count=2):
        files = "--out", tmp_path / "s.png", "--npz", tmp_path / "s.npz", "--force", "--json"
        answer = pixelrnn("sample", model, "-n", count, *files, *arguments)
        assert answer.code == 0, answer
        return np.load(tmp_path / "s.npz")["images"], json.loads(answer.out)

    return sample


@pytest.fixture
def refused(fails, tmp_path):
    """Sample with what does not fit: the one line that says so; nothing is written."""

    def sample(model, *arguments):
        said = fails("sample", model, "--out", tmp_path / "not.png", *arguments)
        assert not (tmp_path / "not.png").exists()
        return said

    return sample


def test_grey_to_colour(models, picture, sampled):
    model, (path, levels) = models("grey"), picture("L")
    images, about = sampled(model, "--condition", path, count=3)
    assert images.shape == (3, *SIZE, 3)
    assert about["conditions"] == [str(path)]
    assert (images[0] != images[1]).any()  # several samples of one picture
    known = store.load(model).given(image=levels[None, None]).sample(3)
    np.testing.assert_array_equal(images, known.transpose(0, 2, 3, 1))


def test_a_grey_picture_in_a_file_of_colours(models, picture, sampled, tmp_path):
    model, (path, levels) = models("grey"), picture("L")
    Image.fromarray(np.repeat(levels[..., None], 3, axis=2)).save(tmp_path / "rgb.png")
    first, _ = sampled(model, "--condition", path)
    second, _ = sampled(model, "--condition", tmp_path / "rgb.png")
    np.testing.assert_array_equal(first, second)


def test_small_to_large(models, picture, sampled):
    path, levels = picture("RGB", 4, 3)
    images, _ = sampled(models("small"), "--condition", path)
    for image in images:
        np.testing.assert_array_equal(image[::2, ::2], levels)
    assert (images[0] != images[1]).any()


def test_masked_to_whole(models, picture, sampled):
    path, levels = picture("RGBA")
    images, _ = sampled(models("masked"), "--condition", path)
    known = levels[..., 3] == 255
    assert (images[:, known] == levels[known, :3]).all()
    assert (images[0] != images[1])[~known].any()


def test_what_lies_in_a_hole_does_not_count(models, picture, sampled, tmp_path):
    model, (path, levels) = models("masked"), picture("RGBA")
    first, _ = sampled(model, "--condition", path)
    levels[levels[..., 3] < 255, :3] = 77
    Image.fromarray(levels).save(tmp_path / "other.png")
    second, _ = sampled(model, "--condition", tmp_path / "other.png")
    np.testing.assert_array_equal(first, second)


def test_a_mask_says_what_is_given(models, picture, sampled, tmp_path):
    model, (path, levels) = models("masked"), picture("RGB")
    mask = np.zeros(SIZE, np.uint8)
    mask[:, :2] = 255
    Image.fromarray(mask).save(tmp_path / "mask.png")
    by_mask, _ = sampled(model, "--condition", path, "--keep", tmp_path / "mask.png")
    by_rule, _ = sampled(model, "--condition", path, "--keep", "left:0.34")
    np.testing.assert_array_equal(by_mask, by_rule)
    assert (by_mask[:, :, :2] == levels[:, :2]).all()


def test_pictures_and_labels_take_turns(models, picture, sampled):
    model = models("small", num_labels=2)
    (first, levels), (second, others) = picture("RGB", 4, 3), picture("L", 4, 3, name="second.png")
    pictures = "--condition", first, "--condition", second
    images, about = sampled(model, *pictures, "--label", "all", count=5)
    assert about["labels"] == [0, 1]
    for n, image in enumerate(images):
        expected = levels if n % 4 < 2 else np.repeat(others[..., None], 3, axis=2)
        np.testing.assert_array_equal(image[::2, ::2], expected)


def test_images_of_another_size(models, picture, sampled, refused):
    model, (path, _) = models("small"), picture("RGB", 5, 4)
    said = refused(model, "--condition", path)
    assert said.endswith("are given one of 4 x 3: resize it, or say --size 10x8")
    images, _ = sampled(model, "--condition", path, "--size", "10x8")
    assert images.shape == (2, 10, 8, 3)


@pytest.mark.parametrize("kind", ["grey", "masked"])
def test_a_picture_of_the_wrong_size(kind, models, picture, refused):
    said = refused(models(kind), "--condition", picture("LA" if kind == "masked" else "L", 6, 8)[0])
    assert "is of 6 x 8 pixels (height x width), and images of 8 x 6 are given one of 8 x 6" in said


@pytest.mark.parametrize(
    ("kind", "mode", "arguments", "trouble"),
    [
        ("grey", "RGB", (), "is in colour, and this model is given grey images"),
        ("grey", "LA", (), "has transparent pixels"),
        ("masked", "RGB", (), "has no hole: make transparent what is not given"),
        ("masked", "RGB", ("--keep", "top:1.5"), "cannot keep"),
        ("grey", "L", ("--keep", "top:0.5"), "is given whole pictures: leave --keep out"),
        ("grey", "L", ("--label", "3"), "knows no classes"),
    ],
)
def test_what_does_not_fit(kind, mode, arguments, trouble, models, picture, refused):
    assert trouble in refused(models(kind), "--condition", picture(mode)[0], *arguments)


def test_files_that_are_no_pictures(models, refused, tmp_path):
    model, broken = models("grey"), tmp_path / "broken.png"
    broken.write_bytes(b"\x89PNG\r\n\x1a\nno more")
    assert "broken.png" in refused(model, "--condition", broken)
    assert "No such file" in refused(model, "--condition", tmp_path / "none.png")
    assert ": a folder; give a picture of 8 bits" in refused(model, "--condition", tmp_path)
    Image.fromarray(np.zeros(SIZE, np.uint16)).save(tmp_path / "deep.png")
    deep = refused(model, "--condition", tmp_path / "deep.png")
    assert "16-bit; give a picture of 8 bits, grey or RGB" in deep


def test_a_model_that_is_given_nothing(trained, picture, refused):
    said = refused(trained, "--condition", picture("L")[0])
    assert said.startswith("this model is given no picture: leave --condition out")
    assert "give one with --condition" in refused(trained, "--keep", "top:0.5")


def test_shades_that_are_no_levels(models, picture, refused, sampled, tmp_path):
    model = models("masked", channels=1, num_levels=3)
    shown = np.dstack([np.full(SIZE, 128, np.uint8), picture("LA")[1][..., 1]])
    Image.fromarray(shown).save(tmp_path / "levels.png")
    images, _ = sampled(model, "--condition", tmp_path / "levels.png")
    assert (images[:, 0] == 1).all()
    shown[0, 0, 0] = 129
    Image.fromarray(shown).save(tmp_path / "none.png")
    said = refused(model, "--condition", tmp_path / "none.png")
    assert (
        "has the shade 129, and the model is of images with 3 levels, shown as 0, 128, 255" in said
    )


# --- evaluate ------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def scales(tmp_path_factory):
    """Two finished runs on digits: of large images given small ones, and of these."""
    folder = tmp_path_factory.mktemp("scales")
    given = train(
        load_recipe("digits-pixelcnn", [*TINY, "model.condition.kind=small"]), folder / "l"
    )
    small = train(load_recipe("digits-pixelcnn", [*TINY, "data.shrink=2"]), folder / "s")
    return given.path, small.path


def test_what_both_scales_cost(scales, pixelrnn):
    large, small = scales
    about = json.loads(pixelrnn("evaluate", large, "--small", small, "--json").out)
    alone = json.loads(pixelrnn("evaluate", small, "--json").out)
    assert about["bits_per_dim_of_small_images"] == pytest.approx(alone["bits_per_dim"])
    both = about["bits_per_dim"] + alone["bits_per_dim"] / 4
    assert about["bits_per_dim_with_small_images"] == pytest.approx(both)
    assert about["with_small_images_standard_error"] > 0
    saved = about["bits_per_dim_without_image"] - about["bits_per_dim"]
    assert about["bits_per_dim_saved_by_image"] == pytest.approx(saved)
    assert about["bits_per_dim"] < 0.8 * about["bits_per_dim_without_image"]
    said = pixelrnn("evaluate", large, "--small", small).out
    assert "without the image that it is given by, which saves" in said
    assert "with the small images, which cost" in said


def test_small_images_of_a_model_that_is_not_given_any(scales, fails, trained):
    said = fails("evaluate", trained, "--small", scales[1])
    assert said.startswith("this model is not given small images: leave --small out")


def test_small_images_by_a_model_of_others(scales, fails):
    said = fails("evaluate", scales[0], "--small", "colour-pixelcnn")
    assert "give other images or another model" in said


def test_images_of_a_scale_are_sampled_from_smaller_ones(scales, sampled, tmp_path):
    """Small ones of one model, as pictures, and large ones of these by the other."""
    large, small = scales
    sampled(small, count=1)
    levels = np.load(tmp_path / "s.npz")["images"][0]
    from pixelrnn.pictures import shades

    Image.fromarray(shades(17)[levels]).save(tmp_path / "small.png")
    images, _ = sampled(large, "--condition", tmp_path / "small.png")
    assert (images[:, ::2, ::2] == levels).all()
    assert images.shape[1:] == load("digits").images("test").shape[2:]


def test_complete_by_a_model_that_fills_holes(models, pixelrnn, fails, tmp_path):
    """Given pixels that come after hidden ones guide it, and nothing is said of that."""
    model = models("masked", channels=1, num_levels=17, image_size=(8, 8))
    files = "--out", tmp_path / "c.png", "--force"
    answer = pixelrnn(
        "complete",
        model,
        "--images",
        "digits",
        "-n",
        1,
        "--first",
        2,
        "--keep",
        "bottom:0.5",
        *files,
    )
    assert (answer.code, answer.err) == (0, "")
    said = fails(
        "complete", model, "--images", "digits", "--keep", "bottom:0.5", "--importance", 9, *files
    )
    assert said == "this model is given all that is known: leave --importance out"


def test_guidance(pixelrnn, fails, models, tmp_path):
    settings = {"num_labels": 3, "num_levels": 5, "channels": 1}
    files = "--out", tmp_path / "g.png", "--force"
    softmax = models("masked", likelihood={"kind": "categorical"}, **settings)
    for model in (softmax, models("small", **settings)):
        answer = pixelrnn("sample", model, "-n", 2, "--label", 1, "--guidance", 1.5, *files)
        assert answer.code == 0
        assert ", guidance 1.5" in answer.out
    said = fails("sample", softmax, "--guidance", 1.5, *files)
    assert said == "--guidance leads images to a class: give one with --label"
    assert "from -100 to 100" in fails("sample", softmax, "--label", 1, "--guidance", 1e9, *files)


def test_of_many_levels_pictures_of_16_bits_are_given(tmp_path):
    levels = np.random.default_rng(0).integers(1024, size=(*SIZE, 1), dtype=np.uint16)
    write_png(tmp_path / "deep.png", levels)
    config = {
        "condition": {"kind": "given", "factor": 2, "channels": None},
        "channels": 1,
        "num_levels": 1024,
    }
    (found,) = given(config, [], [tmp_path / "deep.png"], None, SIZE)
    np.testing.assert_array_equal(found.image, levels)
    with pytest.raises(ImageMismatchError, match="give a picture with levels below that"):
        given(config | {"num_levels": 600}, [], [tmp_path / "deep.png"], None, SIZE)
