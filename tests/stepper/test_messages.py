"""One image, one message: any other is refused, or is that of another image; and soon."""

import numpy as np
import pytest

from pixelrnn import shipped
from pixelrnn.coding import load_program
from pixelrnn.errors import CompressedFileError
from pixelrnn.kernels import range_coder
from pixelrnn.stepper.coder import Coder
from pixelrnn.stepper.machine import run_rows


def decoded(coder, message, shape):
    """The image of a message, if an encoder may have written it."""
    try:
        return coder.decode(message, *shape)
    except CompressedFileError:
        return None


@pytest.mark.parametrize("name", shipped.names())
def test_any_message_is_refused_or_that_of_its_image(name):
    """No two messages are of one image: whatever is decoded is encoded to the same bytes."""
    coder = Coder(load_program(name).program)
    levels, channels = coder.program.num_levels, coder.program.channels
    draw, shape, read = np.random.default_rng(2), (6, 5, channels), 0
    image = (levels // 2 + draw.normal(size=shape)).astype(np.uint8)
    sound = coder.encode(image)
    messages = [b"", b"\0", b"\xff" * 50, *(draw.bytes(n % 9) for n in range(40)), draw.bytes(500)]
    for bit in range(8 * len(sound)):
        messages.append(bytearray(sound))
        messages[-1][bit // 8] ^= 1 << bit % 8
    messages += [sound + b"\0", sound + b"\1", sound[:-1], sound[:-1] + bytes([sound[-1] ^ 255, 0])]
    for message in map(bytes, messages):
        found = decoded(coder, message, shape)
        if found is not None:
            read += 1
            assert found.max() < levels
            assert coder.encode(found) == message
            assert (found != image).any()
    assert 0 < read < len(messages) / 2


def test_a_message_that_ends_long_before_its_image_costs_little(monkeypatch):
    """Of black, nothing is computed; of anything else, no more than the end takes to be seen."""
    coder, rows, real = Coder(load_program("digits-pixelcnn").program), [], run_rows

    def counted(tables, world, image, first, last):
        rows.append(last - first)
        real(tables, world, image, first, last)

    monkeypatch.setattr("pixelrnn.stepper.coder.run_rows", counted)
    shape = (4000, 100, 1)
    message = coder.encode(np.zeros(shape, np.uint8))
    assert not any(message)
    rows.clear()
    assert not coder.decode(message, *shape).any()
    assert not rows
    with pytest.raises(CompressedFileError):
        coder.decode(b"\x93\x17", *shape)
    assert sum(rows) < 20
    light = np.zeros(shape, np.uint8)
    light[0, :5] = 3
    message = coder.encode(light)
    rows.clear()
    np.testing.assert_array_equal(coder.decode(message, *shape), light)
    assert sum(rows) < 20


def test_a_number_inside_its_interval_keeps_some_zeros():
    """Of three levels the middle one has the middle half: a half is inside the interval for ever."""
    state, stream = np.zeros(range_coder.STATE_SIZE, np.int64), np.zeros(200, np.uint8)
    range_coder.start(state)
    for _ in range(800):
        range_coder.put(state, stream, range_coder.TOTAL // 4, range_coder.TOTAL // 2)
    needed = range_coder.bytes_needed(state)
    assert range_coder.finish(state, stream) == 1
    assert stream[0] == 128
    assert needed == 800 // 8 - 1 - range_coder.MOST_ZEROS
    stream = stream[:needed]
    range_coder.start_reading(state, stream)
    for _ in range(800):
        assert range_coder.outcome(state, stream) is None
        range_coder.take(state, stream, range_coder.TOTAL // 4, range_coder.TOTAL // 2)
    assert range_coder.outcome(state, stream) is None
    assert range_coder.is_canonical(state, stream) == (True, needed)
