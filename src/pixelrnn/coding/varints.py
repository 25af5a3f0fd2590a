"""Numbers of few bytes where they are small: groups of 7 bits, the lowest first."""

import numpy as np

from pixelrnn.arrays import Integers
from pixelrnn.errors import CompressedFileError

CUT_SHORT = "it is cut short or damaged; get it again"
MAX_BYTES = 9  # of a number that is of use: 63 bits
BLOCK = 1 << 16  # numbers that are read at a time


def varint(number: int) -> bytes:
    """Return a number in groups of 7 bits, the lowest first; the top bit says that more follow."""
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    out.append(number)
    return bytes(out)


class Reader:
    """Reads numbers from bytes, and says so where there are too few."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def bytes(self, count: int) -> bytes:
        """Return the next bytes."""
        if count > len(self.data) - self.at:
            raise CompressedFileError(CUT_SHORT)
        self.at += count
        return self.data[self.at - count : self.at]

    def varint(self) -> int:
        """Return the number that comes next."""
        return int(self.varints(1)[0])

    def varints(self, count: int) -> Integers:
        """Return the numbers that come next."""
        if count > len(self.data) - self.at:  # each has a byte at least
            raise CompressedFileError(CUT_SHORT)
        numbers = np.empty(count, np.int64)
        done = 0
        while done < count:
            some, sizes = self.ahead(min(BLOCK, count - done))
            if not len(some):
                if len(self.data) - self.at > MAX_BYTES:
                    raise CompressedFileError("a number in its index is too long; get it again")
                raise CompressedFileError(CUT_SHORT)
            numbers[done : done + len(some)] = some
            done += len(some)
            self.at += int(sizes.sum())
        return numbers

    def ahead(self, count: int) -> tuple[Integers, Integers]:
        """Return at most `count` numbers that come next, and the bytes of each, without going on.

        It ends before a number that is cut short or too long.
        """
        room = min(count * MAX_BYTES, len(self.data) - self.at)
        part = np.frombuffer(self.data, np.uint8, room, self.at)
        ends = np.flatnonzero(part < 128)[:count]
        sizes = np.diff(ends, prepend=-1)
        too_long = np.flatnonzero(sizes > MAX_BYTES)
        if len(too_long):
            ends, sizes = ends[: too_long[0]], sizes[: too_long[0]]
        numbers = np.zeros(len(ends), np.int64)
        for k in range(int(sizes.max(initial=0))):
            has = np.flatnonzero(sizes > k)
            group = part[ends[has] - sizes[has] + 1 + k] & 127
            numbers[has] |= group.astype(np.int64) << (7 * k)
        return numbers, sizes
