"""One rule for all verbs: a file that is there is written over only by --force."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from commands import commands
from pixelrnn.cli.outputs import require_writable
from pixelrnn.errors import OutputError

# Folders that have rules of their own: a run is gone on with by --resume, a comparison by the same command.
FOLDERS = {("train", "out"), ("compare", "out"), ("decompress", "out")}
OUTPUTS = {"out", "gif", "npz", "npy", "html"}


def outputs():
    """Every option that names a file to write: the words of its verb, and the option."""
    for words, command in commands():
        for option in command.params:
            if option.name in OUTPUTS and (words[-1], option.name) not in FOLDERS:
                yield pytest.param(words, option, id=f"{' '.join(words)} {option.opts[0]}")


# What a verb needs besides. A verb that is not here fails, so that a new one comes under the rule.
ARGUMENTS = {
    ("sample",): ("digits-pixelcnn", "-n", 1, "--size", "2x2"),
    ("complete",): ("digits-pixelcnn", "--images", "digits", "--first", 1, "-n", 1),
    ("audit",): ("digits-pixelcnn", "--quick"),
    ("compress",): ("x.png",),
    ("report",): ("run",),
    ("score",): ("digits-pixelcnn", "--data", "digits", "--out", "s.csv"),
    ("models", "export"): ("digits-pixelcnn", "--data", "digits"),
    ("bench", "sample"): ("digits-pixelcnn",),
    ("bench", "train"): ("digits",),
    ("bench", "codec"): ("--data", "digits"),
}
SUFFIXES = {
    ("compress",): ".pxr", ("sample",): ".png", ("complete",): ".png",
    ("models", "export"): ".safetensors", ("report",): ".html", ("score",): ".csv",
}  # fmt: skip


def named(words, option):
    return f"mine{SUFFIXES.get(words, '.json') if option.name == 'out' else f'.{option.name}'}"


@pytest.fixture
def here(tmp_path, monkeypatch):
    Image.new("RGB", (2, 2)).save(tmp_path / "x.png")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_all_verbs_are_found():
    assert len(list(outputs())) >= 10


@pytest.mark.parametrize(("words", "option"), list(outputs()))
def test_a_file_that_is_there_is_refused_before_any_work(words, option, fails, here):
    name = named(words, option)
    (here / name).write_text("mine")
    message = fails(*words, *ARGUMENTS[words], option.opts[0], name)
    assert message == (
        f"{name} is there already: give another name with {option.opts[0]}, or --force to write over it"
    )
    assert (here / name).read_text() == "mine"
    assert sorted(path.name for path in here.iterdir()) == sorted(["x.png", name])


@pytest.mark.parametrize(("words", "command"), list(commands()))
def test_who_writes_files_has_the_option(words, command):
    writes = {option.name for option in command.params} & OUTPUTS
    has = any("--force" in option.opts for option in command.params)
    assert has == bool(writes) or (words[-1], "out") in FOLDERS


def test_usual_names_are_no_exception(fails, here):
    (here / "samples.png").write_text("mine")
    assert "samples.png is there already" in fails("sample", "digits-pixelcnn", "-n", 1)


def test_force(pixelrnn, here):
    (here / "s.png").write_text("mine")
    (here / "s.npz").write_text("mine")
    arguments = ("digits-pixelcnn", "-n", 1, "--size", "2x2", "--out", "s.png", "--npz", "s.npz")
    assert pixelrnn("sample", *arguments, "--force").code == 0
    assert np.load("s.npz")["images"].shape == (1, 2, 2)


def test_a_device_is_never_replaced():
    with pytest.raises(OutputError, match="a device, not a file"):
        require_writable(("--out", Path("/dev/null"), ""), force=True)


def test_an_album_is_written_again_where_no_image_in_it_would_be_lost(pixelrnn, fails, here):
    Image.new("RGB", (2, 2), (9, 9, 9)).save(here / "y.png")
    pixelrnn("compress", "x.png", "y.png", "-o", "a.pxr")
    assert "is written again" in pixelrnn("compress", "y.png", "x.png", "-o", "a.pxr").err
    before = (here / "a.pxr").read_bytes()
    assert "a.pxr is there already" in fails("compress", "x.png", "-o", "a.pxr")
    skipping = ("compress", "x.png", "y.png", "--skip", "-o", "a.pxr")
    assert "a.pxr is there already" in fails(*skipping)  # it may leave some of them out
    assert (here / "a.pxr").read_bytes() == before
