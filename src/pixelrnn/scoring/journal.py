"""What was measured so far, kept beside the file that it will become: a job that ends goes on from there.

    scores.csv.unfinished       a line of JSON that says which job it is and what normal images cost, then a
                                line for each image, in order

A line that was being written when the power failed, and whatever follows it, is measured again.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from io import FileIO
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from pixelrnn import locks
from pixelrnn.errors import OutputError
from pixelrnn.scoring.base import Columns
from pixelrnn.untrusted import read_json

SUFFIX = ".unfinished"


class Row(NamedTuple):
    """An image that was measured, or that could not be.

    Attributes:
        name: of the image.
        size: (height, width) in pixels.
        costs: bits/dim, in the order of the journal's columns; none of an image that was left out.
        reason: why it was left out, or "".
    """

    name: str
    size: tuple[int, int]
    costs: tuple[float, ...]
    reason: str = ""


def place_of(out: Path) -> Path:
    """Return where the journal of a file is."""
    return out.with_name(out.name + SUFFIX)


class Journal:
    """The journal of one job; use it inside a `with`, where no other process can.

    Args:
        out: the file that the rows will become.
        job: what tells this job from others, as JSON has it.
        columns: the names of what is measured.

    Attributes:
        num_rows: how many images are done.
        normal: what normal images cost, if that is known.
    """

    def __init__(self, out: Path, job: Mapping[str, Any], columns: Sequence[str]) -> None:
        self.path, self.columns = place_of(out), list(columns)
        self._out, self._job = out, {**job, "columns": self.columns}
        self.num_rows, self.normal = 0, dict[str, Any]()
        self._stream: FileIO | None = None

    @contextmanager
    def open(self, *, anew: bool) -> Iterator["Journal"]:
        """Hold it inside the `with`; what an earlier process left is gone on with.

        Args:
            anew: begin from nothing.

        Raises:
            OutputError: if it cannot be written, or what is there is of another job.
            InUseError: if another process is at it.
        """
        lock = self._out.with_name(f".{self._out.name}.lock")
        with ExitStack() as stack:
            with _said(self.path):
                stack.enter_context(locks.held(lock, "scoring", place=self._out))
                if anew:
                    self.path.unlink(missing_ok=True)
                end = self._go_on() if self.path.is_file() else 0
                stack.callback(self._remove_if_useless)
                # Without a buffer: what a full disk refused would be tried again when it is closed.
                self._stream = stack.enter_context(self.path.open("ab", buffering=0))
                self._stream.truncate(end)
                self._stream.seek(end)
            yield self

    def begin(self, normal: Columns) -> None:
        """Write the first line: the job, and what normal images cost; nothing if there are none."""
        self.normal = {name: each.tolist() for name, each in normal.items()}
        self._write([{"job": self._job, "normal": self.normal}])

    def add(self, rows: Iterable[Row]) -> None:
        """Write a line for each image."""
        rows = list(rows)
        self._write(rows)
        self.num_rows += len(rows)

    def rows(self) -> Iterator[Row]:
        """Yield the rows from the first on."""
        with self.path.open("rb") as stream:
            stream.readline()
            for line in stream:
                yield _row(line)

    def remove(self) -> None:
        """Remove the file: what was in it has become another."""
        self.path.unlink(missing_ok=True)

    def _remove_if_useless(self) -> None:
        """Remove what nothing was measured in: it would but refuse the next job."""
        if not (self.num_rows or self.normal):
            self.path.unlink(missing_ok=True)

    def _go_on(self) -> int:
        """Read what is there, and return where the lines end that are whole."""
        with self.path.open("rb") as stream:
            end = self._begun(stream.readline())
            while end and (line := stream.readline()) and self._is_whole(line):
                end, self.num_rows = stream.tell(), self.num_rows + 1
        return end

    def _begun(self, first: bytes) -> int:
        """Read the first line; return its length, or 0 if it is not whole."""
        try:
            about = read_json(first.decode())
            job, self.normal = about["job"], about["normal"]
            if not first.endswith(b"\n"):
                raise ValueError
        except (ValueError, LookupError, TypeError):
            return 0
        if job != json.loads(json.dumps(self._job)):
            raise OutputError(
                f"{self.path} is of another job, which did not end: repeat that one, give another --out, "
                "or --force to begin anew"
            )
        return len(first)

    def _is_whole(self, line: bytes) -> bool:
        try:
            return line.endswith(b"\n") and len(_row(line).costs) in (0, len(self.columns))
        except (ValueError, TypeError):
            return False

    def _write(self, lines: Iterable[Any]) -> None:
        assert self._stream is not None
        left = memoryview(b"".join(json.dumps(line).encode() + b"\n" for line in lines))
        with _said(self.path):
            while left:
                left = left[self._stream.write(left) :]

    @property
    def is_begun(self) -> bool:
        """Whether the first line is written."""
        assert self._stream is not None
        return self._stream.tell() > 0


def _row(line: bytes) -> Row:
    name, (height, width), costs, reason = json.loads(line)
    return Row(str(name), (int(height), int(width)), tuple(map(float, costs)), str(reason))


def arrays(normal: Mapping[str, Any]) -> dict[str, Any]:
    """Return what normal images cost as arrays."""
    return {name: np.array(each, np.float64) for name, each in normal.items()}


@contextmanager
def _said(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror or error}") from error
