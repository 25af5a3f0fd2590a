"""`photos` and `digits`, which are ready without a network."""

import hashlib

import numpy as np
import pytest

from pixelrnn.data import SPLITS, DataOptions, load, photos
from pixelrnn.data.catalogue import CATALOGUE
from pixelrnn.errors import DataError

# If these change, numbers made before and after cannot be compared.
SHA256 = {
    ("digits", "train"): "10c0f926465dd52d788d39db94d50ca2463e78c922be3e372f13d6086c5a4e3f",
    ("digits", "validation"): "05f2c2090419e0510d5d5f55010ca367e95cd3f4f8c66dcf397fbf18b2af181c",
    ("digits", "test"): "0b3844c9c281af25e002960dd0ddd593c1d3682fb06ee5fe51e1b1823b181f2f",
    ("photos", "train"): "2567b1067b0d2794a5113c638e246ac0eeb8a16d30066db82b6ebae1a12318c5",
    ("photos", "validation"): "bd602ae76d714d786d707658b57db8cc1c2252410e5ae1ae4e91c89bb028b87c",
    ("photos", "test"): "8e590d228707c10e8d2ccc9a874fa4ea09b0cdaaef63df6005a9840e4afec1d7",
}


@pytest.mark.parametrize("name", ["digits", "photos"])
def test_splits_never_change(name):
    data, entry = load(name), CATALOGUE[name]
    for split, count in zip(
        ("train", "validation", "test"), entry.splits(DataOptions()), strict=True
    ):
        assert data.count(split) == count
        assert data.sha256(split) == SHA256[name, split]
    assert (data.channels, data.height, data.width) == entry.image_shape
    assert data.num_levels == entry.num_levels(DataOptions())


def test_digits_splits_by_index():
    from sklearn.datasets import load_digits

    images = load_digits().images
    data = load("digits")
    np.testing.assert_array_equal(data.images("test")[:, 0], images[1500:])
    np.testing.assert_array_equal(data.images("validation")[:, 0], images[9:1500:10])
    assert data.num_levels == data.images("all").max() + 1 == 17


def test_no_photograph_is_in_two_splits():
    splits = {photo.file: photo.split for photo in photos.PHOTOGRAPHS}
    assert splits["motorcycle_left.png"] == splits["motorcycle_right.png"]
    assert len(splits) == len(photos.PHOTOGRAPHS)
    data = load("photos")
    patches = {split: {p.tobytes() for p in data.images(split)} for split in ("train", "test")}
    assert not patches["train"] & patches["test"]


def test_held_out_patches_do_not_overlap():
    # 400x600 pixels hold 12x18 whole patches, 400x512 hold 12x16.
    assert load("photos").count("test") == 5 * 12 * 18 + 2 * 12 * 16


def test_patches_are_counted_by_scene():
    data = load("photos")
    # The two views of one motorcycle are one picture.
    assert [len(set(data.pictures_of(split))) for split in SPLITS] == [3, 1, 7]
    assert len(set(data.pictures_of("all"))) == 11
    coffee = load("photos").images("test")[:216]
    digest = hashlib.sha256(b"uint8 (216, 3, 32, 32)\n" + coffee.tobytes()).hexdigest()
    # Figures that were measured when it was the only test photograph can be repeated.
    assert digest == "c5ceaa9a5bc6e95445256979b1e5edd19dd3855c7d550927697ea82761fbc7cd"
    assert data.pictures_of("test")[:217].tolist() == [4] * 216 + [5]


def test_whose_each_photograph_is_and_under_which_licence_is_said():
    entry = CATALOGUE["photos"]
    for scene in {photo.scene for photo in photos.PHOTOGRAPHS}:
        assert f"{scene}: " in entry.source
        assert scene in entry.licence
    for distribution in {photo.distribution for photo in photos.PHOTOGRAPHS}:
        assert f"inside the {distribution} wheel: " in entry.source


def test_what_models_were_trained_on_is_never_in_the_test():
    trained_on = {"astronaut.png", "motorcycle_left.png", "motorcycle_right.png", "rocket.jpg"}
    assert trained_on == {photo.file for photo in photos.PHOTOGRAPHS if photo.split == "train"}


def test_patch_size_of_photos():
    data = load("photos", DataOptions(patch_size=64))
    assert data.name == "photos (64x64 patches)"
    assert data.images("test").shape == (5 * 6 * 9 + 2 * 6 * 8, 3, 64, 64)
    assert len(data.pictures_of("test")) == data.count("test")
    with pytest.raises(DataError, match="do not fit"):
        load("photos", DataOptions(patch_size=400))


def test_another_photograph_of_that_name_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(photos, "_folder_of", lambda photograph: tmp_path)
    with pytest.raises(DataError, match="cannot be read"):
        load("photos")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "astronaut.png").write_bytes(b"another")
    with pytest.raises(DataError, match="not the photograph that is meant"):
        load("photos")
