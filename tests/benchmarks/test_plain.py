"""The plain models are the fast ones: in float64, the same loss and the same gradients."""

import pytest
import torch

from benchmarks import plain_lstm
from benchmarks.plain import PlainConv2d, plain
from pixelrnn.layers import LineLSTM, MaskedConv2d

TOLERANCE = {"rtol": 1e-9, "atol": 1e-12}
RECURRENCES = (plain_lstm.PlainRowLSTM, plain_lstm._PlainDiagonalLSTM)


def modules(network, *kinds):
    return [module for module in network.modules() if isinstance(module, kinds)]


def gradients(model, images):
    """The two losses, and pairs of gradients in our layout: fast, plain."""
    slow = plain(model)
    fast_loss = -model.log_prob(images).sum() / images.numel()
    slow_loss = slow.loss(images)
    fast_loss.backward()
    slow_loss.backward()
    pairs = []
    convolutions = modules(model, MaskedConv2d), modules(slow, PlainConv2d)
    for ours, theirs in zip(*convolutions, strict=True):
        rows = ours.mask.shape[2]
        causal, below = theirs.weight.grad[:, :, :rows], theirs.weight.grad[:, :, rows:]
        pairs.append((ours.weight.grad, causal[ours.mask]))
        assert not below.any()
        assert not causal[~ours.mask].any()
        if ours.bias is not None:
            pairs.append((ours.bias.grad, theirs.bias.grad))
    singles = [
        (ours, direction)
        for ours in modules(model, LineLSTM)
        for direction in range(len(ours.initial_hidden))
    ]
    for (ours, direction), theirs in zip(singles, modules(slow, *RECURRENCES), strict=True):
        kernel = theirs.state_to_state.grad.permute(2, 1, 0).flatten(0, 1)
        pairs.append((ours.state_to_state.grad[direction], kernel))
        for name in ("initial_hidden", "initial_cell"):
            pairs.append((getattr(ours, name).grad[direction], getattr(theirs, name).grad))
    assert len(modules(model, MaskedConv2d)) > 3
    return fast_loss, slow_loss, pairs


def assert_same(model, images):
    fast_loss, slow_loss, pairs = gradients(model, images)
    torch.testing.assert_close(slow_loss, fast_loss, **TOLERANCE)
    for ours, theirs in pairs:
        assert ours.any()
        torch.testing.assert_close(theirs, ours, **TOLERANCE)


def test_loss_and_gradients(kind, likelihood, channels, size, tiny_model, random_images):
    model = tiny_model(kind, likelihood, channels, noise=0.2, skip_connections=True, head_layers=3)
    assert_same(model, random_images(3, channels, *size))


@pytest.mark.parametrize(
    "settings",
    [{"border_channel": False}, {"stem_kernel_size": 7, "features": 6}, {"num_levels": 2}],
    ids=["no-border", "7x7-stem", "2-levels"],
)
def test_other_settings(kind, likelihood, settings, tiny_model, random_images):
    model = tiny_model(kind, likelihood, 3, noise=0.2, **settings)
    assert_same(model, random_images(2, 3, 4, 6, model.config.num_levels))


@pytest.mark.parametrize("shape", [(1, 6), (6, 1)], ids=["one-row", "one-column"])
def test_a_line_of_pixels(kind, likelihood, shape, tiny_model, random_images):
    model = tiny_model(kind, likelihood, 3, noise=0.2)
    images = random_images(2, 3, *shape)
    with torch.no_grad():
        expected = -model.log_prob(images).sum() / images.numel()
        torch.testing.assert_close(plain(model).loss(images), expected, **TOLERANCE)


@pytest.mark.parametrize("settings", [{"dilations": (1, 2), "layers": 3}, {"kernel_size": 5}])
def test_pixelcnn_kernels(likelihood, channels, settings, tiny_model, random_images):
    model = tiny_model("pixelcnn", likelihood, channels, noise=0.2, **settings)
    assert_same(model, random_images(2, channels, 6, 9))


