"""`load`: names, paths, options, and what importing it costs."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pydantic
import pytest

from pixelrnn.data import DataOptions, load
from pixelrnn.data.catalogue import CATALOGUE
from pixelrnn.data.loading import load_recorded
from pixelrnn.errors import DataError, DownloadError


def test_unknown_name_suggests_the_nearest():
    with pytest.raises(DataError, match=r"there is no mnits \(did you mean mnist\?\).*digits"):
        load("mnits")


@pytest.mark.parametrize("name", ["", "x" * 5000, "~no-such-user/images", "a\0b"])
def test_names_that_cannot_be_paths(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match=r"there is no|has no images"):
        load(name)


def test_kind_of_file_that_is_not_read(tmp_path):
    path = tmp_path / "images.h5"
    path.write_bytes(b"")
    with pytest.raises(DataError, match=r"not a kind of file.*\.npy"):
        load(path)


def test_path_of_a_folder_called_like_a_set(tmp_path, monkeypatch):
    (tmp_path / "digits").mkdir()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match=r"also a file or folder here: write \./digits"):
        load("digits")
    for path in ("./digits", Path("digits"), str(tmp_path / "digits")):
        with pytest.raises(DataError, match="has no images"):
            load(path)
    assert load_recorded("digits", DataOptions()).name == "digits"  # as a recipe has it


@pytest.mark.parametrize(
    ("source", "options"),
    [
        ("digits", {"patch_size": 4}),
        ("digits", {"binarisation": "threshold"}),
        ("photos", {"size": (32, 32)}),
        ("cifar10", {"patch_size": 8}),
        ("images.npy", {"size": (4, 4)}),
        (".", {"binarisation": "fixed"}),
    ],
)
def test_options_that_would_do_nothing_are_refused(tmp_path, monkeypatch, source, options):
    monkeypatch.chdir(tmp_path)
    np.save("images.npy", np.zeros((1, 4, 4), np.uint8))
    with pytest.raises(DataError, match=f"data.{next(iter(options))} does not apply to"):
        load(source, DataOptions(**options))


@pytest.mark.parametrize(
    "options",
    [
        {"num_levels": 1},
        {"num_levels": 65537},
        {"num_levels": True},
        {"num_levels": "17"},
        {"patch_size": 0},
        {"patch_size": 32.0},
        {"size": (0, 4)},
        {"size": (4,)},
        {"binarisation": "dithered"},
        {"pach_size": 32},
    ],
)
def test_options_out_of_range(options):
    with pytest.raises(pydantic.ValidationError):
        DataOptions(**options)


def test_options_are_frozen_and_described():
    with pytest.raises(pydantic.ValidationError):
        DataOptions().num_levels = 3
    assert all(field.description for field in DataOptions.model_fields.values())
    assert DataOptions(size=[3, 4]).size == (3, 4)


def test_sets_with_a_download_say_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setenv("PIXELRNN_DATA", str(tmp_path))
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    for name in ("cifar10", "cifar100", "mnist"):
        remote = CATALOGUE[name].files(DataOptions())[0]
        with pytest.raises(DownloadError) as caught:
            load(name)
        assert remote.url in str(caught.value)
        assert str(tmp_path / remote.name) in str(caught.value)


def test_import_is_light():
    heavy = "torch sklearn skimage pooch requests PIL rich"
    program = (
        "import sys, pixelrnn.data\n"
        f"print([name for name in {heavy.split()!r} if name in sys.modules])"
    )
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "[]"


@pytest.mark.parametrize("name", ["pipe.npy", "pipe.npz", "pipe.tar.gz", "pipe"])
def test_a_pipe_is_refused_and_not_waited_for(tmp_path, name):
    os.mkfifo(tmp_path / name)
    with pytest.raises(DataError, match=r"is a (pipe|device)"):
        load(tmp_path / name)
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "folder" / "data_batch_1.bin")
    with pytest.raises(DataError, match=r"is a (pipe|device)"):
        load(tmp_path / "folder")


def test_a_device_is_refused():
    with pytest.raises(DataError, match=r"is a (pipe|device)"):
        load("/dev/zero")
