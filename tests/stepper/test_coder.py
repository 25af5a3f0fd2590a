"""Images to messages and back: exact, as short as the model says, and without a float on the way."""

import re
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from numba import njit, types

from pixelrnn import units
from pixelrnn.errors import CompressedFileError
from pixelrnn.kernels import range_coder
from pixelrnn.kernels.range_coder import TOTAL_BITS
from pixelrnn.operations.export import export
from pixelrnn.stepper.coder import Coder
from pixelrnn.stepper.machine import run_rows

LEVELS = 17


def smooth_images(count, channels, height, width, num_levels=LEVELS, seed=0):
    """Draw images `(count, channels, height, width)` whose rows and colours hardly change."""
    steps = np.random.default_rng(seed).normal(size=(count, channels, height, width))
    from_the_middle = (0.06 * num_levels * steps).cumsum(axis=3)
    colours = 0.3 * from_the_middle + from_the_middle[:, :1]
    return (num_levels // 2 + colours).round().clip(0, num_levels - 1).astype(np.uint8)


def channels_last(images):
    return [np.ascontiguousarray(image.transpose(1, 2, 0)) for image in images]


def images_of_all_sorts(channels, height, width, num_levels=LEVELS):
    """Smooth, random, all black, all white: what the model expects, and what it does not."""
    draw = np.random.default_rng(1)
    shape = (height, width, channels)
    return [
        *channels_last(smooth_images(2, channels, height, width, num_levels)),
        draw.integers(num_levels, size=shape, dtype=np.uint8),
        draw.choice([0, num_levels - 1], size=shape).astype(np.uint8),
        np.zeros(shape, np.uint8),
        np.full(shape, num_levels - 1, np.uint8),
    ]


@pytest.fixture
def program(tiny_model):
    """A function that makes the integer program of a tiny model."""

    def make(kind="pixelcnn", likelihood="categorical", channels=1, num_levels=LEVELS, **settings):
        settings = {"noise": 0.1} | settings
        model = tiny_model(kind, likelihood, channels, num_levels=num_levels, **settings)
        return export(model.lower(smooth_images(4, channels, 8, 8, num_levels, seed=100)))

    return make


def ideal_bits(frequencies):
    return float((TOTAL_BITS - np.log2(frequencies)).sum())


def frequencies_seen_by_a_decoder(coder, message, shape):
    """What `Coder.frequencies` says of encoding, of decoding."""
    found, image = np.zeros(shape, np.int64), np.zeros(shape, np.uint8)
    stream = np.frombuffer(message, np.uint8).copy()
    world, tables = coder._state(shape, stream, reads=True, frequencies=found)
    range_coder.start_reading(world.coder, world.stream)
    run_rows(tables, world, image, 0, shape[0])
    return found


def test_images_come_back_from_messages_as_short_as_the_model_says(
    kind, likelihood, channels, size, program
):
    coder = Coder(program(kind, likelihood, channels))
    for image in images_of_all_sorts(channels, *size):
        before = image.copy()
        message = coder.encode(image)
        np.testing.assert_array_equal(image, before)
        np.testing.assert_array_equal(coder.decode(message, *image.shape), image)
        frequencies = coder.frequencies(image)
        assert frequencies.shape == image.shape
        assert 8 * len(message) <= ideal_bits(frequencies) + 8.01
        by_decoder = frequencies_seen_by_a_decoder(coder, message, image.shape)
        np.testing.assert_array_equal(by_decoder, frequencies)


@pytest.mark.parametrize("num_levels", [2, 3, 256])
def test_any_number_of_levels(kind, likelihood, num_levels, program):
    coder = Coder(program(kind, likelihood, 3, num_levels))
    for image in images_of_all_sorts(3, 4, 6, num_levels):
        np.testing.assert_array_equal(coder.decode(coder.encode(image), *image.shape), image)


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (9, 1), (2, 40), (40, 2)])
def test_any_size(kind, size, program):
    coder = Coder(program(kind, "logistic-mixture", 3, layers=1))
    for image in images_of_all_sorts(3, *size):
        np.testing.assert_array_equal(coder.decode(coder.encode(image), *image.shape), image)


def test_a_grey_image_is_coded_as_the_red_of_one_whose_colours_are_equal(
    kind, likelihood, program, size
):
    coder = Coder(program(kind, likelihood, 3))
    for grey in images_of_all_sorts(1, *size):
        message = coder.encode(grey)
        np.testing.assert_array_equal(coder.decode(message, *grey.shape), grey)
        red = coder.frequencies(np.repeat(grey, 3, axis=2))[..., :1]
        np.testing.assert_array_equal(coder.frequencies(grey), red)
        assert 8 * len(message) <= ideal_bits(red) + 8.01


