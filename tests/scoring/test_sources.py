"""Images of any sizes, one at a time: from folders, albums, data sets; what cannot be scored is named."""

import numpy as np
import pytest
from PIL import Image

from pixelrnn.data import DataSet, load
from pixelrnn.errors import DataError
from pixelrnn.pictures import write_png
from pixelrnn.scoring.opening import Opening
from pixelrnn.scoring.sources import (
    Fit,
    Source,
    UnfitImageError,
    batches,
    of_album,
    of_data,
    of_folder,
    of_made,
)

COLOUR = Fit(3, 256)


@pytest.fixture
def folder(tmp_path):
    """Colour and grey images of two sizes, in a folder and one below it."""
    draws = np.random.default_rng(0)
    root = tmp_path / "pictures"
    (root / "more").mkdir(parents=True)
    sizes = {"1.png": (4, 6, 3), "2.png": (4, 6), "10.png": (5, 5, 3), "more/3.png": (4, 6, 3)}
    for name, size in sizes.items():
        Image.fromarray(draws.integers(256, size=size, dtype=np.uint8)).save(root / name)
    (root / "notes.txt").write_text("nothing")
    return root


def opening(**settings):
    about = {"fit": COLOUR, "size": (4, 4), "load": load} | settings
    return Opening(**about)


def test_a_folder_of_different_sizes(folder):
    source = of_folder(folder)
    assert list(source.names) == ["1.png", "2.png", "10.png", "more/3.png"]
    assert source.notes == ("left aside: notes.txt (not an image)",)
    found = list(batches(source, COLOUR, size=50))
    assert [numbers for numbers, _ in found] == [[0, 1], [2], [3]]
    assert [images.shape for _, images in found] == [(2, 3, 4, 6), (1, 3, 5, 5), (1, 3, 4, 6)]
    grey = found[0][1][1]
    assert (grey == grey[:1]).all()
    pixels = np.asarray(Image.open(folder / "1.png")).transpose(2, 0, 1)
    np.testing.assert_array_equal(found[0][1][0], pixels)


def test_whatever_the_batches_the_images_are_the_same(folder):
    source = of_folder(folder)
    for size in (1, 2, 3):
        found = [(n, each.tobytes()) for numbers, images in batches(source, COLOUR, size=size)
                 for n, each in zip(numbers, images, strict=True)]  # fmt: skip
        assert [n for n, _ in found] == [0, 1, 2, 3]
    (last,) = batches(source, COLOUR, size=2, start=3)
    assert last[0] == [3]
    assert last[1][0].tobytes() == found[3][1]


def test_a_batch_has_only_so_many_pixels():
    read = []

    def image(number):
        read.append(number)
        return np.zeros((1, 512, 300), np.uint8)

    source = Source("large", [str(n) for n in range(9)], image, "")
    numbers, _ = next(batches(source, Fit(1, 2), size=50))
    assert numbers == [0]
    assert len(read) <= 2  # the rest is not even read


def test_what_is_in_the_fingerprint(folder):
    before = of_folder(folder).fingerprint
    assert of_folder(folder).fingerprint == before
    Image.new("RGB", (6, 4)).save(folder / "more" / "3.png")
    assert of_folder(folder).fingerprint != before
    digits = load("digits")
    prints = {of_data(digits, split).fingerprint for split in ("train", "test", "all")}
    prints |= {of_data(digits, "test").at_most(5).fingerprint}
    prints |= {of_made("noise", (1, 8, 8), 17, count).fingerprint for count in (5, 6)}
    assert len(prints) == 6


def test_an_image_that_cannot_be_scored_is_named(folder):
    Image.new("RGBA", (4, 4)).save(folder / "2.png")
    source = of_folder(folder)
    left_out = []
    found = batches(source, COLOUR, size=2, on_unfit=lambda *each: left_out.append(each))
    assert [numbers for numbers, _ in found] == [[0], [2], [3]]
    ((number, error),) = left_out
    assert (number, error.reason) == (1, "alpha that is not opaque")
    assert str(error) == "image 2.png of pictures: alpha that is not opaque"
    rest = batches(source, COLOUR, size=2)
    assert next(rest)[0] == [0]
    with pytest.raises(UnfitImageError, match=r"2\.png"):
        next(rest)


@pytest.mark.parametrize(
    ("fit", "reason"), [(Fit(1, 256), "this model is of grey images"), (Fit(3, 2), "2 levels")]
)
def test_images_of_another_kind(folder, fit, reason):
    with pytest.raises(UnfitImageError, match=reason):
        list(batches(of_folder(folder), fit, size=2))


