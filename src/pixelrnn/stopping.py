"""Signals that ask a long job to end: noted where a step must be finished, raised where nothing is lost.

Ctrl-C, the end of a terminal, and what batch systems send before they kill. A signal that is ignored,
as under `nohup` or in the background of a shell script, stays ignored.
"""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from pixelrnn.errors import TrainingInterrupted

SIGNALS = tuple(
    getattr(signal, name)
    for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1", "SIGXCPU")
    if hasattr(signal, name)  # Windows has but the first two
)
AT_ONCE = 3  # so often Ctrl-C ends without waiting; twice is what terminals and wrappers send


class Stop(KeyboardInterrupt):
    """A signal asks the job to end."""


class Stopping:
    """Whether a signal has asked this job to end.

    Attributes:
        number: the first signal that came, or None.
    """

    def __init__(self) -> None:
        self.number: int | None = None
        self._presses = 0
        self._patient = False
        self._before: dict[int, Any] = {}

    @contextmanager
    def noted(self) -> Iterator[None]:
        """Inside the `with`, signals are noted only: who works there asks `number` or `check`."""
        self.check()
        self._patient = True
        try:
            yield
        finally:
            self._patient = False

    def check(self, *_: Any) -> None:
        """Raise `Stop` if a signal has come."""
        if self.number is not None:
            raise Stop(self.number)

    def listen(self) -> None:
        """Take the signals, also from those who took them since; only the main thread can."""
        if not _in_main_thread():
            return
        for number in SIGNALS:
            handler = signal.getsignal(number)
            # Ignored signals stay so; so do those that are not Python's.
            if number in self._before or handler not in (signal.SIG_IGN, None):
                self._before.setdefault(number, handler)
                signal.signal(number, self._on_signal)

    def give_back(self) -> None:
        """Give the signals back to whom they were taken from."""
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before.clear()

    def _on_signal(self, number: int, _: FrameType | None) -> None:
        first = self.number is None
        self.number = number if first else self.number
        self._presses += number == signal.SIGINT
        # What a first signal began to put away is not disturbed by those that follow.
        if (first and not self._patient) or self._presses == AT_ONCE:
            raise Stop(number)


def ignore_the_rest() -> None:
    """Ignore all further signals: the process has said its last word and is about to end."""
    if _in_main_thread():
        for number in SIGNALS:
            signal.signal(number, signal.SIG_IGN)


def _in_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()


_current: Stopping | None = None


@contextmanager
def listening(advice: Callable[[], str]) -> Iterator[Stopping]:
    """Listen to the signals inside the `with`; an outer one goes on afterwards.

    Args:
        advice: what was kept and how to go on, asked for when a signal ended the job.

    Raises:
        TrainingInterrupted: with that advice, after a signal.
    """
    global _current  # noqa: PLW0603 - a process has one set of signals
    outer, mine = _current, _current or Stopping()
    if outer is None and _in_main_thread():
        mine.listen()
        _current = mine
    try:
        yield mine
    except KeyboardInterrupt as error:
        raise TrainingInterrupted(advice(), mine.number or signal.SIGINT) from error
    finally:
        if outer is None:
            mine.give_back()
            _current = None
