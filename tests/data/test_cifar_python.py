"""CIFAR's Python version: the same data set as the binary one, and every way in which it can be broken."""

import gzip
import hashlib
import os
import pickle

import numpy as np
import pytest

from pixelrnn.data import archives, cifar, load
from pixelrnn.errors import DataError
from published import (
    array,
    binary_files,
    cifar_images,
    draw,
    number,
    pickled,
    python_files,
    records,
    text,
    write,
)
from spending import spending

BINARY, PYTHON, _, PYTHON100 = cifar.VERSIONS


@pytest.fixture
def folder(tmp_path):
    return write(tmp_path / "root" / "cifar-10-batches-py", python_files())


def same(data, other):
    assert [data.sha256(split) for split in ("train", "validation", "test")] == [
        other.sha256(split) for split in ("train", "validation", "test")
    ]
    np.testing.assert_array_equal(data.labels_of("all"), other.labels_of("all"))
    assert data.class_names == other.class_names
    return True


def test_both_versions_are_one_data_set(tmp_path, folder, write_archive):
    binary = load(write(tmp_path / "cifar-10-batches-bin", binary_files()))
    for path in (folder, folder.parent, write_archive(python_files()), str(folder) + "/"):
        data = load(path)
        assert same(data, binary)
    assert load(folder).name == "cifar-10-batches-py"
    assert load(folder).notes == ("an excerpt of 57 images, not CIFAR-10",)
    images, labels = cifar_images(10, 1)
    np.testing.assert_array_equal(data.images("train")[:9], images[:9])
    assert data.labels_of("train")[:9].tolist() == labels[:9]


def test_nothing_but_the_published_contents_has_the_name(tmp_path, folder, monkeypatch):
    for name, content in binary_files().items():
        md5 = hashlib.md5(content).hexdigest()
        monkeypatch.setitem(BINARY.md5s, name, md5)
    assert load(folder).name == "cifar10"  # pickled anew, the same records
    images, labels = cifar_images(10, 3)
    labels[4] = (labels[4] + 1) % 10
    (folder / "data_batch_3").write_bytes(pickled(images, labels))
    monkeypatch.setattr(cifar, "OFFICIAL_COUNTS", (50, 7))
    data = load(folder)
    assert data.name == "cifar-10-batches-py"
    assert "not known to be it: data_batch_3 has md5" in data.notes[0]


def test_the_checksums_of_the_published_pickles_count(folder, monkeypatch):
    for name in PYTHON.md5s:
        md5 = hashlib.md5((folder / name).read_bytes()).hexdigest()
        monkeypatch.setitem(PYTHON.md5s, name, md5)
    assert load(folder).name == "cifar10"


def test_pickles_of_python_3(tmp_path):
    files = {}
    for name, (count, seed) in {"data_batch_1": (10, 1), "test_batch": (7, 9)}.items():
        images, labels = cifar_images(count, seed)
        value = {"data": images.reshape(count, -1), "labels": labels}
        files[name] = pickle.dumps(value, protocol=4)
    data = load(write(tmp_path / "mine", files))
    np.testing.assert_array_equal(data.images("test"), cifar_images(7, 9)[0])


def cifar100(**settings):
    images, labels = draw(20, 3, 32, 32), [n * 5 for n in range(20)]
    return {
        "train": pickled(images, labels, key="fine_labels", **settings),
        "test": pickled(images[:3], labels[:3], key="fine_labels", **settings),
    }


def test_cifar100(tmp_path, write_archive):
    data = load(write(tmp_path / "root" / "cifar-100-python", cifar100()))
    assert data.labels_of("test").tolist() == [0, 5, 10]
    assert data.class_names[data.labels_of("train")[1]] == "bed"
    assert same(data, load(write_archive(cifar100())))
    assert same(data, load(tmp_path / "root"))


def test_files_called_train_and_test_are_not_cifar_unless_they_are_pickles(tmp_path):
    write(tmp_path, {"train": b"a.png 3\n", "test": b"b.png 4\n"})
    with pytest.raises(DataError, match="has no images"):
        load(tmp_path)


@pytest.mark.parametrize("missing", ["test_batch", "data_batch_1", "data_batch_3"])
def test_missing_file(folder, missing):
    (folder / missing).unlink()
    with pytest.raises(DataError, match=f"has no {missing}: it is incomplete"):
        load(folder)