def test_integers_say_what_the_floats_say(kind, likelihood, channels, tiny_model):
    """On images like those that the program was made with; of what is unlikely they know less."""
    model = tiny_model(kind, likelihood, channels, num_levels=LEVELS, noise=0.0)
    coder = Coder(export(model.lower(smooth_images(4, channels, 8, 8, seed=100))))
    images = smooth_images(8, channels, 10, 12)
    nats = model.log_prob(images).sum().item()
    bits = sum(ideal_bits(coder.frequencies(image)) for image in channels_last(images))
    assert bits == pytest.approx(units.bits(-nats), rel=2e-3)


@pytest.mark.parametrize("changed", ["bias", "weights", "shifts", "exponential"])
def test_a_decoder_that_differs_a_little_finds_another_image(kind, likelihood, program, changed):
    sound, damaged = program(kind, likelihood), program(kind, likelihood)
    last = next(each for each in reversed(damaged.operations) if each.taps[-1].weights is not None)
    numbers, step = {
        "bias": (last.bias, 1 << 12),
        "weights": (last.taps[-1].weights, 100),
        "shifts": (last.rescale.shifts, 1),
        "exponential": (damaged.curves.exponential[1:], 1 << 12),
    }[changed]
    numbers -= step
    image = images_of_all_sorts(1, 30, 30)[2]
    message = Coder(sound).encode(image)
    np.testing.assert_array_equal(Coder(sound).decode(message, *image.shape), image)
    try:
        found = Coder(damaged).decode(message, *image.shape)
    except CompressedFileError:  # it ends where no message of this decoder would
        return
    assert (found != image).any()


def test_messages_are_equal_from_one_and_from_several_threads(kind, likelihood, program):
    """One coder, images of more widths than it keeps the memory of, all at once."""
    coder = Coder(program(kind, likelihood, 3))
    images = [image for width in range(1, 12) for image in images_of_all_sorts(3, 8, width)]
    messages = [Coder(coder.program).encode(image) for image in images]
    with ThreadPoolExecutor(4) as pool:
        for _ in range(2):
            assert list(pool.map(coder.encode, images)) == messages
            shapes = [image.shape for image in images]
            decoded = pool.map(
                lambda message, shape: coder.decode(message, *shape), messages, shapes
            )
            assert all(map(np.array_equal, decoded, images))


def test_rows_coded_in_portions_are_those_coded_at_once(kind, program, monkeypatch):
    coder = Coder(program(kind, "logistic-mixture"))
    (image,) = channels_last(smooth_images(1, 1, 9, 7))
    message = coder.encode(image)
    monkeypatch.setattr("pixelrnn.stepper.spreading.PIXELS_AT_ONCE", 1)
    assert coder.encode(image) == message
    np.testing.assert_array_equal(coder.decode(message, *image.shape), image)


def test_a_program_of_floats_is_refused(tiny_model):
    with pytest.raises(ValueError, match="export it first"):
        Coder(tiny_model("pixelcnn").lower())


# No float between pixels and bits.

A_FLOAT = re.compile(  # a type, or an instruction that makes one; not a part of a name
    r"(?<![\w%@.$\"-])(?:double|float|half|bfloat|fp128|x86_fp80)(?![\w.$\"-])"
    r"|\b(?:fadd|fsub|fmul|fdiv|frem|fneg|fcmp|sitofp|uitofp|fptosi|fptoui|fpext|fptrunc)\b"
)


def code_of(function, signature):
    """Compile a function anew, for what is kept on disk cannot be looked into: its LLVM code."""
    fresh = njit(nogil=True, error_model="numpy")(function)
    fresh.compile(signature)
    code = fresh.inspect_llvm(signature)
    called = re.findall(r"^declare [^@]*@\"?([\w.$]+)", code, re.MULTILINE)
    elsewhere = [name for name in called if name.startswith("_ZN")]  # compiled by numba, not shown
    assert not elsewhere
    return code


@njit
def shrunk(number):
    return number / 3


def count_in_floats(state):
    state[0] = int(shrunk(state[0]))


def test_there_is_no_float_between_pixels_and_bits(program):
    coder, image = Coder(program()), np.zeros((1, 1, 1), np.uint8)
    coder.decode(coder.encode(image), *image.shape)
    (signature,) = run_rows.signatures
    code = code_of(run_rows.py_func, signature)
    assert len(re.findall(r"\bmul\b", code)) > 20  # it is the code
    assert A_FLOAT.findall(code) == []
    for function in (range_coder.start, range_coder.start_reading, range_coder.finish):
        assert A_FLOAT.findall(code_of(function.py_func, function.signatures[0])) == []


def test_a_float_would_be_found():
    """Looked for in the same way, in a function that is called."""
    found = A_FLOAT.findall(code_of(count_in_floats, (types.int64[::1],)))
    assert {"double", "sitofp", "fptosi"} <= set(found)
