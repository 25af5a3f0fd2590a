"""What a model is given: images of numpy or of torch, and none at all."""

import numpy as np
import pytest
import torch

from pixelrnn.completion import complete
from pixelrnn.errors import ImageMismatchError
from pixelrnn.evaluation import evaluate
from pixelrnn.likelihoods import CategoricalConfig, LogisticMixtureConfig
from pixelrnn.models import CONFIGS, PixelCNNConfig, build

TOP = np.arange(4)[:, None] < np.full(5, 2)


def small(config=PixelCNNConfig, channels=3, likelihood=None):
    likelihood = likelihood or LogisticMixtureConfig()
    return build(
        config(channels=channels, features=6, head_features=6, layers=1, likelihood=likelihood)
    )


def draw(count, channels=3, size=(4, 5)):
    return np.random.default_rng(1).integers(256, size=(count, channels, *size), dtype=np.uint8)


ASKED = {
    "log_prob": lambda model, images: model.log_prob(images),
    "log_prob_map": lambda model, images: model.log_prob_map(images),
    "nats": lambda model, images: model.nats(images),
    "evaluate": lambda model, images: torch.from_numpy(evaluate(model, images).nats),
    "complete": lambda model, images: torch.from_numpy(complete(model, images, TOP).images),
}


@pytest.mark.parametrize("asked", ASKED)
@pytest.mark.parametrize("config", CONFIGS.values())
def test_numpy_is_taken_wherever_a_tensor_is(config, asked):
    model, images, ask = small(config), draw(3), ASKED[asked]
    expected = ask(model, torch.from_numpy(images))
    frozen = images.copy()
    frozen.flags.writeable = False
    for given in (images, frozen, images[..., ::-1].copy()[..., ::-1]):
        assert torch.equal(ask(model, given), expected)


@pytest.mark.parametrize("asked", ASKED)
@pytest.mark.parametrize("likelihood", [CategoricalConfig(), LogisticMixtureConfig()])
@pytest.mark.parametrize("config", CONFIGS.values())
@pytest.mark.parametrize("convert", [torch.from_numpy, np.asarray])
def test_no_images_give_an_empty_result(config, likelihood, asked, convert):
    result = ASKED[asked](small(config, likelihood=likelihood), convert(draw(0)))
    assert result.shape == () if asked == "nats" else result.shape[0] == 0
    assert float(result.detach().sum()) == 0


def test_of_no_images_completions_are_chosen_too():
    found = complete(small(), draw(0), TOP, count=2, importance=5)
    assert found.images.shape == (0, 2, 3, 4, 5)
    assert found.hidden_bits_per_dim.shape == found.effective_samples.shape == (0,)


def test_the_mean_of_no_images_is_refused():
    with pytest.raises(ValueError, match="at least one"):
        evaluate(small(), draw(0)).bits_per_dim  # noqa: B018


WRONG = [
    (draw(1)[0], r"images\[None\]"),
    (draw(1)[0, 0], "shape"),
    (draw(2).transpose(0, 2, 3, 1), r"0, 3, 1, 2"),
    (draw(2, channels=1), "grey|channel"),
    (draw(2).astype(np.float32), "float32"),
    (draw(2).astype(np.int64), "int64"),
    (draw(2, size=(0, 5)), "no pixels"),
    (draw(2, size=(5, 0)), "no pixels"),
]


@pytest.mark.parametrize("asked", ASKED)
@pytest.mark.parametrize(("images", "named"), WRONG)
@pytest.mark.parametrize("convert", [torch.from_numpy, np.asarray])
def test_what_does_not_fit_is_refused_by_name(images, named, asked, convert):
    with pytest.raises(ImageMismatchError, match=named):
        ASKED[asked](small(), convert(np.ascontiguousarray(images)))


@pytest.mark.parametrize("asked", ASKED)
@pytest.mark.parametrize("images", [[[0]], None, "digits", [draw(1)[0]]])
def test_what_is_no_array_is_refused_by_name(asked, images):
    with pytest.raises(ImageMismatchError, match="tensor or an array"):
        ASKED[asked](small(), images)


def test_a_stack_of_grey_images_is_shown_the_axis_it_lacks():
    with pytest.raises(ImageMismatchError, match=r"images\[:, None\]"):
        small(channels=1).log_prob(draw(7)[:, 0])


def test_levels_are_checked_in_both():
    model = build(PixelCNNConfig(channels=1, num_levels=4, features=4, layers=1))
    for images in (draw(2, 1), torch.from_numpy(draw(2, 1))):
        with pytest.raises(ImageMismatchError, match="4 levels"):
            model.log_prob(images)
