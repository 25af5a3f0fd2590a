"""What is timed is a recipe's own step, and the plain version's; figures follow from the times."""

import json

import pytest
import torch

from benchmarks import in_turn, training
from benchmarks.steps import PlainSteps, Steps
from benchmarks.training import benchmark_scaling, benchmark_suite, benchmark_training
from benchmarks.training_figures import Scaling, TrainingBenchmark, TrainingTiming
from pixelrnn.data import load
from pixelrnn.errors import NonFiniteLossError, RecipeError
from pixelrnn.models import store
from pixelrnn.training import load_recipe, suite_recipes, train
from pixelrnn.training.batches import Batch, draw_batches
from pixelrnn.training.fit import initial_model

TINY = ("model.features=4", "model.layers=1", "training.batch_size=4")


@pytest.fixture(autouse=True)
def fast(monkeypatch):
    monkeypatch.setattr(in_turn, "SECONDS_EACH", 0.0)
    monkeypatch.setattr(training, "MATRIX_SIDE", 32)


def recipe(kind="pixelcnn", *settings):
    return load_recipe(f"digits-{kind}", [*TINY, *settings])


def timing(**changes):
    values = {
        "recipe": "cifar10-45k-pixelcnn",
        "label": "PixelCNN",
        "model_kind": "pixelcnn",
        "likelihood_kind": "logistic-mixture",
        "parameters": 44_670,
        "image_shape": (3, 32, 32),
        "batch_size": 16,
        "threads": 2,
        "repeats": 5,
        "images_per_second": 200.0,
        "plain_images_per_second": 80.0,
        "flops_per_image": 250_000_000,
        "machine_gflops": 400.0,
        "machine_threads": 2,
    }
    return TrainingTiming(**(values | changes))


def test_figures():
    found = timing()
    assert found.speed_up == pytest.approx(2.5)
    assert found.gflops == pytest.approx(50.0)
    assert found.share_of_machine == pytest.approx(0.125)
    assert timing(plain_images_per_second=None).speed_up is None
    scaling = Scaling("digits", "PixelCNN", "twice the layers", 3.0, 2.0)
    assert scaling.cost_of_an_operation_ratio == pytest.approx(1.5)


def test_times_become_figures(kind, monkeypatch):
    """Each of the three ways is given a time of its own."""
    seconds = {}

    def measured(ways, repeats, on_progress):
        for way in ways:
            way()
        seconds.update(ours=0.5, matrices=0.001, plain=2.0)
        return in_turn.Measured(tuple(seconds.values()), (), repeats, finished=True)

    monkeypatch.setattr(training, "measure_in_turn", measured)
    found = benchmark_training(recipe(kind), repeats=3)
    assert (found.images_per_second, found.plain_images_per_second) == (8.0, 2.0)
    assert found.machine_gflops == pytest.approx(2 * 32**3 / 0.001 / 1e9)
    assert (found.recipe, found.model_kind, found.repeats) == (f"digits-{kind}", kind, 3)
    assert (found.image_shape, found.batch_size) == ((1, 8, 8), 4)
    assert (found.threads, found.likelihood_kind) == (1, recipe(kind).model.likelihood.kind)


def test_a_suite_as_json():
    counts = []
    found = benchmark_suite(
        [recipe(kind) for kind in suite_recipes("digits")],
        size=(5, 7), threads=2, repeats=2, with_scaling=True, on_progress=counts.append,
    )  # fmt: skip
    assert [each.model_kind for each in found.timings] == list(suite_recipes("digits"))
    assert counts == [1] * 12
    assert found.finished
    read = json.loads(json.dumps(found.as_dict()))
    for each in read["timings"]:
        assert each["image_shape"] == [1, 5, 7]
        assert each["threads"] == each["machine_threads"] == 2
        assert min(each["images_per_second"], each["speed_up"], each["share_of_machine"]) > 0
    assert [each["change"] for each in read["scaling"]] == 3 * [
        "twice the layers", "twice the features", "twice the image side",
    ]  # fmt: skip
    assert all(each["cost_of_an_operation_ratio"] > 0 for each in read["scaling"])


def test_larger_ones_are_as_large_as_they_say():
    layers, features, side = benchmark_scaling(recipe(), repeats=1)
    assert 1 < layers.flops_per_image_ratio < 2
    assert 1 < features.flops_per_image_ratio < 4
    assert side.flops_per_image_ratio == 4


