"""Work on many images at a time: one image per thread, the rows of an image in portions."""

import threading
from collections.abc import Callable, Iterator

PIXELS_AT_ONCE = 1 << 14  # in one call of the loop: granularity of progress updates and of Ctrl-C


def spread(work: Callable[[int], Iterator[None]], count: int, threads: int) -> None:
    """Do work 0 .. count - 1 in threads, which end early if one of them fails, or on Ctrl-C.

    No executor: Ctrl-C may leave the locks of its futures taken, and then it waits for ever.
    """
    numbers, failures = iter(range(count)), list[BaseException]()

    def keep_working() -> None:
        try:
            for n in numbers:
                for _ in work(n):
                    if failures:
                        return
        except BaseException as failure:
            failures.append(failure)

    workers = [
        threading.Thread(target=keep_working, daemon=True) for _ in range(min(threads, count))
    ]
    if len(workers) <= 1:
        keep_working()
    else:
        try:
            for worker in workers:
                worker.start()
            for worker in workers:
                worker.join()
        except BaseException as interruption:
            failures.append(interruption)
            for worker in workers:
                if worker.ident is not None:
                    worker.join()
    if failures:
        raise failures[0]


def portions(
    height: int, width: int, first_pixels: int = PIXELS_AT_ONCE
) -> Iterator[tuple[int, int]]:
    """Yield the rows (first, end) that are run in one call of the loop: few at first, if so wanted."""
    first, pixels = 0, first_pixels
    while first < height:
        last = min(first + max(1, pixels // width), height)
        yield first, last
        first, pixels = last, min(8 * pixels, PIXELS_AT_ONCE)
