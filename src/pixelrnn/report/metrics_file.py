"""The typed reading of `metrics.csv`: the columns that the page draws."""

import csv
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pixelrnn.errors import ModelFileError
from pixelrnn.report.text_file import read_text

MAX_METRICS_BYTES = 1 << 22  # some 40,000 rows
METRIC_COLUMNS = ("image_presentations", "train_bits_per_dim", "validation_bits_per_dim")


@dataclass(frozen=True)
class Metrics:
    """The columns of `metrics.csv` that are drawn: float64 `(rows,)`, NaN where not measured."""

    image_presentations: npt.NDArray[np.float64]
    train_bits_per_dim: npt.NDArray[np.float64]
    validation_bits_per_dim: npt.NDArray[np.float64]


def read_metrics(path: Path) -> Metrics:
    """Read `metrics.csv`.

    Raises:
        ModelFileError: the file is missing, too long, or has other columns or cells than it should.

    Example:
        >>> read_metrics(Path("none.csv"))
        Traceback (most recent call last):
        pixelrnn.errors.ModelFileError: none.csv cannot be read (No such file or directory); ...
    """
    text = read_text(path, MAX_METRICS_BYTES)
    try:
        return _metrics(path, csv.DictReader(text.splitlines()))
    except csv.Error as error:  # a cell of more than 128 KiB
        raise ModelFileError(f"{path} cannot be read ({error}); train that run again") from None


def _metrics(path: Path, reader: "csv.DictReader[str]") -> Metrics:
    missing = [name for name in METRIC_COLUMNS if name not in (reader.fieldnames or ())]
    if missing:
        raise ModelFileError(f"{path} has no column {missing[0]}; train that run again")
    parse = partial(_parse_cell, path)
    rows = [[parse(reader.line_num, name, row[name]) for name in METRIC_COLUMNS] for row in reader]
    table = np.array(rows, dtype=np.float64).reshape(-1, len(METRIC_COLUMNS))
    return Metrics(*table.T)


def _parse_cell(path: Path, line: int, column: str, cell: str | None) -> float:
    if cell is None:
        raise ModelFileError(f"{path}, line {line}: too few cells; train that run again")
    try:
        return float(cell) if cell.strip() else float("nan")
    except ValueError:
        raise ModelFileError(
            f"{path}, line {line}: {column} is {cell[:40]!r}, not a number; train that run again"
        ) from None
