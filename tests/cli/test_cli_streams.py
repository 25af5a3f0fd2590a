"""Standard streams that are full, closed, no longer read or not in Unicode."""

import os
import subprocess
import sys
import warnings
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from pixelrnn.cli import main as module
from pixelrnn.errors import CompressedFileError, NotKeptWarning

FULL = Path("/dev/full")
needs_full = pytest.mark.skipif(not FULL.exists(), reason="no /dev/full on this system")
needs_shell = pytest.mark.skipif(os.name != "posix", reason="no POSIX shell on this system")
NO_ROOM = "error: standard output cannot be written: No space left on device\n"


def run(*arguments, environment=None, **streams):
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | streams
    return subprocess.run(
        [sys.executable, "-m", "pixelrnn", *arguments],
        env=os.environ | (environment or {}),
        encoding="utf-8",
        check=False,
        **streams,
    )


@needs_full
@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("arguments", [["data", "list"], ["--version"]], ids=" ".join)
def test_no_room_on_standard_output(arguments, unbuffered):
    with FULL.open("w") as full:
        result = run(*arguments, stdout=full, environment={"PYTHONUNBUFFERED": unbuffered})
    assert (result.returncode, result.stderr) == (2, NO_ROOM)


@needs_full
def test_no_room_for_errors():
    with FULL.open("w") as full:
        result = run("info", "nothing.pxr", stderr=full)
    assert (result.returncode, result.stdout) == (2, "")


@needs_shell
def test_a_pipe_that_nobody_reads_on():
    reader, writer = os.pipe()
    os.close(reader)
    result = run("data", "list", stdout=writer)
    os.close(writer)
    assert (result.returncode, result.stderr) == (1, "")


@needs_shell
@pytest.mark.parametrize(("closed", "code"), [("<&-", 2), ("2>&-", 2), ("<&- >&- 2>&-", 2)])
def test_closed_streams(closed, code, tmp_path):
    """No file that is opened takes their place, and gets what is meant for them."""
    command = f"{sys.executable} -m pixelrnn info nothing.pxr {closed}"
    assert subprocess.run(["sh", "-c", command], cwd=tmp_path, check=False).returncode == code


@pytest.mark.parametrize(
    "environment",
    [
        {"PYTHONIOENCODING": "ascii"},
        {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"},
    ],
    ids=str,
)
def test_names_that_the_terminal_cannot_write(environment):
    result = run("info", "снимок-鳥.pxr", environment=environment)
    assert result.returncode == 2
    assert "cannot be read" in result.stderr
    assert "Traceback" not in result.stderr
    result = run("models", "list", environment=environment)
    assert (result.returncode, result.stderr) == (0, "")


def test_numba_that_is_told_not_to_compile(tmp_path):
    result = run(
        "sample", "digits-pixelcnn", "-n", "1", "--out", str(tmp_path / "a.png"),
        environment={"NUMBA_DISABLE_JIT": "1"},
    )  # fmt: skip
    assert result.returncode == 2
    assert result.stderr.startswith("error: NUMBA_DISABLE_JIT is set")
    assert result.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def app_that(does):
    app = typer.Typer(cls=module._Verbs, pretty_exceptions_enable=False)
    app.command("verb")(does)
    app.command("other")(lambda: None)
    return app


def test_the_end_of_a_file_is_no_wish_to_stop(monkeypatch):
    def fail():
        raise EOFError("Ran out of input")

    result = CliRunner().invoke(app_that(fail), ["verb"])
    assert "Aborted" not in result.output
    assert isinstance(result.exception, RuntimeError)
    assert isinstance(result.exception.__cause__, EOFError)


def test_what_is_not_kept_is_noted_once_at_the_end(monkeypatch, capfd):
    def verb():
        for _ in range(2):
            warnings.warn(NotKeptWarning("set NUMBA_CACHE_DIR"), stacklevel=1)
        print("done")  # noqa: T201
        raise CompressedFileError("a\nfault")

    monkeypatch.setattr(module, "app", lambda: app_that(verb)(["verb"]))
    with pytest.raises(SystemExit, match="2"):
        module.main()
    answer = capfd.readouterr()
    assert answer.out == "done\n"
    assert answer.err == "note: set NUMBA_CACHE_DIR\nerror: a fault\n"


def test_other_warnings_are_shown_as_ever(monkeypatch):
    monkeypatch.setattr(module, "app", lambda: warnings.warn("other", stacklevel=1))
    with pytest.warns(UserWarning, match="other"):
        module.main()
