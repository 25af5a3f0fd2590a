"""Whole runs: what they leave, how they resume, and how they stop."""

import csv
import os
import re
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import torch
from rich.console import Console

from pixelrnn.data import DataSet
from pixelrnn.errors import NonFiniteLossError, OutputError, RecipeError, TrainingInterrupted
from pixelrnn.evaluation import evaluate
from pixelrnn.models import MODELS, build, store
from pixelrnn.training import RunFolder, dry_run, records, resume, train
from pixelrnn.training.loop import Trainee
from pixelrnn.training.optimizers import MovingAverage
from pixelrnn.training.recipe import recipe_from
from pixelrnn.training.records import Records

SILENT = Console(quiet=True)


def tiny_data(channels=1):
    draw = np.random.default_rng(0)
    base = draw.integers(5, size=(1, channels, 4, 6))
    images = ((base + draw.integers(2, size=(30, channels, 4, 6))) % 5).astype(np.uint8)
    return DataSet.from_array(
        images[:20], images[20:25], images[25:], num_levels=5, channels="first", name="tiny"
    )


def tiny_recipe(kind="pixelcnn", **changes):
    tables = {
        "model": {"kind": kind, "features": 4, "layers": 1, "head_features": 4},
        "data": {"source": "digits"},
        "training": {"epochs": 4, "batch_size": 4, "validations": 3, "checkpoint_seconds": 0},
        "optimizer": {"learning_rate": 0.01},
    }
    for path, value in changes.items():
        table, key = path.split("__")
        tables.setdefault(table, {})[key] = value
    return recipe_from(tables, where="test", name="tiny")


def weights(run):
    return store.load(run.path).state_dict()


def same(a, b):
    return all(torch.equal(a[name], b[name]) for name in a)


def test_a_run_folder_says_all_about_the_run(tmp_path):
    run = train(tiny_recipe(), tmp_path / "run", data=tiny_data(), console=SILENT)
    there = {file.name for file in run.path.iterdir()}
    assert {"recipe.toml", "metrics.csv", "model.safetensors", "config.json"} <= there
    assert {"result.json", "environment.json", "checkpoint", "tensorboard"} <= there
    result = run.result()
    assert result["finished"]
    assert result["image_presentations"] == 80
    assert result["parameters"] == store.load(run.path).num_parameters()
    assert result["data_sha256"]["test"] == tiny_data().sha256("test")
    with run.metrics_file.open() as file:
        rows = list(csv.DictReader(file))
    validated = [
        float(row["validation_bits_per_dim"]) for row in rows if row["validation_bits_per_dim"]
    ]
    assert len(validated) == 3
    assert int(rows[-1]["step"]) == 20
    assert validated[-1] == pytest.approx(result["validation_bits_per_dim"], rel=1e-9)
    assert validated[-1] < validated[0]


def test_what_is_saved_is_what_was_validated_the_average(tmp_path):
    run = train(
        tiny_recipe(training__ema_decay=0.9), tmp_path / "a", data=tiny_data(), console=SILENT
    )
    plain = train(
        tiny_recipe(training__ema_decay=0.0), tmp_path / "b", data=tiny_data(), console=SILENT
    )
    assert not same(weights(run), weights(plain)), "the average differs from the last weights"
    measured = evaluate(store.load(run.path), tiny_data().images("validation")).bits_per_dim
    assert measured == run.result()["validation_bits_per_dim"]


def test_the_moving_average_by_hand():
    model = build(tiny_recipe().model)
    average = MovingAverage(model, decay=0.3)
    expected = None
    for step in range(4):
        with torch.no_grad():
            model.stem.weight.fill_(step + 1.0)
        average.update()
        decay = min(0.3, (1 + step) / (10 + step))
        expected = 1.0 if expected is None else decay * expected + (1 - decay) * (step + 1.0)
    assert average.model.stem.weight[0].item() == pytest.approx(expected)


@pytest.mark.parametrize("kind", sorted(MODELS))
@pytest.mark.parametrize(("schedule", "optimizer"), [("cosine", "adam"), ("plateau", "muon")])
def test_stopped_anywhere_and_resumed_is_the_same_bit_for_bit(
    tmp_path, monkeypatch, kind, schedule, optimizer
):
    recipe = tiny_recipe(
        kind, optimizer__name=optimizer, schedule__kind=schedule, schedule__patience=0,
        training__accumulate=2, training__horizontal_flips=True, training__validations=5,
    )  # fmt: skip
    whole = train(recipe, tmp_path / "whole", data=tiny_data(3), console=SILENT)
    run = stopped_run(tmp_path / "run", recipe, monkeypatch, after_steps=(3, 11))
    assert run.result()["finished"]
    assert same(weights(run), weights(whole))
    columns = ("step", "learning_rate", "train_bits_per_dim", "validation_bits_per_dim")
    ours, theirs = (
        [[row[c] for c in columns] for row in each.read_metrics()] for each in (run, whole)
    )
    assert ours == theirs


