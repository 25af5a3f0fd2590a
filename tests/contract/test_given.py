"""The contract once more, of images that are given by a label, or by an image of which a part is known."""

import numpy as np
import pytest
import torch

from pixelrnn import contract
from pixelrnn.completion import complete
from pixelrnn.contract import ContractViolation
from pixelrnn.errors import ImageMismatchError
from pixelrnn.evaluation import evaluate
from pixelrnn.models import conditional
from pixelrnn.models.given import Conditions
from pixelrnn.operations.export import export
from pixelrnn.ordering import Place
from pixelrnn.stepper.coder import Coder
from reference.fields import field as field_of
from tests.contract.test_samples import ACCEPTED, all_images, p_value
from tests.reference.plain_frequencies import assert_steps_and_codes

LABELS, CONDITION = 3, {"channels": 2, "features": 3, "layers": 2, "kernel_size": 3}
SETTINGS = {"label": {"num_labels": LABELS}, "map": {"condition": CONDITION}}
BOTH = SETTINGS["label"] | SETTINGS["map"]
WHOLE = np.zeros((2, 2, 5, 7), np.uint8)


@pytest.fixture(params=["label", "map"])
def by(request):
    """What images are given by, in turn."""
    return request.param


def condition_images(count, height, width, num_levels=5, seed=5):
    """Return images to condition on, and which of their pixels are known."""
    random = np.random.default_rng(seed)
    levels = random.integers(num_levels, size=(count, 2, height, width), dtype=np.uint8)
    return levels, random.random((count, 1, height, width)) < 0.6


def given_model(model, by, count, height, width, num_levels=5):
    """Return a model of so many images that are given something."""
    if by == "label":
        return model.given(labels=np.arange(count) % (LABELS + 1))
    image, known = condition_images(count, height, width, num_levels)
    return model.given(image=image, known=known)


@pytest.fixture
def build(tiny_model, by):
    """A function that builds a model that takes `by`, and may be given it."""

    def build(kind, likelihood, channels, size, count=1, **settings):
        settings = {"noise": 0.3, **SETTINGS[by], **settings}
        model = tiny_model(kind, likelihood, channels, **settings)
        levels = model.config.num_levels
        return given_model(model, by, count, *size, levels)

    return build


def test_causal(kind, likelihood, channels, size, build, random_images, generator):
    image, *_ = random_images(1, channels, *size)
    contract.check_causal(build(kind, likelihood, channels, size), image, generator)


