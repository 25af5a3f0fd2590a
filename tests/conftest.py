"""Tiny models, images and seeds that the tests share.

Feature counts are uneven on purpose: seven features make three groups of 3, 2 and 2, so that a group
that is taken from the wrong end shows.
"""

import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from pixelrnn.layers.linear_prediction import WEIGHT_UNIT
from pixelrnn.likelihoods import LIKELIHOODS, LogisticMixture
from pixelrnn.likelihoods.logistic_mixture import MEAN_UNIT
from pixelrnn.models import CONFIGS, MODELS, AutoregressiveModel, ResidualModel

sys.path.insert(0, str(Path(__file__).parent))  # for `reference`, the plain versions
torch.set_num_threads(1)
# In the background of a shell Ctrl-C is ignored, and so it would be by all processes that tests start.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(params=MODELS)
def kind(request: pytest.FixtureRequest) -> str:
    """Each of the models that are registered, in turn."""
    return request.param


@pytest.fixture(params=LIKELIHOODS)
def likelihood(request: pytest.FixtureRequest) -> str:
    """Each of the likelihoods that are registered, in turn."""
    return request.param


@pytest.fixture(params=[kind for kind in MODELS if issubclass(MODELS[kind], ResidualModel)])
def skeleton_kind(request: pytest.FixtureRequest) -> str:
    """Each of the models of the common skeleton, into whose parts faults can be planted."""
    return request.param


@pytest.fixture(params=[1, 3], ids=["grey", "rgb"])
def channels(request: pytest.FixtureRequest) -> int:
    """Grey and RGB in turn."""
    return request.param


@pytest.fixture(params=[(5, 7), (7, 5)], ids=["5x7", "7x5"])
def size(request: pytest.FixtureRequest) -> tuple[int, int]:
    """A wide and a tall image, (height, width)."""
    return request.param


@pytest.fixture
def tiny_model() -> Callable[..., AutoregressiveModel]:
    """A function that builds a tiny model."""
    return build_tiny_model


@pytest.fixture
def random_images() -> Callable[..., Tensor]:
    """A function that draws images."""
    return draw_images


@pytest.fixture
def generator() -> torch.Generator:
    """A seeded generator for the checks."""
    return torch.Generator().manual_seed(11)


@pytest.fixture
def use_threads() -> Iterator[Callable[[int], None]]:
    """A function that sets how many threads torch, and the compiled loops, use in this test."""
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


def build_tiny_model(
    kind: str,
    likelihood: str = "categorical",
    channels: int = 1,
    *,
    seed: int = 0,
    noise: float = 0.0,
    dtype: torch.dtype = torch.float64,
    **settings: object,
) -> AutoregressiveModel:
    """Build a tiny model in float64.

    Args:
        kind: a key of `MODELS`.
        likelihood: a key of `LIKELIHOODS`; a mixture has two components.
        channels: 1 or 3.
        seed: of the initial weights.
        noise: standard deviation of what is added to every parameter, so that none (biases, initial
            states) is left at zero.
        dtype: of the weights.
        settings: other keys of the configuration. A size that the model has not is left out; a test that
            asks for something else that it has not is skipped.
    """
    about = {"kind": likelihood}
    if "components" in LIKELIHOODS[likelihood].model_fields:
        about["components"] = 2
    sizes = {"features": 7, "head_features": 8, "layers": 2, "stem_kernel_size": 3, "num_levels": 5}
    unknown = settings.keys() - CONFIGS[kind].model_fields.keys() - sizes.keys()
    if unknown:
        pytest.skip(f"{kind} has no {', '.join(sorted(unknown))}")
    keys = {"kind": kind, "likelihood": about, "channels": channels} | sizes | settings
    known = {key: value for key, value in keys.items() if key in CONFIGS[kind].model_fields}
    config = CONFIGS[kind].model_validate(known)
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(seed)
        model = MODELS[kind](config).to(dtype)
        for parameter in model.parameters():
            parameter.add_(noise * torch.randn_like(parameter))
        if isinstance(model, ResidualModel) and isinstance(model.likelihood, LogisticMixture):
            spread_means(model, noise)
    return model


def spread_means(model: ResidualModel, noise: float) -> None:
    """Let the means of a mixture vary as much as its other parameters: their units are small."""
    mixture = model.likelihood
    means = slice(mixture.components, mixture.components * (1 + mixture.channels))
    model.head.output.weight.view(mixture.head_maps, -1)[means] /= MEAN_UNIT
    model.head.output.bias[means] /= MEAN_UNIT
    weight = model.prediction.conv.weight
    weight.add_(noise / WEIGHT_UNIT * torch.randn_like(weight))


def draw_images(
    count: int, channels: int, height: int, width: int, num_levels: int = 5, seed: int = 0
) -> Tensor:
    """Draw uint8 images `(count, channels, height, width)`, every level equally likely."""
    levels = np.random.default_rng(seed).integers(num_levels, size=(count, channels, height, width))
    return torch.from_numpy(levels.astype(np.uint8))
