"""What docs/codes.md shows can be typed: images to codes, a model of them, and sampled codes to images."""

import re
from pathlib import Path

import numpy as np
import pytest

from pixelrnn.evaluation import evaluate

ROOT = Path(__file__).resolve().parents[1]
PIECES = re.findall(r"```python\n(.*?)```", (ROOT / "docs/codes.md").read_text("utf-8"), re.S)


@pytest.fixture(scope="module")
def names(tmp_path_factory):
    """All that the page's Python makes, in a folder of its own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("codes"))
        found = {}
        for piece in PIECES:
            exec(compile(piece, "docs/codes.md", "exec"), found)
        return found


def test_images_become_codes_that_say_what_they_were(names):
    rebuilt = names["codebook"].cluster_centers_[names["codes"]]
    rebuilt = rebuilt.reshape(-1, 4, 4, 2, 2).swapaxes(2, 3).reshape(-1, 8, 8)
    error = ((rebuilt - names["images"]) ** 2).mean()
    assert error < 0.25 * names["images"].var()


def test_codes_are_learnt(names):
    """Far below a uniform distribution; and below what counting each code at each place gives."""
    model, codes = names["model"], names["codes"].astype(np.int64)
    held_out = codes[8::10]
    given = model.given(names["labels"][8::10])
    found = evaluate(given, held_out[:, None].astype(np.uint8)).bits_per_dim
    counts = np.ones((4, 4, 64))
    train = codes[np.arange(len(codes)) % 10 < 8]
    for row, column in np.ndindex(4, 4):
        counts[row, column] += np.bincount(train[:, row, column], minlength=64)
    share = counts / counts.sum(axis=2, keepdims=True)
    _, rows, columns = np.ogrid[: len(held_out), :4, :4]
    counted = -np.log2(share[rows, columns, held_out]).mean()
    assert found < counted < 6


def test_samples_become_images_of_the_label(names):
    """Nearer to the mean image of threes than to that of any other digit: more of them than shown."""
    assert names["sampled"].dtype == np.uint8
    assert names["threes"].shape == (16, 8, 8)
    sampled = names["model"].given(labels=3).sample(1000, seed=1)[:, 0]
    decoded = names["codebook"].cluster_centers_[sampled]
    threes = decoded.reshape(-1, 4, 4, 2, 2).swapaxes(2, 3).reshape(-1, 8, 8)
    means = np.stack(
        [names["images"][names["labels"] == digit].mean(axis=0) for digit in range(10)]
    )
    distances = ((means - threes.mean(axis=0)) ** 2).sum(axis=(1, 2))
    assert distances.argmin() == 3


def test_the_run_is_of_symbols(names):
    config = names["model"].config
    assert (config.alphabet, config.num_levels, config.num_labels) == ("symbols", 64, 10)
