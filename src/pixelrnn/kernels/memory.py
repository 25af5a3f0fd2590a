"""Memory that is used again: maps of one training step lie where those of the step before did.

The system gives large blocks as pages that it has to clear first, and takes them back as soon as they are
freed, which shows where maps are written once and read twice. Here a
block whose array is gone waits for the next array of about its size. Never is more than half as much
again held as was in use at the same time before.
"""

import math
import threading
import weakref
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from pixelrnn.processes import renew_when_forked

_Block = npt.NDArray[np.uint8]

SMALLEST = 1 << 16  # bytes; the system is quick with smaller ones
ALIGNMENT = 64  # bytes: a line of the cache
SLACK = 1.25  # a block may be so many times larger than what is asked for
HELD = 1.5  # times what was in use before is held at most


class Memory:
    """Blocks of memory, in use or waiting.

    Attributes:
        used_bytes: of arrays in use.
        waiting_bytes: of blocks that wait for the next array.
        most_used_bytes: the most that were in use at the same time.

    Example:
        >>> memory = Memory()
        >>> array = memory.empty((1000, 1000), np.float32)
        >>> place = array.ctypes.data
        >>> del array
        >>> memory.empty((1000, 1000), np.float32).ctypes.data == place
        True
    """

    def __init__(self) -> None:
        self.used_bytes = self.waiting_bytes = self.most_used_bytes = 0
        self._waiting: dict[int, list[_Block]] = {}  # by length
        self._used: dict[int, tuple[weakref.ref[npt.NDArray[np.floating]], _Block]] = {}
        self._renew_lock()
        renew_when_forked(self._renew_lock)

    def _renew_lock(self) -> None:
        self._lock = threading.RLock()  # a finaliser may run while this thread is in here

    def empty(self, shape: Sequence[int], dtype: npt.DTypeLike) -> npt.NDArray[np.floating]:
        """Return an array whose contents mean nothing, aligned to lines of the cache."""
        dtype = np.dtype(dtype)
        size = math.prod(shape) * dtype.itemsize
        if size < SMALLEST:
            return np.empty(shape, dtype)
        with self._lock:
            block = self._take(size)
            if block is None:
                self._make_room(size)
                block = np.empty(size + ALIGNMENT, np.uint8)
            self.used_bytes += len(block)
            self.most_used_bytes = max(self.most_used_bytes, self.used_bytes)
        start = -block.ctypes.data % ALIGNMENT
        # Whatever is made of the array, views and tensors too, keeps this one alive.
        line: npt.NDArray[np.floating] = np.frombuffer(block[start : start + size].data, dtype)
        reference = weakref.ref(line, self._give_back)
        self._used[id(reference)] = reference, block
        return line.reshape(shape)

    def _take(self, size: int) -> _Block | None:
        fitting = self._waiting.get(size + ALIGNMENT)
        if not fitting:
            least, most = size + ALIGNMENT, SLACK * size + ALIGNMENT
            # A tuple: an array may go, and its block come back, while we look.
            lengths = tuple(self._waiting)
            length = min((n for n in lengths if least <= n <= most), default=None)
            if length is None:
                return None
            fitting = self._waiting[length]
        block = fitting.pop()
        if not fitting:
            del self._waiting[len(block)]
        self.waiting_bytes -= len(block)
        return block

    def _make_room(self, size: int) -> None:
        """Let go of blocks, those of a length that waits longest first, before another is taken."""
        most = HELD * max(self.most_used_bytes, self.used_bytes + size)
        while self._waiting and self.used_bytes + self.waiting_bytes + size > most:
            length = next(iter(self._waiting))
            self.waiting_bytes -= len(self._waiting[length].pop())
            if not self._waiting[length]:
                del self._waiting[length]

    def _give_back(self, reference: "weakref.ref[npt.NDArray[np.floating]]") -> None:
        with self._lock:
            _, block = self._used.pop(id(reference))
            self.used_bytes -= len(block)
            self.waiting_bytes += len(block)
            self._waiting.setdefault(len(block), []).append(block)


MEMORY = Memory()
empty = MEMORY.empty
