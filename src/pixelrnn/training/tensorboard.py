"""A run's figures for TensorBoard, which are a convenience: a disk that is full ends them, not the run."""

import os
import platform
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO

from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.record_writer import RecordWriter


class TensorBoardCurves:
    """An event file in the run's folder `tensorboard`, begun with the first figures.

    Args:
        folder: for the file.
        say: told a line if the file cannot be written.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> curves = TensorBoardCurves(folder, print)
        >>> curves.add(100, {"train_bits_per_dim": 1.5})
        >>> curves.close()
        >>> [file.name.startswith("events.out.tfevents.") for file in folder.iterdir()]
        [True]
    """

    def __init__(self, folder: Path, say: Callable[[str], None]) -> None:
        self._folder, self._say = folder, say
        self._file: IO[bytes] | None = None
        self._given_up = False

    def add(self, step: int, values: Mapping[str, float | None]) -> None:
        """Add figures of a step, those there are; each is in the system's hands at once."""
        if self._given_up:
            return
        try:
            if self._file is None:
                self._file = self._begin()
            summary = Summary(
                value=[
                    Summary.Value(tag=name, simple_value=value)
                    for name, value in values.items()
                    if value is not None
                ]
            )
            self._write(Event(wall_time=time.time(), step=step, summary=summary))
        except OSError as error:
            self._given_up = True
            self.close()
            self._say(
                f"no more curves for TensorBoard: cannot write into {self._folder}: "
                f"{error.strerror or error}; the run goes on"
            )

    def close(self) -> None:
        """Close the file."""
        file, self._file = self._file, None
        if file is not None:
            with suppress(OSError):  # what it still held finds no room either
                file.close()

    def _begin(self) -> IO[bytes]:
        self._folder.mkdir(parents=True, exist_ok=True)
        name = f"events.out.tfevents.{time.time_ns():020d}.{platform.node()}.{os.getpid()}"
        self._file = (self._folder / name).open("wb")
        self._write(Event(wall_time=time.time(), file_version="brain.Event:2"))
        return self._file

    def _write(self, event: Event) -> None:
        writer = RecordWriter(self._file)
        writer.write(event.SerializeToString())
        writer.flush()
