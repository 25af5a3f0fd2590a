"""Training with images that are made of the images themselves, and dropped now and then."""

import numpy as np
import pytest
import torch
from rich.console import Console

from pixelrnn.data import DataOptions, DataSet, load
from pixelrnn.errors import RecipeError
from pixelrnn.evaluation import conditioned, evaluate
from pixelrnn.graph.conditions import CONDITIONS
from pixelrnn.models import store
from pixelrnn.training import RunFolder, load_recipe, resume, train
from pixelrnn.training.batches import Batches
from tests.training.test_runs import same, tiny_recipe, weights

SILENT = Console(quiet=True)
MADE = [kind for kind in CONDITIONS if kind != "given"]


def photographs(count=30):
    """Images in colour whose neighbours are alike."""
    draw = np.random.default_rng(0)
    steps = draw.integers(-1, 2, size=(count, 3, 4, 6))
    images = (8 + steps.cumsum(axis=2).cumsum(axis=3)).clip(0, 15).astype(np.uint8)
    return DataSet.from_array(
        images[:20], images[20:25], images[25:], num_levels=16, channels="first", name="made"
    )


def recipe_given(kind, **changes):
    condition = {"kind": kind, "features": 4, "kernel_size": 3}
    return tiny_recipe(**{"model__condition": condition, "training__epochs": 30, **changes})


@pytest.fixture(params=MADE)
def made(request):
    """Each kind of condition that is made of images, in turn."""
    return request.param


def batches(kind, **settings):
    images = photographs().images("train")[:11]
    condition = CONDITIONS[kind](2)
    return Batches(images, **{"batch_size": 4, "seed": 3, "condition": condition, **settings})


def test_every_image_is_shown_with_its_own(made):
    for step in range(11):
        (batch,) = batches(made, flips=True).of_step(step)
        bits = np.zeros(4, np.uint64)
        levels, known = CONDITIONS[made](2).of_images(batch.images.numpy(), bits)
        np.testing.assert_array_equal(batch.given, levels)
        if made != "masked":  # whose holes are drawn
            np.testing.assert_array_equal(batch.known, known)


def test_of_some_nothing_is_known_and_of_others_in_the_next_epoch(made):
    drawn = batches(made, batch_size=11, condition_dropout=0.5)
    dropped = [int((~drawn.of_step(step)[0].known.flatten(1).any(1)).sum()) for step in range(40)]
    assert len(set(dropped)) > 3
    assert 0.4 < sum(dropped) / (40 * 11) < 0.6


def test_labels_and_conditions_are_dropped_apart():
    labels = np.arange(11)
    drawn = batches("grey", labels=labels, no_label=11, label_dropout=0.5, condition_dropout=0.5)
    both = [drawn.of_step(step)[0] for step in range(60)]
    unlabelled = torch.cat([batch.labels == 11 for batch in both])
    unknown = torch.cat([~batch.known.flatten(1).any(1) for batch in both])
    assert 0.15 < (unlabelled & unknown).double().mean() < 0.35


def test_holes_are_drawn_anew_in_each_epoch():
    drawn = batches("masked", batch_size=11)
    first, second = (drawn.of_step(step)[0] for step in (0, 1))
    order = [np.lexsort(batch.images.flatten(1).numpy().T) for batch in (first, second)]
    assert (first.known[order[0]] != second.known[order[1]]).any()


def test_parts_and_processes_see_what_one_does(made):
    for step in range(6):
        (whole,) = batches(made, condition_dropout=0.4).of_step(step)
        shares = [
            batches(made, condition_dropout=0.4, rank=rank, processes=2).of_step(step)[0]
            for rank in (0, 1)
        ]
        for key in ("images", "given", "known"):
            assert torch.equal(
                torch.cat([getattr(part, key) for part in shares]), whole._asdict()[key]
            )


