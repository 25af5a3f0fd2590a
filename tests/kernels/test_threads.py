"""Shares of work for threads: all of it once, errors, and what is over when it is over."""

import os
import signal
import threading
import time

import pytest

from pixelrnn.kernels.threads import Threads


def threads_are_again(count):
    """Wait until there are as many threads as before; return whether it came to that."""
    deadline = time.monotonic() + 20
    while threading.active_count() > count and time.monotonic() < deadline:
        time.sleep(0.01)
    return threading.active_count() == count


@pytest.fixture
def pool():
    """Threads that are gone after the test."""
    before = threading.active_count()
    threads = Threads()
    yield threads
    threads.end()
    assert threads_are_again(before)


@pytest.mark.parametrize("count", [1, 2, 7, 16])
@pytest.mark.parametrize("threads", [1, 2, 3, 20])
def test_every_number_is_done_once(pool, count, threads):
    done, lock = [], threading.Lock()

    def work(first, last):
        with lock:
            done.extend(range(first, last))

    for _ in range(3):
        done.clear()
        pool.share(work, count, threads)
        assert sorted(done) == list(range(count))


def test_threads_end(pool):
    before = threading.active_count()
    for _ in range(2):
        pool.share(lambda _, __: None, 4, 4)
        assert threading.active_count() == before + 3
        pool.end()
        assert threads_are_again(before)


def test_nothing_to_do(pool):
    done = []
    pool.share(lambda first, last: done.append((first, last)), 0, 2)
    assert all(first == last for first, last in done)


def test_shares_run_at_the_same_time(pool):
    meeting = threading.Barrier(3, timeout=20)
    pool.share(lambda _, __: meeting.wait(), 3, 3)


@pytest.mark.parametrize("wrong", [0, 1])
def test_an_error_comes_out_and_the_threads_live_on(pool, wrong):
    def work(first, _):
        if first == wrong:
            raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        pool.share(work, 2, 2)
    done = []
    pool.share(lambda first, _: done.append(first), 2, 2)
    assert sorted(done) == [0, 1]


def test_when_it_is_interrupted_nobody_goes_on(pool):
    ended = []

    def work(first, _):
        if first == 0:
            raise KeyboardInterrupt
        time.sleep(0.2)
        ended.append(first)

    with pytest.raises(KeyboardInterrupt):
        pool.share(work, 2, 2)
    assert ended == [1]


def test_nobody_goes_on_after_an_interrupt_of_the_waiting_either(pool):
    """The main thread has done its share, and waits for the other when Ctrl-C comes."""
    main, ended = threading.main_thread().ident, []

    def work(first, _):
        if first == 1:
            time.sleep(0.1)
            signal.pthread_kill(main, signal.SIGINT)
            time.sleep(0.2)
            ended.append(first)

    with pytest.raises(KeyboardInterrupt):
        pool.share(work, 2, 2)
    assert ended == [1]
    assert pool.share(lambda _, __: None, 2, 2) is None


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork on this system")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_forked_process_has_threads_of_its_own(pool):
    pool.share(lambda _, __: None, 2, 2)
    child = os.fork()
    if child == 0:
        done = []
        pool.share(lambda first, _: done.append(first), 2, 2)
        os._exit(0 if sorted(done) == [0, 1] else 1)
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            assert os.waitstatus_to_exitcode(status) == 0
            return
        time.sleep(0.01)
    os.kill(child, 9)
    os.waitpid(child, 0)
    pytest.fail("the child waits for threads that it does not have")
