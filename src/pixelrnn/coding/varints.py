"""Numbers of few bytes where they are small: groups of 7 bits, the lowest first."""

from pixelrnn.errors import CompressedFileError

CUT_SHORT = "it is cut short or damaged; get it again"


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
        number = shift = 0
        while True:
            (byte,) = self.bytes(1)
            number |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return number
            if shift > 63:
                raise CompressedFileError("a number in its index is too long; get it again")