class Crash(BaseException):
    """Stands for a crash: nothing of the program may handle it."""


def stopped_run(path, recipe, monkeypatch, after_steps):
    """Train with a crash *before* the step after each of `after_steps`, then to the end."""
    monkeypatch.setattr("pixelrnn.training.fit.load", lambda *_: tiny_data(3))
    begun = False
    for stop in (*after_steps, None):
        loss = Trainee.loss

        def crash(self, images, stop=stop, loss=loss):
            if stop is not None and self.steps == stop:
                raise Crash
            return loss(self, images)

        with monkeypatch.context() as patch:
            patch.setattr(Trainee, "loss", crash)
            try:
                if begun:
                    resume(path, console=SILENT)
                else:
                    train(recipe, path, data=tiny_data(3), console=SILENT)
            except Crash:
                begun = True
    return RunFolder(path)


def test_two_runs_from_one_recipe_are_equal_and_another_seed_differs(tmp_path):
    a, b, c = (
        train(tiny_recipe(training__seed=seed), tmp_path / name, data=tiny_data(), console=SILENT)
        for name, seed in (("a", 1), ("b", 1), ("c", 2))
    )
    assert same(weights(a), weights(b))
    assert not same(weights(a), weights(c))


def test_accumulation_changes_memory_not_the_result(tmp_path):
    runs = [
        train(
            tiny_recipe(training__accumulate=parts),
            tmp_path / str(parts),
            data=tiny_data(),
            console=SILENT,
        )
        for parts in (1, 4)
    ]
    a, b = (weights(run) for run in runs)
    assert all(torch.allclose(a[name], b[name], atol=1e-5) for name in a)
    assert runs[0].result()["image_presentations"] == runs[1].result()["image_presentations"]


def test_a_loss_that_is_not_finite_stops_and_keeps_the_last_good_weights(tmp_path, monkeypatch):
    recipe = tiny_recipe()
    loss = Trainee.loss

    def broken(self, images):
        return loss(self, images) * (float("nan") if self.steps == 7 else 1)

    monkeypatch.setattr(Trainee, "loss", broken)
    with pytest.raises(NonFiniteLossError, match=r"at step 7.*last good weights are in") as error:
        train(recipe, tmp_path / "run", data=tiny_data(), console=SILENT)
    assert "optimizer.learning_rate" in str(error.value)
    kept = store.load(tmp_path / "run")
    assert all(torch.isfinite(value).all() for value in kept.state_dict().values())
    assert not RunFolder(tmp_path / "run").result()["finished"]


def test_a_gradient_that_is_not_finite_is_never_applied(tmp_path, monkeypatch):
    loss = Trainee.loss

    def broken(self, images):
        found = loss(self, images)
        if self.steps == 5:
            found.register_hook(lambda gradient: gradient * float("inf"))
        return found

    monkeypatch.setattr(Trainee, "loss", broken)
    with pytest.raises(NonFiniteLossError, match="the gradient became"):
        train(tiny_recipe(), tmp_path / "run", data=tiny_data(), console=SILENT)
    kept = store.load(tmp_path / "run")
    assert all(torch.isfinite(value).all() for value in kept.state_dict().values())


def test_a_signal_saves_and_says_how_to_go_on(tmp_path, monkeypatch):
    recipe = tiny_recipe(training__checkpoint_seconds=1e6)
    whole = train(recipe, tmp_path / "whole", data=tiny_data(), console=SILENT)
    record = Records.record

    def interrupt(self, trainee, *others):
        record(self, trainee, *others)
        if trainee.steps > 5 and not self._job.run.checkpoint_file.exists():
            os.kill(os.getpid(), signal.SIGINT)

    with monkeypatch.context() as patch:
        patch.setattr(Records, "record", interrupt)
        with pytest.raises(TrainingInterrupted, match="pixelrnn train --resume"):
            train(recipe, tmp_path / "run", data=tiny_data(), console=SILENT)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler, "the signal is given back"
    monkeypatch.setattr("pixelrnn.training.fit.load", lambda *_: tiny_data())
    run = resume(tmp_path / "run", console=SILENT)
    assert same(weights(run), weights(whole))


class StepClock:
    """Seconds that pass with steps alone, a tenth each: as on a machine that nothing disturbs."""

    def __init__(self, monkeypatch):
        self.steps = 0
        step = Trainee.step

        def counted(trainee, *arguments):
            self.steps += 1
            return step(trainee, *arguments)

        monkeypatch.setattr(Trainee, "step", counted)
        monkeypatch.setattr(records.time, "monotonic", lambda: 0.1 * self.steps)


def test_max_minutes_ends_the_run_and_its_schedule(tmp_path, monkeypatch):
    recipe = tiny_recipe(
        training__epochs=1e6, training__max_minutes=0.05, schedule__kind="cosine",
        training__validations=4,
    )  # fmt: skip
    clock = StepClock(monkeypatch)
    run = train(recipe, tmp_path / "run", data=tiny_data(), console=SILENT)
    assert clock.steps == 30  # of 5,000,000
    rows = run.read_metrics()
    assert float(rows[-1]["learning_rate"]) < 0.1 * recipe.optimizer.learning_rate
    assert run.result()["minutes"] == pytest.approx(0.05)


