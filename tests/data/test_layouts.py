"""Which set a folder holds, and folders that could be several."""

import os

import pytest
from PIL import Image

from pixelrnn.data import DataOptions, load
from pixelrnn.data.finding import LAYOUTS, find, find_one, folder_of_part
from pixelrnn.errors import DataError
from published import amat_files, binary_files, mnist_files, python_files, write


def refused(path, **options):
    with pytest.raises(DataError) as caught:
        load(path, DataOptions(**options))
    assert "\n" not in str(caught.value)
    return str(caught.value)


def picture(folder):
    folder.mkdir(parents=True, exist_ok=True)
    Image.new("L", (8, 8)).save(folder / "a.png")


def test_a_root_of_several_sets_names_what_to_give(tmp_path):
    mnist = write(tmp_path / "MNIST" / "raw", mnist_files())
    cifar = write(tmp_path / "cifar-10-batches-py", python_files())
    line = refused(tmp_path)
    assert f"{tmp_path} could be " in line
    assert str(mnist) in line
    assert str(cifar) in line
    assert load(tmp_path / "MNIST").channels == 1
    assert load(cifar).channels == 3


def test_files_here_and_below(tmp_path):
    write(tmp_path, mnist_files())
    write(tmp_path / "raw", mnist_files())
    assert f"{tmp_path} (idx or .amat" in refused(tmp_path)
    assert f"{tmp_path / 'raw'} (idx or .amat" in refused(tmp_path)


def test_images_beside_a_set(tmp_path):
    write(tmp_path / "MNIST" / "raw", mnist_files())
    picture(tmp_path / "flowers" / "red")
    assert f"or the images of {tmp_path} itself" in refused(tmp_path)


def test_images_in_the_folder_of_a_set_are_no_matter(tmp_path):
    write(tmp_path, binary_files())
    picture(tmp_path)
    assert load(tmp_path).count("all") == 57


def test_a_link_to_what_is_found_is_not_another(tmp_path):
    write(tmp_path / "MNIST" / "raw", mnist_files())
    (tmp_path / "mnist").symlink_to("MNIST")
    (tmp_path / "loop").symlink_to(".")
    assert load(tmp_path).count("test") == 12


def test_what_is_hidden_is_not_found(tmp_path):
    write(tmp_path / ".trash" / "raw", mnist_files())
    write(tmp_path / "MNIST", {f"._{name}": content for name, content in mnist_files().items()})
    assert find(tmp_path) == []


@pytest.mark.parametrize(
    "archive", [layout.archive for layout in LAYOUTS if layout.name == "cifar10"]
)
def test_an_archive_counts_where_nothing_else_is(tmp_path, archive, write_archive):
    files = python_files() if "python" in archive else binary_files()
    (tmp_path / "root").mkdir()
    write_archive(files).rename(tmp_path / "root" / archive)
    assert load(tmp_path / "root").count("all") == 57
    unpacked = write(tmp_path / "root" / "cifar-10-batches-py", python_files())
    assert find_one(tmp_path / "root").path == unpacked
    picture(tmp_path / "pictures")
    write_archive(files).rename(tmp_path / "pictures" / archive)
    assert find_one(tmp_path / "pictures") is None  # as ever, images


@pytest.mark.parametrize(
    ("files", "options", "applies"),
    [
        (mnist_files(), {"patch_size": 4}, "data.binarisation, data.num_levels"),
        (amat_files(), {"size": (28, 28)}, "data.binarisation, data.num_levels"),
        (python_files(), {"binarisation": "fixed"}, "data.num_levels"),
        (binary_files(), {"binarisation": "threshold"}, "data.num_levels"),
    ],
)
def test_options_that_do_not_apply(tmp_path, files, options, applies):
    line = refused(write(tmp_path / "mine", files), **options)
    assert f"data.{next(iter(options))} does not apply to" in line
    assert f"(what applies: {applies})" in line


@pytest.mark.parametrize(
    "name",
    [
        "train-images-idx3-ubyte",
        "t10k-labels.idx1-ubyte.gz",
        "binarized_mnist_valid.amat",
        "data_batch_3.bin",
        "data_batch_3",
        "test_batch",
        "test.bin",
    ],
)
def test_one_file_of_several(tmp_path, name):
    write(tmp_path / "mine", {name: b"\x80"})
    line = refused(tmp_path / "mine" / name)
    assert f"give their folder, {tmp_path / 'mine'}, which has no " in line
    assert folder_of_part(tmp_path / "mine" / "notes.txt") == ""


def test_a_pipe_called_like_a_file_of_mnist(tmp_path):
    files = mnist_files()
    del files["train-images-idx3-ubyte"]
    os.mkfifo(write(tmp_path / "mine", files) / "train-images-idx3-ubyte")
    assert "train-images-idx3-ubyte is a pipe" in refused(tmp_path / "mine")


def test_a_folder_called_like_a_file_of_mnist(tmp_path):
    """As some archives unpack: the file in a folder of its own name, beside the others."""
    folder = write(tmp_path / "mine", mnist_files())
    for name in mnist_files():
        (folder / name).rename(folder / name.replace("-idx", ".idx"))
        (folder / name).mkdir()
    assert load(folder).count("all") == 52
