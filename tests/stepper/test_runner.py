"""One image, whatever the batch, the threads, the split and the order; progress, Ctrl-C and faults."""

import os
import re
import signal
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
import torch

from pixelrnn.layers.linear_prediction import WEIGHT_UNIT
from pixelrnn.likelihoods.logistic_mixture import MEAN_UNIT
from pixelrnn.stepper import machine
from pixelrnn.stepper.floats import Floats
from pixelrnn.stepper.machine import run_rows
from pixelrnn.stepper.runner import PIXELS_AT_ONCE, Runner

NOTHING, ALL = np.array(False), np.array(True)
COUNT = 7
# Drawn once in float64: a change of the random numbers, of what they are used for or of the network.
GOLDEN = {
    "categorical": [
        [[5, 5, 2, 3, 6], [4, 0, 1, 5, 5], [6, 0, 6, 5, 0], [7, 0, 6, 5, 6]],
        [[2, 3, 2, 8, 7], [5, 6, 8, 4, 3], [0, 1, 0, 4, 0], [0, 6, 6, 3, 3]],
        [[7, 7, 8, 1, 2], [3, 1, 6, 6, 5], [1, 7, 3, 6, 1], [7, 0, 4, 5, 6]],
    ],
    "logistic-mixture": [
        [[0, 0, 0, 0, 0], [0, 0, 0, 0, 0], [0, 0, 0, 0, 0], [0, 0, 0, 0, 1]],
        [[3, 0, 0, 8, 8], [8, 8, 8, 6, 6], [0, 0, 0, 8, 0], [3, 8, 8, 1, 4]],
        [[8, 8, 8, 0, 0], [0, 0, 8, 8, 8], [0, 8, 0, 8, 0], [8, 0, 0, 8, 8]],
    ],
}


def blank(count, model, height=4, width=5):
    return np.zeros((count, model.config.channels, height, width), np.uint8)


def draw(model, count=COUNT, threads=1, **settings):
    runner = Runner(model.lower(), dtype=np.float64, threads=threads)
    return runner.run(blank(count, model), NOTHING, **({"seed": 3} | settings)).images


@pytest.fixture
def model(kind, likelihood, tiny_model):
    return tiny_model(kind, likelihood, 3, noise=0.3)


def test_the_same_images_whatever_the_batch_the_threads_and_the_order(model):
    images = draw(model)
    for count in (1, 3):
        np.testing.assert_array_equal(draw(model, count), images[:count])
    for threads in (2, 3, 64):
        np.testing.assert_array_equal(draw(model, threads=threads), images)
    np.testing.assert_array_equal(draw(model, 3, indices=[6, 0, 4]), images[[6, 0, 4]])
    np.testing.assert_array_equal(draw(model, 2, threads=2, indices=range(5, 7)), images[5:7])


def test_other_seeds_and_indices_give_other_images(model):
    images = draw(model)
    assert len({image.tobytes() for image in images}) == COUNT
    assert (draw(model, seed=4) != images).any(axis=(1, 2, 3)).all()
    assert (draw(model, indices=range(10, 17)) != images).any(axis=(1, 2, 3)).all()


def test_rows_drawn_in_portions_are_those_drawn_at_once(model, monkeypatch):
    images = draw(model)
    monkeypatch.setattr("pixelrnn.stepper.runner.PIXELS_AT_ONCE", 1)
    np.testing.assert_array_equal(draw(model), images)


@pytest.mark.parametrize("likelihood_drawn", GOLDEN)
def test_a_golden_sample(likelihood_drawn, tiny_model):
    model = tiny_model("diagonal-bilstm", likelihood_drawn, 3, num_levels=9)
    with torch.no_grad():
        for n, parameter in enumerate(model.parameters()):  # the same with any version of torch
            waves = torch.arange(parameter.numel(), dtype=torch.float64).mul(1.7).add(n).sin()
            parameter.copy_(0.5 * waves.view(parameter.shape))
        if likelihood_drawn == "logistic-mixture":
            mixture, output = model.likelihood, model.head.output
            means = slice(mixture.components, mixture.components * 4)
            output.weight.view(mixture.head_maps, -1)[means] /= MEAN_UNIT
            output.bias[means] /= MEAN_UNIT
            model.prediction.conv.weight /= WEIGHT_UNIT
    assert draw(model, 1)[0].tolist() == GOLDEN[likelihood_drawn]


