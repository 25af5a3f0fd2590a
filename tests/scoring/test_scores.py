"""Each score by its equation; p-values and groups by what they promise."""

import numpy as np
import pytest
import torch

import pixelrnn
from pixelrnn.errors import DataError, ImageMismatchError, RecipeError, UnknownKindError
from pixelrnn.scoring import SCORES, Scorer, measuring
from pixelrnn.scoring.base import BACKGROUND, CODEC, MODEL
from pixelrnn.scoring.measuring import CODECS
from pixelrnn.units import bits


@pytest.fixture
def measured():
    """Measurements of normal images: complex ones cost more."""
    draws = np.random.default_rng(3)
    codec = draws.normal(6.0, 1.0, 400)
    model = 0.5 * codec + draws.normal(0, 0.1, 400)
    return {MODEL: model, CODEC: codec, BACKGROUND: model + draws.normal(0.5, 0.05, 400)}


def of(**costs):
    return {MODEL: 3.0, CODEC: 6.0, BACKGROUND: 3.5} | costs


# What each score must rank above an image like the normal ones, and what it cannot.
SMOOTH = {MODEL: 0.2, CODEC: 0.3, BACKGROUND: 0.3}
NOISY = {MODEL: 9.0, CODEC: 8.2, BACKGROUND: 9.2}
FINDS = {
    "bits_per_dim": (NOISY,),
    "typicality": (NOISY, SMOOTH),
    "complexity": (NOISY, SMOOTH),
    "complexity_typicality": (NOISY, SMOOTH),
    "ratio": (NOISY, SMOOTH),
    "ratio_typicality": (NOISY, SMOOTH),
    "density": (NOISY, SMOOTH),
}


@pytest.mark.parametrize("kind", SCORES)
def test_higher_is_more_unusual(kind, measured):
    score = SCORES[kind]()
    score.fit(measured)
    (usual,) = score({name: np.array([value]) for name, value in of().items()})
    for strange in FINDS[kind]:
        (value,) = score({name: np.array([cost]) for name, cost in strange.items()})
        assert value > usual
    assert score.label


def test_raw_bits_per_dim_takes_smooth_images_for_usual():
    score = SCORES["bits_per_dim"]()
    values = score({MODEL: np.array([SMOOTH[MODEL], 3.0])})
    assert values[0] < values[1]


def test_the_background_cancels():
    assert SCORES["ratio"]()({MODEL: np.array([3.0]), BACKGROUND: np.array([3.0])}).tolist() == [0]


def test_density_is_the_mahalanobis_distance(measured):
    score = SCORES["density"]()
    score.fit(measured)
    rows = np.stack([measured[name] for name in (MODEL, CODEC, BACKGROUND)], axis=1)
    apart = rows - rows.mean(axis=0)
    plain = [float(np.sqrt(each @ np.linalg.solve(np.cov(rows.T), each))) for each in apart]
    np.testing.assert_allclose(score(measured), plain, rtol=1e-4)


def test_normal_images_that_are_all_alike():
    score = SCORES["density"]()
    score.fit({MODEL: np.full(5, 2.0), CODEC: np.full(5, 4.0)})
    found = score({MODEL: np.array([2.0, 2.1]), CODEC: np.array([4.0, 4.0])})
    assert found[0] == 0
    assert 1e3 < found[1] < np.inf


def test_it_measures_what_the_model_says(model, images):
    given = images(7)
    found = Scorer(model, codec="none", batch_size=3)(given)
    nats = model.log_prob_map(given, dtype=torch.float64).detach().numpy()
    np.testing.assert_allclose(found.value, -bits(nats.sum(axis=(1, 2, 3))) / 30, rtol=1e-12)
    np.testing.assert_allclose(found.map, -bits(nats.sum(axis=1)), rtol=1e-12)
    assert found.chosen == "bits_per_dim"
    assert set(found.values) == {"bits_per_dim"}
    assert found.p_values == {}


