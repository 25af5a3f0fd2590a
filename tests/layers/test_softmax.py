"""The last layer and its softmax as one operation, against the two apart."""

import pytest
import torch
from torch.autograd import gradcheck

from pixelrnn.kernels.memory import MEMORY
from pixelrnn.layers import feature_groups, pointwise
from pixelrnn.layers.softmax import can_fuse, softmax_nats
from pixelrnn.models import PixelCNNConfig, build

LEVELS = pytest.mark.parametrize("num_levels", [2, 5, 8, 17, 256])


@LEVELS
@pytest.mark.parametrize("settings", [{}, {"head_layers": 2}, {"skip_connections": True}], ids=str)
def test_nats_are_minus_the_log_probability(
    kind, channels, size, num_levels, settings, tiny_model, random_images
):
    """And so are the gradients, whether the levels fill whole blocks or not."""
    model = tiny_model(kind, "categorical", channels, num_levels=num_levels, noise=0.2, **settings)
    images = random_images(3, channels, *size, num_levels)
    found = []
    for nats in (model.nats(images), -model.log_prob(images).sum()):
        model.zero_grad()
        (nats / images.numel()).backward()
        found.append([nats.detach(), *(parameter.grad for parameter in model.parameters())])
    for together, apart in zip(*found, strict=True):
        torch.testing.assert_close(together, apart, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("kind_of_likelihood", ["categorical", "logistic-mixture"])
def test_nats_of_many_pixels(kind_of_likelihood, tiny_model, random_images):
    """More than one strip, the last of them short."""
    model = tiny_model("pixelcnn", kind_of_likelihood, 3, num_levels=8)
    images = random_images(2, 3, 19, 31, 8)
    torch.testing.assert_close(
        model.nats(images), -model.log_prob(images).sum(), rtol=1e-12, atol=0
    )


def test_gradcheck():
    groups = torch.zeros(3, dtype=torch.int64)
    conv = pointwise(groups, torch.zeros(4, dtype=torch.int64)).double()
    torch.nn.init.normal_(conv.bias)
    maps = torch.randn(2, 3, 2, 3, dtype=torch.float64, requires_grad=True)
    images = torch.randint(4, (2, 1, 2, 3), dtype=torch.uint8)

    def nats(maps, *_):
        return softmax_nats(conv, maps, images, 4)

    assert gradcheck(nats, (maps, conv.weight, conv.bias))


def test_extreme_logits_stay_finite():
    groups = torch.zeros(1, dtype=torch.int64)
    conv = pointwise(groups, torch.zeros(4, dtype=torch.int64))
    with torch.no_grad():
        conv.weight.copy_(torch.tensor([1e4, -1e4, 0.0, 5.0]))
    maps = torch.ones(1, 1, 1, 2, requires_grad=True)
    images = torch.tensor([[[[0, 1]]]], dtype=torch.uint8)
    nats = softmax_nats(conv, maps, images, 4)
    nats.backward()
    assert nats.item() == pytest.approx(2e4)
    assert torch.isfinite(maps.grad).all()


def test_levels_that_are_out_of_the_question_give_no_subnormal_gradients():
    """A processor is ten times as slow with numbers below the normal ones."""
    levels = torch.zeros(64, dtype=torch.int64)
    conv = pointwise(torch.zeros(1, dtype=torch.int64), levels)
    with torch.no_grad():
        conv.weight.copy_(torch.cat([torch.zeros(32), torch.linspace(-60, -120, 32)]))
    image = torch.zeros(1, 1, 1, 1, dtype=torch.uint8)
    softmax_nats(conv, torch.ones(1, 1, 1, 1), image, 64).backward()
    for gradient in (conv.weight.grad, conv.bias.grad):
        assert (gradient.abs() >= torch.finfo(torch.float32).tiny).all()


def test_logits_of_a_batch_are_never_held_at_once():
    """768 maps would be 50 MB; what is kept is less than a third of that."""
    torch.manual_seed(0)
    config = {"channels": 3, "features": 6, "layers": 1, "head_features": 6}
    model = build(PixelCNNConfig(**config, likelihood={"kind": "categorical"}))
    images = torch.randint(256, (16, 3, 32, 32), dtype=torch.uint8)
    MEMORY.most_used_bytes = MEMORY.used_bytes
    before = MEMORY.used_bytes
    model.nats(images).backward()
    logits = 768 * images.numel() // 3 * 4
    assert MEMORY.most_used_bytes - before < logits / 3


def test_where_it_is_used(random_images):
    ins, outs = feature_groups(6, 3), torch.arange(3).repeat_interleave(8)
    conv, images = pointwise(ins, outs), random_images(1, 3, 2, 2)
    assert can_fuse(conv, images, 8)
    assert not can_fuse(conv, images, 6)  # blocks of outputs would lie across colours
    assert not can_fuse(conv.bfloat16(), images, 8)
    with torch.no_grad():
        assert not can_fuse(conv.float(), images, 8)