def test_scores_do_not_depend_on_the_threads(model, random_images):
    images = random_images(COUNT, 3, 4, 5).numpy()
    one, two = (
        Runner(model.lower(), threads=threads).run(images, ALL, want_nats=True).nats
        for threads in (1, 2)
    )
    np.testing.assert_array_equal(one, two)


def test_the_loop_is_compiled_once_a_precision(tiny_model):
    """Whatever the shapes: another signature would cost another half a minute."""
    for channels, count, height, width in [(1, 1, 1, 1), (1, 2, 1, 5), (3, 1, 4, 1), (3, 2, 3, 3)]:
        model = tiny_model("pixelcnn", "categorical", channels)
        for dtype in (np.float32, np.float64):
            runner = Runner(model.lower(), dtype=dtype, threads=1)
            images = blank(count, model, height, width)
            images.setflags(write=False)
            for known in (NOTHING, ALL, np.broadcast_to(ALL, images.shape)):
                runner.run(images, known)
                runner.run(images, known, want_nats=True, want_parameters=True)
    worlds = [signature[1].instance_class for signature in run_rows.signatures]
    assert worlds.count(Floats) <= 2


def test_only_the_whole_loop_is_kept_on_disk():
    """numba would go on using a function that was kept although what it calls has changed."""
    sources = Path(machine.__file__).parent.glob("*.py")
    kept = {path.name: text for path in sources if "@compiled(" in (text := path.read_text())}
    assert kept.keys() == {"machine.py", "range_coder.py"}
    assert kept["machine.py"].count("@compiled(") == 1
    # It calls nothing of another file.
    assert re.findall("from pixelrnn.*", kept["range_coder.py"]) == [
        "from pixelrnn.kernels.compiled import compiled"
    ]
    assert run_rows.py_func.__defaults__ == (machine.FINGERPRINT,)


def test_the_images_given_are_left_alone(model):
    images = blank(2, model)
    assert Runner(model.lower()).run(images, NOTHING).images.any()
    assert not images.any()


@pytest.mark.parametrize("threads", [1, 2])
def test_progress_adds_up_to_all_pixels(threads, tiny_model):
    model, seen = tiny_model("pixelcnn", num_levels=2, layers=1), []
    runner = Runner(model.lower(), threads=threads)
    runner.run(blank(3, model, 300, 100), NOTHING, on_progress=seen.append)
    assert sum(seen) == 3 * 300 * 100
    assert max(seen) <= PIXELS_AT_ONCE
    assert len(seen) == 6


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("at", [0, 5])
def test_a_fault_in_on_progress_ends_the_run(threads, at, tiny_model):
    model, seen = tiny_model("pixelcnn", num_levels=2, layers=1), []

    def fail(pixels):
        seen.append(pixels)
        if len(seen) > at:
            raise RuntimeError("full disk")

    with pytest.raises(RuntimeError, match="full disk"):
        Runner(model.lower(), threads=threads).run(
            blank(200, model, 20, 20), NOTHING, on_progress=fail
        )
    assert len(seen) < 50  # the others did not run to their end
    assert threading.active_count() < 10


@pytest.mark.skipif(sys.platform == "win32", reason="a process cannot press Ctrl-C there")
@pytest.mark.parametrize("threads", [1, 2])
def test_ctrl_c_ends_the_run(threads, tiny_model):
    model, seen = tiny_model("pixelcnn", num_levels=2, layers=1), []

    def interrupt(pixels):
        seen.append(pixels)
        if len(seen) == 3:
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        Runner(model.lower(), threads=threads).run(
            blank(2000, model, 40, 40), NOTHING, on_progress=interrupt
        )
    assert len(seen) < 1500  # the others did not run to their end


def test_indices_must_be_as_many_as_images(tiny_model):
    model = tiny_model("pixelcnn")
    with pytest.raises(ValueError, match="2 indices for 3 images"):
        draw(model, 3, indices=[1, 2])
