"""Samples, growth and completions: on the page are the images of the file, each in its place."""

import base64
import io
import re

import numpy as np
import pytest
from PIL import Image

from pixelrnn import pictures
from pixelrnn.report import build
from pixelrnn.report import pictures as on_page
from pixelrnn.report.comparison import group_by_data
from pixelrnn.runs import read_run


def models(folders):
    (group,) = group_by_data([read_run(folder) for folder in folders])
    return group.models


def decoded(sheet):
    """The picture's pixels (height, width, C) and its alpha (height, width)."""
    content = base64.b64decode(sheet.url.removeprefix("data:image/png;base64,"))
    with Image.open(io.BytesIO(content)) as opened:
        assert opened.size == sheet.image.size
        values = np.asarray(opened)
    return values[..., :-1], values[..., -1]


@pytest.mark.parametrize("maker", ["digits", "colour"])
def test_pictures_are_the_images_of_the_file(maker, request, tmp_path):
    run_maker = request.getfixturevalue(maker)
    folders = run_maker.runs(tmp_path)
    for model in models(folders):
        kept = model.run.samples
        levels = run_maker.num_levels
        pixels, alpha = decoded(on_page.samples_sheet(model))
        inside = alpha == 255
        np.testing.assert_array_equal(
            pixels[inside], pictures.sheet(kept.samples, levels, columns=8, scale=1)[inside]
        )
        _, height, width = run_maker.image_shape
        assert inside.sum() == 32 * height * width
        assert set(np.unique(alpha)) == {0, 255}
        growth, alpha = decoded(on_page.growth_sheet(model))
        last = growth[:, -width:]
        np.testing.assert_array_equal(last, pixels[:height, :width])
        assert set(np.unique(growth[-1, :width])) <= set(pictures.CHECKS)
        sheet, _ = decoded(on_page.completions_sheet(model))
        between = pictures.gap(height, width)
        shades = pictures.shades(levels)
        original = shades[kept.completed_images[0]].transpose(1, 2, 0)
        np.testing.assert_array_equal(sheet[:height, :width], original)
        given = sheet[:height, width + between : 2 * width + between]
        np.testing.assert_array_equal(given[kept.known], original[kept.known])
        assert set(np.unique(given[~kept.known])) <= set(pictures.CHECKS)
        np.testing.assert_array_equal(
            sheet[-height:, -width:], shades[kept.completions[-1, -1]].transpose(1, 2, 0)
        )


def test_words_and_figures(digits, tmp_path):
    folders = digits.runs(tmp_path)
    page = build(folders, tmp_path / "report.html").read_text(encoding="utf-8")
    words = re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", page))
    assert words.count("32 samples, seed 0, 12.3 ms each") == 3
    assert words.count(" 12.3 ") == 3 + 3  # and the table
    assert words.count("Test images #0, #15, #30 and #45.") == 3
    for folder in folders:
        hidden = read_run(folder).result.hidden_half_bits_per_dim
        assert f"The true hidden halves cost {hidden:.4f} bits/dim" in words


def test_runs_without_samples(digits, tmp_path):
    """Folders of earlier versions, alone and beside others."""
    folders = digits.runs(tmp_path / "old", drawn=False)
    page = build(folders, tmp_path / "old.html").read_text(encoding="utf-8")
    assert page.count("Not sampled yet") == 2
    mixed = [*folders[:2], digits.run(tmp_path / "new", "diagonal-bilstm")]
    page = build(mixed, tmp_path / "mixed.html").read_text(encoding="utf-8")
    assert page.count("32 samples, ") == page.count("Test images #0") == 1


def test_samples_of_an_earlier_evaluation_are_not_shown(digits, tmp_path):
    folder = digits.run(tmp_path / "a", evaluated=False)
    digits.run(tmp_path / "b")
    (tmp_path / "b" / "samples.npz").rename(folder / "samples.npz")
    assert read_run(folder).samples is None


@pytest.mark.parametrize(
    ("room", "shown", "columns"), [(32 * 64, 32, 8), (16 * 64, 16, 4), (9, 1, 1)]
)
def test_large_images_are_fewer(room, shown, columns, digits, tmp_path, monkeypatch):
    monkeypatch.setattr(on_page, "MAX_SUB_PIXELS", room)
    (model,) = models([digits.run(tmp_path / "a")])
    assert len(on_page.samples_shown(model)) == shown
    sheet = on_page.samples_sheet(model).image
    between = pictures.gap(8, 8)
    assert sheet.width == columns * (8 + between) - between
    assert sheet.height == shown // columns * (8 + between) - between


def test_the_page_stays_small(digits, colour, tmp_path):
    colour.image_shape = (3, 32, 32)
    page = build(colour.runs(tmp_path / "colour"), tmp_path / "colour.html")
    assert page.stat().st_size < 4_000_000  # of noise, which no compression makes smaller
    page = build(digits.runs(tmp_path / "digits"), tmp_path / "digits.html")
    assert page.stat().st_size < 1_500_000
