"""MNIST's files in any folder and any spelling, and its binarisations, on small files of the same form."""

import gzip
import hashlib

import numpy as np
import pytest

from pixelrnn.data import DataOptions, load, mnist
from pixelrnn.data.catalogue import CATALOGUE
from pixelrnn.data.download import RemoteFile
from pixelrnn.data.mnist_files import read_amat
from pixelrnn.errors import DataError
from published import amat_files, draw, idx, mnist_files, write

TRAIN, TEST = draw(40, 28, 28), draw(12, 28, 28, seed=1)
SPLITS = ("train", "validation", "test")


@pytest.fixture
def official(monkeypatch):
    """The small files are those that were published."""
    for name, content in mnist_files().items():
        md5 = hashlib.md5(content).hexdigest()
        monkeypatch.setitem(mnist.CONTENT_MD5, name, md5)
    fixed = tuple(
        RemoteFile(name, "", f"sha256:{hashlib.sha256(content).hexdigest()}", len(content))
        for name, content in amat_files().items()
    )
    entry = CATALOGUE["mnist"].model_copy(update={"fixed_files": fixed})
    monkeypatch.setitem(CATALOGUE, "mnist", entry)


def packed(files):
    return {f"{name}.gz": gzip.compress(content, 1) for name, content in files.items()}


def as_lecun(files):
    return {name.replace("-idx", ".idx"): content for name, content in files.items()}


@pytest.mark.usefixtures("official")
def test_each_binarisation_is_named(tmp_path):
    write(tmp_path, mnist_files() | amat_files())
    seen = {}
    for binarisation, name, levels in (
        ("none", "mnist", 256),
        ("threshold", "mnist (threshold at 0.5)", 2),
        ("sampled", "mnist (sampled once)", 2),
        ("fixed", "mnist (fixed, Larochelle)", 2),
    ):
        data = load(tmp_path, DataOptions(binarisation=binarisation))
        assert (data.name, data.num_levels) == (name, levels)
        seen[binarisation] = data
    np.testing.assert_array_equal(seen["none"].images("test")[:, 0], TEST)
    np.testing.assert_array_equal(seen["none"].images("validation")[:, 0], TRAIN[9::10])
    np.testing.assert_array_equal(seen["threshold"].images("test")[:, 0], TEST / 255 > 0.5)
    np.testing.assert_array_equal(
        seen["fixed"].images("validation")[:, 0], draw(5, 28, 28, seed=5) > 127
    )
    assert seen["sampled"].sha256("test") != seen["threshold"].sha256("test")
    assert seen["fixed"].labels_of("test") is None
    for binarisation in ("none", "threshold", "sampled"):
        data = seen[binarisation]
        assert data.labels_of("validation").tolist() == [9] * 4
        assert data.labels_of("test").tolist() == [*range(7), *range(5)]
        assert data.class_names == tuple("0123456789")


@pytest.mark.usefixtures("official")
@pytest.mark.parametrize("form", [dict, packed, as_lecun, lambda f: packed(as_lecun(f)),
                                  lambda f: f | packed(f)])  # fmt: skip
@pytest.mark.parametrize("place", ["MNIST/raw", "raw", "anything"])
def test_every_spelling_in_every_place_is_one_data_set(tmp_path, form, place):
    folder = write(tmp_path / place, form(mnist_files()))
    places = [tmp_path, folder, folder.parent]
    for data in map(load, places):
        assert data.name == "mnist"
        np.testing.assert_array_equal(data.images("train")[:9, 0], TRAIN[:9])
        np.testing.assert_array_equal(data.images("test")[:, 0], TEST)
        assert data.labels_of("train")[:9].tolist() == list(range(9))


def test_what_is_called_like_mnist_is_not_called_so(tmp_path):
    data = load(write(tmp_path / "FashionMNIST" / "raw", mnist_files()))
    assert data.name == "FashionMNIST, not the official MNIST"
    assert "train-images-idx3-ubyte holds contents of md5" in data.notes[1]
    assert (data.num_classes, data.class_names) == (10, ())
    data = load(tmp_path, DataOptions(binarisation="threshold"))
    assert data.name == "FashionMNIST, not the official MNIST (threshold at 0.5)"
    data = load(write(tmp_path / "mine", amat_files()))
    assert data.name == "mine, not the official MNIST (fixed, Larochelle)"


def test_other_sizes_than_those_of_digits(tmp_path):
    data = load(write(tmp_path / "mine", mnist_files(side=13)))
    assert data.images("train").shape == (36, 1, 13, 13)