@pytest.mark.parametrize("kernel_size", [1, 5])
def test_row_lstm_kernels(likelihood, kernel_size, tiny_model, random_images):
    model = tiny_model("row-lstm", likelihood, 3, noise=0.2, kernel_size=kernel_size)
    assert_same(model, random_images(2, 3, 4, 6))


def test_weights_are_its_own(kind, tiny_model, random_images):
    model = tiny_model(kind, "categorical", 3, noise=0.2)
    slow, images = plain(model), random_images(1, 3, 4, 5)
    before = slow.loss(images).item()
    assert all(each.is_leaf and each.requires_grad for each in slow.parameters())
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(1.0)
    assert slow.loss(images).item() == before


# And the comparison would see a difference.


def _no_initial_hidden(recurrence):
    recurrence.initial_hidden.data.zero_()


def _no_initial_cell(recurrence):
    recurrence.initial_cell.data.zero_()


def _taps_turned_round(recurrence):
    recurrence.state_to_state.data = recurrence.state_to_state.data.flip(2)


@pytest.mark.parametrize("fault", [_no_initial_hidden, _no_initial_cell, _taps_turned_round])
@pytest.mark.parametrize("lstm_kind", ["row-lstm", "diagonal-bilstm"])
def test_a_wrong_recurrence_is_seen(lstm_kind, fault, tiny_model, random_images):
    model, images = tiny_model(lstm_kind, noise=0.2), random_images(2, 1, 5, 7)
    for index in range(len(modules(plain(model), *RECURRENCES))):
        slow = plain(model)
        fault(modules(slow, *RECURRENCES)[index])
        assert differs(model, slow, images)


def _shifted_down(conv):
    conv.weight.data = conv.weight.data.roll(1, dims=2)
    conv.mask = None


def _no_dilation(conv):
    conv.padding, conv.dilation = tuple(side // 2 for side in conv.padding), 1


@pytest.mark.parametrize("fault", [_shifted_down, _no_dilation])
def test_a_wrong_convolution_is_seen(fault, tiny_model, random_images):
    model, images = tiny_model("pixelcnn", noise=0.2, dilations=(2,)), random_images(2, 1, 5, 7)
    slow = plain(model)
    fault(modules(slow.blocks[0], PlainConv2d)[1])
    assert differs(model, slow, images)


def differs(model, slow, images):
    with torch.no_grad():
        expected = -model.log_prob(images).sum() / images.numel()
        return not torch.isclose(slow.loss(images), expected, **TOLERANCE)


def test_masked_weights_never_learn(tiny_model, random_images):
    slow = plain(tiny_model("pixelcnn", "categorical", 3, noise=0.2))
    optimizer = torch.optim.Adam(slow.parameters(), lr=0.1)
    slow.loss(random_images(2, 3, 5, 7)).backward()
    optimizer.step()
    masked = [conv for conv in modules(slow, PlainConv2d) if conv.mask is not None]
    assert masked
    for conv in masked:
        assert not conv.weight[conv.mask == 0].any()


def own_operations(loss):
    """Names of the operations behind a loss whose gradient is not torch's own."""
    left, seen, found = [loss.grad_fn], set(), []
    while left:
        node = left.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        if isinstance(node, torch.autograd.function.BackwardCFunction):
            found.append(node.name())
        left.extend(function for function, _ in node.next_functions)
    return found


def test_operations_are_those_of_torch(kind, likelihood, channels, tiny_model, random_images):
    """Else the fast version would be measured against a part of itself."""
    model = tiny_model(kind, likelihood, channels, dtype=torch.float32)
    assert own_operations(plain(model).loss(random_images(2, channels, 5, 7))) == []


def test_an_operation_that_is_not_of_torch_is_seen(tiny_model, random_images):
    fast = tiny_model("row-lstm", dtype=torch.float32)
    assert own_operations(fast.log_prob(random_images(2, 1, 5, 7)).sum()) != []
