"""Tables as CSV and as Parquet, part by part."""

import csv

import pytest

from pixelrnn.errors import OutputError
from pixelrnn.scoring.table import FORMATS, require_format, write_table

PARTS = [
    {"name": ['a"b.png', "c,d.png"], "height": [4, 5], "score": [1 / 3, 2.0]},
    {"name": ["=x\ny"], "height": [6], "score": [-1e-9]},
]


@pytest.fixture(params=FORMATS)
def table(request, tmp_path):
    if request.param == ".parquet":
        pytest.importorskip("pyarrow")
    return tmp_path / f"scores{request.param}"


def read(path):
    if path.suffix == ".parquet":
        from pyarrow import parquet

        return parquet.read_table(path).to_pydict()
    with path.open(encoding="utf-8", newline="") as stream:
        first, *rows = csv.reader(stream)
    return dict(zip(first, map(list, zip(*rows, strict=True)), strict=True))


def test_rows_come_back(table):
    write_table(table, PARTS)
    found = read(table)
    assert found["name"] == ['a"b.png', "c,d.png", "=x\ny"]
    assert [int(each) for each in found["height"]] == [4, 5, 6]
    assert [float(each) for each in found["score"]] == pytest.approx([1 / 3, 2.0, -1e-9])


def test_an_error_on_the_way_leaves_what_was_there(table):
    table.write_bytes(b"mine")

    def parts():
        yield PARTS[0]
        raise OutputError("stop")

    with pytest.raises(OutputError, match="stop"):
        write_table(table, parts())
    assert table.read_bytes() == b"mine"
    assert [path.name for path in table.parent.iterdir()] == [table.name]


def test_other_kinds_of_tables(tmp_path):
    with pytest.raises(OutputError, match=r"ends in \.csv or \.parquet"):
        require_format(tmp_path / "scores.xlsx")
    require_format(tmp_path / "scores.CSV")