def test_images_of_earlier_runs_come_in_the_same_order():
    """What later purposes draw has keys of its own."""
    from pixelrnn.training.batches import _random_bits

    seen = [tuple(_random_bits(2**63 - 1, 5, purpose, 3).tolist()) for purpose in range(6)]
    assert len(set(seen)) == 6
    key = np.array([2**63 - 1 | 1 << 63, 11], np.uint64)  # that of labels, as it was
    assert seen[3] == tuple(np.random.Philox(key=key).random_raw(3).tolist())


def test_conditions_are_learned(made, tmp_path):
    data = photographs()
    run = train(recipe_given(made), tmp_path / "run", data=data, console=SILENT)
    model, images = store.load(run.path), data.images("test")
    told = evaluate(conditioned(model, data, "test"), images, batch_size=3)
    untold = evaluate(model, images)
    assert told.bits_per_dim < untold.bits_per_dim
    assert run.result()["validation_bits_per_dim"] == pytest.approx(
        evaluate(conditioned(model, data, "validation"), data.images("validation")).bits_per_dim
    )
    drawn = conditioned(model, data, "test").sample(5, seed=1)
    assert drawn.shape == images.shape


def test_a_run_goes_on_bit_for_bit(tmp_path):
    data = photographs()
    recipe = recipe_given("masked", training__epochs=8)
    whole = train(recipe, tmp_path / "whole", data=data, console=SILENT)
    stopped, calls = RunFolder(tmp_path / "half"), iter(range(10**6))
    sound = Batches.of_step

    def of_step(self, step):
        if next(calls) == 20:
            raise KeyboardInterrupt
        return sound(self, step)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Batches, "of_step", of_step)
        with pytest.raises(BaseException):  # noqa: B017, PT011 - however it is told
            train(recipe, stopped.path, data=data, console=SILENT)
    resume(stopped.path, data=data, console=SILENT)
    assert same(weights(whole), weights(stopped))


def test_a_recipe_without_conditions_is_the_same_as_before():
    plain = tiny_recipe().for_data(photographs())
    assert "condition" not in plain.to_toml().replace("condition_dropout", "")
    assert plain.fingerprint() != recipe_given("grey").for_data(photographs()).fingerprint()


@pytest.mark.parametrize(
    ("condition", "trouble"),
    [
        ({"kind": "gray"}, "there is no condition 'gray'; did you mean grey"),
        ({"kind": "small", "factor": 1}, "greater than or equal to 2"),
        ({"kind": "small", "channels": 3}, "colours of its own"),
        ({"kernel_size": 4}, "must be odd"),
    ],
)
def test_conditions_that_there_are_not(condition, trouble):
    with pytest.raises(RecipeError, match=trouble):
        tiny_recipe(model__condition=condition)


def test_what_cannot_be_made_of_the_images_is_refused():
    with pytest.raises(RecipeError, match=r"model\.condition\.kind, one of grey, masked, small"):
        recipe_given("given").for_data(photographs())
    with pytest.raises(RecipeError, match="images in colour"):
        recipe_given("grey").for_data(load("digits"))


def test_a_setting_adds_a_condition():
    recipe = load_recipe("digits-pixelcnn", ["model.condition.kind=masked"])
    assert recipe.for_data(load("digits")).model.given_channels == 1


def test_small_images_are_those_that_large_ones_are_given_by():
    large = load("photos", DataOptions(patch_size=16))
    small = load("photos", DataOptions(patch_size=16, shrink=3))
    for split in ("train", "test"):
        np.testing.assert_array_equal(small.images(split), large.images(split)[..., ::3, ::3])
    np.testing.assert_array_equal(small.pictures_of("test"), large.pictures_of("test"))
    assert small.sha256("test") != large.sha256("test")


def test_small_images_are_cut_anew_from_small_pictures():
    options = DataOptions(patch_size=16, shrink=2, random_crops=True)
    small = load("photos", options)
    patch = small.uncut.patch(0, 8, random_bits=12345 << 32 | 54321)
    assert patch.shape == small.images("train").shape[1:]
