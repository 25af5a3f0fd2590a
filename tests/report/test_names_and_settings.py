"""What the page calls the runs, in which settings they differ, and how to repeat them."""

import json
import re

import pytest

from pixelrnn.errors import RecipeError
from pixelrnn.report import build
from pixelrnn.report.comparison import group_by_data
from pixelrnn.report.naming import given_labels, names_of
from pixelrnn.report.page import differing_settings
from pixelrnn.runs import read_run


def names(folders, *labels):
    runs = [read_run(folder) for folder in folders]
    return names_of(runs, given_labels(runs, labels))


def change(folder, old, new):
    recipe = folder / "recipe.toml"
    recipe.write_text(recipe.read_text().replace(old, new))


@pytest.fixture
def twins(digits, tmp_path):
    """Two runs of one model and recipe in folders of one name."""
    return [digits.run(tmp_path / place / "pixelcnn") for place in ("long", "short")]


def test_labels_in_the_order_of_the_runs(twins):
    assert names(twins, "lr=0.01", "lr=0.02") == ["lr=0.01", "lr=0.02"]
    assert names(twins, "first", "second") == ["first", "second"]


def test_labels_by_run(twins, digits, tmp_path):
    other = digits.run(tmp_path / "other", "row-lstm")
    found = names([*twins, other], f"{twins[1]}=Short", "other=Other")
    assert found == ["PixelCNN", "Short", "Other"]


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (["one"], "there are 2 runs and 1 labels"),
        (["pixelcnn=X"], "2 runs are called pixelcnn, give a path"),
        (["nothing=X"], "there are 2 runs and 1 labels"),
        (["same", "same"], "two runs would be called same"),
        (["\x1b[31m", "red"], "cannot be shown"),
        (["", "empty"], "cannot be shown"),
    ],
)
def test_labels_that_cannot_be_meant(twins, labels, message):
    with pytest.raises(RecipeError, match=message):
        names(twins, *labels)


def test_namesakes_are_told_apart_by_words_before_numbers(twins):
    assert names(twins) == ["PixelCNN (long/pixelcnn)", "PixelCNN (short/pixelcnn)"]
    change(twins[1], "seed = 7", "seed = 8")
    assert names(twins) == ["PixelCNN (seed 7)", "PixelCNN (seed 8)"]


def test_differing_settings(twins):
    change(twins[1], "features = 32", "features = 48\nlayers = 2")
    (group,) = group_by_data([read_run(folder) for folder in twins])
    rows = differing_settings(group.models)
    assert rows == {"model.features": ["32", "48"], "model.layers": ["\N{EN DASH}", "2"]}


def test_equal_settings_make_no_table(twins, tmp_path):
    assert "Settings that differ" not in build(twins, tmp_path / "r.html").read_text()


def test_absurd_settings_are_bounded(twins):
    (twins[0] / "recipe.toml").write_text(
        f"{'.'.join('a' * 3000)} = 1\nlong = '{'x' * 5000}'\n"
        + "\n".join(f"k{n} = 1" for n in range(500))
    )
    (group,) = group_by_data([read_run(folder) for folder in twins])
    rows = differing_settings(group.models)
    assert len(rows) == 100
    assert all(len(value) < 100 for values in rows.values() for value in values)


def test_the_page_shows_labels_and_settings(twins, tmp_path):
    change(twins[1], "features = 32", "features = 48")
    page = build(twins, tmp_path / "r.html", labels=["a long name that is not cut anywhere", "B"])
    text = page.read_text(encoding="utf-8")
    table = text[text.index("Settings that differ") :]
    assert "<code>model.features</code></th><td>32</td><td>48</td>" in table
    wide = text[text.index('<div class="wide">') : text.index('<div class="narrow">')]
    assert re.search(r">a long name that is not cut anywhere \d", wide)
    assert "…" not in wide


def test_maps_have_axis_titles(twins, tmp_path):
    text = build(twins, tmp_path / "r.html").read_text(encoding="utf-8")
    for title in (">row<", ">column<"):
        assert text.count(title) == 4  # two maps of two runs


def test_how_to_repeat_says_how_many_images_there_were(digits, tmp_path):
    counts = {"train": 45_000, "validation": 5_000, "test": 60}
    run = digits.run(tmp_path / "a", data_num_images=counts, train_num_images=1000)
    text = build([run], tmp_path / "r.html").read_text()
    assert re.search(r"<td>45,000 <code>00a100a100a1</code>", text)
    assert "train bits/dim on 1,000 of them, evenly spread" in text
    # An earlier run did not record it: the number that was scored is not the number there are.
    old = build(
        [digits.run(tmp_path / "b", train_num_images=1000)], tmp_path / "r.html"
    ).read_text()
    assert "<td>1,000 <code>" not in old


def test_a_command_that_resumed_is_not_how_to_repeat_it(digits, tmp_path):
    run = digits.run(tmp_path / "a run", command="pixelrnn train --resume 'a run'")
    text = build([run], tmp_path / "r.html").read_text()
    assert "train --resume" not in text
    assert f"pixelrnn train &#39;{run}/recipe.toml&#39;" in text
    result = json.loads((run / "result.json").read_text())
    result["command"] = "pixelrnn train digits-pixelcnn --out 'a run'"
    (run / "result.json").write_text(json.dumps(result))
    assert "digits-pixelcnn --out &#39;a run&#39;" in build([run], tmp_path / "r.html").read_text()