@pytest.mark.parametrize("minutes", [None, 0.05])
def test_it_says_soon_how_far_it_will_come_and_when(tmp_path, monkeypatch, minutes):
    monkeypatch.setattr(records, "FORECAST_SECONDS", 0.5 if minutes else 0.0)
    StepClock(monkeypatch)
    console = Console(record=True, width=200)
    changes = {"training__max_minutes": minutes, "training__epochs": 1e6} if minutes else {}
    run = train(tiny_recipe(**changes), tmp_path / "run", data=tiny_data(), console=console)
    (line,) = [row for row in console.export_text().splitlines() if "expected" in row]
    found = re.search(r"about ([\d,]+) image presentations expected, by \d\d:\d\d", line)
    expected, seen = int(found[1].replace(",", "")), run.result()["image_presentations"]
    assert expected == (pytest.approx(seen, rel=0.05) if minutes else seen)


def test_a_folder_with_a_run_is_not_written_over(tmp_path):
    run = train(tiny_recipe(), tmp_path / "run", data=tiny_data(), console=SILENT)
    before = weights(run)
    with pytest.raises(OutputError, match="already holds a run"):
        train(tiny_recipe(), tmp_path / "run", data=tiny_data(), console=SILENT)
    with pytest.raises(RecipeError, match="is finished"):
        resume(tmp_path / "run")
    assert same(weights(run), before)


def test_a_recipe_that_asks_for_other_channels_than_the_images_have(tmp_path):
    with pytest.raises(RecipeError, match=r"model.channels = 3.*follows the data"):
        train(tiny_recipe(model__channels=3), tmp_path / "run", data=tiny_data(), console=SILENT)
    assert not (tmp_path / "run").exists()


def test_a_run_does_not_go_on_with_other_images(tmp_path, monkeypatch):
    def crash(self, images):
        raise Crash

    with monkeypatch.context() as patch:
        patch.setattr(Trainee, "loss", crash)
        with pytest.raises(Crash):
            train(tiny_recipe(), tmp_path / "run", data=tiny_data(), console=SILENT)
    before = RunFolder(tmp_path / "run").result()
    other = tiny_data()
    changed = DataSet("tiny", 5, other.parts | {"train": other.parts["train"][::-1]}, "")
    monkeypatch.setattr("pixelrnn.training.fit.load", lambda *_: changed)
    with pytest.raises(RecipeError, match="are not those that the run"):
        resume(tmp_path / "run", console=SILENT)
    assert RunFolder(tmp_path / "run").result() == before


@pytest.mark.skipif(torch.cuda.is_available(), reason="asks for a GPU that this machine has")
def test_a_device_that_is_not_there_is_named_and_nothing_is_written(tmp_path):
    recipe = tiny_recipe(training__accelerator="gpu")
    with pytest.raises(RecipeError, match=r"training\.accelerator = gpu"):
        train(recipe, tmp_path / "run", data=tiny_data(), console=SILENT)
    assert not (tmp_path / "run").exists()


def test_no_validation_images_is_fine(tmp_path):
    full = tiny_data()
    data = DataSet("tiny", 5, full.parts | {"validation": full.parts["train"][:0]}, "made")
    run = train(tiny_recipe(), tmp_path / "run", data=data, console=SILENT)
    assert "validation_bits_per_dim" not in run.result()


def test_a_dry_run_says_what_it_would_take_and_writes_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = dry_run(tiny_recipe(), tiny_data())
    assert "parameters" in text
    assert "would take" in text
    assert not list(tmp_path.iterdir())


def test_kill_9_and_resume_equal_a_run_that_was_not_killed(tmp_path):
    """The bar itself: real processes, a real kill, the command line."""
    settings = [
        "--set", "training.epochs=3", "--set", "model.features=4", "--set", "model.layers=1",
        "--set", "training.checkpoint_seconds=0.2", "--set", "training.horizontal_flips=true",
    ]  # fmt: skip
    command = [sys.executable, "-m", "pixelrnn", "train"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    begin = [*command, "digits-row-lstm", *settings, "--out"]
    subprocess.run([*begin, tmp_path / "whole"], env=environment, check=True, capture_output=True)
    killed = RunFolder(tmp_path / "killed")
    process = subprocess.Popen(
        [*begin, killed.path], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    deadline = time.monotonic() + 120
    while not (killed.checkpoint_file.is_file() and len(killed.read_metrics()) > 10):
        assert time.monotonic() < deadline, "the run did not get under way"
        assert process.poll() is None, "the run ended before it could be killed"
        time.sleep(0.02)
    process.kill()
    process.wait()
    subprocess.run(
        [*command, "--resume", killed.path], env=environment, check=True, capture_output=True
    )
    assert same(weights(killed), weights(RunFolder(tmp_path / "whole")))
