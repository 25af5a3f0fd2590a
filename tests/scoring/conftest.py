"""A tiny model of grey images with nine levels, and what it scores."""

import numpy as np
import pytest

from pixelrnn.models import CONFIGS, MODELS
from pixelrnn.scoring import Scorer
from pixelrnn.scoring.sources import Fit

CONFIG = {"kind": "pixelcnn", "channels": 1, "num_levels": 9, "image_size": [6, 5], "features": 4,
          "layers": 1, "head_features": 4, "stem_kernel_size": 3}  # fmt: skip


@pytest.fixture(scope="session")
def model():
    """A model of images 6 x 5, never trained."""
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return MODELS["pixelcnn"](CONFIGS["pixelcnn"].model_validate(CONFIG)).eval()


@pytest.fixture
def scorer(model):
    return Scorer(model)


@pytest.fixture(scope="session")
def fit():
    return Fit(channels=1, num_levels=9)


@pytest.fixture(scope="session")
def images():
    """A function that draws images."""

    def draw(count, seed=0, shape=(1, 6, 5)):
        return np.random.default_rng(seed).integers(9, size=(count, *shape), dtype=np.uint8)

    return draw
