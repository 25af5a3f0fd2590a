"""DataSet and the rules of its splits."""

import hashlib

import numpy as np
import pytest

from pixelrnn.data import SPLITS, DataSet, load
from pixelrnn.data.splits import Part, carve
from pixelrnn.errors import DataError


def images(count, value=0):
    return np.full((count, 1, 2, 3), value, np.uint8)


def made(*columns, num_levels=256, **settings):
    """A data set of what each of its splits has."""
    parts = dict(zip(SPLITS, (Part(*each) for each in columns), strict=True))
    return DataSet("some", num_levels, parts, "source", split_rule="by hand", **settings)


def data_set(train=3, validation=2, test=1, value=0, num_levels=256):
    parts = [(images(count, value),) for count in (train, validation, test)]
    return made(*parts, num_levels=num_levels)


def test_all_is_the_three_splits_one_after_the_other():
    data = made(*((images(n, value),) for n, value in ((3, 1), (2, 2), (1, 3))))
    np.testing.assert_array_equal(data.images("all")[:, 0, 0, 0], [1, 1, 1, 2, 2, 3])


def test_images_are_contiguous_and_read_only():
    turned = np.zeros((4, 1, 3, 2), np.uint8).transpose(0, 1, 3, 2)
    data = made((turned,), (turned,), (turned,))
    for split in SPLITS:
        assert data.images(split).flags.c_contiguous
        with pytest.raises(ValueError, match="read-only"):
            data.images(split)[0] = 1


def test_unknown_split_names_those_there_are():
    with pytest.raises(DataError, match=r"'tset'.*train, validation, test, all"):
        data_set().images("tset")


def test_empty_split_says_why_and_all_still_works():
    data = data_set(train=1, validation=0, test=0)
    with pytest.raises(DataError, match=r"no test images: it has 1 in all .*--split all"):
        data.images("test")
    assert len(data.images("all")) == 1


@pytest.mark.parametrize(("value", "num_levels"), [(2, 2), (255, 255), (17, 17)])
def test_values_must_be_below_num_levels(value, num_levels):
    assert data_set(value=value - 1, num_levels=num_levels).num_levels == num_levels
    with pytest.raises(DataError, match=f"value {value}.*num_levels = {value + 1} or more"):
        data_set(value=value, num_levels=num_levels)


def test_sha256_is_over_shape_and_bytes():
    data = data_set(train=2, validation=3)
    expected = hashlib.sha256(b"uint8 (2, 1, 2, 3)\n" + bytes(12)).hexdigest()
    assert data.sha256("train") == expected
    assert len({data.sha256(split) for split in (*SPLITS, "all")}) == 4


@pytest.mark.parametrize("wrong", [np.zeros((1, 2, 3), np.uint8), np.zeros((1, 1, 2, 3), np.int8)])
def test_wrong_arrays_are_a_bug_not_a_user_error(wrong):
    with pytest.raises(ValueError, match="must be"):
        made((wrong,), (wrong,), (wrong,))


@pytest.mark.parametrize("count", [0, 1, 8, 9, 10, 37])
def test_carving_is_by_index_and_loses_nothing(count):
    numbered = np.arange(count, dtype=np.uint8).reshape(-1, 1, 1, 1)
    train, validation, test = carve({"train": numbered}).values()
    assert [int(i) for i in test.ravel()] == [i for i in range(count) if i % 10 == 9]
    assert [int(i) for i in validation.ravel()] == [i for i in range(count) if i % 10 == 8]
    assert sorted(np.concatenate([train, validation, test]).ravel().tolist()) == list(range(count))
    train, validation, test = carve({"train": numbered, "test": numbered}).values()
    assert [int(i) for i in validation.ravel()] == [i for i in range(count) if i % 10 == 9]
    assert sorted(np.concatenate([train, validation]).ravel().tolist()) == list(range(count))
    assert test is numbered


def test_images_are_pictures_of_their_own_unless_they_are_patches():
    assert data_set().pictures_of("test") is None
    numbers = [np.array(each) for each in ([0, 0, 1], [2, 2], [3])]
    data = made(*((images(len(each)), None, each) for each in numbers))
    assert data.pictures_of("train").tolist() == [0, 0, 1]
    assert data.pictures_of("test").tolist() == [3]
    assert data.pictures_of("all").tolist() == [0, 0, 1, 2, 2, 3]
    with pytest.raises(DataError, match="there is no split"):
        data.pictures_of("tset")


@pytest.mark.parametrize("column", ["labels", "pictures"])
def test_a_column_must_have_one_number_an_image(column):
    with pytest.raises(ValueError, match=f"{column} must have one number for each image"):
        Part(images(3), **{column: np.array([1, 2])})


def test_splits_of_two_shapes_are_a_bug_not_a_user_error():
    with pytest.raises(ValueError, match="with one"):
        made((images(3),), (images(3)[..., :2],), (images(3),))


def test_labels_are_one_number_an_image():
    assert (data_set().labels_of("all"), data_set().num_classes) == (None, 0)
    labels = [np.array(numbers, np.int64) for numbers in ([0, 4, 1], [2, 2], [])]
    parts = [(images(len(each)), each) for each in labels]
    data = made(*parts)
    assert data.labels_of("validation").tolist() == [2, 2]
    assert data.labels_of("all").tolist() == [0, 4, 1, 2, 2]
    assert (data.num_classes, data.class_names) == (5, ())
    assert made(*parts, class_names=tuple("abcdefg")).num_classes == 7
    with pytest.raises(DataError, match="there is no split"):
        data.labels_of("tset")


def test_the_labels_of_the_digits_are_in_the_order_of_their_images():
    from sklearn.datasets import load_digits

    read, data = load_digits(), load("digits")
    by_image = {
        image.astype(np.uint8).tobytes(): int(label)
        for image, label in zip(read.images, read.target, strict=True)
    }
    for split in SPLITS:
        seen = [by_image[image.tobytes()] for image in data.images(split)]
        assert data.labels_of(split).tolist() == seen


def test_printing_shows_no_pixels():
    assert repr(data_set()) == (
        "DataSet('some', train=3, validation=2, test=1, shape=(1, 2, 3), num_levels=256)"
    )