def test_without_the_plain_version(monkeypatch):
    monkeypatch.setattr(training, "PlainSteps", None)
    found = benchmark_training(recipe(), repeats=1, with_plain=False)
    assert found.plain_images_per_second is None


def test_threads_are_those_of_the_recipe_and_are_put_back(monkeypatch):
    seen = []
    real = Steps.step

    def step(self):
        seen.append(torch.get_num_threads())
        real(self)

    monkeypatch.setattr(Steps, "step", step)
    before = torch.get_num_threads()
    for threads, of_recipe in ((None, 2), (3, 2)):
        seen.clear()
        own = recipe("pixelcnn", f"training.threads={of_recipe}")
        found = benchmark_training(own, threads=threads, repeats=1)
        assert set(seen) == {found.threads} == {threads or of_recipe}
        assert found.machine_threads == (threads or before)
    assert torch.get_num_threads() == before


def test_images_of_unknown_size():
    unknown = recipe("pixelcnn", 'data={source="pictures"}')
    with pytest.raises(RecipeError, match="give --size"):
        benchmark_training(unknown)
    assert benchmark_training(unknown, size=(4, 5), repeats=1).image_shape == (3, 4, 5)


def test_a_recipe_that_leads_nowhere():
    model = initial_model(recipe())
    with torch.no_grad():
        model.stem.weight.fill_(float("nan"))
    images = torch.zeros(4, 3, 8, 8, dtype=torch.uint8)
    for steps in (Steps, PlainSteps):
        with pytest.raises(NonFiniteLossError):
            steps(model, recipe(), images).step()


@pytest.mark.parametrize(("stopped_at", "kept"), [(1, 0), (9, 1), (13, 2)])
def test_stopped_it_keeps_what_it_has(stopped_at, kept, monkeypatch):
    """A model takes six steps: a first one of each version, and two repetitions of both."""
    calls = []
    real = Steps.step

    def step(self):
        calls.append(self)
        if len(calls) == stopped_at:
            raise KeyboardInterrupt
        real(self)

    monkeypatch.setattr(Steps, "step", step)
    found = benchmark_suite([recipe(kind) for kind in suite_recipes("digits")], repeats=2)
    assert len(found.timings) == kept
    assert not found.finished
    assert TrainingBenchmark().finished


def test_a_model_half_measured_is_kept(monkeypatch):
    counts = []

    def stop(count):
        counts.append(count)
        if sum(counts) == 3:
            raise KeyboardInterrupt

    found = benchmark_suite([recipe(), recipe("row-lstm")], repeats=2, on_progress=stop)
    assert [each.repeats for each in found.timings] == [2, 1]
    assert [each.finished for each in found.timings] == [True, False]
    assert not found.finished


@pytest.mark.parametrize("accumulate", [1, 2])
def test_steps_are_those_of_a_run(accumulate, tmp_path):
    """The weights after a run of three steps, and their average, are the same bit for bit."""
    data = load("digits")
    own = recipe(
        "pixelcnn", "training.image_presentations=12", "schedule.kind=constant",
        f"training.accumulate={accumulate}", "training.accelerator=cpu",
    ).for_data(data)  # fmt: skip
    averaged = store.load(train(own, tmp_path / "run", data=data).path)
    steps = Steps(initial_model(own), own, torch.zeros(4, 1, 8, 8).byte())
    batches = draw_batches(own.training, data)
    for number in range(3):
        steps.parts = batches.of_step(number)
        steps.step()
    for name, expected in averaged.state_dict().items():
        assert torch.equal(steps.trainee.average.model.state_dict()[name], expected), name


def test_both_versions_learn_the_same(kind, random_images):
    """Three steps from the same weights on the same images end at the same loss."""
    own = recipe(kind, "schedule.warmup_steps=0")
    images = random_images(4, 1, 8, 8, num_levels=17)
    model = initial_model(own.for_data(load("digits")))
    losses = []
    for trainee in (PlainSteps(model, own, images).trainee, Steps(model, own, images).trainee):
        before = trainee.step([Batch(images)])
        for _ in range(2):
            trainee.step([Batch(images)])
        losses.append(trainee.loss(Batch(images)).item())
        assert losses[-1] < before
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)
