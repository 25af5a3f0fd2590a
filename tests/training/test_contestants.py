"""What may be compared: a suite, or several recipes on the same images, each with a name of its own."""

from pathlib import Path

import pytest

from pixelrnn.errors import RecipeError
from pixelrnn.training import default_folder, distinct_labels, recipes_for

TEXT = """
[model]
kind = "{kind}"
features = {features}
[data]
source = "{source}"
[training]
epochs = 1
"""


@pytest.fixture
def recipe(tmp_path):
    """A function that writes a recipe and returns its path."""

    def write(name, kind="pixelcnn", features=4, source="digits", top=""):
        file = tmp_path / f"{name}.toml"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(top + TEXT.format(kind=kind, features=features, source=source))
        return str(file)

    return write


def test_a_suite_is_called_by_models():
    found = recipes_for("digits", None, ["training.epochs=2"])
    assert list(found) == ["pixelcnn", "row-lstm", "diagonal-bilstm"]
    assert found == recipes_for(["digits"], None, ["training.epochs=2"])
    assert (
        default_folder(["digits"], found) == default_folder("digits", found) == Path("runs/digits")
    )


def test_recipes_are_called_by_their_names(recipe):
    names = [
        recipe("wide", features=8),
        "digits-row-lstm",
        recipe("narrow"),
        recipe("x", top='name = "mine"\n'),
    ]
    found = recipes_for(names, None, ["training.epochs=2"])
    assert list(found) == ["wide", "digits-row-lstm", "narrow", "mine"]
    assert all(each.training.epochs == 2 for each in found.values())
    assert default_folder(names, found) == Path("runs/wide-vs-digits-row-lstm-vs-narrow-vs-mine")
    assert distinct_labels(found) == {
        "wide": "PixelCNN (wide)",
        "digits-row-lstm": "Row LSTM",
        "narrow": "PixelCNN (narrow)",
        "mine": "PixelCNN (mine)",
    }


def refused(names, data=None, settings=()):
    with pytest.raises(RecipeError) as caught:
        recipes_for(names, data, settings)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_one_recipe_is_not_enough(recipe):
    said = refused(["digits-pixelcnn"])
    assert "`pixelrnn train digits-pixelcnn` trains it; to compare, name a second one" in said
    file = recipe("mine")
    assert f"`pixelrnn train {file}` trains it; to compare, name a second one" in refused([file])
    assert "name a suite" in refused([])


def test_a_suite_among_recipes():
    said = refused(["digits-pixelcnn", "photos"])
    assert "photos is a suite: compare it alone, or name recipes" in said
    assert "photos-pixelcnn, photos-row-lstm and photos-diagonal-bilstm" in said


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["digits-pixelcnn", "digits-row-lstmm"], "did you mean digits-row-lstm?"),
        (["digits-pixelcnn", "nowhere/x.toml"], "there is no recipe file nowhere/x.toml"),
        (["digits-pixelcnn", ""], "is not a recipe: give a name"),
        (["digitz"], "did you mean digits?"),
    ],
)
def test_unknown_names(names, said):
    assert said in refused(names)


def test_the_same_twice(recipe, tmp_path, monkeypatch):
    file = recipe("mine")
    assert "named twice: to train a recipe several times, say --seeds" in refused([file, file])
    monkeypatch.chdir(tmp_path)
    assert "named twice" in refused([file, "mine.toml"])
    (tmp_path / "link.toml").symlink_to(file)
    assert "named twice" in refused([file, "link.toml"])
    assert "named twice" in refused(["digits-pixelcnn", "digits-pixelcnn"])


def test_names_that_collide(recipe):
    one, other, upper = recipe("a/mine"), recipe("b/mine"), recipe("c/MINE")
    assert f"{one} and {other} are both called mine: rename one" in refused([one, other])
    assert "are both called" in refused([one, upper])
    assert "are both called digits-pixelcnn" in refused(
        ["digits-pixelcnn", recipe("digits-pixelcnn")]
    )
    found = recipes_for([one, recipe("d/mine", top='name = "other"\n')], None, [])
    assert list(found) == ["mine", "other"]


@pytest.mark.parametrize(
    "name",
    ["", "..", ".hidden", "a/b", "../up", "a\\\\b", "results.json", "Report.html", "a\\u001bb"],
)
def test_names_that_are_no_folder(recipe, name):
    said = refused([recipe("fine"), recipe("odd", top=f'name = "{name}"\n')])
    assert "cannot be the name of a run folder" in said


def test_recipes_for_different_images(recipe):
    names = [recipe("one"), recipe("two", source="photos")]
    assert refused(names).startswith("one is for digits and two for photos: say with --data")
    assert len(recipes_for(names, "digits", [])) == 2
    assert len(recipes_for(names, None, ["data.source=digits"])) == 2
    read = [recipe("three"), recipe("four")]
    Path(read[1]).write_text(
        Path(read[1]).read_text().replace('"digits"', '"digits"\nnum_levels = 17')
    )
    assert "digits (num_levels = 17)" in refused(read)


def test_the_same_images_by_two_paths(recipe, tmp_path, monkeypatch):
    (tmp_path / "pics").mkdir()
    monkeypatch.chdir(tmp_path)
    names = [recipe("one", source="pics"), recipe("two", source=str(tmp_path / "pics"))]
    assert len(recipes_for(names, None, [])) == 2
