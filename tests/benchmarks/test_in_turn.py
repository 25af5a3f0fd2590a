"""Timing in turn: the order of calls, their medians, and what ends it."""

import pytest

from benchmarks import in_turn
from benchmarks.in_turn import measure_in_turn


class Clock:
    """A clock that only the ways move, and a record of their calls."""

    def __init__(self):
        self.now, self.busy, self.calls = 0.0, 0.0, ""

    def perf_counter(self):
        return self.now

    def process_time(self):
        return self.busy

    def way(self, name, *seconds, cores=1):
        left = list(seconds)

        def call():
            self.calls += name
            passed = left.pop(0) if len(left) > 1 else left[0]
            self.now += passed
            self.busy += passed * cores

        return call


@pytest.fixture
def clock(monkeypatch):
    ticking = Clock()
    monkeypatch.setattr(in_turn, "time", ticking)
    return ticking


def test_in_turn_after_a_first_call_that_does_not_count(clock):
    counts = []
    ways = [clock.way("a", 50.0, 1.0, 9.0, 2.0), clock.way("b", 50.0, 4.0, cores=1.5)]
    measured = measure_in_turn(ways, 3, counts.append)
    assert clock.calls == "ab" * 4
    assert measured.seconds == (2.0, 4.0)
    assert measured.cpu_seconds == (2.0, 6.0)
    assert (measured.repeats, measured.finished) == (3, True)
    assert counts == [1, 1, 1]


def test_short_ways_are_called_several_times(clock):
    measured = measure_in_turn([clock.way("a", 0.125, cores=2)], 2)
    assert clock.calls == "a" + "aaa" * 2
    assert measured.seconds == (0.125,)
    assert measured.cpu_seconds == (0.25,)


def test_no_repetition_is_begun_when_time_is_up(clock):
    assert measure_in_turn([clock.way("a", 31.0)], 5).repeats == 2


def test_stopped_it_keeps_what_it_has(clock):
    counts = []

    def stop(count):
        counts.append(count)
        if sum(counts) == 2:
            raise KeyboardInterrupt

    measured = measure_in_turn([clock.way("a", 1.0)], 5, stop)
    assert (measured.repeats, measured.finished) == (2, False)


def test_stopped_before_anything_is_measured(clock):
    def stop():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        measure_in_turn([clock.way("a", 1.0), stop], 5)
