"""The table that holds models against codecs as real files."""

import html
import json
import re
from dataclasses import dataclass

import pytest

from pixelrnn.report import build

FILE_KEYS = ("file_num_images", "float_bits_per_dim", "integer_bits_per_dim", "message_bits_per_dim",
             "file_bits_per_dim", "file_bytes")  # fmt: skip


@dataclass
class Row:
    """A row of the table, as text."""

    kind: str
    name: str
    note: str
    float_bits: str
    integer_bits: str
    file_bits: str
    kilobytes: str


def section_of(folders, tmp_path):
    """Return the part of the page from the table's heading to the next one; "" if there is none."""
    page = build(folders, tmp_path / "report.html").read_text(encoding="utf-8")
    found = re.search(r">As a file</h2>(.*?)<h2", page, re.S)
    return html.unescape(found[1]) if found else ""


def words_of(section):
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", section))


def rows_of(section):
    found = []
    for kind, row in re.findall(r'<tr class="(\w+)">(.*?)</tr>', section, re.S):
        name, _, note = re.search(r"<th[^>]*>(.*?)</th>", row, re.S)[1].partition("<small>")
        cells = re.findall(r'<td class="number">(.*?)</td>', row)
        words = [re.sub(r"<[^>]*>", "", each).strip() for each in (name, note)]
        found.append(Row(kind, *words, *cells))
    return found


def test_models_come_before_codecs_each_with_its_figures(digits, tmp_path):
    folders = digits.runs(tmp_path)
    rows = rows_of(section_of(folders, tmp_path))
    assert [row.name for row in rows] == [
        "PixelCNN", "Diagonal BiLSTM", "Row LSTM", "JPEG XL", "WebP lossless", "PNG",
    ]  # fmt: skip
    for folder, row in zip((folders[0], folders[2], folders[1]), rows, strict=False):
        result = json.loads((folder / "result.json").read_text())
        assert row.float_bits == f"{result['float_bits_per_dim']:.4f}"
        assert row.integer_bits == f"{result['integer_bits_per_dim']:.4f}"
        assert row.file_bits == f"{result['file_bits_per_dim']:.4f}"
        assert float(row.kilobytes) == pytest.approx(result["file_bytes"] / 1000, rel=1e-3)
        rest = result["file_bits_per_dim"] - result["message_bits_per_dim"]
        assert row.note == f"60 images; index and checksums are {rest:.4f} bits/dim of the file"


def test_bits_and_kilobytes_of_a_row_are_the_same_file(digits, tmp_path):
    """Of models, whose bytes were counted, as of codecs, whose bytes follow from the bits."""
    for row in rows_of(section_of(digits.runs(tmp_path), tmp_path)):
        dims = 60 * 8 * 8
        assert float(row.kilobytes) == pytest.approx(float(row.file_bits) * dims / 8000, rel=1e-3)


def test_a_codec_has_no_ideal(digits, tmp_path):
    codecs = [
        row
        for row in rows_of(section_of(digits.runs(tmp_path), tmp_path))
        if row.kind == "baseline"
    ]
    assert {(row.float_bits, row.integer_bits) for row in codecs} == {("\N{EN DASH}",) * 2}


def test_histograms_of_several_runs_are_no_codecs(digits, tmp_path):
    """Their names say which run they are of."""
    folders = digits.runs(tmp_path)
    result = json.loads((folders[1] / "result.json").read_text())
    result["baselines"][1]["test_bits_per_dim"] += 0.1
    (folders[1] / "result.json").write_text(json.dumps(result))
    assert not [row for row in rows_of(section_of(folders, tmp_path)) if "histogram" in row.name]


def test_the_page_explains_and_shows_it(digits, tmp_path):
    folders = digits.runs(tmp_path)
    section = section_of(folders, tmp_path)
    words = words_of(section)
    for row in rows_of(section):
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
    section = section_of(folders, tmp_path)
    words = words_of(section)
    assert "only the first images were compressed" in words
    assert "codecs are of all 60" in words
    assert words.count("20 images; ") == 3
    result = json.loads((folders[0] / "result.json").read_text())
    assert f"{result['float_bits_per_dim']:.4f}" != f"{result['test_bits_per_dim']:.4f}"
    assert f"{result['float_bits_per_dim']:.4f}" in words


def test_runs_from_before_have_a_page_without_the_table(digits, tmp_path):
    folders = digits.runs(tmp_path, as_file=False)
    assert section_of(folders, tmp_path) == ""


def test_figures_that_are_null_are_none(digits, tmp_path):
    """As they are left where a model could no longer be exported."""
    folder = digits.run(tmp_path / "a")
    result = json.loads((folder / "result.json").read_text()) | dict.fromkeys(FILE_KEYS)
    (folder / "result.json").write_text(json.dumps(result))
    assert section_of([folder], tmp_path) == ""


def test_a_model_without_a_file_is_said_to_have_none(digits, tmp_path):
    folders = [digits.run(tmp_path / "a"), digits.run(tmp_path / "b", "row-lstm", as_file=False)]
    last = rows_of(section_of(folders, tmp_path))[1]
    assert (last.name, last.note) == ("Row LSTM", "not measured as a file")
    assert {last.float_bits, last.integer_bits, last.file_bits, last.kilobytes} == {"\N{EN DASH}"}


def test_runs_that_were_not_evaluated_have_no_table(digits, tmp_path):
    folders = digits.runs(tmp_path, evaluated=False)
    folders.append(digits.run(tmp_path / "a", evaluated=False, file_num_images=60))
    assert section_of(folders, tmp_path) == ""
