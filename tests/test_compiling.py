"""The user is told of compilation while it goes on, and only then."""

import time

import numpy as np
import pytest
import torch

from pixelrnn import compiling
from pixelrnn.evaluation import evaluate
from pixelrnn.kernels import convolution, mixture, recurrence, softmax
from pixelrnn.models import build
from pixelrnn.stepper import patience
from pixelrnn.stepper.machine import run_rows

LAYER_LOOPS = (
    convolution.run_forward, convolution.run_backward, recurrence.run_forward,
    recurrence.run_backward, mixture.run, softmax.run,
)  # fmt: skip


@pytest.fixture(autouse=True)
def _impatient(monkeypatch):
    monkeypatch.setattr(patience, "PATIENCE_SECONDS", 0.05)


class Loop:
    """A loop that is not compiled, until it is."""

    def __init__(self):
        self.signatures = []


@pytest.mark.parametrize(("seconds", "told"), [(0.0, 0), (0.4, 1)])
def test_a_slow_start_is_told(monkeypatch, seconds, told):
    loop, lines = Loop(), []

    class Model:
        def sample(self, *_, **__):
            time.sleep(seconds)
            loop.signatures.append("compiled")

    monkeypatch.setattr(compiling, "is_compiled", lambda world: bool(loop.signatures))
    monkeypatch.setattr(compiling, "build", lambda _: Model())
    assert compiling.make_loop_ready(lines.append) >= seconds
    assert lines == [compiling.COMPILING] * told
    compiling.make_loop_ready(lines.append)
    assert len(lines) == told


def test_a_loop_that_was_loaded_is_not_said_to_be_compiled():
    lines = []
    with patience.told_if_slow(lines.append, compiling.COMPILING, is_ready=lambda: True):
        time.sleep(0.2)
    assert lines == []


def test_the_loop_is_ready_for_models_of_all_kinds(tiny_model, kind, likelihood, channels):
    """What was compiled is what they run: nothing is compiled when they draw."""
    compiling.make_loop_ready()
    ready = len(run_rows.signatures)
    model = tiny_model(kind, likelihood, channels).float()
    model.sample(2, size=(3, 2))
    assert len(run_rows.signatures) == ready


def test_the_layers_are_ready_for_training_and_evaluation(
    tiny_model, kind, likelihood, channels, random_images
):
    model = tiny_model(kind, likelihood, channels, num_levels=4).float()
    state = torch.get_rng_state()
    compiling.make_layers_ready(model.config)
    assert torch.equal(torch.get_rng_state(), state)
    ready = [len(loop.signatures) for loop in LAYER_LOOPS]
    images = random_images(3, channels, 5, 7, 4)
    model.nats(images).backward()
    evaluate(model, np.asarray(images))
    assert [len(loop.signatures) for loop in LAYER_LOOPS] == ready


def test_layers_that_are_slow_to_come_are_told(monkeypatch, tiny_model):
    lines = []

    def slow(config):
        time.sleep(0.3)
        return build(config)

    monkeypatch.setattr(compiling, "build", slow)
    compiling.make_layers_ready(tiny_model("pixelcnn").config, lines.append)
    assert lines == [compiling.COMPILING_LAYERS]
