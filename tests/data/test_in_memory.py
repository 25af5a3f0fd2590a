"""Images in memory: arrays, tensors and data sets of torch."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import Dataset, IterableDataset, TensorDataset

from pixelrnn.data import DataOptions, DataSet, load
from pixelrnn.data.in_memory import IN_MEMORY, as_data_set
from pixelrnn.data.loading import load_recorded, origin
from pixelrnn.errors import DataError, RecipeError
from pixelrnn.training import RunFolder, train

RGB = np.random.default_rng(0).integers(256, size=(20, 3, 4, 5), dtype=np.uint8)
LAST = RGB.transpose(0, 2, 3, 1)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (RGB, RGB),
        (LAST, RGB),
        (torch.from_numpy(RGB), RGB),
        (RGB[:, 0], RGB[:, :1]),
        (RGB[:, :1], RGB[:, :1]),
        (LAST[..., :1], RGB[:, :1]),
        (np.asfortranarray(RGB), RGB),
    ],
    ids=["first", "last", "tensor", "grey", "grey first", "grey last", "Fortran's order"],
)
def test_an_array_is_split_as_a_folder_is(given, expected):
    data = DataSet.from_array(given)
    np.testing.assert_array_equal(data.images("test"), expected[9::10])
    np.testing.assert_array_equal(data.images("validation"), expected[8::10])
    assert (data.count("train"), data.num_levels, data.source) == (16, 256, IN_MEMORY)


def test_splits_that_are_given_are_kept():
    data = DataSet.from_array(RGB, test=RGB[:3])
    assert [data.count(split) for split in ("train", "validation", "test")] == [18, 2, 3]
    data = DataSet.from_array(RGB, RGB[:2], RGB[:3], num_levels=256, name="mine")
    assert [data.count(split) for split in ("train", "validation", "test")] == [20, 2, 3]
    assert data.name == "mine"


def test_where_the_shape_does_not_show_the_channels_they_are_asked_for():
    both = np.arange(54, dtype=np.uint8).reshape(6, 3, 1, 3)
    with pytest.raises(DataError, match='channels="first" or channels="last"'):
        DataSet.from_array(both)
    first = DataSet.from_array(both, channels="first").images("all")
    last = DataSet.from_array(both, channels="last").images("all")
    np.testing.assert_array_equal(np.sort(first, axis=0), np.sort(both, axis=0))
    assert last.shape == (6, 3, 3, 1)


@pytest.mark.parametrize(
    ("given", "named"),
    [
        (RGB / 255, r"float64.*round\(\)\.astype"),
        (RGB.astype(np.float32), "float32"),
        (RGB.astype(np.int64), r"astype\('uint8'\)"),
        (RGB > 3, "bool"),
        (RGB[0, 0], r"x\[None\]"),
        (RGB[:0], "no pixels"),
        (RGB[:, :2, :, :2], "say where they are"),
        (np.zeros((2, 5, 4, 7), np.uint8), "say where they are"),
        (np.zeros((2, 17, 32, 32), np.uint16), "say where they are"),
        (RGB.tolist(), "list"),
        (None, "NoneType"),
        ("digits", r"load\("),
        ({"train": RGB}, "dict"),
        (3, "int"),
    ],
)
def test_what_is_no_array_of_images_is_refused(given, named):
    with pytest.raises(DataError, match=named) as caught:
        as_data_set(given) if not isinstance(given, list) else DataSet.from_array(given)
    assert "\n" not in str(caught.value)


def test_levels_and_shapes_are_checked():
    with pytest.raises(DataError, match="num_levels"):
        DataSet.from_array(RGB, num_levels=17)
    with pytest.raises(DataError, match="more than one shape"):
        DataSet.from_array(RGB, test=RGB[..., :2])
    with pytest.raises(DataError, match="without test images"):
        DataSet.from_array(RGB, RGB[:2])


class Items(Dataset):
    def __init__(self, make):
        self.make = make

    def __len__(self):
        return len(RGB)

    def __getitem__(self, index):
        return self.make(RGB[index], index)


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda image, _: torch.from_numpy(image), RGB),
        (lambda image, n: (torch.from_numpy(image), n), RGB),
        (lambda image, n: (torch.from_numpy(image) / 255, n), RGB),  # as ToTensor does
        (lambda image, n: [image.transpose(1, 2, 0), n], RGB),
        (lambda image, _: {"image": image.transpose(1, 2, 0), "label": 3}, RGB),
        (lambda image, n: (Image.fromarray(image.transpose(1, 2, 0)), n), RGB),
        (lambda image, n: (Image.fromarray(image[0]), n), RGB[:, :1]),
        (lambda image, _: torch.from_numpy(image[0]), RGB[:, :1]),
    ],
)
def test_a_data_set_of_torch_with_or_without_labels(make, expected):
    data = DataSet.from_torch(Items(make))
    np.testing.assert_array_equal(data.images("test"), expected[9::10])
    assert (data.count("all"), data.source) == (20, IN_MEMORY)


@pytest.mark.parametrize(
    ("make", "labels"),
    [
        (lambda image, n: (image, n), [9, 19]),
        (lambda image, n: (image, np.int64(n)), [9, 19]),
        (lambda image, n: [image, torch.tensor(n)], [9, 19]),
        (lambda image, n: {"image": image, "label": n}, [9, 19]),
        (lambda image, n: (image,), None),
        (lambda image, n: image, None),
        (lambda image, n: (image, float(n)), None),
        (lambda image, n: (image, torch.zeros(3)), None),
        (lambda image, n: (image, -1 if n == 5 else n), None),
        (lambda image, n: (image, 2**70), None),
        (lambda image, n: (image, str(n)), None),
    ],
)
def test_labels_of_a_data_set_of_torch(make, labels):
    data = DataSet.from_torch(Items(make))
    found = data.labels_of("test")
    assert (None if found is None else found.tolist()) == labels
    both = DataSet.from_torch(Items(make), test=Items(lambda image, n: image))
    assert both.labels_of("all") is None


def test_more_of_torch():
    tensors = TensorDataset(torch.from_numpy(RGB), torch.zeros(20))
    np.testing.assert_array_equal(as_data_set(tensors).images("test"), RGB[9::10])
    data = DataSet.from_torch(tensors, test=torch.utils.data.Subset(tensors, [3, 1]))
    np.testing.assert_array_equal(data.images("test"), RGB[[3, 1]])


class Endless(IterableDataset):
    def __iter__(self):
        while True:
            yield RGB[0]


@pytest.mark.parametrize(
    ("make", "named"),
    [
        (lambda image, _: torch.from_numpy(image) / 255 - 0.5, "image 0 of the train.*Normalize"),
        (lambda image, _: torch.full((3, 4, 5), float("nan")), "Normalize"),
        (lambda image, _: torch.from_numpy(image).long(), "int64"),
        (lambda image, n: image[:, : 4 - n // 7], "image 7 .*resize"),
        (lambda image, _: Image.new("CMYK", (2, 2)), r'CMYK.*convert\("L"\)'),
        (lambda image, _: "a.png", "str"),
        (lambda image, _: (), "tuple"),
        (lambda image, _: np.zeros((2, 3, 4, 5), np.uint8), "shape"),
        (lambda image, _: np.zeros((4, 5, 2), np.uint8), "shape"),
    ],
)
def test_items_that_are_no_images_are_refused_by_number(make, named):
    with pytest.raises(DataError, match=named) as caught:
        DataSet.from_torch(Items(make))
    assert "\n" not in str(caught.value)


def test_a_data_set_without_length_or_images_is_refused():
    for ask in (DataSet.from_torch, as_data_set):
        with pytest.raises(DataError, match="length"):
            ask(Endless())
    with pytest.raises(DataError, match="empty"):
        DataSet.from_torch([])
    with pytest.raises(DataError, match="SimpleNamespace"):
        as_data_set(SimpleNamespace())


def test_where_a_data_set_came_from_is_known():
    assert origin(DataSet.from_array(RGB)) == (IN_MEMORY, DataOptions())
    options = DataOptions(num_levels=20)
    assert origin(load("digits", options)) == ("digits", options)
    with pytest.raises(DataError, match=r"in memory.*data="):
        load_recorded(IN_MEMORY, DataOptions())


def test_a_recipe_is_no_name_and_a_run_shows_where_it_is(tmp_path):
    with pytest.raises(RecipeError, match=r"give load_recipe\('digits-pixelcnn'\)"):
        train("digits-pixelcnn", tmp_path / "run", data=RGB)
    assert not list(tmp_path.iterdir())
    assert repr(RunFolder(tmp_path)) == f"RunFolder({str(tmp_path)!r})"
