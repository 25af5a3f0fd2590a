"""What a user is told where compiling takes a while.

numba compiles a loop when it is first used on a machine, and keeps it on disk; later it is loaded in an
instant.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

PATIENCE_SECONDS = 1.5  # to load a compiled loop takes less


@contextmanager
def told_if_slow(
    tell: Callable[[str], None] | None, line: str, *, is_ready: Callable[[], bool]
) -> Iterator[None]:
    """Tell a line, from another thread, if what is done inside takes a while."""

    def look() -> None:
        if tell is not None and not is_ready():
            tell(line)

    timer = threading.Timer(PATIENCE_SECONDS, look)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
