"""Writing beside the place: the old file stays whole until the new one is, whatever happens."""

import errno
import json
import os
import stat
import subprocess
import sys
import textwrap

import pytest
from safetensors import SafetensorError

from pixelrnn import files
from pixelrnn.errors import OutputError
from pixelrnn.files import make_folder, not_a_file, replacing, write_json


def no_space():
    return OSError(errno.ENOSPC, "No space left on device")


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "result.json"
    path.write_text("old")
    return path


def names(folder):
    return sorted(child.name for child in folder.iterdir())


def test_the_new_file_takes_the_place_of_the_old(file):
    with replacing(file) as beside:
        beside.write_text("new")
        assert file.read_text() == "old"
        assert beside.parent == file.parent  # the same disk, so that renaming is one step
    assert file.read_text() == "new"
    assert names(file.parent) == ["result.json"]


UNIX = pytest.mark.skipif(sys.platform == "win32", reason="needs links and modes of Unix")


@UNIX
@pytest.mark.parametrize("there", [True, False])
def test_a_link_stays_one_and_what_it_leads_to_is_written(there, tmp_path):
    (tmp_path / "far").mkdir()
    (tmp_path / "link").symlink_to("far/file")
    if there:
        (tmp_path / "far" / "file").write_text("old")
    with replacing(tmp_path / "link") as beside:
        assert beside.parent == tmp_path / "far"
        beside.write_text("new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "far" / "file").read_text() == "new"
    assert names(tmp_path / "far") == ["file"]


@UNIX
def test_a_private_file_stays_private_and_is_so_meanwhile(file):
    file.chmod(0o600)
    with replacing(file) as beside:
        assert stat.S_IMODE(beside.stat().st_mode) == 0o600
        beside.write_text("new")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_file_system_that_refuses_modes(file, monkeypatch):
    def refused(*_):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(type(file), "chmod", refused)
    with replacing(file) as beside:
        beside.write_text("new")
    assert file.read_text() == "new"


@UNIX
def test_what_is_no_file(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "file").touch()
    (tmp_path / "gone").symlink_to("nothing")
    expected = {
        "pipe": "a pipe", "file": "", "gone": "a link to nothing", ".": "a folder", "none": "",
    }  # fmt: skip
    assert {name: not_a_file(tmp_path / name) for name in expected} == expected
    assert not_a_file("/dev/zero") == "a device"
    assert not_a_file("a" * 9999) == not_a_file("\0") == ""


def write_half(file, error):
    with replacing(file) as beside:
        beside.write_text("half of the n")
        raise error


def test_a_full_disk_leaves_the_old_file(file):
    with pytest.raises(OutputError, match=r"cannot write .*result\.json: No space left on device"):
        write_half(file, no_space())
    assert file.read_text() == "old"
    assert names(file.parent) == ["result.json"]


def test_a_full_disk_seen_by_safetensors_leaves_the_old_file(file):
    message = "Error while serializing: I/O error: No space left on device (os error 28)"
    with pytest.raises(OutputError, match="No space left"):
        write_half(file, SafetensorError(message))
    assert file.read_text() == "old"
    assert names(file.parent) == ["result.json"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, MemoryError])
def test_any_other_error_passes_and_leaves_the_old_file(file, error):
    with pytest.raises(error):
        write_half(file, error())
    assert file.read_text() == "old"
    assert names(file.parent) == ["result.json"]


def test_a_rename_that_fails_leaves_the_old_file(file, monkeypatch):
    def refuse(self, target):
        raise no_space()

    monkeypatch.setattr(type(file), "replace", refuse)
    with pytest.raises(OutputError, match="No space left"):
        write_json(file, {"a": 1})
    assert file.read_text() == "old"
    assert names(file.parent) == ["result.json"]


def test_two_writers_do_not_meet(file):
    with replacing(file) as one, replacing(file) as other:
        assert one != other
        one.write_text("one")
        other.write_text("other")
    assert file.read_text() == "one"


def test_permissions_are_those_of_a_new_file(file, tmp_path):
    (tmp_path / "plain").write_text("")
    with replacing(file) as beside:
        beside.write_text("new")
        beside.chmod(0o600)
    assert stat.S_IMODE(file.stat().st_mode) == stat.S_IMODE((tmp_path / "plain").stat().st_mode)


def test_a_file_system_without_modes_is_none_the_worse(file, monkeypatch):
    def refuse(self, mode):
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(type(file), "chmod", refuse)
    with replacing(file) as beside:
        beside.write_text("new")
    assert file.read_text() == "new"


