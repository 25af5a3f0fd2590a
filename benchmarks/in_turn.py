"""Several ways to do something, timed in turn, so that a machine that slows down slows all of them."""

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

SECONDS_IN_ALL = 60.0  # after which no further repetition is started
SECONDS_EACH = 0.3  # a way that takes less is timed over several calls


@dataclass(frozen=True)
class Measured:
    """Medians over repetitions.

    Attributes:
        seconds: of one call of each way.
        cpu_seconds: user and system time of the process, all its threads together, of the same.
        repeats: repetitions done.
        finished: False after Ctrl-C.
    """

    seconds: tuple[float, ...]
    cpu_seconds: tuple[float, ...]
    repeats: int
    finished: bool


def measure_in_turn(
    ways: Sequence[Callable[[], object]],
    repeats: int,
    on_progress: Callable[[int], None] | None = None,
) -> Measured:
    """Time each way once in every repetition, after a first call of each that is not timed.

    Args:
        ways: what to call.
        repeats: repetitions; fewer where they take more than a minute.
        on_progress: called with the repetitions done since its last call.

    Raises:
        KeyboardInterrupt: after Ctrl-C before a repetition is done; later, what is measured is kept.

    Example:
        >>> measure_in_turn([lambda: None], repeats=1).repeats
        1
    """
    for way in ways:  # memory is found, layers are chosen and loops are compiled in the first one
        way()
    taken: list[list[tuple[float, float]]] = []
    started = time.perf_counter()
    finished = True
    try:
        while len(taken) < repeats:
            taken.append([_seconds_per_call(way) for way in ways])
            if on_progress:
                on_progress(1)
            if time.perf_counter() - started > SECONDS_IN_ALL:
                break
    except KeyboardInterrupt:
        if not taken:
            raise
        finished = False
    seconds, cpu_seconds = (
        tuple(
            statistics.median(each[which] for each in of_way) for of_way in zip(*taken, strict=True)
        )
        for which in (0, 1)
    )
    return Measured(seconds, cpu_seconds, len(taken), finished)


def _seconds_per_call(way: Callable[[], object]) -> tuple[float, float]:
    """Return seconds by the clock and of the processor."""
    calls, started, cpu_started = 0, time.perf_counter(), time.process_time()
    while True:
        way()
        calls += 1
        seconds = time.perf_counter() - started
        if seconds >= SECONDS_EACH:
            return seconds / calls, (time.process_time() - cpu_started) / calls
