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
from numba.core.dispatcher import Dispatcher

from pixelrnn.kernels import range_coder
from pixelrnn.layers.linear_prediction import WEIGHT_UNIT
from pixelrnn.likelihoods.logistic_mixture import MEAN_UNIT
from pixelrnn.stepper import drawing, machine
from pixelrnn.stepper.machine import run_rows
from pixelrnn.stepper.spreading import PIXELS_AT_ONCE

NOTHING, ALL = np.array(False), np.array(True)
PARTS = {"stepper", "operations", "likelihoods", "graph"}  # whose functions the loop calls
COUNT = 7
# Sampled once: a change of the random bits, of what they are used for, of the network or its integers.
GOLDEN = {
    "categorical": [
        [[6, 1, 8, 2, 2], [8, 2, 0, 0, 3], [1, 7, 8, 0, 1], [7, 8, 1, 4, 6]],
        [[6, 1, 8, 6, 6], [3, 4, 2, 4, 7], [4, 3, 0, 1, 7], [3, 6, 2, 4, 7]],
        [[6, 5, 0, 5, 8], [0, 5, 7, 6, 1], [8, 7, 5, 5, 2], [0, 8, 8, 0, 6]],
    ],
    "logistic-mixture": [
        [[0, 0, 3, 0, 0], [0, 0, 0, 0, 0], [0, 0, 0, 0, 2], [0, 0, 0, 0, 0]],
        [[8, 1, 5, 8, 6], [8, 4, 0, 8, 7], [8, 7, 7, 8, 0], [8, 8, 8, 6, 5]],
        [[8, 8, 8, 8, 8], [8, 0, 8, 8, 8], [8, 0, 0, 8, 0], [0, 7, 8, 0, 0]],
    ],
}


def blank(count, model, height=4, width=5):
    return np.zeros((count, model.config.channels, height, width), np.uint8)


def draw(model, count=COUNT, **settings):
    images, coder = settings.pop("images", blank(count, model)), model.coder()
    known = settings.pop("known", NOTHING)
    return drawing.draw(coder, images, known, **({"seed": 3, "threads": 1} | settings))


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
    monkeypatch.setattr("pixelrnn.stepper.spreading.PIXELS_AT_ONCE", 1)
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
    model.calibration = np.full(len(model.lower().largest()), 4.0)
    assert draw(model, 1)[0].tolist() == GOLDEN[likelihood_drawn]


def test_the_loop_is_compiled_once(tiny_model):
    """Whatever the shapes: another signature would cost another half a minute."""
    for channels, count, height, width in [(1, 1, 1, 1), (1, 2, 1, 5), (3, 1, 4, 1), (3, 2, 3, 3)]:
        model = tiny_model("pixelcnn", "categorical", channels)
        images = blank(count, model, height, width)
        images.setflags(write=False)
        for known in (NOTHING, ALL, np.broadcast_to(ALL, images.shape)):
            draw(model, count, images=images, known=known)
        coder = model.coder()
        coder.decode(
            coder.encode(np.zeros((height, width, channels), np.uint8)), height, width, channels
        )
    assert len(run_rows.signatures) == 1


def test_known_sub_pixels_are_given_and_the_others_sampled(model, random_images):
    """Whatever the image holds where it is not known, the same comes out."""
    images, others = (random_images(2, 3, 5, 7, seed=seed).numpy() for seed in (0, 1))
    known = np.random.default_rng(0).random(images.shape) < 0.5
    first = draw(model, 2, images=images, known=known)
    second = draw(model, 2, images=np.where(known, images, others), known=known)
    np.testing.assert_array_equal(first, second)
    np.testing.assert_array_equal(first[known], images[known])
    assert (first[~known] != images[~known]).any()


def test_what_is_sampled_is_what_is_fed_back(model):
    """The message of an image that was sampled begins as the random bits that it was sampled by."""
    coder = model.coder()
    (image,) = draw(model, 1, images=blank(1, model, 16, 16))
    pixels = np.ascontiguousarray(image.transpose(1, 2, 0))
    bits = drawing.random_bytes(3, 0, pixels.size).tobytes()
    message = coder.encode(pixels)
    same = len(message) - 8  # the last bytes are as few as decide it
    assert same > 4
    first, second = (int.from_bytes(each[:same], "big") for each in (message, bits))
    assert abs(first - second) <= 1


def test_only_the_whole_loop_is_kept_on_disk():
    """numba would go on using a function that was kept although what it calls has changed."""
    sources = Path(machine.__file__).parent.glob("*.py")
    kept = {path.name: text for path in sources if "@compiled(" in (text := path.read_text())}
    assert kept.keys() == {"machine.py"}
    assert kept["machine.py"].count("@compiled(") == 1
    assert run_rows.py_func.__defaults__ == (machine.FINGERPRINT,)
    called = {name.split(".")[1] for name in sys.modules if name.startswith("pixelrnn.")}
    assert {folder.name for folder in machine.SOURCES} == PARTS <= called


def test_the_range_coder_calls_nothing_of_another_file():
    """Its functions are kept on disk by themselves."""
    text = Path(range_coder.__file__).read_text()
    assert text.count("@compiled(") == 3
    assert re.findall("from pixelrnn.*", text) == ["from pixelrnn.kernels.compiled import compiled"]


def test_the_images_given_are_left_alone(model):
    images = blank(2, model)
    assert draw(model, images=images).any()
    assert not images.any()


@pytest.mark.parametrize("threads", [1, 2])
def test_progress_adds_up_to_all_pixels(threads, tiny_model):
    model, seen = tiny_model("pixelcnn", num_levels=2, layers=1), []
    images = blank(3, model, 300, 100)
    draw(model, images=images, threads=threads, on_progress=seen.append)
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

    images = blank(200, model, 20, 20)
    with pytest.raises(RuntimeError, match="full disk"):
        draw(model, images=images, threads=threads, on_progress=fail)
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

    images = blank(2000, model, 40, 40)
    with pytest.raises(KeyboardInterrupt):
        draw(model, images=images, threads=threads, on_progress=interrupt)
    assert len(seen) < 1500  # the others did not run to their end


def test_where_nobody_says_another_number_tiny_images_are_drawn_by_one_thread(
    tiny_model, monkeypatch
):
    coder, sound, used = tiny_model("pixelcnn").coder(), drawing.spread, []

    def spread(work, count, threads):
        used.append(threads)
        sound(work, count, threads)

    monkeypatch.setattr(drawing, "usable_cores", lambda: 3)
    monkeypatch.setattr(drawing, "spread", spread)
    for size, threads in [((2, 3), None), ((20, 30), None), ((2, 3), 2)]:
        drawing.sample(coder, COUNT, size, threads=threads)
    assert used == [1, 3, 2]


def test_compiled_functions_are_looked_up_once(likelihood, tiny_model, random_images, monkeypatch):
    """By numba, which goes a long way where it does not find a function by the types that it remembers."""
    model, images, looked_up = tiny_model("row-lstm", likelihood), random_images(2, 1, 3, 4), []
    sound = Dispatcher.typeof_pyval

    def typeof(self, value):
        looked_up.append(self)
        return sound(self, value)

    model.calibrate(images)
    for _ in range(2):
        looked_up.clear()
        with monkeypatch.context() as patch:
            patch.setattr(Dispatcher, "typeof_pyval", typeof)
            model.nats(images).backward()
            draw(model)
    assert not looked_up


def test_indices_must_be_as_many_as_images(tiny_model):
    model = tiny_model("pixelcnn")
    with pytest.raises(ValueError, match="2 indices for 3 images"):
        draw(model, 3, indices=[1, 2])
