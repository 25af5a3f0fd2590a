"""The table that holds models against codecs as real files."""

import json
import re

import pytest

from pixelrnn.report import build, read_run_folder
from pixelrnn.report.comparison import group_by_data
from pixelrnn.report.tables import file_table

FILE_KEYS = ("file_num_images", "float_bits_per_dim", "integer_bits_per_dim", "message_bits_per_dim",
             "file_bits_per_dim", "file_bytes")  # fmt: skip


def table_of(folders):
    (group,) = group_by_data([read_run_folder(folder) for folder in folders])
    return file_table(group)


def section_of(folders, tmp_path):
    """Return the words of the page from the table's heading to the next one."""
    page = build(folders, tmp_path / "report.html").read_text(encoding="utf-8")
    found = re.search(r">As a file</h2>(.*?)<h2", page, re.S)
    return None if found is None else re.sub(r"<[^>]*>|\s+", " ", found[1])


def test_models_come_before_codecs_each_with_its_figures(digits, tmp_path):
    folders = digits.runs(tmp_path)
    table = table_of(folders)
    assert [row.name for row in table.rows] == [
        "PixelCNN", "Diagonal BiLSTM", "Row LSTM", "JPEG XL", "WebP lossless", "PNG",
    ]  # fmt: skip
    for folder, row in zip((folders[0], folders[2], folders[1]), table.rows, strict=False):
        result = json.loads((folder / "result.json").read_text())
        assert row.float_bits == f"{result['float_bits_per_dim']:.4f}"
        assert row.integer_bits == f"{result['integer_bits_per_dim']:.4f}"
        assert row.file_bits == f"{result['file_bits_per_dim']:.4f}"
        assert float(row.kilobytes) == pytest.approx(result["file_bytes"] / 1000, rel=1e-3)
        rest = result["file_bits_per_dim"] - result["message_bits_per_dim"]
        assert row.note == f"60 images; index and checksums are {rest:.4f} bits/dim of the file"


def test_bits_and_kilobytes_of_a_row_are_the_same_file(digits, tmp_path):
    """Of models, whose bytes were counted, as of codecs, whose bytes follow from the bits."""
    for row in table_of(digits.runs(tmp_path)).rows:
        dims = 60 * 8 * 8
        assert float(row.kilobytes) == pytest.approx(float(row.file_bits) * dims / 8000, rel=1e-3)


def test_a_codec_has_no_ideal(digits, tmp_path):
    codecs = [row for row in table_of(digits.runs(tmp_path)).rows if row.entry is None]
    assert {(row.float_bits, row.integer_bits) for row in codecs} == {("\N{EN DASH}",) * 2}


def test_histograms_of_several_runs_are_no_codecs(digits, tmp_path):
    """Their names say which run they are of."""
    folders = digits.runs(tmp_path)
    result = json.loads((folders[1] / "result.json").read_text())
    result["baselines"][1]["test_bits_per_dim"] += 0.1
    (folders[1] / "result.json").write_text(json.dumps(result))
    assert not [row for row in table_of(folders).rows if "histogram" in row.name]


def test_the_page_explains_and_shows_it(digits, tmp_path):
    folders = digits.runs(tmp_path)
    words = section_of(folders, tmp_path)
    for row in table_of(folders).rows:
        for word in (row.name, row.float_bits, row.integer_bits, row.file_bits, row.kilobytes):
            assert word in words
    assert "exactly these images come back" in words
    assert "index and checksums are counted, the model is not" in words
    assert words.count("bits/dim") >= 3
    assert "kB" in words
    assert "only the first images" not in words


def test_some_images_only_are_said_to_be_some(digits, tmp_path):
    digits.file_images = 20
    folders = digits.runs(tmp_path)
    words = section_of(folders, tmp_path)
    assert "only the first images were compressed" in words
    assert "codecs are of all 60" in words
    assert words.count("20 images; ") == 3
    result = json.loads((folders[0] / "result.json").read_text())
    assert f"{result['float_bits_per_dim']:.4f}" != f"{result['test_bits_per_dim']:.4f}"
    assert f"{result['float_bits_per_dim']:.4f}" in words


def test_runs_from_before_have_a_page_without_the_table(digits, tmp_path):
    folders = digits.runs(tmp_path, as_file=False)
    assert table_of(folders) is None
    assert section_of(folders, tmp_path) is None


def test_figures_that_are_null_are_none(digits, tmp_path):
    """As they are left where a model could no longer be exported."""
    folder = digits.run(tmp_path / "a")
    result = json.loads((folder / "result.json").read_text()) | dict.fromkeys(FILE_KEYS)
    (folder / "result.json").write_text(json.dumps(result))
    assert table_of([folder]) is None


def test_a_model_without_a_file_is_said_to_have_none(digits, tmp_path):
    folders = [digits.run(tmp_path / "a"), digits.run(tmp_path / "b", "row-lstm", as_file=False)]
    last = table_of(folders).rows[1]
    assert (last.name, last.note) == ("Row LSTM", "not measured as a file")
    assert {last.float_bits, last.integer_bits, last.file_bits, last.kilobytes} == {"\N{EN DASH}"}


def test_runs_that_were_not_evaluated_have_no_table(digits, tmp_path):
    assert table_of(digits.runs(tmp_path, evaluated=False)) is None
    assert table_of([digits.run(tmp_path / "a", evaluated=False, file_num_images=60)]) is None
