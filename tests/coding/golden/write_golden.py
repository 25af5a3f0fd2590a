"""Write the golden files: `python write_golden.py NAME.pxr MODEL`; see README.md."""

import sys
from pathlib import Path

import numpy as np

from pixelrnn.coding import Codec, load_program, write


def images(num_levels, channels):
    """Return images that need no generator: (name, uint8 `(H, W, bands)`), smooth, rough and flat."""
    made = []
    bands = {1: (1, 1, 2), 3: (3, 1, 4)}[channels]
    for n, (height, width) in enumerate([(24, 20), (9, 17), (5, 3)]):
        rows, columns = np.arange(height)[:, None, None], np.arange(width)[None, :, None]
        band = np.arange(bands[n])[None, None, :]
        ramp = (rows * 7 + columns * 5 + band * 11) * num_levels // 400
        mixed = (rows * 40503 + columns * 30011 + band * 1009) * 2654435761 >> 12
        rough = mixed % (num_levels // 4 + 1)
        levels = (ramp + rough * (columns > width // 2)) % num_levels
        levels[: height // 3] = num_levels // 3
        made.append((f"{n}.png", levels.astype(np.uint8)))
    return made


def write_golden(path, model):
    """Write a golden file with a model that comes with the package."""
    named = load_program(model)
    with Path(path).open("wb") as stream:
        pictures = images(named.program.num_levels, named.program.channels)
        write(Codec(named, tile=16, threads=1), pictures, stream)


if __name__ == "__main__":
    write_golden(*sys.argv[1:])
