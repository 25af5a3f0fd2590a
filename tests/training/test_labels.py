"""Training with labels: each image is shown with its own, and now and then without."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from rich.console import Console

from pixelrnn.data import DataOptions, DataSet, load
from pixelrnn.data.splits import Part
from pixelrnn.errors import DataError, RecipeError
from pixelrnn.evaluation import conditioned, evaluate
from pixelrnn.models import store
from pixelrnn.training import RunFolder, load_recipe, resume, train
from pixelrnn.training.batches import Batches
from published import mnist_files
from tests.training.test_runs import same, tiny_recipe, weights

SILENT = Console(quiet=True)
COUNT = 40


def labelled_data(classes=3):
    """Images of one level each, with a little noise; which level it is the label says."""
    draw = np.random.default_rng(0)
    parts = {}
    for split, count in (("train", COUNT), ("validation", 12), ("test", 12)):
        labels = draw.integers(classes, size=count)
        noise = draw.integers(2, size=(count, 1, 4, 6))
        images = (2 * labels[:, None, None, None] + noise).astype(np.uint8)
        parts[split] = Part(images, labels=labels)
    return DataSet("labelled", 6, parts, "made for tests")


def labelled_recipe(**changes):
    return tiny_recipe(**{"data__labels": True, "training__epochs": 30, **changes})


def batches(**settings):
    labels = np.arange(11) % 4
    images = labels.astype(np.uint8).reshape(11, 1, 1, 1) * np.ones((1, 1, 2, 2), np.uint8)
    about = {"batch_size": 4, "seed": 3, "labels": labels, "no_label": 4, **settings}
    return Batches(images, **about)


def test_every_image_is_shown_with_its_own_label():
    for step in range(11):
        (batch,) = batches().of_step(step)
        assert batch.labels.tolist() == batch.images[:, 0, 0, 0].tolist()


def test_labels_are_dropped_anew_in_each_epoch_and_are_kept_else():
    drawn = batches(batch_size=11, label_dropout=0.5)
    dropped = []
    for step in range(40):  # an epoch each
        (batch,) = drawn.of_step(step)
        none = batch.labels == 4
        assert (batch.labels[~none] == batch.images[~none, 0, 0, 0]).all()
        dropped.append(none.sum().item())
    assert len(set(dropped)) > 3
    assert 0.4 < sum(dropped) / (40 * 11) < 0.6


@pytest.mark.parametrize(("share", "expected"), [(0.0, 0), (1.0, 44)])
def test_no_label_is_dropped_or_all_are(share, expected):
    parts = [batches(label_dropout=share).of_step(step)[0] for step in range(11)]
    assert sum(int((part.labels == 4).sum()) for part in parts) == expected


def test_parts_and_processes_see_the_labels_of_one():
    whole = [batches(label_dropout=0.4).of_step(step)[0] for step in range(6)]
    for step, batch in enumerate(whole):
        shares = [
            batches(label_dropout=0.4, rank=rank, processes=2).of_step(step)[0].labels
            for rank in (0, 1)
        ]
        assert torch.equal(torch.cat(shares), batch.labels)


def test_labels_are_learned(tmp_path):
    data = labelled_data()
    run = train(labelled_recipe(), tmp_path / "run", data=data, console=SILENT)
    model = store.load(run.path)
    assert model.config.num_labels == 3
    images = data.images("test")
    told = evaluate(conditioned(model, data, "test"), images, batch_size=5)
    untold = evaluate(model, images)
    wrong = evaluate(model.given((data.labels_of("test") + 1) % 3), images)
    assert told.bits_per_dim < untold.bits_per_dim < wrong.bits_per_dim
    assert run.result()["validation_bits_per_dim"] == pytest.approx(
        evaluate(conditioned(model, data, "validation"), data.images("validation")).bits_per_dim
    )
    sampled = model.given(np.repeat([0, 1, 2], 20)).sample(60, seed=2).reshape(3, 20, -1)
    assert (np.argmin(np.abs(sampled.mean(axis=(1, 2))[:, None] - [0.5, 2.5, 4.5]), axis=1)
            == [0, 1, 2]).all()  # fmt: skip


def test_a_run_with_labels_goes_on_bit_for_bit(tmp_path):
    data = labelled_data()
    whole = train(labelled_recipe(), tmp_path / "whole", data=data, console=SILENT)
    half = labelled_recipe()
    stopped = RunFolder(tmp_path / "half")
    calls = iter(range(10**6))

    def fail_late(*_):
        if next(calls) == 60:
            raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        sound = Batches.of_step
        patch.setattr(Batches, "of_step", lambda self, step: (fail_late(), sound(self, step))[1])
        with pytest.raises(BaseException):  # noqa: B017, PT011 - however it is told
            train(half, stopped.path, data=data, console=SILENT)
    turned = {k: replace(part, labels=part.labels[::-1].copy()) for k, part in data.parts.items()}
    with pytest.raises(RecipeError, match="the labels of labelled are not those that the run"):
        resume(stopped.path, data=replace(data, parts=turned), console=SILENT)
    resume(stopped.path, data=data, console=SILENT)
    assert same(weights(whole), weights(stopped))


def test_a_model_is_as_before_where_labels_are_not_asked_for(tmp_path):
    run = train(tiny_recipe(), tmp_path / "run", data=labelled_data(), console=SILENT)
    assert store.load(run.path).config.num_labels == 0


def test_the_names_of_classes_are_kept():
    recipe = labelled_recipe().for_data(load("digits"))
    assert (recipe.model.num_labels, recipe.model.label_names[3]) == (10, "3")


def test_other_images_are_shown_with_their_labels_too(tmp_path):
    """What a model is given is for its recipe to say, whichever images it is trained on."""
    recipe = load_recipe("mnist-conditional", data="digits")
    assert recipe.data.labels
    assert recipe.for_data(load("digits", DataOptions(labels=True))).model.num_labels == 10


def test_binarised_digits_stay_so_on_files(tmp_path):
    for name, content in mnist_files().items():
        (tmp_path / name).write_bytes(content)
    recipe = load_recipe("mnist-conditional", data=str(tmp_path))
    assert (recipe.data.binarisation, recipe.data.labels) == ("threshold", True)


def test_images_without_labels_are_refused(tmp_path):
    np.save(tmp_path / "plain.npy", np.zeros((20, 4, 4), np.uint8))
    recipe = labelled_recipe(data__source=str(tmp_path / "plain.npy"))
    with pytest.raises(DataError, match=r"plain.npy has no labels: leave data\.labels out"):
        train(recipe, tmp_path / "run", console=SILENT)
    assert not (tmp_path / "run").exists()


def test_labels_in_memory_that_are_not_there_are_refused(tmp_path):
    data = DataSet.from_array(np.zeros((20, 4, 4), np.uint8), name="plain")
    with pytest.raises((DataError, RecipeError), match="no labels"):
        train(labelled_recipe(), tmp_path / "run", data=data, console=SILENT)


def test_a_number_of_labels_that_is_not_that_of_the_images_is_refused():
    with pytest.raises(RecipeError, match=r"model\.num_labels = 4, but the images .* have 3"):
        labelled_recipe(model__num_labels=4).for_data(labelled_data())
