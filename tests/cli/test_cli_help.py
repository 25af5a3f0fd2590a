"""What `--help` says, and what stops a command before it begins."""

import os
import re
import subprocess
import sys

import pytest
from PIL import Image

from commands import commands
from pixelrnn import compare, training


@pytest.mark.parametrize("path", [words for words, _ in commands(with_groups=True)], ids="-".join)
def test_help_names_what_to_write_and_no_type_of_python(pixelrnn, path):
    answer = pixelrnn(*path, "--help")
    assert answer.code == 0
    assert not re.findall(r"<[^>|]*>|list\[|\.\.\.\}", answer.out)


@pytest.mark.parametrize(("words", "command"), list(commands()))
def test_every_argument_and_option_says_what_it_is(words, command):
    silent = [param.name for param in command.params if not param.help]
    assert silent == []
    assert "Args:" not in command.help


def test_without_docstrings():
    """Python leaves them out where it is asked to; then help is short, and verbs work."""
    for arguments in (["compress", "--help"], ["models", "list"]):
        command = [sys.executable, "-OO", "-m", "pixelrnn", *arguments]
        answer = subprocess.run(command, capture_output=True, text=True, check=False)
        assert (answer.returncode, answer.stderr) == (0, "")
        assert answer.stdout


@pytest.mark.parametrize("threads", ["0", "-1", "many", ""])
def test_a_number_of_threads_that_is_none(fails, monkeypatch, threads):
    monkeypatch.setenv("NUMBA_NUM_THREADS", threads)
    assert fails("models", "list") == (
        f"NUMBA_NUM_THREADS is {threads!r}, and no number of threads: set it to 1 or more, or unset it"
    )


def test_a_comparison_that_is_stopped_while_it_starts(pixelrnn, monkeypatch):
    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(training, "recipes_for", stop)
    monkeypatch.setattr(compare, "recipes_for", stop)
    answer = pixelrnn("compare", "digits", "--dry-run")
    assert (answer.code, answer.err) == (
        130,
        "error: stopped; the same command goes on from there\n",
    )


def test_what_can_be_read_is_found_out_by_reading(pixelrnn, tmp_path, monkeypatch):
    Image.new("RGB", (4, 4)).save(tmp_path / "image.png")
    monkeypatch.setattr(
        os, "access", lambda *_, **__: False
    )  # which says no to many a network folder
    assert pixelrnn("compress", tmp_path, "-o", tmp_path / "album.pxr").code == 0
