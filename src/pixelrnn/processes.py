"""What a process has to itself: the processors it may use, and, forked, locks that nobody holds."""

import math
import os
import weakref
from collections.abc import Callable
from pathlib import Path

CGROUPS = Path("/sys/fs/cgroup")  # version 2, as Linux mounts it
OWN_CGROUP = Path("/proc/self/cgroup")

_renewals: set["weakref.WeakMethod[Callable[[], None]]"] = set()


def usable_cores() -> int:
    """Return how many processors this process may use: the number of threads if nobody says another.

    It is that of its affinity (`taskset`, batch systems), and not more than its time on them is limited
    to (containers).

    Example:
        >>> 1 <= usable_cores() <= os.cpu_count()
        True
    """
    has_affinity = hasattr(os, "sched_getaffinity")
    allowed = len(os.sched_getaffinity(0)) if has_affinity else os.cpu_count() or 1
    return max(1, math.ceil(min(allowed, _cores_of_cgroup())))


def _cores_of_cgroup() -> float:
    """Return how many processors' time the control group and those around it leave to this process."""
    least = math.inf
    try:
        lines = OWN_CGROUP.read_text(encoding="utf-8").splitlines()
        own = CGROUPS / next(line for line in lines if line.startswith("0::"))[3:].lstrip("/")
    except (OSError, ValueError, StopIteration):
        return least
    for folder in (own, *own.parents):
        if not folder.is_relative_to(CGROUPS):
            break
        try:
            quota, period = (folder / "cpu.max").read_text(encoding="utf-8").split()
            least = min(least, int(quota) / int(period))
        except (OSError, ValueError, ZeroDivisionError):  # no such file, or "max": no limit
            continue
    return least


def renew_when_forked(method: Callable[[], None]) -> None:
    """Call a method in every process that is forked off, for as long as its object lives.

    Threads do not come along into a forked process, and a lock that one of them held is held for ever
    there: who has a lock makes a new one.
    """
    _renewals.add(weakref.WeakMethod(method, _renewals.discard))


def _renew() -> None:
    for reference in tuple(_renewals):
        if (method := reference()) is not None:
            method()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew)