def test_claims_what_it_claims_without(kind, likelihood, channels, size, build):
    """What is given is no pixel of the image, and hides none."""
    model = build(kind, likelihood, channels, size)
    place = Place(size[0] // 2, size[1] // 2, channels - 1)
    claimed = model.receptive_field(place, height=size[0], width=size[1])
    np.testing.assert_array_equal(claimed, field_of(model.config, place, *size))


def test_sees_what_it_claims(kind, likelihood, build, random_images, generator):
    models = [build(kind, likelihood, 1, (5, 7), seed=seed, layers=1) for seed in range(4)]
    contract.check_covers(models, random_images(2, 1, 5, 7), Place(2, 3, 0), generator)


def test_levels_sum_to_one(kind, likelihood, channels, size, build, random_images):
    contract.check_pmf(
        build(kind, likelihood, channels, size, 2), random_images(2, channels, *size)
    )


def test_all_images_sum_to_one(kind, likelihood, build):
    contract.check_normalised(build(kind, likelihood, 1, (2, 3), num_levels=3), 2, 3)


def test_alone_and_together(kind, likelihood, channels, size, build, random_images):
    model = build(kind, likelihood, channels, size, 4)
    contract.check_batch_invariant(model, random_images(4, channels, *size))


def test_steps_as_it_forwards(kind, likelihood, channels, size, build, random_images):
    model = build(kind, likelihood, channels, size, 3)
    contract.check_steps(model, random_images(3, channels, *size))


def test_integers_step_as_the_oracle_and_code(
    kind, likelihood, channels, size, build, random_images
):
    model, images = build(kind, likelihood, channels, size, 2), random_images(2, channels, *size)
    coder = Coder(export(model.lower(images)))
    for n, image in enumerate(images.numpy()):
        assert_steps_and_codes(coder, image, model.given_by.levels(n, model.config.num_labels))


def test_samples_what_it_scores(kind, likelihood, build):
    world = (1, 3, 2, 2)
    model = build(kind, likelihood, 1, world[2:], num_levels=3, seed=4)
    model.calibrate(all_images(world))
    assert p_value(model.sample(6000, size=world[2:], seed=1), model, world) > ACCEPTED


def test_every_parameter_gets_a_gradient(kind, likelihood, tiny_model, random_images):
    model = tiny_model(kind, likelihood, 3, **BOTH)
    image, known = condition_images(4, 5, 7)
    given = model.given(labels=[0, 1, 2, 3], image=image, known=known)
    given.nats(random_images(4, 3, 5, 7)).backward()
    silent = [name for name, p in model.named_parameters() if p.grad is None or not p.grad.any()]
    assert not silent


def test_what_is_given_moves_the_score(kind, likelihood, tiny_model, random_images):
    model, images = tiny_model(kind, likelihood, 3, noise=0.3, **BOTH), random_images(1, 3, 5, 7)
    image, known = condition_images(1, 5, 7)
    ways = [model, model.given(1), model.given(2), model.given(image=image)]
    ways += [model.given(image=image, known=known), model.given(1, image=image)]
    scores = [way.log_prob(images).item() for way in ways]
    assert len(set(scores)) == len(ways)
    assert model.given(LABELS).log_prob(images).item() == scores[0]  # of no class


# --- planted faults ------------------------------------------------------------------------------


def planted(monkeypatch, change):
    """Let what goes through the network beside an image be changed; its program does not know."""
    sound = conditional.conditions

    def conditions(config, given, images, dtype):
        return change(sound(config, given, images, dtype))

    monkeypatch.setattr(conditional, "conditions", conditions)


def test_a_label_that_reaches_the_wrong_image(
    skeleton_kind, likelihood, tiny_model, random_images, monkeypatch
):
    model = tiny_model(skeleton_kind, likelihood, 1, noise=0.3, num_labels=LABELS)
    planted(monkeypatch, lambda found: Conditions(found.labels.roll(1)))
    images = random_images(3, 1, 5, 7)
    with pytest.raises(ContractViolation, match="differently in a batch"):
        contract.check_batch_invariant(model.given([0, 1, 2]), images)
    with pytest.raises(ContractViolation, match="not the same program"):
        contract.check_steps(model.given([0, 1, 2]), images)


@pytest.mark.parametrize("axis", [2, 3], ids=["rows", "columns"])
def test_a_map_that_is_shifted(
    axis, skeleton_kind, likelihood, tiny_model, random_images, monkeypatch
):
    model = tiny_model(skeleton_kind, likelihood, 1, noise=0.3, condition=CONDITION)
    planted(monkeypatch, lambda found: Conditions(None, found.image.roll(1, axis)))
    given = given_model(model, "map", 1, 5, 7)
    with pytest.raises(ContractViolation, match="not the same program"):
        contract.check_steps(given, random_images(1, 1, 5, 7))


def test_a_map_that_holds_the_image_itself(
    skeleton_kind, likelihood, tiny_model, random_images, generator
):
    """A model that is conditioned on what it predicts: no fault of its own, and its score says so."""
    condition = {**CONDITION, "channels": 1}
    model = tiny_model(skeleton_kind, likelihood, 1, condition=condition, layers=1)
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-2)
    bits, steps = np.inf, 0
    while bits >= 0.7 and steps < 120:  # five levels, evenly distributed, cost 2.3 bits
        images = random_images(8, 1, 5, 7, seed=steps)  # others each time: none is learned by heart
        optimizer.zero_grad()
        nats = model.given(image=images).nats(images)
        nats.backward()
        optimizer.step()
        bits, steps = nats.item() / images.numel() / np.log(2), steps + 1
    assert bits < 0.7


