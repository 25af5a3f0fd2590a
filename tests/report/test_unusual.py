"""The page of unusual images: what is on it, and that names from elsewhere are only names."""

import re
from dataclasses import dataclass, field

import numpy as np
import pytest

from pixelrnn.errors import OutputError
from pixelrnn.report.unusual import build

NAME = '<script>alert(1)</script>"\udce9.png'


@dataclass
class Shown:
    name: str
    image: np.ndarray
    maps: dict
    row: dict = field(
        default_factory=lambda: {"bits_per_dim": 3.25, "typicality": 1.5, "p_typicality": 0.04}
    )


@pytest.fixture
def unusual():
    maps = {"bits": np.zeros((5, 7, 3), np.uint8), "ratio": np.zeros((5, 7, 3), np.uint8)}
    return [Shown(NAME, np.full((1, 5, 7), 8, np.uint8), maps)] * 2


def result(**changes):
    return {
        "data": "<b>pictures</b>", "model": "a & b", "reference": "digits", "num_reference_images": 150,
        "sorted_by": "typicality", "labels": {"typicality": "typicality"}, "measured": ["bits_per_dim"],
        "num_images": 12, "num_left_out": 3, "means": {"bits_per_dim": 2.0},
        "all_together": {"typicality": {"score": 1.0, "p_value": 0.001}},
    } | changes  # fmt: skip


def test_what_is_on_it(unusual, tmp_path):
    page = build(unusual, result(), tmp_path / "below" / "page.html", 9).read_text()
    text = " ".join(re.sub(r"<[^>]+>", " ", page).split())
    assert "The most unusual of 12 images of" in text
    assert "As a whole these images are not like the 150 of digits" in text
    assert "Left out 3 images" in text
    assert "1.5000, p = 0.0400 model 3.2500 bits/dim" in text
    assert page.count("<img") == 6
    assert page.count("data:image/png;base64,") == 6


def test_large_images_do_not_make_a_large_page(tmp_path):
    image = np.random.default_rng(0).integers(256, size=(3, 1500, 900), dtype=np.uint8)
    shown = Shown("large", image, {"bits": image.transpose(1, 2, 0)})
    page = build([shown], result(), tmp_path / "page.html", 256)
    assert page.stat().st_size < 2 * 500 * 300 * 3 * 1.5
    assert 'width="900" height="1500"' in page.read_text()


def test_names_are_only_names(unusual, tmp_path):
    page = build(unusual, result(), tmp_path / "page.html", 9).read_text()
    assert "<script" not in page
    assert "<b>" not in page
    assert "default-src 'none'" in page


def test_without_a_reference_it_does_not_judge(unusual, tmp_path):
    plain = result(reference=None, all_together=None)
    page = build(unusual, plain, tmp_path / "page.html", 9).read_text()
    assert "cannot be told" in page
    assert "p =" not in page


def test_like_the_reference(unusual, tmp_path):
    alike = result(all_together={"typicality": {"score": 0.1, "p_value": 0.4}})
    page = " ".join(build(unusual, alike, tmp_path / "page.html", 9).read_text().split())
    assert "As a whole these images are like the 150 of digits" in page
    assert "40.0 % are as unusual together" in page


def test_where_it_cannot_be(unusual, tmp_path):
    with pytest.raises(OutputError, match="is a folder"):
        build(unusual, result(), tmp_path, 9)
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="choose another --html"):
        build(unusual, result(), tmp_path / "file" / "page.html", 9)
