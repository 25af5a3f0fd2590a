"""`report --figures`: every figure as SVG and PNG, its data as CSV, and the results in LaTeX."""

import csv
import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from PIL import Image

from pixelrnn.errors import OutputError
from pixelrnn.report import build
from pixelrnn.runs import read_run

SLUGS = ("pixelcnn", "row-lstm", "diagonal-bilstm")
DRAWN = ("bits-map", "receptive-field")
PICTURES = ("samples", "completions", "easiest", "hardest")


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """The figures of three runs, one with a name that LaTeX would trip over."""
    from tests.synthetic_runs import RunMaker

    folder = tmp_path_factory.mktemp("figures")
    runs = RunMaker().runs(folder / "runs")
    labels = ["row-lstm=Row LSTM: 50 % & $x_1$, with the wider stem\\"]
    build(runs, folder / "r.html", figures=folder / "out", labels=labels)
    return folder / "out", runs


def table(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_every_figure_is_there(written):
    folder, _ = written
    slugs = ("pixelcnn", "diagonal-bilstm", "row-lstm-50-x-1-with-the-wider-stem")
    expected = {"results.csv", "results.tex", "lines-to-beat.csv", "learning-curves.csv"}
    expected |= {f"learning-curves.{kind}" for kind in ("svg", "png")}
    for slug in slugs:
        expected |= {f"{name}-{slug}.{kind}" for name in DRAWN for kind in ("svg", "png", "csv")}
        expected |= {f"{name}-{slug}.{kind}" for name in PICTURES for kind in ("svg", "png")}
        expected |= {f"{name}-{slug}.csv" for name in ("easiest", "hardest")}
    assert {file.name for file in folder.iterdir()} == expected


def test_they_stand_alone_in_real_colours(written):
    folder, _ = written
    for file in folder.glob("*.svg"):
        text = file.read_text(encoding="utf-8")
        ET.fromstring(text)
        assert "var(--" not in text
        assert not re.search(r"#0[1-8]0[1-8]0[1-8]|#0808", text), file.name
    for file in folder.glob("*.png"):
        with Image.open(file) as image:
            assert image.width >= 900, file.name
    with Image.open(folder / "learning-curves.png") as image:
        colours = {colour for _, colour in image.convert("RGB").getcolors(1 << 24)}
    assert (255, 255, 255) in colours
    assert (0x0A, 0x6F, 0xB0) in colours  # the first run's, as on the page
    assert not any(max(colour) <= 8 for colour in colours)  # a stand-in would be nearly black


def test_the_data_are_those_of_the_runs(written):
    folder, runs = written
    rows = table(folder / "results.csv")
    assert [row["run"] for row in rows][::2] == [
        "PixelCNN",
        "Row LSTM: 50 % & $x_1$, with the wider stem\\",
    ]
    run = read_run(runs[0])
    assert float(rows[0]["test_bits_per_dim"]) == run.result.test_bits_per_dim
    assert (rows[0]["num_images"], rows[0]["num_pictures"]) == ("60", "60")
    cells = table(folder / "bits-map-pixelcnn.csv")
    bits = np.array([float(cell["bits_per_dim"]) for cell in cells]).reshape(8, 8)
    np.testing.assert_array_equal(bits, run.evaluation.bits_map.mean(axis=0))
    seen = np.array([int(cell["seen"]) for cell in table(folder / "receptive-field-pixelcnn.csv")])
    np.testing.assert_array_equal(seen.reshape(8, 8), run.evaluation.receptive_field[0])
    curve = [row for row in table(folder / "learning-curves.csv") if row["run"] == "PixelCNN"]
    assert float(curve[0]["bits_per_dim"]) == run.curve("validation_bits_per_dim")[1][0]
    lines = table(folder / "lines-to-beat.csv")
    assert [line["name"] for line in lines][:2] == ["histogram", "uniform"]


def test_the_table_in_latex(written):
    text = (written[0] / "results.tex").read_text(encoding="utf-8")
    for command in (r"\toprule", r"\midrule", r"\bottomrule", r"\end{tabular}"):
        assert text.count(command) == 1
    assert r"Row LSTM: 50 \% \& \$x\_1\$, with the wider stem\textbackslash{} &" in text
    body = [line for line in text.splitlines() if line.endswith(r"\\")]
    assert len(body) == 4
    for line in body:
        assert len(re.findall(r"(?<!\\)&", line)) == 4
    assert re.search(r"PixelCNN & 43\\,072 & \$2\.\d{4} \\pm 0\.\d{4}\$", text)


def test_a_name_with_line_breaks_stays_in_its_cell(digits, tmp_path):
    run = digits.run(tmp_path / "a", data="x\n\\input{y}", label="a\nb")
    build([run], tmp_path / "r.html", figures=tmp_path / "out")
    text = (tmp_path / "out" / "results.tex").read_text()
    assert text.startswith("% x \\textbackslash{}input\\{y\\}: 60 test images")
    assert "\na b & " in text


def test_a_folder_with_other_things_is_refused_without_force(digits, tmp_path):
    run = digits.run(tmp_path / "a", evaluated=False)
    (tmp_path / "out").mkdir()
    build([run], tmp_path / "r.html", figures=tmp_path / "out")
    (tmp_path / "out" / "mine.txt").write_text("mine")
    before = {file.name: file.read_bytes() for file in (tmp_path / "out").iterdir()}
    with pytest.raises(OutputError, match=r"out is not empty.*--force"):
        build([run], tmp_path / "s.html", figures=tmp_path / "out")
    assert not (tmp_path / "s.html").exists()
    build([run], tmp_path / "r.html", figures=tmp_path / "out", force=True)
    # The same figures give the same bytes, and nothing else is touched or left.
    assert {file.name: file.read_bytes() for file in (tmp_path / "out").iterdir()} == before


def test_a_file_in_place_of_the_folder(digits, tmp_path):
    run = digits.run(tmp_path / "a", drawn=False)
    (tmp_path / "out").write_text("a file")
    with pytest.raises(OutputError, match="out"):
        build([run], tmp_path / "r.html", figures=tmp_path / "out")
    assert (tmp_path / "out").read_text() == "a file"


def test_runs_that_were_not_measured_have_what_there_is(digits, tmp_path):
    run = digits.run(tmp_path / "a", evaluated=False)
    build([run], tmp_path / "r.html", figures=tmp_path / "out")
    assert {file.name for file in (tmp_path / "out").iterdir()} == {
        "results.csv", "results.tex", "lines-to-beat.csv",
        "learning-curves.csv", "learning-curves.svg", "learning-curves.png",
    }  # fmt: skip
