"""Tables of scores as files: CSV, or Parquet where pyarrow is installed; row by row, of any length."""

import csv
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pixelrnn.errors import OutputError
from pixelrnn.files import replacing
from pixelrnn.registry import Registry

Table = Mapping[str, Sequence[Any]]
"""Some rows: by column, its values, of as many rows each."""

Write = Callable[[Path, Iterable[Table]], None]
FORMATS = Registry[Write]("kind of table")
DIGITS = 9  # of a number in a CSV file


def require_format(path: Path) -> None:
    """Raise unless tables can be written to a file of that name.

    Raises:
        OutputError: if its name ends in something else.
        ModuleNotFoundError: if what writes it is not installed.
    """
    if path.suffix.lower() not in FORMATS:
        raise OutputError(f"--out {path}: give a name that ends in {' or '.join(FORMATS)}")
    if path.suffix.lower() == ".parquet":
        import pyarrow  # noqa: F401, PLC0415 - only those who want it need it


def write_table(path: Path, parts: Iterable[Table]) -> None:
    """Write a table, part by part; the file appears whole or not at all.

    Args:
        path: the file; its suffix says which kind.
        parts: rows, all with the same columns; at least one part.

    Raises:
        OutputError: if it cannot be written.

    Example:
        >>> import tempfile
        >>> file = Path(tempfile.mkdtemp()) / "scores.csv"
        >>> write_table(file, [{"name": ["a", "b"], "score": [0.5, 1.0]}])
        >>> file.read_text().split()
        ['name,score', 'a,0.5', 'b,1']
    """
    with replacing(path) as beside:
        FORMATS[path.suffix.lower()](beside, parts)


def _write_csv(path: Path, parts: Iterable[Table]) -> None:
    with path.open("w", encoding="utf-8", newline="") as stream:
        rows = csv.writer(stream, lineterminator="\n")
        for number, part in enumerate(parts):
            if not number:
                rows.writerow(part)
            rows.writerows(map(_texts, zip(*part.values(), strict=True)))


def _texts(row: Sequence[Any]) -> list[str]:
    return [f"{each:.{DIGITS}g}" if isinstance(each, float) else str(each) for each in row]


def _write_parquet(path: Path, parts: Iterable[Table]) -> None:
    import pyarrow  # noqa: PLC0415
    from pyarrow import parquet  # noqa: PLC0415

    writer: Any = None
    try:
        for part in parts:
            table = pyarrow.table(dict(part))
            writer = writer or parquet.ParquetWriter(path, table.schema)
            writer.write_table(table)
    finally:
        if writer is not None:
            writer.close()


FORMATS.add(".csv", _write_csv, rank=1)
FORMATS.add(".parquet", _write_parquet, rank=2)
