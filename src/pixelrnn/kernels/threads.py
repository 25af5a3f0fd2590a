"""A share of the work for each thread: compiled loops that let go of the interpreter's lock."""

import itertools
import threading
from collections.abc import Callable
from queue import SimpleQueue

from pixelrnn.processes import renew_when_forked

Work = Callable[[int, int], None]
Outcomes = list[BaseException | None]
_Task = tuple[Work, int, int, Outcomes, "SimpleQueue[None]"] | None  # None: the end


class Threads:
    """Threads that wait for work; the one that brings it does the first share itself.

    Example:
        >>> done = []
        >>> Threads().share(lambda first, last: done.append((first, last)), count=5, threads=2)
        >>> sorted(done)
        [(0, 3), (3, 5)]
    """

    def __init__(self) -> None:
        self._forget()
        renew_when_forked(self._forget)

    def _forget(self) -> None:
        """Begin without workers, as a forked process does."""
        self._tasks: SimpleQueue[_Task] = SimpleQueue()
        self._workers = 0
        self._lock = threading.Lock()

    def share(self, work: Work, count: int, threads: int) -> None:
        """Call `work(first, last)` so that every number below `count` is in one call.

        Args:
            work: does numbers first .. last - 1.
            count: how many there are.
            threads: calls at the same time at most; their shares are as equal as can be.
        """
        threads = max(1, min(threads, count))
        size, more = divmod(count, threads)
        ends = [size * n + min(n, more) for n in range(threads + 1)]
        outcomes: Outcomes = []
        ended: SimpleQueue[None] = SimpleQueue()
        with self._lock:
            self._start_workers(threads - 1)
            for first, last in itertools.pairwise(ends[1:]):
                self._tasks.put((work, first, last, outcomes, ended))
        interrupts: Outcomes = []
        try:
            work(ends[0], ends[1])
        finally:  # whatever happens, Ctrl-C too: when it is over nobody writes to the arrays
            while len(outcomes) < threads - 1:  # which a call interrupted here has not lost
                try:
                    ended.get()
                except KeyboardInterrupt as interrupt:
                    interrupts.append(interrupt)
        for failure in interrupts + outcomes:
            if failure is not None:
                raise failure

    def _start_workers(self, count: int) -> None:
        while self._workers < count:
            threading.Thread(
                target=_work, args=(self._tasks,), daemon=True, name="pixelrnn"
            ).start()
            self._workers += 1

    def end(self) -> None:
        """Let the threads go; the next work starts new ones, with the floating-point state of then."""
        with self._lock:
            for _ in range(self._workers):
                self._tasks.put(None)
            self._tasks, self._workers = SimpleQueue(), 0


def _work(tasks: "SimpleQueue[_Task]") -> None:
    while task := tasks.get():
        work, first, last, outcomes, ended = task
        try:
            work(first, last)
        except BaseException as failure:
            outcomes.append(failure)
        else:
            outcomes.append(None)
        ended.put(None)
        del task, work, outcomes, ended  # or their arrays would live until the next task


_POOL = Threads()
share = _POOL.share
end = _POOL.end
