"""An album in forked processes, in workers of every kind, and closed while others read."""

import itertools
import os
import signal
import sys
import threading
import time

import numpy as np
import pytest
from torch.utils.data import DataLoader

from pixelrnn.coding import Album, Codec, load_program, write
from pixelrnn.errors import CompressedFileError
from pixelrnn.kernels.memory import Memory

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")
SECONDS_TO_HANG = 20


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).integers(17, size=(24, 8, 8, 1), dtype=np.uint8)


@pytest.fixture(scope="module")
def path(images, tmp_path_factory):
    """A file of a model that comes with the package, so that other processes find it."""
    path = tmp_path_factory.mktemp("album") / "digits.pxr"
    with path.open("wb") as stream:
        write(Codec(load_program("digits-pixelcnn")), (("", image) for image in images), stream)
    return path


@pytest.fixture
def busy():
    """Functions that other threads do over and over until the test is over."""
    stop, threads = threading.Event(), []

    def start(work):
        def keep_working():
            try:
                while not stop.is_set():
                    work()
            except CompressedFileError as error:  # a test closes its album before the threads end
                if "it was closed" not in str(error):
                    raise

        threads.append(threading.Thread(target=keep_working))
        threads[-1].start()

    yield start
    stop.set()
    for thread in threads:
        thread.join()


def in_a_fork(work):
    """Return whether a forked process does some work without hanging."""
    child = os.fork()
    if child == 0:
        signal.alarm(SECONDS_TO_HANG)
        failed = True
        try:
            failed = not work()
        finally:
            os._exit(failed)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


@needs_fork
@pytest.mark.parametrize("threads", [1, 2])
def test_a_process_forked_while_threads_decode_does_not_hang(path, images, busy, threads):
    with Album(path, threads=threads) as album:
        busy(lambda: album[0])
        busy(lambda: album[1])
        for n in range(20):
            assert in_a_fork(lambda n=n: np.array_equal(album[n][0], images[n, ..., 0]))


@needs_fork
def test_a_lock_that_a_thread_holds_is_not_held_in_a_forked_process(path, images):
    """As it is at some moment of the test above, for certain."""
    with Album(path) as album, album._lock:
        assert in_a_fork(lambda: np.array_equal(album[3][0], images[3, ..., 0]))
        assert in_a_fork(lambda: album.num_bytes == path.stat().st_size)
        assert in_a_fork(lambda: album.close() is None)
    memory, entered, leave = Memory(), threading.Event(), threading.Event()

    def hold():
        with memory._lock:
            entered.set()
            leave.wait()

    holder = threading.Thread(target=hold)
    holder.start()
    entered.wait()
    assert in_a_fork(lambda: memory.empty((1000, 1000), np.float32).shape == (1000, 1000))
    leave.set()
    holder.join()


@pytest.mark.skipif(sys.platform == "win32", reason="takes long there")
@pytest.mark.parametrize("way", ["fork", "spawn", "forkserver"])
def test_workers_of_every_kind(path, images, busy, way):
    with Album(path, threads=1) as album:
        busy(lambda: album[0])
        loader = DataLoader(
            album, batch_size=5, num_workers=1, multiprocessing_context=way, timeout=60
        )
        found = np.concatenate([batch.numpy() for batch in loader])
    np.testing.assert_array_equal(found.transpose(0, 2, 3, 1), images)


@needs_fork
def test_a_process_forked_after_torch_used_its_threads(use_threads, tiny_model, random_images):
    """Kernels and what torch does beside them; what a process is forked with is no thread."""
    use_threads(2)
    model = tiny_model("pixelcnn").float()
    drawn = random_images(8, 1, 16, 16)
    expected = model.log_prob(drawn).detach()

    def same():
        use_threads(1)  # as workers of a data loader do; GNU's threads themselves cannot be forked
        return np.array_equal(model.log_prob(drawn).detach(), expected)

    assert in_a_fork(same)


def test_closing_waits_for_who_reads_and_is_said_to_who_comes_later(path, images):
    said = []

    def read(album):
        try:
            for n in itertools.count():
                np.testing.assert_array_equal(album[n % 24][0], images[n % 24, ..., 0])
        except CompressedFileError as error:
            said.append(str(error))

    for n in range(40):
        album = Album(path, threads=1)
        readers = [threading.Thread(target=read, args=[album]) for _ in range(2)]
        for reader in readers:
            reader.start()
        album[n % 24]
        album.close()
        for reader in readers:
            reader.join()
    assert said == [f"{path}: it was closed: open it again"] * 80


def test_a_file_of_the_caller_that_was_closed(path):
    with path.open("rb") as stream:
        album = Album(stream)
        album[0]
    for read in (lambda: album[0], lambda: list(album), lambda: album.num_bytes):
        with pytest.raises(CompressedFileError, match="the file: it was closed"):
            read()
    with pytest.raises(CompressedFileError, match="the file: it was closed"):
        Album(stream)


def test_a_file_of_the_caller_closed_while_threads_read(path, busy):
    stream, failures = path.open("rb"), []
    album = Album(stream, threads=1)

    def read():
        try:
            album[0]
        except CompressedFileError as error:
            failures.append(str(error))
            time.sleep(0.01)

    busy(read)
    busy(read)
    while album._codec is None:
        time.sleep(0.01)
    stream.close()
    while not failures:
        time.sleep(0.01)
    assert set(failures) == {"the file: it was closed: open it again"}
