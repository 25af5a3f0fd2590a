import json
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from pixelrnn.errors import ModelFileError, OutputError
from pixelrnn.report import build

VOID = {"meta", "link", "img", "br", "hr", "input"}
LOADING = {"src", "srcset", "data", "poster", "background", "action", "xlink:href"}


class Page(HTMLParser):
    """Parses a page and collects what the tests ask about."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.text = ""
        self.feed(text)
        self.close()
        assert self.open == [], f"never closed: {self.open}"

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag):
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "style" not in self.open:
            self.text += data

    def words(self) -> str:
        return re.sub(r"\s+", " ", self.text)

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.elements if name == tag]


def built(folders, tmp_path: Path, **options) -> tuple[str, Page]:
    out = build(folders, tmp_path / "report.html", **options)
    text = out.read_text(encoding="utf-8")
    return text, Page(text)


def test_the_page_is_whole_and_contains_the_measured_figures(digits, tmp_path):
    folders = digits.runs(tmp_path)
    text, page = built(folders, tmp_path, command="pixelrnn compare digits --out runs")
    words = page.words()
    for folder in folders:
        result = json.loads((folder / "result.json").read_text())
        for key in ("test_bits_per_dim", "validation_bits_per_dim", "train_bits_per_dim"):
            assert f"{result[key]:.4f}" in words
        assert result["label"] in words
        assert f"{result['parameters']:,}" in words
        assert f"± {result['test_bits_per_dim_standard_error']:.4f}" in words.replace("\xa0", " ")
    assert "67,500" in words
    assert "pixelrnn compare digits --out runs" in words
    assert "likelihood = " in words
    assert "0123456789abcdef0123456789abcdef01234567" in words
    assert "JPEG XL" in words
    assert len(text) < 1_500_000


def test_the_page_loads_nothing(digits, tmp_path):
    text, page = built(digits.runs(tmp_path), tmp_path)
    for tag, attributes in page.elements:
        assert tag not in {"script", "iframe", "object", "embed"}
        for name, value in attributes.items():
            assert not name.startswith("on")
            if name in LOADING:
                assert value.startswith("data:")
            if name == "href":
                assert value.startswith(("#", "data:"))
    assert "@import" not in text
    assert not re.search(r"url\((?!#)", text)
    policy = next(m for m in page.all("meta") if m.get("http-equiv") == "Content-Security-Policy")
    assert "default-src 'none'" in policy["content"]


def test_the_page_is_accessible(colour, tmp_path):
    text, page = built(colour.runs(tmp_path), tmp_path)
    assert page.all("html")[0]["lang"] == "en"
    assert len(page.all("h1")) == 1
    assert len(page.all("caption")) == len(page.all("table")) == 6
    assert all(image["alt"] for image in page.all("img"))
    assert len(page.all("img")) == 3 * (16 + 3)  # extremes; samples, one growing, completions
    drawings = [svg for svg in page.all("svg") if svg.get("class") == "figure"]
    assert len(drawings) == 2 + 3 + 1 + 3  # two sizes of curves, maps, colour bar, fields
    assert all(svg["role"] == "img" and svg["aria-label"] for svg in drawings)
    identifiers = [a["id"] for _, a in page.elements if "id" in a]
    assert len(identifiers) == len(set(identifiers))
    referred = re.findall(r'(?:url\(#|href="#)([^")]+)', text)
    assert set(referred) <= set(identifiers)


def test_the_same_runs_give_the_same_bytes(digits, tmp_path):
    folders = digits.runs(tmp_path)
    first = build(folders, tmp_path / "a.html").read_bytes()
    assert build(folders, tmp_path / "b.html").read_bytes() == first


def test_figures_take_their_colours_from_the_style_sheet(digits, tmp_path):
    text, _ = built(digits.runs(tmp_path), tmp_path)
    body = text.split("</style>")[1]
    assert "var(--series-2)" in body
    assert not re.search(r"#0[0-9]0[0-9]0[0-9]", body)


@pytest.mark.parametrize("hostile", ["<script>alert(1)</script>", '"><img src=x onerror=y>'])
def test_hostile_names_are_shown_as_text(digits, tmp_path, hostile):
    folders = [
        digits.run(tmp_path / "a", label=hostile, name=hostile, data=hostile, command=hostile),
        digits.run(tmp_path / "b", "row-lstm", label="$\\frac{$", data=hostile),
        digits.run(tmp_path / "c", "row-lstm", label="_模型", data=hostile),
    ]
    with (folders[0] / "recipe.toml").open("a") as recipe:
        recipe.write(f"\n# {hostile}\n")
    results = json.loads((folders[0] / "result.json").read_text())
    results["baselines"] = [{"name": hostile, "test_bits_per_dim": 2.2, "note": hostile}]
    (folders[0] / "result.json").write_text(json.dumps(results))
    text, page = built(folders, tmp_path, title=hostile)
    assert hostile not in text
    assert page.all("script") == []
    assert len(page.all("img")) == 3 * (16 + 3)
    assert not any(name.startswith("on") for _, a in page.elements for name in a)
    assert page.words().count(hostile) >= 6
    assert "$\\frac{$" in page.words()
    assert "_模型" in page.words()


def test_colours_have_their_own_bits_per_dim(colour, tmp_path):
    folders = colour.runs(tmp_path)
    _, page = built(folders, tmp_path)
    result = json.loads((folders[1] / "result.json").read_text())
    for value in result["test_bits_per_dim_by_channel"]:
        assert f"{value:.4f}" in page.words()
    assert "green" in page.words()
    assert "sees 17 of the 17 earlier pixels" in page.words()  # the Diagonal BiLSTM


def test_grey_images_have_no_table_of_colours(digits, tmp_path):
    _, page = built(digits.runs(tmp_path), tmp_path)
    assert "Test bits/dim by colour" not in page.words()


def test_one_run(digits, tmp_path):
    _, page = built([digits.run(tmp_path / "only")], tmp_path)
    assert "no other model was measured" in page.words()
    assert "PixelCNN on digits" in page.words()


def test_runs_that_were_not_evaluated(digits, tmp_path):
    folders = digits.runs(tmp_path, evaluated=False)
    _, page = built(folders, tmp_path)
    words = page.words()
    assert "is not known: none was measured" in words
    assert words.count("Not measured yet") == 3
    assert words.count("Not sampled yet") == 2
    assert "Learning curves" in words


def test_a_file_of_an_earlier_evaluation_is_not_shown(digits, tmp_path):
    folder = digits.run(tmp_path / "a")
    content = json.loads((folder / "result.json").read_text())
    content = {k: v for k, v in content.items() if not k.startswith(("test_", "baselines"))}
    (folder / "result.json").write_text(json.dumps(content))
    _, page = built([folder], tmp_path)
    assert "has not been measured" in page.words()


def test_runs_on_different_data_are_never_compared(digits, colour, tmp_path):
    folders = [digits.run(tmp_path / "a"), colour.run(tmp_path / "b", "row-lstm")]
    _, page = built(folders, tmp_path)
    words = page.words()
    assert "There is no overall verdict" in words
    assert words.count("no other model was measured on them") == 2
    assert "is best" not in words


def test_a_run_that_peeks_is_shown_as_such(digits, tmp_path):
    folder = digits.run(tmp_path / "a")
    with np.load(folder / "evaluation.npz") as archive:
        arrays = dict(archive)
    arrays["receptive_field"][0, 4, 4] = True  # its own value
    np.savez(folder / "evaluation.npz", **arrays)
    _, page = built([folder], tmp_path)
    assert "No verdict: the figures of PixelCNN cannot be believed." in page.words()
    assert "alarm: not to be believed" in page.words()
    assert page.words().count("yet to predict: row 4, column 4.") == 1
    assert "what it must not know yet: row 4, column 4" in page.words()


def test_metrics_without_validation(digits, tmp_path):
    folder = digits.run(tmp_path / "a")
    header = (folder / "metrics.csv").read_text().splitlines()[0]
    (folder / "metrics.csv").write_text(f"{header}\n")
    _, page = built([folder], tmp_path)
    assert "No validation measurement was logged" in page.words()


@pytest.mark.parametrize("out", ["folder", "file/report.html", "long" * 100])
def test_an_output_that_cannot_be_written(digits, tmp_path, out):
    folder = digits.run(tmp_path / "run")
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("kept")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(OutputError):
        build([folder], tmp_path / out)
    assert sorted(tmp_path.rglob("*")) == before
    assert (tmp_path / "file").read_text() == "kept"


def test_a_page_that_cannot_be_renamed_leaves_nothing(digits, tmp_path, monkeypatch):
    folder = digits.run(tmp_path / "run")

    def full(self, target):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(OutputError, match="No space left"):
        build([folder], tmp_path / "report.html")
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_a_failed_report_keeps_the_old_one(digits, tmp_path):
    out = tmp_path / "report.html"
    out.write_text("old")
    folder = digits.run(tmp_path / "run")
    (folder / "result.json").write_text("{")
    with pytest.raises(ModelFileError):
        build([folder], out)
    assert out.read_text() == "old"


def test_torch_is_not_imported(digits, tmp_path):
    folder = digits.run(tmp_path / "run")
    program = (
        "import sys; from pathlib import Path; from pixelrnn.report import build; "
        f"build([Path({str(folder)!r})], Path({str(tmp_path / 'r.html')!r})); "
        "sys.exit('torch' in sys.modules or 'matplotlib.pyplot' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