def test_an_album(folder, tmp_path):
    from pixelrnn.coding import Codec, load_program, write

    path = tmp_path / "a.pxr"
    kept = {"x.png": (4, 6, 3), "y.png": (5, 5, 1), "z.png": (4, 6, 4)}
    draws = np.random.default_rng(0)
    given = {
        name: draws.integers(200, 256, size=size, dtype=np.uint8) for name, size in kept.items()
    }
    given["z.png"][..., 3] = 255
    with path.open("wb") as stream:
        write(Codec(load_program("colour-pixelcnn")), list(given.items()), stream)
    source = of_album(path)
    assert list(source.names) == list(kept)
    found = [images for _, images in batches(source, COLOUR, size=9)]
    np.testing.assert_array_equal(found[0][0], given["x.png"].transpose(2, 0, 1))
    np.testing.assert_array_equal(found[2][0], given["z.png"][..., :3].transpose(2, 0, 1))
    assert found[1].shape == (1, 3, 5, 5)


def test_some_of_them_are_evenly_spread(folder):
    source = of_made("noise", (1, 4, 4), 9, 10)
    few = source.at_most(3)
    assert [few.names[n] for n in range(3)] == ["0", "4", "9"]
    np.testing.assert_array_equal(few.read(1), source.read(4))
    assert source.at_most(10) is source


def test_what_users_write(folder):
    digits = opening(fit=Fit(1, 17), size=(8, 8))
    assert digits("digits").name == "digits, test"
    assert len(digits("digits", held_out="validation")) == 150
    assert len(digits("digits", split="all")) == 1797
    assert len(opening(fit=Fit(1, 17), size=(8, 8), count=7)("flipped:digits")) == 7
    assert digits("mirrored:inverted:digits").name == "digits, test, inverted, mirrored"
    assert len(digits("noise")) == 1000
    assert digits("letters").read(3).shape == (1, 8, 8)
    pictures = opening()
    assert len(pictures(str(folder))) == 4
    assert len(pictures(str(folder / "1.png"))) == 1
    flipped = pictures(f"flipped:{folder}").read(0)
    np.testing.assert_array_equal(flipped, pictures(str(folder)).read(0)[:, ::-1])


def test_arrays_are_read_whole_and_all_of_them(tmp_path):
    path = tmp_path / "a.npy"
    np.save(path, np.zeros((20, 4, 5, 3), np.uint8))
    assert len(opening()(str(path))) == 20
    assert len(opening()(str(path), split="test")) == 2


def test_the_run_s_own_images_are_read_as_the_run_reads_them(folder):
    data = DataSet.from_array(np.zeros((20, 4, 4, 3), np.uint8))
    own = opening(own=str(folder), load=lambda _: data)
    assert len(own(str(folder))) == data.count("test")
    assert len(own(str(folder), held_out="validation")) == data.count("validation")


def test_sub_folders_as_splits(folder):
    (folder / "more").rename(folder / "test")
    assert len(opening()(str(folder), split="test")) == 1
    with pytest.raises(DataError, match="no sub-folder train"):
        opening()(str(folder), split="train")
    with pytest.raises(DataError, match="no split 'tset'"):
        opening()(str(folder), split="tset")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("fliped:digits", "nor a change of images 'fliped'; did you mean flipped"),
        ("nose", "there is no nose (did you mean noise?)"),
        ("flipped:nothing", "there is no nothing"),
        ("flipped:", "there is no "),
        ("", "there is no "),
    ],
)
def test_what_is_not_there(text, message):
    with pytest.raises(DataError) as error:
        opening()(text)
    assert message in str(error.value)


def test_a_name_that_is_a_path_too(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "noise").mkdir()
    with pytest.raises(DataError, match=r"write \./noise"):
        opening()("noise")


def test_an_empty_folder(tmp_path):
    with pytest.raises(DataError, match="has no images"):
        opening()(str(tmp_path))


def test_made_images_of_no_size():
    with pytest.raises(DataError, match=r"data\.size"):
        opening(size=None)("noise")
    with pytest.raises(DataError, match="has no splits"):
        opening()("noise", split="test")


def test_of_a_model_of_many_levels_files_of_16_bits_are_read_and_others_not(folder, tmp_path):
    levels = np.random.default_rng(1).integers(60_000, 65_536, size=(4, 6, 3), dtype=np.uint16)
    write_png(tmp_path / "deep.png", levels)
    deep = Fit(3, 1 << 16)
    ((_, images),) = batches(opening(fit=deep)(str(tmp_path / "deep.png")), deep, size=2)
    np.testing.assert_array_equal(images[0], levels.transpose(2, 0, 1))
    with pytest.raises(UnfitImageError, match="8-bit PNG, not 16-bit"):
        list(batches(opening(fit=deep)(str(folder)), deep, size=2))


@pytest.mark.parametrize("name", ["noise", "constant", "gradients", "inverted:noise"])
def test_what_is_made_uses_all_of_many_levels(name):
    deep = Fit(1, 1 << 16)
    source = opening(fit=deep, count=50)(name)
    (images,) = (images for _, images in batches(source, deep, size=50))
    assert images.dtype == np.uint16
    assert images.min() < 8192
    assert images.max() > 57_344
