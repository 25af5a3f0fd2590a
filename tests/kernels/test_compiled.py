"""What was compiled is kept and checked, and made again where it is damaged: none of it is an error."""

import errno
import importlib.util
import os
import signal
import threading
import time
import warnings

import numpy as np
import pytest
from llvmlite.binding import ffi
from numba.core import config
from numba.core.caching import CacheImpl

from pixelrnn.errors import CompilingError, NotKeptWarning
from pixelrnn.kernels import compiled as module
from pixelrnn.kernels.compiled import DIGEST_BYTES, compiled, notify_of_compiling

SOURCE = """
from pixelrnn.kernels.compiled import compiled

@compiled(error_model="numpy")
def scaled(number):
    return number * 3
"""
LINE = "compiling"


class Loop:
    """A small function of a file, as a new process would find it."""

    def __init__(self, folder):
        self.source, self.cache = folder / "loop.py", folder / "cache"
        self.source.write_text(SOURCE)

    def start(self, *numbers):
        """Return the results, and how often it was told of compiling."""
        spec = importlib.util.spec_from_file_location("loop", self.source)
        fresh = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(fresh)
        lines = []
        with notify_of_compiling(lines.append, LINE):
            results = [fresh.scaled(number) for number in numbers]
        return results, len(lines)

    def files(self, suffix):
        return sorted(self.cache.rglob(f"*{suffix}"))


@pytest.fixture
def loop(tmp_path, monkeypatch):
    monkeypatch.setattr(config, "CACHE_DIR", str(tmp_path / "cache"))
    return Loop(tmp_path)


def test_it_is_compiled_once_and_told_once(loop):
    assert loop.start(2, 2.5) == ([6, 7.5], 1)
    assert len(loop.files(".nbc")) == 2
    assert loop.start(2, 2.5) == ([6, 7.5], 0)
    assert loop.start() == ([], 0)


def test_nobody_need_listen(loop):
    with notify_of_compiling(None, LINE):
        assert loop.start(1) == ([3], 1)  # the inner one hears it


def flip(content):
    at = len(content) // 2
    return content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]


DAMAGES = {
    "empty": lambda content: b"",
    "cut": lambda content: content[:10],
    "half": lambda content: content[: len(content) // 2],
    "no pickle": lambda content: content[:DIGEST_BYTES],
    "flipped": flip,
    "longer": lambda content: content + b"\0",
    "noise": lambda content: bytes(
        np.random.default_rng(0).integers(256, size=999, dtype=np.uint8)
    ),
    "numba's own": lambda content: content[DIGEST_BYTES:],
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES.keys())
@pytest.mark.parametrize("suffix", [".nbi", ".nbc"])
def test_a_damaged_file_is_made_again(loop, suffix, damage):
    loop.start(2)
    (path,) = loop.files(suffix)
    path.write_bytes(damage(path.read_bytes()))
    assert loop.start(2) == ([6], 1)
    assert loop.start(2) == ([6], 0)


@pytest.mark.parametrize("suffix", [".nbi", ".nbc"])
def test_a_missing_file_is_made_again(loop, suffix):
    loop.start(2)
    loop.files(suffix)[0].unlink()
    assert loop.start(2) == ([6], 1)
    assert loop.start(2) == ([6], 0)


def test_code_of_another_signature_is_not_run(loop):
    """As two processes may leave it that write at the same time."""
    loop.start(2, 2.5)
    one, other = loop.files(".nbc")
    contents = one.read_bytes(), other.read_bytes()
    one.write_bytes(contents[1])
    other.write_bytes(contents[0])
    assert loop.start(2, 2.5) == ([6, 7.5], 1)


def test_code_of_another_source_is_not_run(loop):
    loop.start(2)
    loop.source.write_text(SOURCE.replace("* 3", "* 4") + "# not of the same length\n")
    assert loop.start(2) == ([8], 1)


def test_code_of_another_numba_is_not_run(loop, monkeypatch):
    loop.start(2)
    with monkeypatch.context() as patch:
        patch.setattr("numba.__version__", "0.1")
        assert loop.start(2) == ([6], 1)
    assert loop.start(2) == ([6], 1)


@pytest.mark.parametrize("suffix", [".nbi", ".nbc"])
def test_a_folder_in_the_place_of_a_file(loop, suffix):
    loop.start(2)
    (path,) = loop.files(suffix)
    path.unlink()
    path.mkdir()
    with pytest.warns(NotKeptWarning, match=r"cannot be written .*NUMBA_CACHE_DIR"):
        assert loop.start(2) == ([6], 1)


def test_a_full_disk(loop, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(module._CheckedFiles, "_open_for_write", full)
    with pytest.warns(NotKeptWarning, match=r"No space left.*NUMBA_CACHE_DIR") as found:
        assert loop.start(2) == ([6], 1)
    assert str(loop.cache) in str(found[0].message)


def test_nowhere_to_keep_it(loop, monkeypatch):
    monkeypatch.setattr(CacheImpl, "_locator_classes", [])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert loop.start() == ([], 0)  # who compiles nothing hears nothing
    with pytest.warns(NotKeptWarning, match=r"no folder for them.*NUMBA_CACHE_DIR"):
        assert loop.start(2) == ([6], 1)


def test_a_cache_that_is_a_file(loop):
    """The next best place is taken, beside the source."""
    loop.cache.write_text("")
    assert loop.start(2) == ([6], 1)
    assert loop.start(2) == ([6], 0)


def test_numba_that_is_told_not_to_compile(monkeypatch):
    monkeypatch.setattr(config, "DISABLE_JIT", 1)
    loop = compiled()(abs)
    with pytest.raises(CompilingError, match=r"NUMBA_DISABLE_JIT is set.*unset it"):
        loop(1)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork on this system")
@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")
def test_a_process_forked_while_another_thread_compiles_can_compile(loop):
    module.global_compiler_lock.acquire()
    threads = [threading.Thread(target=loop.start, args=(2,)) for _ in range(3)]
    for thread in threads:
        thread.start()
    module.global_compiler_lock.release()
    for _ in range(5):
        assert can_compile_in_a_fork(loop)
    for thread in threads:
        thread.join()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork on this system")
@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")
def test_a_process_forked_while_another_thread_is_in_llvm_can_compile(loop):
    is_in, seconds = threading.Event(), 0.5

    def be_in_llvm():
        with ffi.lib._lock:
            is_in.set()
            time.sleep(seconds)

    thread = threading.Thread(target=be_in_llvm)
    thread.start()
    is_in.wait()
    assert can_compile_in_a_fork(loop)
    thread.join()


def can_compile_in_a_fork(loop):
    child = os.fork()
    if child == 0:
        signal.alarm(100)  # it hangs where it cannot
        os._exit(loop.start(2.5)[0] != [7.5])
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
