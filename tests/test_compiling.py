"""The user is told of compilation while it goes on, and only then."""

import subprocess
import sys

import numpy as np
import pytest
import torch

from pixelrnn import compiling
from pixelrnn.coding.codec import COMPILING
from pixelrnn.evaluation import evaluate
from pixelrnn.kernels import compiled, convolution, mixture, recurrence, softmax
from pixelrnn.stepper.coder import Coder
from pixelrnn.stepper.machine import run_rows

LAYER_LOOPS = (
    convolution.run_forward, convolution.run_backward, recurrence.run_forward,
    recurrence.run_backward, mixture.run, softmax.run,
)  # fmt: skip


LOADED = "from pixelrnn import compiling; compiling.make_loop_ready(print)"


def test_a_loop_that_is_loaded_is_not_said_to_be_compiled():
    """However long it takes."""
    compiling.make_loop_ready()
    result = subprocess.run([sys.executable, "-c", LOADED], capture_output=True, check=True)
    assert result.stdout == b""


@pytest.mark.parametrize("make_ready", ["loop", "layers"])
def test_compiling_is_told_before_it_begins(monkeypatch, make_ready, tiny_model):
    lines = []

    class Model:
        def sample(self, *_, **__):
            for listen in compiled._listeners:
                listen()
                listen()

        def nats(self, images):
            self.sample()
            return images.sum(dtype=torch.float32).requires_grad_()

        def log_prob_map(self, *_, **__):
            self.sample()

    monkeypatch.setattr("pixelrnn.models.build", lambda _: Model())
    if make_ready == "loop":
        monkeypatch.setattr(Coder, "decode", Model.sample)
        compiling.make_loop_ready(lines.append)
        assert lines == [COMPILING]
    else:
        compiling.make_layers_ready(tiny_model("pixelcnn").config, lines.append)
        assert lines == [compiling.COMPILING_LAYERS]


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