IMAGES, LABELS = cifar_images(10, 2)
OTHER = {"batch_label": text("a"), "labels": b"]", "data": array(IMAGES.reshape(10, -1))}


def dictionary(**items):
    return b"\x80\x02}(" + b"".join(text(k) + v for k, v in items.items()) + b"u."


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (pickled(IMAGES, LABELS[:9]), "has 10 images and 9 labels"),
        (pickled(IMAGES, [*LABELS, 3]), "has 10 images and 11 labels"),
        (pickled(IMAGES, [*LABELS[:9], 10]), "a label that CIFAR-10 lacks"),
        (pickled(IMAGES, [*LABELS[:9], -1]), "a label that CIFAR-10 lacks"),
        (pickled(IMAGES, LABELS, key="fine_labels"), "has no 'labels': it is not CIFAR-10, Python"),
        (pickled(IMAGES[:0], []), r"an array of shape \(0, 3072\), not .* for its images"),
        (
            pickled(IMAGES[..., :30], LABELS),
            r"an array of shape \(10, 2880\), not \(N, 3,072\), for its images",
        ),
        (pickled(IMAGES, LABELS, shape=(10**9, 3072)), "an array of shape .* with 30,720 bytes"),
        (pickled(IMAGES, LABELS)[:-500], "truncated, damaged or no pickle"),
        (pickled(IMAGES, LABELS)[:20_000], "truncated, damaged or no pickle"),
        (dictionary(labels=b"]", data=text("x" * 3072)), "has a bytes for its images"),
        (dictionary(labels=text("x"), data=OTHER["data"]), "a label that CIFAR-10 lacks"),
        (dictionary(labels=OTHER["data"], data=OTHER["data"]), "a label that CIFAR-10 lacks"),
        (dictionary(labels=b"]"), "has no 'data'"),
        (b"\x80\x02].", "holds no dictionary"),
        (b"\x80\x02cposix\nsystem\n" + text("true") + b"\x85R.", r"calls posix\.system"),
        (b"", "truncated, damaged or no pickle"),
        (gzip.compress(pickled(IMAGES, LABELS)), "truncated, damaged or no pickle"),
        (records(IMAGES, LABELS), "truncated, damaged or no pickle"),
    ],
)
def test_damage(folder, write_archive, content, message):
    files = python_files() | {"data_batch_2": content}
    (folder / "data_batch_2").write_bytes(content)
    for path in (folder, write_archive(files)):
        with spending(), pytest.raises(DataError, match=f"data_batch_2.*{message}") as caught:
            load(path)
        assert "\n" not in str(caught.value)


def test_negative_numbers_are_written_so():
    assert pickle.loads(b"\x80\x02" + number(-1) + b".") == -1


def test_what_is_larger_than_any_file_is_not_read(folder, monkeypatch):
    monkeypatch.setattr(archives, "MAX_MEMBER_BYTES", 10_000)
    with pytest.raises(DataError, match="data_batch_1 is larger than any file of CIFAR"):
        load(folder)


def test_a_pipe_among_the_files(folder):
    (folder / "test_batch").unlink()
    os.mkfifo(folder / "test_batch")
    with pytest.raises(DataError, match="test_batch cannot be read: it is a pipe"):
        load(folder)


@pytest.mark.parametrize("name", ["train", "test"])
def test_a_pipe_that_may_be_a_file_of_cifar_is_not_waited_for(tmp_path, name):
    """Opening a pipe waits for ever: this test would not end."""
    os.mkfifo(tmp_path / name)
    with pytest.raises(DataError, match=f"has no images .*{name} \\(a pipe\\)"):
        load(tmp_path)


def test_files_of_both_versions_in_one_folder(folder):
    write(folder, binary_files())
    with pytest.raises(
        DataError, match=r"CIFAR-10, binary version.* or .*CIFAR-10, Python version"
    ):
        load(folder)


def test_what_else_is_called_train_or_test_is_left_alone(tmp_path):
    folder = write(tmp_path / "cifar-10-batches-bin", binary_files())
    (folder / "train").mkdir()
    (folder / "test").write_bytes(b"notes")
    assert load(folder).count("all") == 57


def test_files_of_both_versions_in_one_archive(write_archive):
    with pytest.raises(DataError, match=r"CIFAR-10 \(Python\) and CIFAR-10 \(binary\)"):
        load(write_archive(python_files() | binary_files()))