@pytest.mark.usefixtures("official")
def test_official_images_with_other_labels_are_not_official(tmp_path):
    other = {"t10k-labels-idx1-ubyte": idx(np.zeros(12, np.uint8))}
    data = load(write(tmp_path / "mine", mnist_files() | other))
    assert data.name == "mine, not the official MNIST"


@pytest.mark.usefixtures("official")
def test_images_without_labels(tmp_path):
    files = {name: content for name, content in mnist_files().items() if "images" in name}
    data = load(write(tmp_path / "mine", files))
    assert (data.name, data.labels_of("train"), data.num_classes) == ("mnist", None, 0)
    assert "there are no labels beside the images" in data.notes


@pytest.mark.parametrize("missing", list(mnist_files()))
def test_missing_file(tmp_path, missing):
    files = mnist_files()
    del files[missing]
    with pytest.raises(DataError, match=f"has no {missing}.*incomplete"):
        load(write(tmp_path / "mine", packed(files)))


@pytest.mark.parametrize(("part", "count"), [("train", 39), ("t10k", 13), ("train", 1)])
def test_other_numbers_of_labels_than_of_images(tmp_path, part, count):
    files = mnist_files()
    files[f"{part}-labels-idx1-ubyte"] = idx(np.zeros(count, np.uint8))
    with pytest.raises(DataError, match=f"images and {part}-labels-idx1-ubyte {count} labels"):
        load(write(tmp_path / "mine", files))


def test_training_and_test_images_of_two_sizes(tmp_path):
    files = mnist_files() | {"t10k-images-idx3-ubyte": idx(draw(12, 14, 14))}
    with pytest.raises(DataError, match="images of more than one shape"):
        load(write(tmp_path / "mine", files))


@pytest.mark.parametrize("missing", list(amat_files()))
@pytest.mark.parametrize("binarisation", ["none", "fixed"])
def test_fixed_is_three_files(tmp_path, missing, binarisation):
    files = amat_files()
    del files[missing]
    folder = write(tmp_path / "mine", files)
    with pytest.raises(DataError, match=f"mine has no {missing}: the fixed binarisation is all of"):
        load(folder, DataOptions(binarisation=binarisation))
    (one, *_) = files
    with pytest.raises(DataError, match=f"give their folder, .*mine, which has no {missing}"):
        load(folder / one)


@pytest.mark.parametrize(
    ("files", "binarisation", "message"),
    [
        (amat_files(), "threshold", "threshold does not apply .* are binarised already"),
        (amat_files(), "sampled", "sampled does not apply .* are binarised already"),
        (mnist_files(), "fixed", "has no binarized_mnist_train.amat, .*or give none, threshold"),
    ],
)
def test_what_does_not_apply_is_refused(tmp_path, files, binarisation, message):
    with pytest.raises(DataError, match=message) as caught:
        load(write(tmp_path / "mine", files), DataOptions(binarisation=binarisation))
    assert "\n" not in str(caught.value)


def test_sampled_is_the_same_for_ever():
    images = np.arange(256, dtype=np.uint8).reshape(1, 1, 16, 16)
    drawn = mnist.binarise(np.repeat(images, 4, axis=0), "sampled", mnist.TRAIN_KEY)
    assert hashlib.sha256(drawn.tobytes()).hexdigest() == (
        "3666f24290549f46cea961d2fe1f9f6edbcdf0e45bf56cbc8c481018cad62764"
    )


def test_sampled_draws_with_the_grey_level_as_probability():
    images = np.repeat(np.arange(256, dtype=np.uint8).reshape(1, 1, 16, 16), 2000, axis=0)
    frequency = mnist.binarise(images, "sampled", key=1).mean(axis=0).ravel()
    expected = np.arange(256) / 255
    assert frequency[0] == 0
    assert frequency[255] == 1
    deviation = np.abs(frequency - expected) / np.sqrt(expected * (1 - expected) / 2000 + 1e-12)
    assert deviation.max() < 4.5


@pytest.mark.parametrize("content", [b"", b"0 1 1\n", b"2 " * 784, b"0 " * 784 + b"x"])
def test_damaged_amat(tmp_path, content):
    path = tmp_path / "images.amat"
    path.write_bytes(content)
    with pytest.raises(DataError, match="whole number of binary"):
        read_amat(path)


def test_an_amat_file_that_is_a_hole_on_the_disk(tmp_path):
    with (tmp_path / "images.amat").open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(DataError, match="larger than any file of binarised MNIST"):
        read_amat(tmp_path / "images.amat")
