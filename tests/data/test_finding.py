"""Which set a folder holds, and where named sets are looked for; nothing else is called by their names."""

import gzip
import hashlib
import os

import numpy as np
import pytest
from PIL import Image

from pixelrnn.data import DataOptions, cifar, download, finding, load, mnist
from pixelrnn.data.catalogue import CATALOGUE
from pixelrnn.data.download import RemoteFile
from pixelrnn.data.finding import LAYOUTS, find, find_one, folder_of_part
from pixelrnn.errors import DataError, DownloadError
from published import amat_files, binary_files, draw, idx, mnist_files, python_files, write


def remote(name, content):
    """A published file that no server has."""
    checksum = f"sha256:{hashlib.sha256(content).hexdigest()}"
    return RemoteFile(name, f"http://127.0.0.1:9/{name}", checksum, len(content))


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """A cache of its own, no network; and the small files are those that were published."""
    monkeypatch.setattr(download, "cache_folder", lambda: tmp_path / "cache")
    monkeypatch.setattr(finding, "cache_folder", lambda: tmp_path / "cache")
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.delenv("PIXELRNN_DATA", raising=False)
    for name, content in mnist_files().items():
        md5 = hashlib.md5(content).hexdigest()
        monkeypatch.setitem(mnist.CONTENT_MD5, name, md5)
    for name, content in binary_files().items():
        md5 = hashlib.md5(content).hexdigest()
        monkeypatch.setitem(cifar.VERSIONS[0].md5s, name, md5)
    packed = [(f"{name}.gz", gzip.compress(each, mtime=0)) for name, each in mnist_files().items()]
    files = {
        "remote_files": tuple(remote(*each) for each in packed),
        "fixed_files": tuple(remote(*each) for each in amat_files().items()),
    }
    monkeypatch.setitem(CATALOGUE, "mnist", CATALOGUE["mnist"].model_copy(update=files))
    return tmp_path / "cache"


@pytest.fixture
def named(tmp_path, monkeypatch):
    """The folder that PIXELRNN_DATA names."""
    monkeypatch.setenv("PIXELRNN_DATA", str(tmp_path / "named"))
    (tmp_path / "named").mkdir()
    return tmp_path / "named"


PLACES = [
    ("mnist", "", mnist_files),
    ("mnist", "MNIST/raw", mnist_files),
    ("mnist", "mnist", mnist_files),
    ("mnist", "torchvision/MNIST/raw", mnist_files),
    ("cifar10", "", binary_files),
    ("cifar10", "cifar-10-batches-bin", binary_files),
    ("cifar10", "cifar-10-batches-py", python_files),
    ("cifar10", "torchvision/cifar-10-batches-py", python_files),
]


@pytest.mark.parametrize(("name", "place", "files"), PLACES)
def test_a_name_and_its_path_are_one_data_set(named, name, place, files):
    folder = write(named / place, files())
    data, by_path = load(name), load(folder)
    assert data.name == by_path.name == name
    for split in ("train", "validation", "test"):
        assert data.sha256(split) == by_path.sha256(split)
        np.testing.assert_array_equal(data.labels_of(split), by_path.labels_of(split))
    assert finding.locate(name, DataOptions()).path == folder


def test_each_binarisation_is_looked_for_by_itself(named):
    fixed = DataOptions(binarisation="fixed")
    write(named / "mnist", mnist_files())
    assert load("mnist").name == "mnist"
    with pytest.raises(DownloadError, match="binarized_mnist_train"):
        load("mnist", fixed)
    write(named / "binarised", amat_files())
    assert load("mnist", fixed).name == "mnist (fixed, Larochelle)"


def test_an_archive_under_its_published_name(named, write_archive):
    write_archive(binary_files()).rename(named / "cifar-10-binary.tar.gz")
    assert load("cifar10").name == "cifar10"


@pytest.mark.parametrize("named_too", [False, True])
def test_the_cache_is_looked_in_after_it(request, cache, named_too):
    if named_too:
        request.getfixturevalue("named")
    write(cache, {f"{name}.gz": gzip.compress(each) for name, each in mnist_files().items()})
    assert load("mnist").name == "mnist"
    assert str(cache) in load("mnist").source


def test_what_pixelrnn_data_names_comes_first(cache, named):
    write(cache, mnist_files())
    write(named, mnist_files())
    assert str(named) in load("mnist").source


@pytest.mark.parametrize(
    "change",
    [
        {"train-images-idx3-ubyte": idx(draw(40, 28, 28, seed=7))},
        {"t10k-labels-idx1-ubyte": idx(np.zeros(12, np.uint8))},
        {"t10k-images-idx3-ubyte": idx(draw(12, 28, 28, seed=1))[:-3]},
    ],
)
def test_other_files_are_not_called_by_the_name(named, cache, change):
    folder = write(named / "MNIST" / "raw", mnist_files() | change)
    with pytest.raises(DataError, match=f"{next(iter(change))}") as caught:
        load("mnist")
    assert f"{folder}, in the folder that PIXELRNN_DATA names, is not the official mnist" in str(
        caught.value
    )
    assert "\n" not in str(caught.value)
    assert not cache.exists()  # nothing was tried to download
    write(named / "other", mnist_files())
    assert load("mnist").name == "mnist"


def test_files_that_are_not_all_there_are_no_set(named):
    files = mnist_files()
    del files["t10k-labels-idx1-ubyte"]
    write(named / "MNIST" / "raw", files)
    with pytest.raises(DownloadError):
        load("mnist")


def test_what_is_downloaded_is_found(cache, monkeypatch):
    asked = []

    def fetch_file(each):
        asked.append(each.name)
        write(cache, {each.name: gzip.compress(mnist_files()[each.name.removesuffix(".gz")])})
        return cache / each.name

    monkeypatch.setattr(finding, "fetch_file", fetch_file)
    for _ in range(2):
        assert load("mnist").labels_of("test").tolist() == [*range(7), *range(5)]
    assert asked == [f"{name}.gz" for name in mnist_files()]


def test_an_altered_file_in_the_cache_is_fetched_again(cache):
    """The cache is ours; what PIXELRNN_DATA names is the user's."""
    files = {f"{name}.gz": gzip.compress(each, mtime=0) for name, each in mnist_files().items()}
    write(
        cache, files | {"train-images-idx3-ubyte.gz": gzip.compress(idx(draw(40, 28, 28, seed=7)))}
    )
    with pytest.raises(DownloadError, match=r"train-images-idx3-ubyte\.gz could not be downloaded"):
        load("mnist")


@pytest.mark.parametrize("place", ["nothing/here", "file"])
def test_a_folder_that_is_none(tmp_path, monkeypatch, place):
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv("PIXELRNN_DATA", str(tmp_path / place))
    with pytest.raises(DownloadError):
        load("mnist")
    assert load("digits").name == "digits"


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
    assert "train-images-idx3-ubyte cannot be read: it is a pipe" in refused(tmp_path / "mine")


def test_a_folder_called_like_a_file_of_mnist(tmp_path):
    """As some archives unpack: the file in a folder of its own name, beside the others."""
    folder = write(tmp_path / "mine", mnist_files())
    for name in mnist_files():
        (folder / name).rename(folder / name.replace("-idx", ".idx"))
        (folder / name).mkdir()
    assert load(folder).count("all") == 52
