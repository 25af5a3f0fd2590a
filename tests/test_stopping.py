"""Signals that ask a long job to end."""

import contextlib
import os
import signal
import sys

import pytest

from pixelrnn import stopping
from pixelrnn.errors import TrainingInterrupted

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals")


@pytest.fixture(autouse=True)
def given_back():
    before = {number: signal.getsignal(number) for number in stopping.SIGNALS}
    yield
    assert {number: signal.getsignal(number) for number in stopping.SIGNALS} == before


def stopped(job):
    """Run a job, which is given the signals, and return what ended it."""

    def listen():
        with stopping.listening(lambda: "go on") as signals:
            job(signals)
            raise AssertionError("it came through")

    with pytest.raises(TrainingInterrupted, match="go on") as caught:
        listen()
    return caught.value


def send(*numbers):
    for number in numbers:
        os.kill(os.getpid(), number)


@pytest.mark.parametrize("number", stopping.SIGNALS)
def test_each_ends_the_job_with_its_own_exit_code(number):
    assert len(stopping.SIGNALS) == 5
    assert stopped(lambda _: send(number)).exit_code == 128 + number


@pytest.mark.parametrize("second", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_step_is_finished_and_a_second_signal_disturbs_nothing(second):
    done = []

    def job(signals):
        with signals.noted():
            send(signal.SIGTERM, second)
            done.append(1)
            signals.check()

    assert stopped(job).signal_number == signal.SIGTERM
    assert done == [1]


def test_the_third_ctrl_c_ends_at_once():
    def job(signals):
        with signals.noted():
            send(signal.SIGINT, signal.SIGINT, signal.SIGINT)
            raise AssertionError("it came through")

    assert stopped(job).exit_code == 130


def test_what_came_before_a_step_is_not_forgotten():
    def job(signals):
        with contextlib.suppress(KeyboardInterrupt):  # as libraries do
            send(signal.SIGTERM)
        with signals.noted():
            raise AssertionError("it came through")

    assert stopped(job).exit_code == 143


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGINT])
def test_an_ignored_signal_stays_ignored(number):
    before = signal.signal(number, signal.SIG_IGN)
    try:
        with stopping.listening(lambda: "go on") as signals:
            os.kill(os.getpid(), number)
            assert signals.number is None
    finally:
        signal.signal(number, before)


def test_an_inner_job_is_part_of_the_outer():
    def job(outer):
        with stopping.listening(lambda: "go on inside") as inner:
            assert inner is outer
            send(signal.SIGTERM)

    assert str(stopped(job)) == "go on inside"
