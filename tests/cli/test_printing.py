"""No text from files moves the cursor, hides, or reverses a line; nothing is cut in a pipe."""

import ast
import io
import json
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pixelrnn.cli import console
from pixelrnn.cli.console import printable, say, say_json, say_lines, say_table, tell
from pixelrnn.coding import Codec, load_program, write
from pixelrnn.coding.container import Header, Writer

CLI = Path(console.__file__).parent
HOSTILE = "\x1b[31m\x1b]0;title\x07\x9b2J\u202egnp.exe\u200b\r\x00\ud800\udcff"


def test_printable():
    shown = printable(HOSTILE)
    assert shown.isprintable()
    assert shown.isascii()
    assert shown.startswith(r"\x1b[31m\x1b]0;title\x07\x9b2J\u202egnp.exe\u200b\r\x00\ud800\udcff")
    assert printable("größe 猫 e\u0301.png") == "größe 猫 e\u0301.png"


def test_lines_and_results(capsys):
    say(f"a name with\na line in it {HOSTILE}")
    say_lines([f"another\n{HOSTILE}"])
    tell(f"line\n{HOSTILE}")
    answer = capsys.readouterr()
    assert len(answer.out.splitlines()) == 2
    assert len(answer.err.splitlines()) == 1
    assert (answer.out + answer.err).replace("\n", "").isprintable()


def test_json_is_text(capsys):
    value = {"name": "é \x1b[31m", "path": "\udcff.png", "figures": [1.5, None, True]}
    say_json(value)
    text = capsys.readouterr().out
    assert text.isascii()
    assert "\x1b" not in text
    assert "\\ud" not in text  # no half of a pair, which other readers refuse
    assert json.loads(text) == value | {"path": "?.png"}


def test_tables_in_a_pipe_are_not_wrapped(capsys):
    rows = [("long-name-" * 300, "[bold]", "x"), None, (HOSTILE, "1", "a note")]
    title = "a title " * 50 + HOSTILE
    say_table(("wide",), ("narrow",), rows, title=title, last=("note",))
    out = capsys.readouterr().out
    assert "long-name-" * 300 in out
    assert "[bold]" in out
    assert "a title " * 50 in out
    assert out.replace("\n", "").isprintable()


def plainly_printed(source):
    """Lines of a file that print, or make tables or JSON, past `console`."""
    banned = {"echo", "print", "secho", "dumps"}
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call):
            name = getattr(node.func, "attr", getattr(node.func, "id", ""))
            words = node.args and all(isinstance(each, ast.Constant) for each in node.args)
            if name in banned and not words:
                yield node.lineno, ast.unparse(node)


def test_verbs_print_through_the_console():
    """One place sees to it; only what is our own may go past: versions, names of recipes."""
    allowed = {
        ("main.py", "typer.echo(f'pixelrnn {__version__}')"),
        ("train.py", "json.dumps(value)"),  # of one key, for `say`
    }
    found = {
        (path.name, text)
        for path in CLI.glob("*.py")
        if path.name != "console.py"
        for _, text in plainly_printed(path.read_text(encoding="utf-8"))
    }
    assert found == allowed
    assert list(plainly_printed("typer.echo(result)"))
    assert list(plainly_printed("Console().print(table)"))


@pytest.fixture
def hostile(tmp_path):
    """An image, an album of it, and an album of an unknown model, all with names that command."""
    name = "a\x1b[31m\u202e.png"
    Image.new("RGB", (4, 3)).save(tmp_path / "x.png")
    with (tmp_path / "named.pxr").open("wb") as stream:
        image = np.zeros((3, 4, 3), np.uint8)
        write(Codec(load_program("colour-pixelcnn")), [(name, image), (name, image)], stream)
    with (tmp_path / "model.pxr").open("wb") as stream:
        Writer(stream, Header("\x1b[31mred\u202e", 3, bytes(16), 0)).close()
    return tmp_path


@pytest.mark.parametrize(
    "arguments",
    [
        ("info", "named.pxr"),
        ("info", "model.pxr"),
        ("decompress", "model.pxr", "-o", "out"),
        ("decompress", "named.pxr", "-o", "out\x1b[31m"),
        ("compress", "none\x1b[31m.png"),
        ("compress", "x.png", "-o", "a\u202e.pxr"),
        ("compress", "x.png", "--model", "\x1b[31m"),
        ("info", "none\x1b[31m.pxr"),
        ("data", "info", "named.pxr"),
        ("data", "info", "none\x1b[31m"),
        ("evaluate", "digits-pixelcnn", "--data", "none\x9b.npy"),
        ("train", "digits-pixelcnn", "--set", "\x1b[31m=3"),
        ("sample", "\u202e"),
        ("report", "none\x1b[31m"),
    ],
)
def test_no_verb_obeys(arguments, pixelrnn, hostile, monkeypatch):
    monkeypatch.chdir(hostile)
    answer = pixelrnn(*arguments)
    assert answer.code in (0, 2)
    for line in (answer.out + answer.err).splitlines():
        assert line.isprintable(), line


@pytest.mark.skipif(sys.platform == "win32", reason="names there are text")
def test_paths_that_are_no_text(pixelrnn, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "\udcff"
    try:
        folder.mkdir()
    except OSError:
        pytest.skip("this file system takes only names that are text")
    Image.new("RGB", (4, 3)).save(folder / "\udcfe.png")
    strict = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")  # as standard output is
    album = folder / "x.pxr"
    for arguments in (
        ("compress", folder, "-o", album, "--json"),
        ("compress", folder, "-o", album, "--force"),
        ("info", album),
        ("info", album, "--json"),
        ("decompress", album, "-o", folder / "out", "--json"),
        ("data", "info", folder),
        ("data", "info", folder, "--json"),
    ):
        answer = pixelrnn(*arguments)
        assert answer.code == 0, answer
        strict.write(answer.out)
        if "--json" in arguments:
            assert "\\udc" not in answer.out
            json.loads(answer.out)
    assert [path.name for path in (folder / "out").iterdir()] == ["_.png"]
