"""One process at a time: real processes, real kills."""

import errno
import json
import multiprocessing
import os
import platform
import signal
import sys
import time

import pytest

from pixelrnn import locks
from pixelrnn.errors import InUseError

FORK = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")


@pytest.fixture(params=["with locks", "without"])
def lock(request, tmp_path, monkeypatch):
    """A lock file, on a file system that knows locks and on one that does not."""
    if request.param == "without":

        def refuse(*_):
            raise OSError(errno.ENOLCK, "No locks available")

        monkeypatch.setattr(locks.fcntl, "flock", refuse)
    return tmp_path / ".lock"


def names(folder):
    return sorted(file.name for file in folder.iterdir())


def in_a_process(work):
    """Run work in a forked process; return its number."""
    process = os.fork()
    if process:
        return process
    try:
        work()
        os._exit(0)
    except InUseError:
        os._exit(2)
    except BaseException:
        os._exit(1)


def code(process):
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


def wait_for(condition):
    for _ in range(6000):
        if condition():
            return
        time.sleep(0.01)
    raise AssertionError("it never came")


@FORK
def test_the_second_is_refused_and_told_who_the_first_is(lock):
    def try_it():
        with locks.held(lock, "training"):
            pass

    with locks.held(lock, "training"):
        assert code(in_a_process(try_it)) == 2
        with pytest.raises(InUseError) as caught, locks.held(lock, "training"):
            pass
        message = str(caught.value)
        assert f"process {os.getpid()} on {platform.node()} (training since 20" in message
        assert message.startswith(str(lock.parent))
        assert ("remove" in message) == ("without" in os.environ["PYTEST_CURRENT_TEST"])
    assert code(in_a_process(try_it)) == 0
    assert names(lock.parent) == []


@FORK
def test_a_killed_process_holds_nothing(lock, tmp_path):
    def hold():
        with locks.held(lock, "training"):
            (tmp_path / "here").touch()
            time.sleep(600)

    process = in_a_process(hold)
    wait_for((tmp_path / "here").exists)
    os.kill(process, signal.SIGKILL)
    os.waitpid(process, 0)
    assert lock.exists()
    with locks.held(lock, "training"):
        pass
    assert names(tmp_path) == ["here"]


@FORK
def test_of_many_who_start_at_once_one_gets_it(lock, tmp_path):
    start, end = multiprocessing.get_context("fork").Barrier(8), tmp_path / "end"

    def try_it():
        start.wait()
        with locks.held(lock, "training"):
            wait_for(end.exists)

    processes = [in_a_process(try_it) for _ in range(8)]
    first = [os.waitstatus_to_exitcode(os.waitpid(-1, 0)[1]) for _ in range(7)]
    end.touch()
    assert first == [2] * 7
    assert os.waitstatus_to_exitcode(os.waitpid(-1, 0)[1]) == 0
    assert len(processes) == 8


@FORK
def test_those_who_wait_are_never_two_at_once(lock, tmp_path):
    count = tmp_path / "count"
    count.write_text("0")

    def add():
        for _ in range(10):
            with locks.held(lock, "counting", wait=True):
                before = int(count.read_text())
                time.sleep(0.001)
                count.write_text(str(before + 1))

    assert [code(process) for process in [in_a_process(add) for _ in range(4)]] == [0] * 4
    assert count.read_text() == "40"
    assert names(tmp_path) == ["count"]


@FORK
def test_a_forked_process_neither_holds_nor_gives_back(tmp_path):
    """Workers outlive a training that is killed; they must not keep its folder."""
    lock, end = tmp_path / ".lock", tmp_path / "end"
    with locks.held(lock, "training"):
        worker = in_a_process(lambda: wait_for(end.exists))
    with locks.held(lock, "training"):
        end.touch()
        assert code(worker) == 0
        assert lock.exists()


@pytest.mark.parametrize("change", ["pid", "started", "boot", "nothing", "host"])
def test_without_locks_a_holder_is_looked_for_among_the_processes(tmp_path, monkeypatch, change):
    def refuse(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(locks.fcntl, "flock", refuse)
    about = json.loads(locks._about_this_process("training"))
    others = {"pid": 2**22 + 1, "started": "1", "boot": "another", "host": "elsewhere"}
    (tmp_path / ".lock.owner").write_text(json.dumps(about | {change: others.get(change)}))
    if change in ("nothing", "host"):  # alive; nobody knows
        with pytest.raises(InUseError, match="if it is there no more, remove"):
            locks.held(tmp_path / ".lock", "training").__enter__()
    else:
        with locks.held(tmp_path / ".lock", "training"):
            pass
        assert names(tmp_path) == []


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"[]", b'{"pid": "x"}', b"[" * 9000])
def test_a_damaged_note_hides_nobody(tmp_path, content):
    lock = tmp_path / ".lock"
    with locks.held(lock, "training"):
        lock.write_bytes(content)
        with pytest.raises(InUseError, match="in use by another process"):
            locks.held(lock, "training").__enter__()


def test_a_note_is_text_for_terminals(tmp_path):
    lock = tmp_path / ".lock"
    with locks.held(lock, "training"):
        about = json.loads(lock.read_bytes())
        lock.write_text(json.dumps(about | {"host": "\x1b[31mred\n"}))
        with pytest.raises(InUseError) as caught:
            locks.held(lock, "training").__enter__()
        assert str(caught.value).isprintable()


@pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX")
def test_a_lock_that_is_taken_away_meanwhile_is_taken_anew(tmp_path, monkeypatch):
    """Its last holder removes the file between the opening and the locking."""
    lock, real, times = tmp_path / ".lock", locks.fcntl.flock, []

    def remove_first(stream, operation):
        if not times:
            lock.unlink()
        times.append(1)
        real(stream, operation)

    monkeypatch.setattr(locks.fcntl, "flock", remove_first)
    with locks.held(lock, "training"):
        assert len(times) == 2
        assert lock.exists()
