"""A run folder from elsewhere takes no more memory than it can rightly need, or is refused by name."""

import io
import json
import os
import tracemalloc
import zipfile

import numpy as np
import pytest

from pixelrnn.errors import PixelRNNError
from pixelrnn.report import build
from pixelrnn.runs import SamplesArrays, read_run

MAX_BYTES = 64 << 20


def npy(shape, dtype="|u1", body=b"", version=1):
    """An .npy file whose header says what it likes."""
    header = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}, }}".encode()
    length = len(header).to_bytes(2 if version == 1 else 4, "little")
    return b"\x93NUMPY" + bytes([version, 0]) + length + header + body


def add(path, **members):
    """Add arrays as bytes to the file of an evaluation, packed."""
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(f"{name}.npy", content)


def replaced(path, name, content):
    with zipfile.ZipFile(path) as archive:
        kept = {each: archive.read(each) for each in archive.namelist() if each != f"{name}.npy"}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for each, data in {**kept, f"{name}.npy": content}.items():
            archive.writestr(each, data)


def peak_bytes(folder):
    """Memory at its height while a run folder is read, and the error, if any."""
    tracemalloc.start()
    error = None
    try:
        read_run(folder)
    except PixelRNNError as raised:
        error = str(raised)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak, error


@pytest.fixture
def folder(digits, tmp_path):
    return digits.run(tmp_path / "a")


def test_arrays_that_are_not_asked_for_are_not_unpacked(folder):
    size = 80_000_000
    add(folder / "evaluation.npz", other=npy((size,), body=bytes(size)))
    peak, error = peak_bytes(folder)
    assert error is None
    assert peak < MAX_BYTES


def test_reading_everything_would_be_seen(folder):
    """The fault: numpy's own reading of the same file."""
    size = 80_000_000
    add(folder / "evaluation.npz", other=npy((size,), body=bytes(size)))
    tracemalloc.start()
    with np.load(folder / "evaluation.npz") as archive:
        assert {name: archive[name].shape for name in archive.files}["other"] == (size,)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak > MAX_BYTES


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("bits_map", npy((1, 8, 8), "<f8", bytes(100_000_000))),  # more than its header says
        ("bits_map", npy((1, 8, 8), "<f8", bytes(100))),  # less
        ("bits_map", npy((1, 8, 8), "|V50000000")),
        ("bits_map", npy((1, 8, 8), "|O", bytes(512))),
        ("bits_map", npy("(" * 200 + "8" + ")" * 200, "<f8", bytes(512))),
        ("easiest_images", npy((10**9, 1, 8, 8))),
        ("easiest_images", npy((-1, 1, 8, 8))),
        ("easiest_images", npy((2_000_000, 1, 8, 8), body=bytes(128_000_000))),
        ("easiest_bits_per_dim", npy((30_000_000,), body=bytes(30_000_000))),
        ("pictures", npy((60,), "<f8", bytes(480))),
        ("receptive_field_at", npy((3,), "<f8", np.full(3, 1e300).tobytes())),
    ],
)
def test_an_array_is_refused_before_it_takes_memory(folder, name, content):
    replaced(folder / "evaluation.npz", name, content)
    peak, error = peak_bytes(folder)
    assert error is not None
    assert "evaluation.npz" in error
    assert "\n" not in error
    assert peak < MAX_BYTES


def test_an_archive_of_very_many_members_is_refused_before_they_are_listed(tmp_path):
    path = tmp_path / "many.npz"
    with zipfile.ZipFile(path, "w") as archive:
        for number in range(5000):
            archive.writestr(f"{number}.npy", b"")
    with pytest.raises(PixelRNNError, match="far too many arrays"):
        SamplesArrays.read(path, num_levels=2)


