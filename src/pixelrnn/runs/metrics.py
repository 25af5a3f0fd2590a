"""The schema of `metrics.csv`: one row for each measurement during training."""

import csv
from collections.abc import Iterator
from pathlib import Path

import pydantic

from pixelrnn.errors import ModelFileError
from pixelrnn.runs.reading import Record, first_problem, read_text

MAX_BYTES = 1 << 22  # some 40,000 rows
REMEDY = "train that run again"


class MetricsRow(Record):
    """One row; an empty cell is `None`."""

    model_config = pydantic.ConfigDict(allow_inf_nan=True)

    step: int | None = pydantic.Field(None, description="optimiser steps so far")
    image_presentations: int | float | None = pydantic.Field(
        description="training images shown so far"
    )
    minutes: float | None = pydantic.Field(None, description="time spent on the run")
    learning_rate: float | None = pydantic.Field(None, description="of this step")
    train_bits_per_dim: float | None = pydantic.Field(
        description="mean over the batches since the row before"
    )
    validation_bits_per_dim: float | None = pydantic.Field(
        description="of the averaged weights; empty where there was no validation"
    )
    images_per_second: float | None = pydantic.Field(None, description="of training alone")


COLUMNS = tuple(MetricsRow.model_fields)


def read_metrics(path: Path) -> list[MetricsRow]:
    """Read `metrics.csv` but for half a last line, which a kill may leave.

    Raises:
        ModelFileError: the file is missing, too long, or lacks a column, or a cell is not a number.

    Example:
        >>> read_metrics(Path("none.csv"))
        Traceback (most recent call last):
        pixelrnn.errors.ModelFileError: none.csv cannot be read: No such file or directory; ...
    """
    text = read_text(path, REMEDY, MAX_BYTES)
    try:
        return list(_rows(path, csv.DictReader(text[: text.rfind("\n") + 1].splitlines())))
    except csv.Error as error:  # a cell of more than 128 KiB
        raise ModelFileError(f"{path} cannot be read ({error}); {REMEDY}") from None


def _rows(path: Path, reader: "csv.DictReader[str]") -> Iterator[MetricsRow]:
    for name, field in MetricsRow.model_fields.items():
        if field.is_required() and name not in (reader.fieldnames or ()):
            raise ModelFileError(f"{path} has no column {name}; {REMEDY}")
    for row in reader:
        if None in row.values():
            raise ModelFileError(f"{path}, line {reader.line_num}: too few cells; {REMEDY}")
        try:
            cells = {name: cell.strip() or None for name, cell in row.items() if name in COLUMNS}
            yield MetricsRow.model_validate(cells)
        except pydantic.ValidationError as error:
            cell = str(error.errors()[0]["input"])[:40]
            raise ModelFileError(
                f"{path}, line {reader.line_num}: {first_problem(error)}, not {cell!r}; {REMEDY}"
            ) from None
