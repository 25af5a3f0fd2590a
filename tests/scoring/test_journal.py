"""A job that ends, however it ends, goes on from what is whole; of another job nothing is taken."""

import json
from pathlib import Path

import pytest

from pixelrnn import locks
from pixelrnn.errors import InUseError, OutputError
from pixelrnn.scoring.journal import Journal, Row, place_of

ROWS = [
    Row("a.png", (4, 5), (0.1, 1 / 3)),
    Row("b.png", (0, 0), (), "16-bit"),
    Row("c", (1, 1), (2.0, 3.0)),
]
FULL = Path("/dev/full")
COLUMNS = ("bits_per_dim", "codec_bits_per_dim")


@pytest.fixture
def out(tmp_path):
    return tmp_path / "scores.csv"


def journal(out, **job):
    return Journal(out, {"data": "x"} | job, COLUMNS)


@pytest.fixture
def begun(out):
    import numpy as np

    with journal(out).open(anew=False) as one:
        assert not one.is_begun
        one.begin({"bits_per_dim": np.array([1.5, 0.1])})
        one.add(ROWS[:2])
        one.add(ROWS[2:])
    return place_of(out)


def test_it_goes_on(out, begun):
    with journal(out).open(anew=False) as again:
        assert again.is_begun
        assert again.num_rows == 3
        assert again.normal == {"bits_per_dim": [1.5, 0.1]}
        again.add([Row("d", (1, 1), (0.5, 0.5))])
        assert list(again.rows()) == [*ROWS, Row("d", (1, 1), (0.5, 0.5))]
    assert sorted(path.name for path in out.parent.iterdir()) == [begun.name]


def test_wherever_it_was_cut_off(out, begun):
    """Every length that a kill or a power cut may leave."""
    whole = begun.read_bytes()
    ends = [n + 1 for n, byte in enumerate(whole) if byte == ord("\n")]
    for length in range(len(whole)):
        begun.write_bytes(whole[:length])
        with journal(out).open(anew=False) as again:
            assert again.is_begun == (length >= ends[0])
            assert again.num_rows == max(0, sum(end <= length for end in ends) - 1)
            if again.is_begun:
                again.add(ROWS[again.num_rows :])
                assert list(again.rows()) == ROWS


@pytest.mark.parametrize(
    "damage", [b"\0" * 40 + b"\n", b'["x", [1, 1], [1.0]]\n', b"[]\n", b"\xff\n"]
)
def test_lines_that_are_damaged_are_measured_again(out, begun, damage):
    lines = begun.read_bytes().splitlines(keepends=True)
    begun.write_bytes(b"".join([*lines[:2], damage, *lines[3:]]))
    with journal(out).open(anew=False) as again:
        assert again.num_rows == 1
        assert list(again.rows()) == ROWS[:1]


@pytest.mark.parametrize("job", [{"data": "y"}, {"skip": True}])
def test_another_job_is_refused(out, begun, job):
    before = begun.read_bytes()
    with (
        pytest.raises(OutputError, match="of another job"),
        journal(out, **job).open(anew=False),
    ):
        pass
    assert begun.read_bytes() == before
    with journal(out, **job).open(anew=True) as fresh:
        assert not fresh.is_begun


def test_other_columns_are_another_job(out, begun):
    other = Journal(out, {"data": "x"}, COLUMNS[:1])
    with pytest.raises(OutputError, match="of another job"), other.open(anew=False):
        pass


def test_one_at_a_time(out, begun):
    with (
        locks.held(out.with_name(".scores.csv.lock"), "scoring", place=out),
        pytest.raises(InUseError, match=r"scores\.csv is in use"),
        journal(out).open(anew=False),
    ):
        pass


def test_an_error_inside_is_not_the_journal_s(out):
    with pytest.raises(OSError, match="elsewhere"), journal(out).open(anew=False):
        raise OSError("elsewhere")


@pytest.mark.skipif(not FULL.exists(), reason="no device that is always full")
def test_a_full_disk(out):
    with journal(out).open(anew=False) as one:
        one.begin({})
        with (
            FULL.open("wb", buffering=0) as one._stream,
            pytest.raises(OutputError, match="No space left"),
        ):
            one.add(ROWS)


def test_its_lines_are_json(begun):
    first, *rows = map(json.loads, begun.read_text().splitlines())
    assert first["job"] == {"data": "x", "columns": list(COLUMNS)}
    assert rows[0] == ["a.png", [4, 5], [0.1, 1 / 3], ""]


def test_nothing_is_left_of_a_job_that_was_not_begun(out):
    with pytest.raises(ValueError, match="no job"), journal(out).open(anew=False):
        raise ValueError("no job")
    assert list(out.parent.iterdir()) == []
