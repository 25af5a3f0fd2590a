"""Mixtures: each set's splits stay its own, whatever is mixed; what does not fit is refused in one line."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pixelrnn.data import SPLITS, DataOptions, DataSet, load
from pixelrnn.data.mixture import mixed, parts_of
from pixelrnn.errors import DataError, RecipeError
from pixelrnn.training import load_recipe
from pixelrnn.wording import colours


@pytest.fixture
def scans(tmp_path):
    """Ten pictures of 9 x 9, each of one level."""
    (tmp_path / "scans").mkdir()
    for number in range(10):
        Image.fromarray(np.full((9, 9, 3), number, np.uint8)).save(
            tmp_path / "scans" / f"{number}.png"
        )
    return tmp_path / "scans"


@pytest.fixture
def small(tmp_path):
    """An array of twenty images of 4 x 4."""
    np.save(tmp_path / "small.npy", np.arange(100, 120, dtype=np.uint8)[:, None, None, None]
            + np.zeros((20, 4, 4, 3), np.uint8))  # fmt: skip
    return tmp_path / "small.npy"


def levels(data, split):
    return data.images(split)[:, 0, 0, 0].tolist()


def patches(of):
    return [number for number in of for _ in range(4)]


@pytest.mark.parametrize("crops", [None, True])
def test_every_split_is_that_of_its_sets(scans, small, crops):
    options = DataOptions(patch_size=4, random_crops=crops, also=(str(small),))
    data = load(scans, options)
    assert levels(data, "train") == patches(range(8)) + [
        100 + n for n in range(20) if n % 10 not in (8, 9)
    ]
    assert levels(data, "validation") == [*patches([8]), 108, 118]
    assert levels(data, "test") == [*patches([9]), 109, 119]
    assert data.name == "scans (4x4 patches) + small.npy"
    assert parts_of(data, "validation") == [
        ("scans (4x4 patches)", slice(0, 4)),
        ("small.npy", slice(4, 6)),
    ]


def test_the_order_of_sources_does_not_matter_to_options(scans, small):
    data = load(small, DataOptions(patch_size=4, also=(str(scans),)))
    assert levels(data, "validation") == [108, 118, *patches([8])]


def test_every_image_that_is_no_patch_is_a_picture_of_its_own(scans, small):
    data = load(scans, DataOptions(patch_size=4, also=(str(small),)))
    numbers = data.pictures_of("all")
    assert len(set(numbers.tolist())) == 10 + 20
    for split in SPLITS:
        numbers, found = data.pictures_of(split), levels(data, split)
        assert len(set(zip(numbers.tolist(), found, strict=True))) == len(set(found))


def test_without_patches_every_image_is_a_picture(small):
    np.save(small.parent / "other.npy", np.zeros((20, 4, 4, 3), np.uint8))
    data = load(small, DataOptions(also=(str(small.parent / "other.npy"),)))
    assert len(set(data.pictures_of("all").tolist())) == data.count("all") == 40
    assert data.uncut is None


def test_whole_images_stay_as_they_are_beside_crops(scans, small):
    data = load(small, DataOptions(patch_size=4, random_crops=True, also=(str(scans),)))
    assert data.uncut.patch(0, 4, random_bits=5) is None
    assert (data.uncut.patch(16, 4, random_bits=5) == 0).all()
    assert (data.uncut.patch(16 + 31, 4, random_bits=5) == 7).all()


def test_two_folders_of_crops(scans, tmp_path):
    (tmp_path / "more").mkdir()
    for number in range(10):
        picture = np.full((4, 4 + number, 3), 200 + number, np.uint8)
        Image.fromarray(picture).save(tmp_path / "more" / f"{number}.png")
    more = str(tmp_path / "more")
    data = load(scans, DataOptions(patch_size=4, random_crops=True, also=(more,)))
    for index, level in enumerate(levels(data, "train")):
        assert (data.uncut.patch(index, 4, random_bits=2**63) == level).all()


@pytest.mark.parametrize(
    ("options", "also", "message"),
    [
        ({"patch_size": 5}, "small.npy", r"5x5, RGB, of 256 levels, those of small\.npy 4x4, RGB"),
        (
            {"patch_size": 4},
            "digits",
            "scans .* 4x4, RGB, of 256 levels, those of digits 8x8, grey",
        ),
        ({"patch_size": 4}, "grey.npy", r"those of grey\.npy 4x4, grey, of 256 levels"),
        ({"patch_size": 4}, "none.npy", r"there is no .*none\.npy"),
        ({"patch_size": 4}, "scans", "names a set twice, or the one that is there already"),
        ({"patch_size": 4, "binarisation": "fixed"}, "small.npy", "data.binarisation does not"),
        ({"patch_size": 10}, "small.npy", "smaller than a patch of 10x10"),
        ({}, "small.npy", "those of scans are 9x9"),
    ],
)
def test_what_does_not_fit_is_refused(options, also, message, scans, small):
    np.save(small.parent / "grey.npy", np.zeros((20, 4, 4), np.uint8))
    other = also if also == "digits" else str(small.parent / also)
    with pytest.raises(DataError, match=message) as caught:
        load(str(scans), DataOptions(**options, also=(other,)))
    assert len(str(caught.value).splitlines()) == 1


def test_levels_are_read_alike(small):
    np.save(small.parent / "other.npy", np.zeros((20, 4, 4, 3), np.uint8))
    other = (str(small.parent / "other.npy"),)
    assert load(small, DataOptions(num_levels=120, also=other)).num_levels == 120
    with pytest.raises(DataError, match=r"small\.npy has a pixel of value 117"):
        load(small, DataOptions(num_levels=50, also=other))


@pytest.mark.parametrize("channels", [1, 2, 3, 4, 5, 16])
def test_images_of_any_channels_are_mixed(channels):
    shape = (20, channels, 4, 4)
    sets = [DataSet.from_array(np.full(shape, n, np.uint16), channels="first") for n in range(2)]
    data = mixed(sets)
    assert data.images("test").shape == (4, *shape[1:])
    assert levels(data, "test") == [0, 0, 1, 1]
    other = DataSet.from_array(np.zeros((20, 6, 4, 4), np.uint16), channels="first", name="other")
    with pytest.raises(DataError, match=f"{colours(channels)}, .* those of other 4x4, 6-channel"):
        mixed([sets[0], other])


def test_a_name_that_is_also_a_path_is_refused(small, monkeypatch):
    monkeypatch.chdir(small.parent)
    (small.parent / "photos").mkdir()
    with pytest.raises(DataError, match="photos is the name of a set of images and also"):
        load(small, DataOptions(also=("photos",)))


def test_sets_without_validation_or_test():
    whole = DataSet.from_array(np.zeros((1, 4, 4), np.uint8), name="one")
    more = DataSet.from_array(np.zeros((20, 4, 4), np.uint8), name="more")
    data = mixed([whole, more])
    assert [data.count(split) for split in SPLITS] == [17, 2, 2]
    assert parts_of(data, "validation") == [("more", slice(0, 2))]
    assert parts_of(more, "validation") == []


@pytest.mark.parametrize("spelling", ["scans", "./scans/", "scans/../scans", "link"])
def test_a_folder_is_found_to_be_there_twice_however_it_is_written(spelling, scans, monkeypatch):
    monkeypatch.chdir(scans.parent)
    Path("link").symlink_to("scans")
    with pytest.raises(DataError, match="names a set twice"):
        load(str(scans), DataOptions(patch_size=4, also=(spelling,)))


def test_an_empty_list_of_further_images_is_refused_as_that():
    with pytest.raises(RecipeError, match=r"data\.also.*at least 1"):
        load_recipe("photos-pixelcnn", ["data.also=[]"])
