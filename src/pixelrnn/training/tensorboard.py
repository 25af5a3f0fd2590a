"""A run's figures for TensorBoard, which are a convenience: a disk that is full ends them, not the run."""

import os
import platform
import time
from collections.abc import Callable, Mapping
from pathlib import Path

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
        >>> [file.name.startswith("events.out.tfevents.") for file in folder.iterdir()]
        [True]
    """

    def __init__(self, folder: Path, say: Callable[[str], None]) -> None:
        name = f"events.out.tfevents.{time.time_ns():020d}.{platform.node()}.{os.getpid()}"
        self._file, self._say, self._given_up = folder / name, say, False

    def add(self, step: int, values: Mapping[str, float | None]) -> None:
        """Add figures of a step, those there are; each is in the system's hands at once."""
        known = {name: value for name, value in values.items() if value is not None}
        summary = Summary(
            value=[Summary.Value(tag=name, simple_value=value) for name, value in known.items()]
        )
        if self._given_up:
            return
        try:
            if not self._file.exists():
                self._file.parent.mkdir(parents=True, exist_ok=True)
                self._write(Event(wall_time=time.time(), file_version="brain.Event:2"))
            self._write(Event(wall_time=time.time(), step=step, summary=summary))
        except OSError as error:
            self._given_up = True
            self._say(
                f"no more curves for TensorBoard: cannot write into {self._file.parent}: "
                f"{error.strerror or error}; the run goes on"
            )

    def _write(self, event: Event) -> None:
        with self._file.open("ab") as file:
            RecordWriter(file).write(event.SerializeToString())