def test_it_is_on_the_disk_before_it_takes_the_place(file, monkeypatch):
    done, fsync, replace = [], os.fsync, type(file).replace
    monkeypatch.setattr(os, "fsync", lambda number: (done.append("sync"), fsync(number))[1])
    monkeypatch.setattr(
        type(file), "replace", lambda self, to: (done.append("rename"), replace(self, to))[1]
    )
    write_json(file, 1)
    assert done[:2] == ["sync", "rename"]


@pytest.mark.parametrize(
    ("number", "fails"), [(errno.ENOSPC, True), (errno.EIO, True), (errno.EINVAL, False)]
)
def test_a_disk_that_says_only_at_last_that_it_is_full(file, monkeypatch, number, fails):
    def refuse(_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", refuse)
    if fails:
        with pytest.raises(OutputError):
            write_json(file, "new")
    else:
        write_json(file, "new")
    assert file.read_text() == ("old" if fails else '"new"\n')
    assert names(file.parent) == ["result.json"]


WRITER = """
    import os, sys, time
    from pathlib import Path
    from pixelrnn.files import replacing
    with replacing(Path(sys.argv[1])) as beside:
        beside.write_text("half of")
        print("writing", flush=True)
        time.sleep(600)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs a kill")
def test_what_a_killed_process_left_is_removed_and_nothing_else(tmp_path):
    command = [sys.executable, "-c", textwrap.dedent(WRITER)]
    dead, living = (
        subprocess.Popen([*command, tmp_path / name], stdout=subprocess.PIPE)
        for name in ("dead", "living")
    )
    for process in (dead, living):
        process.stdout.readline()
    dead.kill()
    dead.communicate()
    elsewhere = next(tmp_path.glob(".dead.*.part")).name.replace(files._host(), "f00d")
    for mine in (elsewhere, ".notes.part", ".dead.0123.part", "dead.part"):
        (tmp_path / mine).touch()
    left = set(names(tmp_path))
    try:
        write_json(tmp_path / "new", 1)
        gone = left - set(names(tmp_path))
        assert len(gone) == 1
        assert next(iter(gone)).startswith(".dead.")
        assert list(tmp_path.glob(".living.*.part"))
    finally:
        living.kill()
        living.communicate()


@pytest.mark.parametrize("place", ["missing/result.json", "result.json/below.json", "folder"])
def test_a_place_that_cannot_be_written(file, place):
    (file.parent / "folder").mkdir()
    before = names(file.parent)
    with pytest.raises(OutputError, match=f"cannot write .*{place}"):
        write_json(file.parent / place, 1)
    assert names(file.parent) == before


def test_json_is_for_people(file):
    write_json(file, {"name": "rotwein, weiß", "values": [1.5, None]})
    text = file.read_text(encoding="utf-8")
    assert json.loads(text) == {"name": "rotwein, weiß", "values": [1.5, None]}
    assert text.endswith("\n")
    assert len(text.splitlines()) > 1


def test_what_is_not_json_leaves_the_old_file(file):
    with pytest.raises(TypeError):
        write_json(file, {"a": object()})
    assert file.read_text() == "old"
    assert names(file.parent) == ["result.json"]


def test_make_folder_makes_parents_and_leaves_nothing_in_it(tmp_path):
    folder = make_folder(tmp_path / "a" / "b")
    assert names(folder) == []
    assert make_folder(folder) == folder


@pytest.mark.parametrize("place", ["result.json", "result.json/below"])
def test_a_file_in_the_place_of_a_folder(file, place):
    with pytest.raises(OutputError, match=r"cannot write into the folder .*choose another"):
        make_folder(file.parent / place)
    assert file.read_text() == "old"


@pytest.mark.skipif(sys.platform == "win32", reason="needs a limit on the size of files")
def test_a_disk_that_is_really_full(tmp_path):
    """A limit of 1,000 bytes a file: the model, a checkpoint, JSON and an archive of arrays."""
    script = """
        import resource, signal, sys
        from pathlib import Path
        import numpy as np, torch
        from pixelrnn.errors import OutputError
        from pixelrnn.files import replacing, write_json
        from pixelrnn.models import PixelCNNConfig, build, store
        from pixelrnn.training import checkpoint

        def archive(path):
            with replacing(path) as beside, beside.open("wb") as file:
                np.savez(file, array=np.zeros(5000))

        folder = Path(sys.argv[1])
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
        for write in (
            lambda: store.save(build(PixelCNNConfig(channels=1, features=4)), folder),
            lambda: checkpoint.write(folder / "x", {"a": torch.ones(999)}),
            lambda: write_json(folder / "y", "long" * 999),
            lambda: archive(folder / "z"),
        ):
            try:
                write()
                raise SystemExit("nothing was raised")
            except OutputError:
                pass
        if any(folder.iterdir()):
            raise SystemExit("something was left")
    """
    code = textwrap.dedent(script)
    subprocess.run([sys.executable, "-W", "error", "-c", code, tmp_path], check=True)
