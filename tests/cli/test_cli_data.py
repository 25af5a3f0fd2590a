"""`pixelrnn data`, as typed."""

import json
import subprocess
import sys

import numpy as np
import pytest
from typer.testing import CliRunner

from pixelrnn.cli.data import app
from pixelrnn.data import load
from pixelrnn.data.catalogue import CATALOGUE


@pytest.fixture(autouse=True)
def _no_network(tmp_path, monkeypatch):
    monkeypatch.setenv("PIXELRNN_DATA", str(tmp_path / "downloads"))
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
        (("info", "digits", "--set", "data.num_levels=many"), "valid integer"),
        (("info", "digits", "--set", "data.num_levels"), "KEY=VALUE"),
        (("info", "digits", "--set", "data.patch_size=4"), "does not apply to digits"),
        (("info", "photos", "--set", 'data.also=["cifar10"]'), "ask for each of them by itself"),
        (("fetch", "cifar10", "--set", 'data.also=["mnist"]'), "does not apply to cifar10"),
    ],
)
def test_one_line_for_each_mistake(arguments, message):
    assert message in fails(*arguments)
