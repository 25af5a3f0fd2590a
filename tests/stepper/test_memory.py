"""Memory is what the kernels reach: rows, not whole images."""

import pickle
import subprocess
import sys

import numpy as np
import pytest
import torch

from pixelrnn.models import build
from pixelrnn.operations.export import export
from pixelrnn.stepper.layout import lay_out
from pixelrnn.training.recipe import load_recipe, suite_recipes

MEGABYTE = 1e6
SUITE = ["cifar10-45k", "cifar10-45k-softmax"]

# Runs without torch: that the stepper can is part of what is shown.
MEASURE = """
import pickle, resource, sys
import numpy as np
from pixelrnn.stepper.coder import Coder
from pixelrnn.stepper.drawing import draw as sample

def peak():
    bytes_a_unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * bytes_a_unit

def draw(height, width):
    sample(Coder(program), np.zeros((1, 3, height, width), np.uint8), np.array(False), threads=1)
    return peak()

program = pickle.load(open(sys.argv[1], "rb"))
draw(2, 2)  # the loop is compiled or loaded
print(peak(), draw(16, 2048), draw(64, 2048))
assert "torch" not in sys.modules
"""


def program_of(recipe):
    torch.manual_seed(0)
    model = build(load_recipe(recipe).model)
    return export(model.lower(np.zeros((1, 3, 8, 8), np.uint8)))


def state_bytes(layout, width):
    """What `Layout.memory` takes, which knows of no height."""
    maps = layout.maps(1, width)
    return layout.memory(maps).nbytes + layout.memory(maps, wide=True).nbytes


def test_a_large_image_takes_100_megabytes_at_most():
    """1024 x 1024 RGB with the PixelCNN of cifar10-45k, all that a run allocates counted."""
    layout = lay_out(program_of("cifar10-45k-pixelcnn"))
    pixels = 1024 * 1024
    # uint8 or bool: the blank image, the image drawn, what is known, the image returned.
    images = 4 * 3 * pixels
    total = state_bytes(layout, 1024) + layout.weights.nbytes + images
    assert total < 30 * MEGABYTE


@pytest.mark.parametrize(
    "recipe", [name for suite in SUITE for name in suite_recipes(suite).values()]
)
def test_the_state_is_some_rows_of_features(recipe):
    """It grows with the width as a few rows do, and far less than all maps of one image row."""
    program = program_of(recipe)
    layout = lay_out(program)
    features = sum(feature_map.features for feature_map in program.maps)
    a_column = (state_bytes(layout, 2048) - state_bytes(layout, 1024)) / 1024 / 4
    assert a_column < 6 * features
    assert state_bytes(layout, 1024) < 12 * MEGABYTE


def test_a_map_read_at_the_pixel_only_is_one_vector():
    program = program_of("cifar10-45k-pixelcnn")
    maps = lay_out(program).maps(1, 100)
    rows_and_columns_read = {
        (tap.features.map, tap.row, tap.column)
        for operation in program.operations
        for tap in operation.taps
    }
    by_neighbours = {
        number for number, row, column in rows_and_columns_read if (row, column) != (0, 0)
    }
    for number, (_, features, rows, stride, step, _) in enumerate(maps):
        if number in by_neighbours:
            assert stride >= 100 * features
        else:
            assert (rows, stride, step) == (1, features, 0)
    assert 0 < len(by_neighbours) < len(maps) / 2


def test_a_taller_image_takes_no_more_but_for_itself(tmp_path):
    """Measured: from 16 to 64 rows, whose features would take hundreds of megabytes."""
    pytest.importorskip("resource")
    program = program_of("cifar10-45k-pixelcnn")
    path = tmp_path / "program.pickle"
    path.write_bytes(pickle.dumps(program))
    command = [sys.executable, "-c", MEASURE, str(path)]
    ran = subprocess.run(command, capture_output=True, text=True, check=True)
    before, low, high = (int(number) for number in ran.stdout.split())
    more_pixels = (64 - 16) * 2048
    features = sum(feature_map.features for feature_map in program.maps)
    assert more_pixels * features * np.dtype(np.float32).itemsize > 300 * MEGABYTE
    assert high - low < 4 * 3 * more_pixels + 4 * MEGABYTE
    assert high - before < 30 * MEGABYTE
