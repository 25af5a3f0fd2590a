"""Files from elsewhere do no harm: 2,000 cases a run, and as many as one likes by `tests/fuzz.py`."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import fuzz
from pixelrnn.errors import DataError

SCRIPT = Path(fuzz.__file__)
CASES = 2000


def run_apart(*arguments):
    """Run the script in a process of its own, whose memory is its own; return what it says."""
    result = subprocess.run(
        [sys.executable, str(SCRIPT), *map(str, arguments)],
        capture_output=True, text=True, check=False, env=os.environ,
    )  # fmt: skip
    assert result.stdout, result.stderr
    return result, json.loads(result.stdout.splitlines()[-1])


def test_cases_are_refused_or_right_within_limits():
    result, summary = run_apart("--cases", CASES, "--seed", 1)
    assert summary["good"], result.stdout + result.stderr
    assert result.returncode == 0
    ends = summary["ends"]
    assert sum(ends.values()) == CASES
    for (
        kind
    ) in fuzz.SHARES:  # damage that nothing notices, or that nothing survives, would be no test
        assert ends[f"{kind} refused"] > 50
        assert ends[f"{kind} read"] > 5


@pytest.mark.fuzz
@pytest.mark.skipif(
    "PIXELRNN_FUZZ_CASES" not in os.environ, reason="give PIXELRNN_FUZZ_CASES=100000"
)
def test_as_many_cases_as_one_likes():
    result, summary = run_apart("--cases", os.environ["PIXELRNN_FUZZ_CASES"], "--seed", 2)
    assert summary["good"], result.stdout + result.stderr


class Kind:
    """A kind of cases with a fault."""

    def __init__(self, attempt):
        self.attempt = lambda *_: attempt()

    def case(self, draw):
        return draw.bytes(3), None


def fail(error):
    raise error


@pytest.mark.parametrize(
    ("attempt", "said"),
    [
        (lambda: fail(ValueError("a plain error")), "a plain error"),
        (lambda: fail(DataError("two\nlines")), "a line?"),
        (lambda: np.testing.assert_array_equal([1], [2]), "AssertionError"),
        (None, "seconds"),
    ],
)
def test_what_is_wrong_is_seen(attempt, said, monkeypatch):
    class Clock(list):
        def process_time(self):
            return sum(self)

    clock = Clock()
    clock.append(1)
    monkeypatch.setattr(fuzz, "time", clock)
    if said == "seconds":
        attempt = lambda: clock.append(fuzz.MOST_SECONDS + 1)  # noqa: E731
    kinds = dict.fromkeys(fuzz.SHARES, Kind(attempt))
    assert said in fuzz.try_case(kinds, 0, 0)


def test_a_case_is_the_same_whenever_it_is_drawn():
    from fuzzing.damage import damaged

    first, again = (damaged(np.random.default_rng([7, 3]), bytes(range(200))) for _ in range(2))
    assert first == again
