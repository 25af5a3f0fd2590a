"""What validations cost of a run: fewer on short runs, and part of the time that is said to be left."""

import pytest
from rich.console import Console

from pixelrnn.training import (
    good_weights,
    load_recipe,
    loop,
    recipe_of,
    records,
    result,
    resume,
    train,
)
from pixelrnn.training.recipe import recipe_from
from pixelrnn.training.tables import SHARE, WORK, affordable
from tests.training.test_runs import tiny_data, tiny_recipe

SILENT = Console(quiet=True)


def without_number(**training):
    tables = tiny_recipe().model_dump()
    del tables["training"]["validations"]
    tables["model"] = {"kind": "pixelcnn", "features": 4, "layers": 1, "head_features": 4}
    tables["training"] = {**tables["training"], **training}
    return recipe_from(tables, where="test", name="tiny")


@pytest.mark.parametrize("presentations", [1, 80, 1350, 10_000, 10**6])
@pytest.mark.parametrize("num_images", [1, 150, 5000])
def test_no_more_than_a_fifth_of_the_work(presentations, num_images):
    number = affordable(40, presentations, num_images)
    assert 1 <= number <= 40
    work = WORK * num_images
    if number > 1:
        assert number * work <= SHARE * (presentations + number * work) + 1e-6
    if number < 40:
        assert (number + 1) * work > SHARE * (presentations + (number + 1) * work)


def test_a_number_that_is_given_stays():
    data = tiny_data()
    assert tiny_recipe(training__validations=39).for_data(data).training.validations == 39
    assert without_number().for_data(data).training.validations == 12  # 80 x 3/4 over 5 images
    assert without_number(epochs=1000).for_data(data).training.validations == 40


def test_the_number_is_kept_over_resuming(tmp_path, monkeypatch):
    run = train(without_number(), tmp_path / "run", data=tiny_data(), console=SILENT)
    assert recipe_of(run).training.validations == 12
    assert recipe_of(run).for_data(tiny_data()).to_toml() == recipe_of(run).to_toml()
    rows = run.read_metrics()
    assert sum(bool(row["validation_bits_per_dim"]) for row in rows) == 12


def test_recipes_of_the_package_that_say_how_many_keep_them():
    recipe = load_recipe("cifar10-45k-softmax-pixelcnn", ["training.image_presentations=100"])
    assert recipe.for_data(tiny_data(3)).training.validations == 10


class Clock:
    """Time that passes only where a test says so."""

    now = 0.0

    def monotonic(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    """Ten seconds a validation, one second a training step."""
    clock = Clock()
    for module in (records, loop):
        monkeypatch.setattr(module, "time", clock)
    evaluate, take_step = good_weights.evaluate, loop.Trainee.step

    def slow(*arguments, **settings):
        clock.now += 10
        return evaluate(*arguments, **settings)

    def step(self, *arguments):
        clock.now += 1
        return take_step(self, *arguments)

    monkeypatch.setattr(good_weights, "evaluate", slow)
    monkeypatch.setattr(loop.Trainee, "step", step)
    return clock


def test_the_time_left_includes_validations(tmp_path, clock, monkeypatch):
    said = []
    monkeypatch.setattr(
        records.TrainingProgress,
        "forecast",
        lambda self, *figures: said.append((clock.now, *figures)),
    )
    recipe = tiny_recipe(training__validations=4)  # 20 steps: 20 s of training, 40 s of validation
    train(recipe, tmp_path / "run", data=tiny_data(), console=SILENT)
    ((at, presentations, seconds, steps_per_second),) = said
    assert clock.now == 60
    assert presentations == 80
    assert steps_per_second == pytest.approx(1)
    assert at + seconds == pytest.approx(60, abs=1)


def test_the_speed_is_that_of_training_alone(tmp_path, clock, monkeypatch):
    measure = result.evaluate

    def slow(*arguments, **settings):
        clock.now += 100
        return measure(*arguments, **settings)

    monkeypatch.setattr(result, "evaluate", slow)
    run = train(tiny_recipe(), tmp_path / "run", data=tiny_data(), console=SILENT)
    rows = run.read_metrics()  # 20 steps of four images and one second, 3 validations of 10 seconds
    assert {float(row["images_per_second"]) for row in rows} == {4.0}
    assert run.result()["images_per_second"] == 4
    assert run.result()["minutes"] == pytest.approx(50 / 60)


def test_a_limited_time_is_not_spent_on_validations(tmp_path, clock):
    run = train(
        without_number(max_minutes=10.0, epochs=1e6),
        tmp_path / "run",
        data=tiny_data(),
        console=SILENT,
    )
    rows = run.read_metrics()
    validations = sum(bool(row["validation_bits_per_dim"]) for row in rows)
    assert 8 <= validations <= 0.2 * 600 / 10 + 1
    assert rows[-1]["validation_bits_per_dim"]
    # 40 were asked for: they would have left a third of the time to training.
    assert int(rows[-1]["step"]) > 450


def test_a_limited_time_with_a_number_given(tmp_path, clock):
    recipe = tiny_recipe(training__max_minutes=10.0, training__epochs=1e6, training__validations=40)
    rows = train(recipe, tmp_path / "run", data=tiny_data(), console=SILENT).read_metrics()
    assert sum(bool(row["validation_bits_per_dim"]) for row in rows) == 40


def test_what_is_forecast_stays_within_the_limit(tmp_path, clock, monkeypatch):
    said = []
    monkeypatch.setattr(
        records.TrainingProgress, "forecast", lambda self, *found: said.append((clock.now, *found))
    )
    recipe = tiny_recipe(training__max_minutes=0.5, training__validations=4)
    train(recipe, tmp_path / "run", data=tiny_data(), console=SILENT)
    ((at, presentations, seconds, _),) = said
    assert at + seconds == pytest.approx(30)
    assert presentations < 80


def test_the_command_that_began_a_run_is_kept(tmp_path, monkeypatch):
    stopped = train(
        tiny_recipe(),
        tmp_path / "run",
        data=tiny_data(),
        console=SILENT,
        command="pixelrnn train a 'b c'",
    )
    stopped.update_result(finished=False)
    monkeypatch.setattr("pixelrnn.training.fit.load", lambda *_: tiny_data())
    run = resume(tmp_path / "run", console=SILENT, command="pixelrnn train --resume run")
    assert run.result()["command"] == "pixelrnn train a 'b c'"
    assert run.result()["finished"]
    assert run.result()["data_num_images"] == {"train": 20, "validation": 5, "test": 5}
    assert run.result()["train_num_pictures"] == 20