# --- what is refused -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "trouble"),
    [
        ({"labels": 4}, "knows the classes 0 to 2"),
        ({"labels": [0, -1]}, "knows the classes 0 to 2"),
        ({"labels": [0.7]}, "number of the class of each image.* float64"),
        ({"labels": torch.ones(2, dtype=torch.bool)}, "number of the class of each image"),
        ({"labels": ["cat"]}, "number of the class of each image"),
        ({"labels": [[0, 1], [1, 2]]}, r"not int64 of shape \(2, 2\)"),
        ({"labels": []}, "number of the class of each image"),
        ({"known": np.ones((1, 1, 5, 7), bool)}, "give it, too"),
        (
            {"image": WHOLE, "known": np.ones((7, 5), bool)},
            r"is bool \(2, 1, 5, 7\), .* not \(7, 5\)",
        ),
        ({"image": WHOLE, "known": np.ones((3, 1, 5, 7), bool)}, r"not \(3, 1, 5, 7\)"),
        (
            {"image": np.zeros((1, 3, 5, 7), np.uint8)},
            "is of 2-channel images, but these have 3 channels",
        ),
        ({"image": np.full((1, 2, 5, 7), 9, np.uint8)}, "5 levels"),
        ({"image": np.zeros((1, 2, 5, 7))}, "uint8"),
    ],
    ids=[
        "class-unknown",
        "class-negative",
        "class-fraction",
        "class-bool",
        "class-name",
        "class-table",
        "no-class",
        "known-alone",
        "known-bare",
        "known-of-others",
        "colours",
        "levels",
        "floats",
    ],
)
def test_what_does_not_fit_is_refused(arguments, trouble, tiny_model):
    model = tiny_model("pixelcnn", "logistic-mixture", 3, **BOTH)
    with pytest.raises(ImageMismatchError, match=trouble):
        model.given(**arguments)


@pytest.mark.parametrize("count", [2, 4])
def test_fewer_or_more_than_images(count, tiny_model, random_images):
    model = tiny_model("pixelcnn", "logistic-mixture", 3, **BOTH)
    model.calibrate(images := random_images(3, 3, 5, 7))
    masks = np.zeros((5, 7), bool)
    for given, trouble in (
        (model.given([0] * count), f"{count} labels for 3 images"),
        (
            model.given(image=WHOLE[:1].repeat(count, 0)),
            f"{count} images to condition on for 3 images",
        ),
    ):
        for use in (
            given.log_prob,
            given.calibrate,
            lambda images, given=given: evaluate(given, images, batch_size=2),
            lambda images, given=given: complete(given, images, masks),
            lambda _, given=given: given.sample(3, size=(5, 7)),
        ):
            with pytest.raises(ImageMismatchError, match=trouble):
                use(images)


def test_no_images_to_measure_on(tiny_model, random_images):
    with pytest.raises(ImageMismatchError, match="give some"):
        tiny_model("pixelcnn").calibrate(random_images(0, 1, 5, 7))


def test_a_map_of_another_size(tiny_model, random_images):
    model = tiny_model("pixelcnn", "logistic-mixture", 3, **BOTH)
    given = model.given(image=np.zeros((1, 2, 7, 5), np.uint8))
    with pytest.raises(ImageMismatchError, match="of that size, not of 7 x 5"):
        given.log_prob(random_images(3, 3, 5, 7))
    with pytest.raises(ImageMismatchError):
        given.sample(1, size=(5, 7))


@pytest.mark.parametrize("arguments", [{"labels": 0}, {"image": np.zeros((1, 1, 5, 7), np.uint8)}])
def test_a_model_that_takes_nothing(arguments, tiny_model):
    with pytest.raises(ImageMismatchError, match="takes no"):
        tiny_model("row-lstm", "categorical", 1).given(**arguments)