def test_of_a_pixel_all_colours_are_added(tiny_model, random_images):
    model = tiny_model("pixelcnn", channels=3)
    given = random_images(2, 3, 5, 7)
    found = Scorer(model, codec="none")(given)
    nats = model.log_prob_map(given, dtype=torch.float64).detach().numpy()
    np.testing.assert_allclose(found.map, -bits(nats.sum(axis=1)), rtol=1e-12)
    np.testing.assert_allclose(found.map.sum(axis=(1, 2)) / (3 * 35), found.value, rtol=1e-12)


def test_large_images_are_scored_in_squares(model, images, monkeypatch):
    monkeypatch.setattr(measuring, "TILE", 4)
    given = images(3, shape=(1, 6, 9))
    found = Scorer(model, codec="none")(given)
    assert found.map.shape == (3, 6, 9)
    alone = Scorer(model, codec="none")(given[:, :, 4:6, 8:9])
    np.testing.assert_allclose(found.map[:, 4:6, 8:9], alone.map, rtol=1e-12)
    np.testing.assert_allclose(found.value, found.map.mean(axis=(1, 2)), rtol=1e-12)


@pytest.mark.parametrize("codec", CODECS)
def test_a_codec_counts_the_bytes_of_one_file(codec, model, images):
    if not CODECS[codec].available():
        pytest.skip(f"{codec} is not installed")
    given = images(2)
    found = Scorer(model, codec=codec)(given)
    (pixels,) = CODECS[codec].pictures([given[0]])
    size = len(CODECS[codec].encode(pixels, 9))
    assert found.measured.columns[CODEC][0] == pytest.approx(8 * size / 30)
    np.testing.assert_allclose(
        found["complexity"], found["bits_per_dim"] - found.measured.columns[CODEC]
    )


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("channels", [2, 4, 5])
def test_what_no_codec_stores_is_refused_at_once(codec, channels, tiny_model, random_images):
    if not CODECS[codec].available():
        pytest.skip(f"{codec} is not installed")
    model = tiny_model("pixelcnn", channels=channels)
    with pytest.raises(ImageMismatchError, match=f"{channels}-channel .*; choose --codec none$"):
        Scorer(model, codec=codec)
    assert Scorer(model, codec="none")(random_images(2, channels, 5, 7)).map.shape == (2, 5, 7)


def test_a_codec_of_bytes_refuses_more_levels_at_once(tiny_model):
    model = tiny_model("pixelcnn", num_levels=300)
    with pytest.raises(ImageMismatchError, match="choose --codec png or jpeg-xl or none"):
        Scorer(model, codec="webp")


def test_an_image_too_large_for_a_codec_is_refused_before_it_is_scored(model, images, monkeypatch):
    monkeypatch.setattr(type(model), "forward", lambda *_: pytest.fail("work was done"))
    with pytest.raises(ImageMismatchError, match="too large"):
        Scorer(model, codec="webp")(images(1, shape=(1, 1, 16384)))


def test_a_background_model(model, images):
    found = Scorer(model, background=model).fit(images(40, seed=1))(images(3))
    assert found["ratio"].tolist() == [0, 0, 0]
    assert not found.map.any()
    assert set(found.values) == set(SCORES)
    assert found.chosen == "density"


def test_each_p_value_is_a_rank_plus_one(model, images):
    normal = images(41, seed=1)
    scorer = Scorer(model).fit(normal)
    found = scorer(images(5))
    aside = Scorer(model)(normal[1::2])["bits_per_dim"]
    assert len(aside) == 20
    for value, p_value in zip(found["bits_per_dim"], found.p_values["bits_per_dim"], strict=True):
        assert p_value == pytest.approx((1 + sum(aside >= value)) / 21)


def test_no_score_is_fitted_to_images_that_p_values_are_ranked_among(scorer, measured):
    normal = {name: measured[name].copy() for name in (MODEL, CODEC)}
    before = scorer.fit_measured(normal).values(normal)
    others = {name: np.where(np.arange(400) % 2, each + 5, each) for name, each in normal.items()}
    after = scorer.fit_measured(others).values(normal)
    for kind in before:
        np.testing.assert_array_equal(before[kind], after[kind])


