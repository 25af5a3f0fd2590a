"""Which of the shipped models compresses where nothing is said."""

import pytest

from pixelrnn.coding import load_program
from pixelrnn.shipped import DEFAULT_MODELS, PHOTOGRAPHS, SMALL_IMAGES, described_defaults, mostly


@pytest.mark.parametrize("name", sorted(set(DEFAULT_MODELS.values())))
def test_what_is_taken_unasked_takes_all_images(name):
    program = load_program(name).program
    assert (program.channels, program.num_levels) == (3, 256)


@pytest.mark.parametrize(
    ("shapes", "expected"),
    [
        ([(1, 1, 1)], SMALL_IMAGES),
        ([(64, 64, 3)], SMALL_IMAGES),
        ([(65, 1, 3)], PHOTOGRAPHS),
        ([(1, 65, 3)], PHOTOGRAPHS),
        ([(64, 64, 3)] * 2 + [(64, 127, 3)], SMALL_IMAGES),
        ([(64, 64, 3)] * 2 + [(64, 129, 3)], PHOTOGRAPHS),
        ([(64, 64, 3)] * 2 + [(64, 128, 3)], PHOTOGRAPHS),  # as many of each
        ([(64, 64, 3), (100, 100, 1)], SMALL_IMAGES),  # 12,288 levels to 10,000
        ([(64, 64, 3), (100, 100, 2)], PHOTOGRAPHS),
        ([], PHOTOGRAPHS),
    ],
)
def test_an_album_has_the_model_for_most_of_its_levels(shapes, expected):
    assert mostly(shapes) == expected
    assert mostly(reversed(shapes)) == expected


def test_the_help_names_both(monkeypatch):
    monkeypatch.setitem(DEFAULT_MODELS, SMALL_IMAGES, "another")
    monkeypatch.setitem(DEFAULT_MODELS, PHOTOGRAPHS, "one")
    assert described_defaults().startswith("one for photographs, another for images of at most 64")
