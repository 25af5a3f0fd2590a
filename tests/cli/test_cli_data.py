"""`pixelrnn data`, as typed."""

import hashlib
import json
import subprocess
import sys

import numpy as np
import pytest
from typer.testing import CliRunner

import published
from pixelrnn.cli.data import app
from pixelrnn.data import load, mnist
from pixelrnn.data.catalogue import CATALOGUE


@pytest.fixture(autouse=True)
def _no_network(tmp_path, monkeypatch):
    monkeypatch.setenv("PIXELRNN_DATA", str(tmp_path / "downloads"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")


def run(*arguments):
    result = CliRunner().invoke(app, list(arguments), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def fails(*arguments):
    """Run the whole program: its one line on standard error."""
    result = subprocess.run(
        [sys.executable, "-W", "error", "-m", "pixelrnn", "data", *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 2
    assert result.stdout == ""
    (line,) = result.stderr.splitlines()
    return line


def test_list():
    output = run("list")
    for name, entry in CATALOGUE.items():
        assert name in output
        assert entry.licence in output
    assert "170.1 MB" in output


def test_list_json():
    facts = {fact["name"]: fact for fact in json.loads(run("list", "--json"))}
    assert list(facts) == list(CATALOGUE)
    assert facts["digits"]["here"] is True
    assert facts["cifar10"]["here"] is False
    assert facts["cifar10"]["files"][0]["checksum"] == "md5:c32a1d4ab5d03f1284b67883e8d87530"
    assert facts["mnist"]["splits"]["validation"]["num_images"] == 6000


def test_info_of_a_set_that_is_here():
    facts = json.loads(run("info", "digits", "--json"))
    data = load("digits")
    assert facts["splits"]["test"] == {
        "num_images": 297,
        "num_pictures": 297,
        "sha256": data.sha256("test"),
    }
    assert facts["image_shape"] == [1, 8, 8]
    assert data.sha256("train") in run("info", "digits")


def test_info_of_a_set_that_is_not_here_downloads_nothing(tmp_path):
    facts = json.loads(run("info", "mnist", "--json", "--set", "data.binarisation=fixed"))
    assert facts["splits"]["train"] == {"num_images": 50_000, "sha256": None}
    assert len(facts["files"]) == 3
    assert "md5:c32a1d4ab5d03f1284b67883e8d87530" in run("info", "cifar10")
    assert not (tmp_path / "downloads").exists()


def test_info_of_a_path_with_an_option(tmp_path):
    path = tmp_path / "small [x].npy"
    np.save(path, np.zeros((20, 4, 5, 3), np.uint8))
    facts = json.loads(run("info", str(path), "--set", "num_levels=4", "--json"))
    assert facts["num_levels"] == 4
    assert facts["splits"]["test"]["num_images"] == 2
    assert "small [x].npy" in run("info", str(path))


@pytest.fixture
def root(tmp_path, monkeypatch):
    """A root as torchvision has it, in the folder that PIXELRNN_DATA names; its MNIST is the real one."""
    for name, content in published.mnist_files().items():
        monkeypatch.setitem(mnist.CONTENT_MD5, name, hashlib.md5(content).hexdigest())
    published.write(tmp_path / "downloads" / "cifar-10-batches-py", published.python_files())
    return published.write(tmp_path / "downloads" / "MNIST" / "raw", published.mnist_files())


def test_list_says_where_a_set_was_found(root):
    facts = {fact["name"]: fact for fact in json.loads(run("list", "--json"))}
    assert facts["mnist"]["found"] == str(root)
    assert facts["mnist"]["here"] is True
    assert (facts["cifar10"]["found"], facts["cifar10"]["here"]) == (None, False)  # an excerpt
    assert (facts["digits"]["found"], facts["digits"]["here"]) == (None, True)
    assert [facts[name]["num_classes"] for name in ("mnist", "cifar100", "photos")] == [10, 100, 0]
    table = "".join(run("list").split())
    assert f"in{root}" in table
    assert "10classes" in table


def test_info_and_fetch_of_a_set_that_was_found(root):
    facts = json.loads(run("info", "mnist", "--json"))
    assert facts["class_names"] == list("0123456789")
    assert facts["splits"]["train"]["sha256"] == load(root).sha256("train")
    assert "10 classes: 0, 1, 2" in run("info", "mnist")
    assert str(root) in "".join(run("info", "mnist").split())
    assert f"mnist is here: {root}, checked" in run("fetch", "mnist").replace("\n", "")


def test_info_of_a_root_and_of_a_set_in_it(root):
    line = fails("info", str(root.parents[1]))
    assert f"{root} (idx or .amat files" in line
    assert f"{root.parents[1] / 'cifar-10-batches-py'} (CIFAR-10, Python version)" in line
    line = fails("info", str(root), "--set", "data.binarisation=fixed")
    assert "has no binarized_mnist_train.amat" in line
    assert "10 classes: airplane" in run("info", str(root.parents[1] / "cifar-10-batches-py"))
    facts = json.loads(run("info", str(root), "--set", "data.binarisation=threshold", "--json"))
    assert facts["name"] == "mnist (threshold at 0.5)"
    assert facts["num_levels"] == 2


def test_what_is_called_so_and_is_not_the_set_is_not_fetched_over(tmp_path):
    folder = published.write(tmp_path / "downloads" / "mnist", published.mnist_files())
    for arguments in (("fetch", "mnist"), ("fetch", "cifar10")):
        line = fails(*arguments)
        assert ("is not the official mnist" in line) == ("mnist" in arguments)
    assert len(list(folder.iterdir())) == 4


def test_fetch_of_what_is_installed():
    assert "digits is here" in run("fetch", "digits")


def test_fetch_without_a_network():
    line = fails("fetch", "cifar10")
    assert line.startswith("error: cifar-10-binary.tar.gz could not be downloaded")
    assert "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz" in line


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("fetch", "cifar1"), "did you mean cifar10?"),
        (("info", "nothing-here"), "there is no nothing-here"),
        (("info", "digits", "--set", "data.patch_siz=3"), "did you mean data.patch_size?"),
        (("info", "digits", "--set", "data.patch_size=4"), "does not apply to digits"),
        (("info", "photos", "--set", 'data.also=["cifar10"]'), "ask for each of them by itself"),
        (("fetch", "cifar10", "--set", 'data.also=["mnist"]'), "does not apply to cifar10"),
    ],
)
def test_one_line_for_each_mistake(arguments, message):
    assert message in fails(*arguments)
