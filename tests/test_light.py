"""Compressing, sampling and looking need the base dependencies alone; the rest says what it needs."""

import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pixelrnn.cli.main import EXTRAS

ROOT = Path(__file__).resolve().parents[1]
RUN = """
import sys

MISSING = {missing}

class Without:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in MISSING:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Without())
from pixelrnn.cli.main import main
main()
"""


@pytest.fixture
def light(tmp_path):
    """A function that runs the command line where nothing beyond the base dependencies is installed."""

    def run(*arguments):
        code = RUN.format(missing=[*EXTRAS, "scipy"])
        command = [sys.executable, "-c", code, *map(str, arguments)]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

    return run


def test_images_are_compressed_looked_at_and_given_back(light, tmp_path):
    pixels = np.random.default_rng(0).integers(256, size=(9, 7, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "noise.png")
    for arguments in (
        ("compress", "noise.png", "-o", "album.pxr", "--verify"),
        ("info", "album.pxr"),
        ("decompress", "album.pxr", "-o", "again"),
        ("models", "list"),
        ("models", "info", "digits-pixelcnn"),
    ):
        ran = light(*arguments)
        assert ran.returncode == 0, ran.stderr
    with Image.open(tmp_path / "again" / "noise.png") as again:
        np.testing.assert_array_equal(np.asarray(again), pixels)


def test_a_shipped_model_samples_as_it_does_in_torch(light, tmp_path):
    from pixelrnn.models import store

    ran = light("sample", "digits-row-lstm", "-n", "3", "--seed", "4", "--npz", "samples.npz")
    assert ran.returncode == 0, ran.stderr
    sampled = np.load(tmp_path / "samples.npz")["images"]
    expected = store.load("digits-row-lstm").sample(3, seed=4)
    np.testing.assert_array_equal(sampled, expected[:, 0])


@pytest.mark.parametrize(
    ("arguments", "extra"),
    [
        (("train", "digits-pixelcnn"), "train"),
        (("evaluate", "digits-pixelcnn"), "train"),
        (("score", "digits-pixelcnn", "--data", "digits", "--out", "s.csv"), "train"),
        (("sample", "digits-pixelcnn", "--temperature", "0.5"), "train"),
        (("data", "list"), "data"),
        (("report", "."), "report"),
        (("compare", "digits"), "compare"),
    ],
    ids=str,
)
def test_what_is_missing_is_named_in_one_line(arguments, extra, light):
    ran = light(*arguments)
    assert (ran.returncode, ran.stdout) == (2, "")
    (line,) = ran.stderr.splitlines()
    assert line.startswith("error: ")
    assert line.endswith(f"pip install 'pixelrnn[{extra}]'")


def test_every_extra_there_is_can_be_named():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"].keys() - {"all", "dev"}
    assert set(EXTRAS.values()) == extras
    (everything,) = project["optional-dependencies"]["all"]
    assert set(everything.partition("[")[2].rstrip("]").split(",")) == extras
