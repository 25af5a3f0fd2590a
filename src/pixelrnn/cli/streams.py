"""Standard output and error as they may be: closed, full, a pipe that nobody reads on, not in Unicode."""

import contextlib
import io
import os
import sys
from collections.abc import Iterator

from pixelrnn.cli.console import tell
from pixelrnn.errors import OutputError


class _Stream(io.TextIOWrapper):
    """A standard stream that takes every text, and raises `OutputError` where it has no room for it."""

    def __init__(self, stream: io.TextIOWrapper, title: str) -> None:
        self.title = title
        super().__init__(
            stream.buffer,
            encoding=stream.encoding,
            errors="backslashreplace" if stream.errors == "strict" else stream.errors,
            line_buffering=stream.line_buffering,
            write_through=stream.write_through,
        )

    def write(self, text: str, /) -> int:
        if isinstance(text, str) and not text:  # no more than a question whether text is taken
            return 0
        with self._naming():
            return super().write(text)

    def flush(self) -> None:
        with self._naming():
            super().flush()

    @contextlib.contextmanager
    def _naming(self) -> Iterator[None]:
        """Make errors of the stream ours, but for that of a pipe that nobody reads on."""
        try:
            yield
        except BrokenPipeError:
            raise
        except OSError as error:
            # What is left goes nowhere, or Python tries again, and complains, when it ends.
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self.fileno())
            os.close(nowhere)
            reason = error.strerror or error
            raise OutputError(f"{self.title} cannot be written: {reason}") from error


def prepare() -> None:
    """See to it that every text can be printed, and that no file takes the place of a closed stream."""
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:  # or what a library writes to standard error would get into a file
            os.open(os.devnull, os.O_RDWR)
    # A stream that a test or a notebook put there is left as it is.
    if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout is sys.__stdout__:
        sys.stdout = _Stream(sys.stdout, "standard output")
    if isinstance(sys.stderr, io.TextIOWrapper) and sys.stderr is sys.__stderr__:
        sys.stderr = _Stream(sys.stderr, "standard error")


def say(line: str) -> None:
    """Print a line on standard error, if that can be written."""
    with contextlib.suppress(OutputError, BrokenPipeError):
        tell(line)