def test_only_deflate_is_unpacked(tmp_path):
    path = tmp_path / "packed.npz"
    stream = io.BytesIO()
    np.save(stream, np.array(3))
    with zipfile.ZipFile(path, "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("seed.npy", stream.getvalue())
    with pytest.raises(PixelRNNError, match="packed in a way"):
        SamplesArrays.read(path, num_levels=2)


@pytest.mark.parametrize("name", ["result.json", "environment.json"])
@pytest.mark.parametrize(
    ("content", "word"),
    [
        (b"[" * 200_000 + b"]" * 200_000, "JSON"),
        (b'{"a": ' * 50_000 + b"1" + b"}" * 50_000, "JSON"),
        (b'{"parameters": ' + b"9" * 5000 + b"}", "limit"),
        (b'{"a": "' + b"x" * 2_000_000 + b'"}', "more than 1,048,576 bytes"),
    ],
)
def test_deep_or_huge_json_is_refused_by_name(folder, name, content, word):
    (folder / name).write_bytes(content)
    peak, error = peak_bytes(folder)
    assert error is not None
    assert name in error
    assert word in error
    assert peak < MAX_BYTES


@pytest.mark.parametrize("cell", ["x" * 140_000, "x" * 100_000, "\0"])
def test_a_cell_that_is_no_number_is_named_briefly(folder, cell):
    with (folder / "metrics.csv").open("a") as metrics:
        metrics.write(f"1,{cell},1,1,1,1,1\n")
    error = str(peak_bytes(folder)[1])
    assert "metrics.csv" in error
    assert len(error) < 400


def test_endless_files_and_pipes_are_refused(folder):
    (folder / "metrics.csv").write_bytes(b"1,2,3\n" * 1_000_000)
    assert "metrics.csv has more than" in str(peak_bytes(folder)[1])
    (folder / "metrics.csv").unlink()
    os.mkfifo(folder / "metrics.csv")
    assert "metrics.csv cannot be read: it is a pipe" in str(peak_bytes(folder)[1])


@pytest.mark.parametrize(
    "key", ["test_bits_per_dim", "validation_bits_per_dim", "seconds_per_sample", "minutes"]
)
@pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_a_figure_that_is_not_finite_is_named(folder, key, value):
    result = json.loads((folder / "result.json").read_text())
    text = json.dumps({**result, key: "HERE"}).replace('"HERE"', value)
    (folder / "result.json").write_text(text)
    error = str(peak_bytes(folder)[1])
    assert f"result.json: {key}" in error
    assert "finite" in error


@pytest.mark.parametrize("key", ["parameters", "file_bytes", "image_presentations"])
def test_a_count_beyond_all_measure_is_named(folder, key):
    result = json.loads((folder / "result.json").read_text())
    (folder / "result.json").write_text(json.dumps({**result, key: 10**400}))
    assert f"result.json: {key}" in str(peak_bytes(folder)[1])


def test_more_lines_to_beat_than_can_be_drawn_are_refused(folder):
    result = json.loads((folder / "result.json").read_text())
    lines = [{"name": str(number), "test_bits_per_dim": 2.0} for number in range(10_000)]
    (folder / "result.json").write_text(json.dumps({**result, "baselines": lines}))
    assert "result.json: baselines" in str(peak_bytes(folder)[1])


def test_half_characters_are_shown_as_question_marks(folder):
    result = json.loads((folder / "result.json").read_text())
    command = "pixelrnn train --out caf\udce9"
    result |= {"command": command, "label": "half \ud800"}
    (folder / "result.json").write_text(json.dumps(result))
    page = build([folder], folder.parent / "report.html").read_text(encoding="utf-8")
    assert "pixelrnn train --out caf?" in page
    assert "half ?" in page


def test_folders_whose_names_are_not_utf8(digits, tmp_path):
    folders = [digits.run(tmp_path / name) for name in ("caf\udce9", "caf\udce8")]
    page = build(folders, tmp_path / "report.html").read_text(encoding="utf-8")
    assert "PixelCNN (1)" in page or "PixelCNN (caf?)" in page