def test_no_images(scorer, images):
    found = scorer.fit(images(40))(images(0))
    assert found.value.shape == found.p_value.shape == (0,)
    assert found.map.shape == (0, 6, 5)


def test_images_given_by_labels(tiny_model, random_images):
    """Where none are told they are scored as images of no class."""
    model = tiny_model("pixelcnn", num_labels=3, noise=0.1)
    given = random_images(2, 1, 5, 7)
    nats = model.log_prob_map(given, dtype=torch.float64).detach().numpy()
    found = Scorer(model, codec="none")(given)
    np.testing.assert_allclose(found.map, -bits(nats.sum(axis=1)), rtol=1e-12)


@pytest.mark.parametrize("kind", ["bits_per_dim", "density", "complexity_typicality"])
def test_of_normal_images_few_have_small_p_values(kind, scorer):
    """Also of few, where a score fitted to the images that it is ranked among would flag too many."""
    draws, p_values = np.random.default_rng(0), []
    for _ in range(400):
        codec = draws.normal(6.0, 1.0, 25)
        costs = {MODEL: 0.5 * codec + draws.normal(0, 0.1, 25), CODEC: codec}
        scorer.fit_measured({name: each[:24] for name, each in costs.items()})
        values = scorer.values({name: each[24:] for name, each in costs.items()})
        p_values.append(scorer.p_values(values)[kind][0])
    for level in (0.1, 0.25, 0.5):
        share = np.mean(np.array(p_values) <= level)
        assert share <= level + 3 * np.sqrt(level * (1 - level) / 400)


def test_a_group_is_more_unusual_than_its_images(scorer, measured):
    """A small shift that no single image shows."""
    normal = {name: measured[name] for name in (MODEL, CODEC)}
    scorer.fit_measured(normal)
    means = {MODEL: normal[MODEL].mean() + 0.2, CODEC: normal[CODEC].mean()}
    single = scorer.p_values(scorer.values({name: np.array([m]) for name, m in means.items()}))
    value, p_value = scorer.group(means, 100)["typicality"]
    assert value == pytest.approx(0.2, abs=0.1)
    assert single["typicality"][0] > 0.3
    assert p_value < 0.02
    assert scorer.group(means, 100) == scorer.group(means, 100)


def test_a_group_like_the_normal_ones(scorer, measured):
    normal = {name: measured[name] for name in (MODEL, CODEC)}
    scorer.fit_measured(normal)
    drawn = np.random.default_rng(1).integers(400, size=50)
    found = scorer.group({name: float(each[drawn].mean()) for name, each in normal.items()}, 50)
    assert all(p_value > 0.02 for _, p_value in found.values())


def test_the_function(images):
    digits = pixelrnn.data.load("digits")
    found = pixelrnn.score(
        "digits-pixelcnn", digits.images("test")[:4], normal=digits.images("validation")[:60]
    )
    assert found.value.shape == found.p_value.shape == (4,)
    assert found.map.shape == (4, 8, 8)
    assert repr(found).startswith("Scores(4 images, by bits_per_dim")


def test_what_cannot_be(model, scorer, images):
    with pytest.raises(DataError, match="19 normal images cannot say"):
        scorer.fit(images(19))
    with pytest.raises(UnknownKindError, match="did you mean density"):
        Scorer(model, by="densty")
    with pytest.raises(DataError, match="ratio needs background_bits_per_dim"):
        Scorer(model, by="ratio")
    with pytest.raises(DataError, match="typicality needs normal images"):
        Scorer(model, by="typicality")(images(1))
    with pytest.raises(RecipeError, match="no codec 'gif'"):
        Scorer(model, codec="gif")
    with pytest.raises(ImageMismatchError, match="9 levels"):
        scorer(np.full((1, 1, 6, 5), 9, np.uint8))
    with pytest.raises(
        ImageMismatchError,
        match="background model is of grey images with 9 levels, the model of RGB",
    ):
        Scorer("colour-pixelcnn", background=model)
    with pytest.raises(DataError, match="fit them first"):
        scorer.group({MODEL: 1.0, CODEC: 1.0}, 5)
